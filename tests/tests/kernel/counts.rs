//! System calls, page faults and interrupts, counted in the kernel: how they are shown, and that an agent tells
//! of them when it is asked to, and only then.

use std::process::Command;

use chandra_tests::actor::Actor;
use chandra_tests::agent::Agent;
use chandra_tests::faults::Faults;
use chandra_tests::http::get_as;
use chandra_tests::needs;
use chandra_tests::trace::{Trace, chandra};

const CALLS: u64 = 2000;

fn actor() -> Actor {
    Actor::start(&mut Command::new(env!("CARGO_BIN_EXE_actor")))
}

/// What a trace of a second shows to people.
fn shown(arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new(chandra());
    command.arg("trace").args(arguments).args(["--duration", "1s"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn interrupts_are_shown_a_line_each_or_drawn() {
    needs!("root");
    let lines = shown(&["irq"]);
    let heading: Vec<_> = lines[0].split_whitespace().collect();
    assert_eq!(heading, ["COUNT", "TOTAL", "MEAN", "OPERATION", "IRQ", "NAME"]);
    // Every machine has timers, and these are the first of the soft ones but one.
    let timer = lines.iter().find(|line| line.trim_end().ends_with(" TIMER")).unwrap();
    let fields: Vec<_> = timer.split_whitespace().collect();
    assert!(fields[0].parse::<u64>().unwrap() > 0, "{timer}");
    assert_eq!(fields[3..], ["soft", "1", "TIMER"]);
    let drawn = shown(&["irq-latency", "--by", "name"]);
    assert!(drawn.iter().any(|line| line.contains("soft  name=TIMER")), "{drawn:#?}");
}

#[test]
fn calls_are_told_apart_only_by_what_is_asked_for() {
    needs!("root");
    let mut actor = actor();
    actor.wait_until_idle();
    let pid = actor.pid().to_string();
    let by_pid = Trace::start(&["syscall-counts", "--pid", &pid, "--by", "pid"]);
    let by_call = Trace::start(&["syscall-latency", "--pid", &pid]);
    actor.ask(&format!("ask-parent {CALLS}"));
    actor.wait_until_idle();
    let (by_pid, by_call) = (by_pid.stop(), by_call.stop());
    by_pid.summary_without_loss();
    by_call.summary_without_loss();
    let [row] = &by_pid.records[..] else { panic!("{:#?}", by_pid.records) };
    // Its answer, beside them.
    assert_eq!(row.number("histogram.count"), Some(CALLS + 1), "{row:?}");
    let is_it = |row: &&chandra_tests::record::Record| row.text("call") == Some("getppid");
    let row = by_call.records.iter().find(is_it).unwrap();
    assert_eq!(row.number("histogram.count"), Some(CALLS), "{row:?}");
}

#[test]
fn an_agent_tells_of_what_it_is_asked_for() {
    needs!("root");
    let families = [
        "chandra_system_call_duration_seconds",
        "chandra_page_faults",
        "chandra_interrupt_seconds",
    ];
    let told = |agent: &Agent| get_as(agent.address(), "/metrics", "text/plain").1;
    let plain = Agent::start(&[]);
    let text = told(&plain);
    assert!(families.iter().all(|family| !text.contains(family)), "{text}");
    plain.stop();
    let signals = "process,system_call_count,page_fault,interrupt";
    // However much others do: one in N would be right on the average only.
    let agent = Agent::start(&["--signals", signals, "--cpu-budget", "off"]);
    let mut actor = actor();
    let value = |text: &str, sample: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse::<f64>().unwrap())
    };
    let (before, faults) = (told(&agent), Faults::of(actor.pid()));
    actor.ask(&format!("ask-parent {CALLS}"));
    actor.ask(&format!("close-nothing {CALLS}"));
    actor.ask("fill 4000000");
    // What is told is read after what is compared with it, and so has all of that.
    let faults = Faults::of(actor.pid()).since(faults);
    let text = told(&agent);
    // Others make calls and have faults, too.
    for (sample, least) in [
        ("chandra_system_call_duration_seconds_count{call=\"getppid\"}", CALLS),
        ("chandra_system_call_errors_total{call=\"close\",errno=\"EBADF\"}", CALLS),
        ("chandra_page_faults_total{fault=\"minor\"}", faults.minor),
    ] {
        let grown = value(&text, sample) - value(&before, sample);
        assert!(least > 0 && grown >= least as f64, "{sample}: {grown} of {least}");
    }
    let timer = "chandra_interrupt_seconds_count{operation=\"soft\",irq=\"1\",name=\"TIMER\"}";
    assert!(value(&text, timer) > 0.0, "{text}");
    for signal in ["system_call_count", "page_fault", "interrupt"] {
        agent.wait_until_balanced(signal);
    }
    agent.stop();
}
