//! Budgets of records: a cgroup that makes a flood spends its own, and takes nothing from another cgroup nor
//! from its own records of another signal. What is over a budget is counted, by cgroup and exactly.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Instant;

use chandra_tests::agent::Agent;
use chandra_tests::cgroup::{Cgroup, start_in};
use chandra_tests::containerd::{Container, Containerd, Pod};
use chandra_tests::failure::fails;
use chandra_tests::http::get_as;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::Trace;
use chandra_tests::{agent, needs, needs_containerd};

/// Opens the file so often, and ends.
const OPENS: &str = r#"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	for (long left = argc == 3 ? atol(argv[2]) : 0; left > 0; left--) {
		int descriptor = open(argv[1], O_RDONLY);

		if (descriptor < 0)
			return 1;
		close(descriptor);
	}
	return 0;
}
"#;

const FLOOD: u64 = 300_000;
const RATE: u64 = 1000;
/// What may be spent at once, a quarter of a second's.
const BURST: u64 = RATE / 4;
const QUIET_OPENS: u64 = 200;
const EXECS: usize = 100;

fn compiled(scratch: &Scratch) -> PathBuf {
    let (source, program) = (scratch.at("opens.c"), scratch.at("opens"));
    fs::write(&source, OPENS).unwrap();
    let mut compiler = Command::new("cc");
    assert!(compiler.arg("-o").args([&program, &source]).status().unwrap().success());
    program
}

fn opening(program: &Path, file: &Path, times: u64) -> Command {
    let mut command = Command::new(program);
    command.arg(file).arg(times.to_string());
    command
}

fn ended_well(mut child: Child) {
    assert!(child.wait().unwrap().success());
}

/// The alerts of a rule.
fn alerts(agent: &Agent, rule: &str) -> u64 {
    agent.metric(&format!("chandra_alerts_total{{rule=\"{rule}\",priority=\"Informational\"}}"))
}

/// The samples of records over budget, each with its labels.
fn over_budget(agent: &Agent) -> Vec<(String, u64)> {
    let (_, text) = get_as(agent.address(), "/metrics", "text/plain");
    let samples = text.lines().filter_map(|line| {
        let (labels, value) =
            line.strip_prefix("chandra_rate_limited_total{")?.rsplit_once("} ")?;
        Some((labels.to_owned(), value.parse().unwrap()))
    });
    samples.collect()
}

/// The signal's account once nothing is under way.
fn settled(agent: &Agent, signal: &str) -> Record {
    wait_for("what is in flight", || {
        let signal = agent.signal(signal);
        (signal.number("ledger.in_flight") == Some(0)).then_some(signal)
    })
}

#[test]
fn a_flood_in_one_cgroup_takes_nothing_from_another_nor_from_execs() {
    needs!("root", "cc");
    let scratch = Scratch::new();
    let root = scratch.path().canonicalize().unwrap();
    let program = compiled(&scratch);
    let (flooded, quiet) = (root.join("flooded"), root.join("quiet"));
    for file in [&flooded, &quiet] {
        fs::write(file, "").unwrap();
    }
    let rule = |name: &str, condition: &str| {
        format!(
            "- rule: {name}\n  desc: d\n  output: o\n  priority: INFO\n  condition: {condition}\n"
        )
    };
    let opens = "evt.type = openat and fd.num >= 0";
    let rules = [
        rule("Quiet", &format!("{opens} and fd.name = {}", quiet.display())),
        rule("Flooded", &format!("{opens} and fd.name = {}", flooded.display())),
        rule("Execs", &format!("evt.type = execve and proc.exepath = {}", program.display())),
    ];
    let file = scratch.at("rules.yaml");
    fs::write(&file, rules.concat()).unwrap();
    let budget = format!("file_open={RATE}");
    let arguments =
        ["--rules", file.to_str().unwrap(), "--rule-matching", "all", "--event-budget", &budget];
    let agent = Agent::start(&arguments);
    agent.wait_until_ready();

    let (noisy, other) = (Cgroup::new(), Cgroup::new());
    let in_cgroup = |cgroup: &Cgroup, file: &Path, times: u64| {
        let mut command = opening(&program, file, times);
        start_in(&mut command, &[cgroup.folder()]);
        command.spawn().unwrap()
    };
    let started = Instant::now();
    let mut flood = in_cgroup(&noisy, &flooded, FLOOD);
    // It spends its budget by now.
    wait_for("a flood that is over its budget", || {
        (agent.signal("file_open").number("ledger.rate_limited") > Some(0)).then_some(())
    });
    let beside = in_cgroup(&other, &quiet, QUIET_OPENS);
    // Executions of the cgroup that floods are told, too: they have a budget of their own.
    for _ in 0..EXECS {
        ended_well(in_cgroup(&noisy, &quiet, 0));
    }
    ended_well(beside);
    assert!(flood.wait().unwrap().success());
    let elapsed = started.elapsed();

    let execs = EXECS as u64 + 2;
    wait_for("every exec", || (alerts(&agent, "Execs") >= execs).then_some(()));
    let (process, file_open) = (settled(&agent, "process"), settled(&agent, "file_open"));
    let number = |name: &str| file_open.number(&format!("ledger.{name}")).unwrap();
    assert_eq!(file_open.number("records_per_second"), Some(RATE));
    assert_eq!(number("lost"), 0, "{file_open:?}");
    assert_eq!(number("imbalance"), 0, "{file_open:?}");
    for name in ["lost", "rate_limited", "imbalance"] {
        assert_eq!(process.number(&format!("ledger.{name}")), Some(0), "{process:?}");
    }
    wait_for("every open of the quiet cgroup", || {
        (alerts(&agent, "Quiet") >= QUIET_OPENS).then_some(())
    });
    assert_eq!((alerts(&agent, "Quiet"), alerts(&agent, "Execs")), (QUIET_OPENS, execs));
    // Of the flood each open was told or is over the budget, and no more were told than the rate allows.
    let limited = number("rate_limited");
    let told = wait_for("every open of the flood that is told", || {
        let told = alerts(&agent, "Flooded");
        (told + limited >= FLOOD).then_some(told)
    });
    assert_eq!(told + limited, FLOOD, "{file_open:?}");
    let allowed = elapsed.as_secs_f64() * RATE as f64 + BURST as f64;
    let cpus = std::thread::available_parallelism().unwrap().get() as u64;
    assert!(told >= BURST && told <= allowed.ceil() as u64 + cpus, "{told} in {elapsed:?}");
    // The metric says whose they were, all of them.
    let expected = format!(
        "signal=\"file_open\",namespace=\"\",pod=\"\",container=\"\",cgroup=\"{}\"",
        noisy.path()
    );
    let samples = wait_for("the metric", || {
        let samples = over_budget(&agent);
        (samples.iter().map(|(_, value)| value).sum::<u64>() >= limited).then_some(samples)
    });
    assert_eq!(samples, [(expected, limited)]);
    let warning = format!(
        "warning: cgroup {} is over its budget of signal file_open ({RATE} records a second): ",
        noisy.path()
    );
    let outcome = agent.stop();
    let warnings = outcome.messages.iter().filter(|line| line.starts_with(&warning)).count();
    // The flood may take longer than the minute for which one warning is enough.
    let minutes = usize::try_from(elapsed.as_secs() / 60).unwrap();
    assert!((1..=minutes + 1).contains(&warnings), "{:#?}", outcome.messages);
}

