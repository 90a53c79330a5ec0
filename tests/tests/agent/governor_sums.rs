//! The governor and sums: of a flood that costs more than it may, what an agent tells Prometheus stays what the
//! program counted that made it, by however many steps less of it is looked at; and each step is told. What each
//! probe does is proven beside them (`crates/signals/tests/governed.rs`).

use chandra_tests::agent::{Agent, without_variables};
use chandra_tests::flood::Flood;
use chandra_tests::flows::Observed;
use chandra_tests::needs;
use chandra_tests::observe::{command, said};
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;

const SIGNAL: &str = "system_call_count";
/// So many calls a millisecond at most: several times what a busy machine makes beside them.
const PER_MILLISECOND: &str = "500";
/// So many facts that one percent is four standard deviations of a count of which one in 32 is drawn.
const CALLS: u64 = 5_000_000;

fn arguments(budget_percent: f64) -> Vec<String> {
    let budget = format!("{SIGNAL}={budget_percent:.2}%");
    let signals = format!("process,{SIGNAL}");
    let words = ["--signals", &signals, "--cpu-budget", &budget, "--cpu-budget-window", "500ms"];
    words.map(str::to_owned).to_vec()
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// What it costs in a flood, in percent of a core, where all of it is told.
fn cost_of(flooding: &std::path::Path) -> f64 {
    let agent = Agent::start(&borrowed(&arguments(100_000.0)));
    agent.wait_until_ready();
    let flood = Flood::start(flooding, &[PER_MILLISECOND]);
    wait_for("a flood that is seen", || (errors(&agent) > 100_000).then_some(()));
    let cost = agent.median_cost_percent(SIGNAL, 7);
    flood.stop();
    agent.stop();
    cost
}

fn errors(agent: &Agent) -> u64 {
    let sample = "chandra_system_call_errors_total{call=\"timer_delete\",errno=\"EINVAL\"}";
    agent.metric(sample)
}

fn durations(agent: &Agent) -> u64 {
    agent.metric("chandra_system_call_duration_seconds_count{call=\"timer_delete\"}")
}

fn rung(agent: &Agent) -> String {
    agent.signal(SIGNAL).text("governor.rung").unwrap().to_owned()
}

/// Steps as its events have them: from where to where.
fn steps(observed: &Observed) -> Vec<[String; 2]> {
    let lines = observed.printed(&["observe", "agent-events", "-o", "json"]);
    let events = lines.lines().map(Record::parse);
    let told = events
        .filter(|event| event.text("agent_event.unknown.type") == Some("signal_governor"))
        .map(|event| Record::parse(event.text("agent_event.unknown.notification").unwrap()));
    told.map(|step| ["from", "to"].map(|end| step.text(end).unwrap().to_owned())).collect()
}

/// The line of `chandra status` that says it.
fn status_line(agent: &Agent) -> Option<String> {
    let mut status = command(&["status", "--http", &agent.address().to_string()]);
    without_variables(&mut status);
    let screen = said(&mut status).out;
    let mut lines = screen.lines().filter(|line| line.contains(&format!("signal {SIGNAL}: ")));
    lines.find(|line| line.contains(" of its facts are told")).map(str::to_owned)
}

fn is_near(estimate: u64, truth: u64) -> bool {
    estimate.abs_diff(truth) * 100 <= truth
}

#[test]
fn sums_of_a_flood_that_is_told_in_part_are_those_of_who_made_it_and_what_follows_is_exact() {
    needs!("root", "cc");
    let scratch = Scratch::new();
    let flooding = Flood::compiled(&scratch, "call_flood");
    // Less than what it costs to tell all, and more than what it costs to leave most of it out, which is half of it.
    let budget = cost_of(&flooding) * 0.75;
    let observed = Observed::start(&borrowed(&arguments(budget)));
    let agent = &observed.agent;
    let flood = Flood::start(&flooding, &[PER_MILLISECOND]);
    let line = wait_for("chandra status with the step", || status_line(agent));
    assert!(line.contains(": 1/"), "{line}");
    wait_for("enough of the flood", || (errors(agent) > CALLS).then_some(()));
    let calls = flood.stop();
    let (errors_told, durations_told) = (errors(agent), durations(agent));
    let taken = steps(&observed);
    println!("{calls} calls, {errors_told} and {durations_told} told, by {taken:?}");
    assert!(taken.iter().all(|[_, to]| to != "detached"), "none was out of sight: {taken:?}");
    assert!(is_near(errors_told, calls), "{errors_told} of {calls}");
    assert!(is_near(durations_told, calls), "{durations_told} of {calls}");
    let signal = agent.signal(SIGNAL);
    assert!(signal.number("ledger.sampled_out").unwrap() > calls / 3, "{signal:?}");

    wait_for("a signal that is told whole again", || (rung(agent) == "all").then_some(()));
    assert_eq!(agent.metric(&format!("chandra_signal_sampling_one_in{{signal=\"{SIGNAL}\"}}")), 1);
    assert_eq!(status_line(agent), None);
    let before = (errors(agent), durations(agent));
    assert_eq!(Flood::start(&flooding, &[PER_MILLISECOND, "10000"]).ended(), 10_000);
    let after = (errors(agent), durations(agent));
    assert_eq!((after.0 - before.0, after.1 - before.1), (10_000, 10_000), "all of them");

    // Each step was an event, one after another, and is counted.
    let taken = steps(&observed);
    assert_eq!(taken.first().map(|step| step[0].as_str()), Some("all"), "{taken:?}");
    assert_eq!(taken.last().map(|step| step[1].as_str()), Some("all"), "{taken:?}");
    assert!(taken.windows(2).all(|pair| pair[0][1] == pair[1][0]), "{taken:?}");
    for step in &taken {
        let labels = format!("signal=\"{SIGNAL}\",from=\"{}\",to=\"{}\"", step[0], step[1]);
        let counted = agent.metric(&format!("chandra_governor_steps_total{{{labels}}}"));
        let told = taken.iter().filter(|other| *other == step).count();
        assert_eq!(counted, told as u64, "{labels}");
    }
    wait_for("books that balance", || {
        (agent.signal(SIGNAL).number("ledger.imbalance") == Some(0)).then_some(())
    });
    observed.agent.stop();
}
