//! The governor: a signal that costs more than it may is told in part, then counted only, then detached, and tried
//! again; what identity and rules live from is told whole. That sums stay right meanwhile is shown in `governor_sums`.

use std::fs;

use chandra_tests::agent::{self, Agent};
use chandra_tests::failure::fails;
use chandra_tests::flood::Flood;
use chandra_tests::flows::Observed;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;

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
fn what_sampling_does_not_help_is_counted_then_detached_and_tried_again() {
    needs!("root", "cc");
    let scratch = Scratch::new();
    let (flooding, file) = (Flood::compiled(&scratch, "open_flood"), scratch.at("flooded"));
    fs::write(&file, "").unwrap();
    // Next to nothing: even what is left out costs more.
    let arguments = ["--signals", "process,file_open", "--cpu-budget", "file_open=0.0001%"];
    let arguments = [&arguments[..], &["--cpu-budget-window", "100ms"]].concat();
    let observed = Observed::start(&arguments);
    let agent = &observed.agent;
    agent.wait_until_ready();
    let flood = Flood::start(&flooding, &[file.to_str().unwrap()]);
    let step = |from: &str, to: &str| {
        wait_for(&format!("the step from {from} to {to}"), || {
            (steps(agent, from, to) > 0).then_some(())
        });
        agent.wait_until_balanced("file_open");
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
    let process = agent.signal("process");
    assert_eq!(process.text("governor.role"), Some("exempt"), "identity lives from it");
    assert_eq!(process.number("ledger.sampled_out"), Some(0), "{process:?}");
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
        (Flood::compiled(&scratch, "open_flood"), scratch.at("flooded"), scratch.at("rules.yaml"));
    fs::write(&file, "").unwrap();
    let condition = format!("evt.type = openat and fd.name = {}", file.display());
    let rule = format!(
        "- rule: Opened\n  desc: d\n  output: o\n  priority: INFO\n  condition: {condition}\n"
    );
    fs::write(&rules, rule).unwrap();
    let rules = ["--rules", rules.to_str().unwrap(), "--cpu-budget-window", "100ms"];
    let agent = Agent::start(&[&rules[..], &["--cpu-budget", "0.001%"]].concat());
    agent.wait_until_ready();
    let flood = Flood::start(&flooding, &[file.to_str().unwrap()]);
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
fn flows_have_a_budget_that_nobody_asked_for_unless_rules_need_them() {
    needs!("root");
    for (rules, role, may) in [("off", "governed", 10.0..=10.0), ("default", "exempt", 0.0..=1.0)] {
        let mut command =
            agent::command(&["--http", "127.0.0.1:0", "--signals", "process,tcp,udp"]);
        command.args(["--rules", rules, "--cpu-budget-window", "100ms"]);
        let agent = Agent::start_command(command.env_remove("CHANDRA_CPU_BUDGET"));
        let allows = |signal: &str| {
            wait_for("a window that is over", || {
                agent.signal(signal).at("governor.allowed_percent")?.as_f64()
            })
        };
        assert_eq!(allows("udp"), 10.0, "no rule asks for it");
        assert!(may.contains(&allows("tcp")), "with rules: {rules}");
        assert_eq!(agent.signal("tcp").text("governor.role"), Some(role), "with rules: {rules}");
        agent.stop();
    }
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
