//! The governor: a signal that costs more than it may is told in part, and says so on each record, so that sums
//! stay right; what that does not help is counted only, then detached, and tried again; what identity and rules
//! live from is told whole. The truth is how often a program says that it opened a file.
#![allow(clippy::unwrap_used, reason = "a test states what it expects by stopping")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use chandra_tests::agent::{self, Agent};
use chandra_tests::failure::fails;
use chandra_tests::flows::Observed;
use chandra_tests::needs;
use chandra_tests::observe::{command, said};
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;

/// So many standard deviations of a sum over what was drawn must be less than one percent of it, before it is
/// compared with the truth: one run in 2,000 is further off.
const DEVIATIONS: f64 = 3.5;
const MOST_OFF: f64 = 0.01;
/// Executions beside a flood.
const EXECS: usize = 30;

/// A program that opens a file as fast as it can, from when it is let go until its end.
struct Flood(Child);

impl Flood {
    fn compiled(scratch: &Scratch) -> PathBuf {
        let program = scratch.at("open_flood");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/open_flood.c");
        let mut compiler = Command::new("cc");
        assert!(
            compiler.arg("-O2").arg("-o").arg(&program).arg(source).status().unwrap().success()
        );
        program
    }

    /// One that waits still. It goes before others, so that it is a flood on a busy machine, too.
    fn waiting(program: &Path, file: &Path) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "read go && exec nice -n -10 \"$0\" \"$1\""]).arg(program).arg(file);
        Self(shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    }

    fn go(&mut self) {
        self.0.stdin.take().unwrap().write_all(b"\n").unwrap();
    }

    fn start(program: &Path, file: &Path) -> Self {
        let mut flood = Self::waiting(program, file);
        flood.go();
        flood
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Ends it. How often it opened the file.
    fn stop(mut self) -> u64 {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut said = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(self.0.wait().unwrap().success());
        said.trim().parse().unwrap()
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What was printed of one program's opens, and of the executions of another.
#[derive(Debug, Default)]
struct Told {
    pid: u32,
    records: u64,
    /// For how many opens those stand.
    stand_for: u64,
    /// The variance of that.
    variance: f64,
    execs: usize,
}

impl Told {
    /// Counts what the agent prints, until its end.
    fn follow(output: ChildStdout, file: &Path, program: &Path) -> Arc<Mutex<Self>> {
        let told = Arc::new(Mutex::new(Self::default()));
        let (all, file, program) =
            (Arc::clone(&told), file.display().to_string(), program.display().to_string());
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let mut told = all.lock().unwrap();
                let is_exec = line.contains("\"type\":\"exec\"") && line.contains(&program);
                told.execs += usize::from(is_exec);
                if line.contains("\"type\":\"file_open\"") && line.contains(&file) {
                    told.add(&Record::parse(&line));
                }
            }
        });
        told
    }

    fn add(&mut self, open: &Record) {
        if open.number("process.pid") != Some(u64::from(self.pid)) {
            return;
        }
        let one_in = open.number("sampled_one_in").unwrap_or(1);
        self.records += 1;
        self.stand_for += one_in;
        self.variance += (one_in * (one_in - 1)) as f64;
    }

    /// It is exact enough to be compared.
    fn is_exact_enough(&self) -> bool {
        self.stand_for > 0 && DEVIATIONS * self.variance.sqrt() < MOST_OFF * self.stand_for as f64
    }
}

/// An agent that goes before everybody else, so that it keeps up on a busy machine, too.
fn preferred(arguments: &[&str]) -> Agent {
    let plain = agent::command(arguments);
    let mut preferred = Command::new("nice");
    preferred.args(["-n", "-15"]).arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => preferred.env(name, value),
            None => preferred.env_remove(name),
        };
    }
    Agent::start_command(&mut preferred)
}

fn rung(agent: &Agent) -> String {
    agent.signal("file_open").text("governor.rung").unwrap().to_owned()
}

fn ledger(agent: &Agent, signal: &str, name: &str) -> u64 {
    agent.signal(signal).number(&format!("ledger.{name}")).unwrap()
}

/// Steps of the governor by the metric.
fn steps(agent: &Agent, from: &str, to: &str) -> u64 {
    let labels = format!("signal=\"file_open\",from=\"{from}\",to=\"{to}\"");
    agent.metric(&format!("chandra_governor_steps_total{{{labels}}}"))
}