#[test]
fn a_flood_in_a_container_is_named_by_its_pod() {
    needs_containerd!();
    let containerd = Containerd::start();
    let (cri, scratch) = (containerd.cri(), Scratch::new());
    let rules = scratch.at("rules.yaml");
    let text = "- rule: Flooded\n  desc: d\n  output: o\n  priority: INFO\n  \
        condition: evt.type = openat and fd.num >= 0 and fd.name = /chandra-flooded\n";
    fs::write(&rules, text).unwrap();
    let socket = containerd.socket().display().to_string();
    let arguments = ["--cri-socket", &socket, "--rules", rules.to_str().unwrap()];
    let agent = Agent::start(&[&arguments[..], &["--event-budget", "file_open=20"]].concat());
    agent.wait_until_ready();
    let pod = Pod { host_network: true, ..Pod::named("noisy") };
    let sandbox = cri.run_pod(&pod);
    let flood = "i=0; : > /chandra-flooded; while [ $i -lt 2000 ]; do : < /chandra-flooded; i=$((i+1)); done";
    let id = cri.run(&sandbox, &pod, &Container::named("app", &["/bin/sh", "-c", flood]));
    wait_for("the end of the flood", || cri.exit_code(&id));
    let limited = settled(&agent, "file_open").number("ledger.rate_limited").unwrap();
    assert!(limited > 0 && limited <= 2001, "{limited}");
    let samples = wait_for("the metric", || {
        let samples = over_budget(&agent);
        (samples.iter().map(|(_, value)| value).sum::<u64>() >= limited).then_some(samples)
    });
    let expected =
        "signal=\"file_open\",namespace=\"test\",pod=\"noisy\",container=\"app\",cgroup=\"\"";
    assert_eq!(samples, [(expected.to_owned(), limited)]);
    let begin = "warning: pod test/noisy (container app) is over its budget of signal file_open";
    let messages = agent.messages();
    assert!(messages.iter().any(|line| line.starts_with(begin)), "{messages:#?}");
    agent.stop();
}

#[test]
fn a_trace_tells_all_unless_it_is_given_a_budget() {
    needs!("root", "cc");
    let scratch = Scratch::new();
    let program = compiled(&scratch);
    let file = scratch.path().canonicalize().unwrap().join("flooded");
    fs::write(&file, "").unwrap();
    let path = file.to_str().unwrap();
    for (budget, is_limited) in [(&[][..], false), (&["--event-budget", "100"], true)] {
        let arguments = [&["open", "--path", path, "--ring-size", "16m"], budget].concat();
        let trace = Trace::start(&arguments);
        ended_well(opening(&program, &file, 20_000).spawn().unwrap());
        let outcome = trace.stop();
        let summary = outcome.summary();
        let number = |name: &str| summary.number(name).unwrap();
        assert_eq!(number("rate_limited") > 0, is_limited, "{summary:?}");
        // Nobody else opens it.
        let told = number("shown") + number("lost") + number("rate_limited");
        assert_eq!(told, 20_000, "{summary:?}");
    }
}

#[test]
fn a_budget_that_cannot_be_is_refused_with_what_can() {
    let refused = |value: &str, words: &[&str]| {
        fails(&mut agent::command(&["--event-budget", value]), 2, "filters", words);
    };
    refused("0", &["--event-budget 0", "file_open=5000"]);
    refused("block_io=5", &["block_io", "no signal with a budget", "file_open"]);
    refused("process=many", &["process=many"]);
}