#[test]
fn a_flood_is_sampled_within_its_budget_and_its_sums_stay_right() {
    needs!("root", "cc");
    let scratch = Scratch::new();
    let flooding = Flood::compiled(&scratch);
    let (file, beside) = (scratch.at("flooded"), scratch.at("beside"));
    fs::write(&file, "").unwrap();
    fs::copy("/bin/true", &beside).unwrap();
    // Far more than the opens of the rest of the machine cost, and less than floods do.
    let arguments = ["--signals", "process,file_open", "--event-budget", "off", "-o", "json"];
    let budget = ["--cpu-budget", "1%,file_open=30%", "--cpu-budget-window", "200ms"];
    let own = ["--http", "127.0.0.1:0", "--print", "--ring-size", "16m"];
    let mut agent = preferred(&[&own[..], &arguments, &budget].concat());
    let told = Told::follow(agent.take_output(), &file, &beside);
    agent.wait_until_ready();
    assert_eq!(rung(&agent), "all");

    let first: Vec<_> = (0..3).map(|_| Flood::start(&flooding, &file)).collect();
    wait_for("a flood that is sampled", || rung(&agent).starts_with("1/").then_some(()));
    let status = said(command(&["status"]).args(["--http", &agent.address().to_string()]));
    assert!(status.out.contains("of its facts are told; it costs"), "{}", status.out);
    // Of the first floods much was told at first. When the second one comes, the agent can keep up.
    let lost = |agent: &Agent| {
        let shed = agent.signal("file_open").number("ledger.shed.slow_reader").unwrap();
        ledger(agent, "file_open", "lost") + shed
    };
    wait_for("what is in flight", || {
        (ledger(&agent, "file_open", "in_flight") < 1000).then_some(())
    });
    let before = lost(&agent);
    let mut second = Flood::waiting(&flooding, &file);
    *told.lock().unwrap() = Told { pid: second.pid(), ..Told::default() };
    second.go();
    drop(first);
    for _ in 0..EXECS {
        assert!(Command::new(&beside).status().unwrap().success());
    }
    wait_for("a sum that is exact enough", || {
        assert_eq!(ledger(&agent, "file_open", "imbalance"), 0);
        told.lock().unwrap().is_exact_enough().then_some(())
    });
    let truth = second.stop();
    wait_for("the last record", || (ledger(&agent, "file_open", "in_flight") == 0).then_some(()));
    assert_eq!(lost(&agent), before, "nothing is lost on the way");
    wait_for("every exec", || (told.lock().unwrap().execs >= EXECS).then_some(()));
    {
        let told = told.lock().unwrap();
        assert!(told.records < truth, "{told:?} of {truth}");
        let off = told.stand_for.abs_diff(truth) as f64;
        assert!(off <= MOST_OFF * truth as f64, "{told:?} of {truth}");
        assert_eq!(told.execs, EXECS, "what identity lives from is told whole");
    }
    assert!(ledger(&agent, "file_open", "sampled_out") > 0);
    let process = agent.signal("process");
    assert_eq!(process.text("governor.role"), Some("exempt"), "{process:?}");
    assert_eq!(process.number("ledger.sampled_out"), Some(0));

    wait_for("all of it again", || (rung(&agent) == "all").then_some(()));
    assert_eq!(agent.metric("chandra_signal_sampling_one_in{signal=\"file_open\"}"), 1);
    assert!(steps(&agent, "1/2", "all") > 0);
    for signal in ["file_open", "process"] {
        assert_eq!(ledger(&agent, signal, "imbalance"), 0);
    }
    let outcome = agent.stop();
    let says = |words: &str| outcome.messages.iter().any(|line| line.contains(words));
    assert!(says("warning: signal file_open cost "), "{:#?}", outcome.messages);
    assert!(says("all of its facts are told again"), "{:#?}", outcome.messages);
    assert!(!says("do not balance"), "{:#?}", outcome.messages);
}

#[test]
fn what_sampling_does_not_help_is_counted_then_detached_and_tried_again() {
    needs!("root", "cc");
    let scratch = Scratch::new();
    let (flooding, file) = (Flood::compiled(&scratch), scratch.at("flooded"));
    fs::write(&file, "").unwrap();
    // Next to nothing: even what is left out costs more.
    let arguments = ["--signals", "process,file_open", "--cpu-budget", "file_open=0.0001%"];
    let arguments = [&arguments[..], &["--cpu-budget-window", "100ms"]].concat();
    let observed = Observed::start(&arguments);
    let agent = &observed.agent;
    agent.wait_until_ready();
    let flood = Flood::start(&flooding, &file);
    let step = |from: &str, to: &str| {
        wait_for(&format!("the step from {from} to {to}"), || {
            assert_eq!(ledger(agent, "file_open", "imbalance"), 0);
            (steps(agent, from, to) > 0).then_some(())
        });
    };
    step("1/256", "counted");
    step("counted", "detached");
    // While it stays detached nothing is seen.
    let taken = || agent.signal("file_open").number("governor.steps").unwrap();
    wait_for("nothing that is seen between two looks", || {
        let (steps, seen) = (taken(), ledger(agent, "file_open", "seen"));
        let is_detached = rung(agent) == "detached";
        (0..100_000).for_each(|_| std::hint::spin_loop());
        let (seen_then, steps_then) = (ledger(agent, "file_open", "seen"), taken());
        (is_detached && steps == steps_then && seen == seen_then).then_some(())
    });
    assert_eq!(agent.metric("chandra_signal_sampling_one_in{signal=\"file_open\"}"), 0);
    step("detached", "counted");
    let (tried, seen) = (steps(agent, "detached", "counted"), ledger(agent, "file_open", "seen"));
    wait_for("another trial, in which it sees", || {
        let tried_again = steps(agent, "detached", "counted") > tried;
        (tried_again && ledger(agent, "file_open", "seen") > seen).then_some(())
    });
    assert!(ledger(agent, "file_open", "aggregated") > 0, "they were counted");
    flood.stop();
    let signal = agent.signal("file_open");
    assert_eq!(signal.text("verdict"), Some("active"), "{signal:?}");
    // Each step was an event.
    let lines = observed.printed(&["observe", "agent-events", "-o", "json"]);
    let told = lines.lines().filter_map(|line| {
        let event = Record::parse(line);
        let is_step = event.text("agent_event.unknown.type") == Some("signal_governor");
        is_step.then(|| Record::parse(event.text("agent_event.unknown.notification").unwrap()))
    });
    let told: Vec<_> = told
        .map(|step| {
            assert_eq!(step.text("signal"), Some("file_open"), "{step:?}");
            ["from", "to"].map(|end| step.text(end).unwrap().to_owned())
        })
        .collect();
    assert_eq!(told[0][0], "all", "{told:?}");
    assert!(told.windows(2).all(|pair| pair[0][1] == pair[1][0]), "one after another: {told:?}");
    assert!(told.contains(&["detached", "counted"].map(str::to_owned)), "{told:?}");
    let outcome = observed.agent.stop();
    let says = |words: &str| outcome.messages.iter().any(|line| line.contains(words));
    assert!(says("its facts are only counted"), "{:#?}", outcome.messages);
    assert!(says("its hooks are detached"), "{:#?}", outcome.messages);
}

#[test]
fn what_rules_live_from_is_told_whole_and_that_it_costs_too_much_is_said() {
    needs!("root", "cc");
    let scratch = Scratch::new();
    let (flooding, file, rules) =
        (Flood::compiled(&scratch), scratch.at("flooded"), scratch.at("rules.yaml"));
    fs::write(&file, "").unwrap();
    let condition = format!("evt.type = openat and fd.name = {}", file.display());
    let rule = format!(
        "- rule: Opened\n  desc: d\n  output: o\n  priority: INFO\n  condition: {condition}\n"
    );
    fs::write(&rules, rule).unwrap();
    let rules = ["--rules", rules.to_str().unwrap(), "--cpu-budget-window", "100ms"];
    let agent = Agent::start(&[&rules[..], &["--cpu-budget", "0.001%"]].concat());
    agent.wait_until_ready();
    let flood = Flood::start(&flooding, &file);
    wait_for("the warning", || {
        let messages = agent.messages();
        let mut lines = messages.iter().filter(|line| line.contains("signal file_open costs"));
        lines
            .any(|line| line.contains("told whole all the same, because rules need it"))
            .then_some(())
    });
    flood.stop();
    let signal = agent.signal("file_open");
    assert_eq!(signal.text("governor.role"), Some("exempt"), "{signal:?}");
    assert_eq!(signal.text("governor.rung"), Some("all"), "{signal:?}");
    assert_eq!(signal.number("ledger.sampled_out"), Some(0), "{signal:?}");
    agent.stop();
    // Unless somebody says so.
    let agent = Agent::start(&[&rules[..], &["--cpu-budget", "file_open=0.001%"]].concat());
    agent.wait_until_ready();
    let messages = agent.messages();
    let warning =
        "warning: rules need signal file_open, and --cpu-budget file_open=… lets it be sampled";
    assert!(messages.iter().any(|line| line.starts_with(warning)), "{messages:#?}");
    assert_eq!(agent.signal("file_open").text("governor.role"), Some("governed"));
    agent.stop();
}

#[test]
fn a_budget_that_cannot_be_is_refused_with_what_can() {
    let refused = |option: &str, value: &str, words: &[&str]| {
        fails(&mut agent::command(&[option, value]), 2, "filters", words);
    };
    refused("--cpu-budget", "0", &["--cpu-budget 0", "file_open=0.5%"]);
    refused("--cpu-budget", "process=5%", &["process", "told in part", "file_open"]);
    refused("--cpu-budget-window", "1ms", &["1ms", "100ms"]);
}
