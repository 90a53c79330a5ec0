//! How long threads wait for a processor, against the kernel's own account of each.

use std::process::Command;

use chandra_tests::actor::Actor;
use chandra_tests::agent::Agent;
use chandra_tests::cgroup::{Cgroup, start_in};
use chandra_tests::contest::{Waits, contend};
use chandra_tests::http::get_as;
use chandra_tests::needs;
use chandra_tests::trace::Trace;

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_actor"))
}

fn metrics(agent: &Agent) -> String {
    get_as(agent.address(), "/metrics", "text/plain").1
}

fn value(text: &str, sample: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))?.parse().ok()
}

#[test]
fn waits_of_a_cgroup_are_those_of_its_processes() {
    needs!("root");
    let (cgroup, other_cgroup) = (Cgroup::new(), Cgroup::new());
    let start = |cgroup: &Cgroup| {
        let mut command = command();
        start_in(&mut command, &[cgroup.folder()]);
        Actor::start(&mut command)
    };
    let (mut first, mut second) = (start(&cgroup), start(&other_cgroup));
    first.wait_until_idle();
    second.wait_until_idle();
    let before = Waits::of(second.pid());
    let trace = Trace::start(&["run-queue-latency", "--by", "cgroup"]);
    let truth = contend(&mut first, &mut second);
    second.wait_until_idle();
    let after = Waits::of(second.pid());
    let outcome = trace.stop();
    outcome.summary_without_loss();
    let other_truth = Waits {
        count: after.count - before.count,
        nanoseconds: after.nanoseconds - before.nanoseconds,
    };
    for (cgroup, truth) in [(&cgroup, truth), (&other_cgroup, other_truth)] {
        let path = cgroup.path();
        let is_its =
            |record: &&_| chandra_tests::record::Record::text(record, "cgroup") == Some(&*path);
        let found: Vec<_> = outcome.records.iter().filter(is_its).collect();
        let [record] = found[..] else { panic!("{} histograms of {path}", found.len()) };
        let number = |field: &str| record.number(&format!("histogram.{field}")).unwrap();
        let counted = Waits { count: number("count"), nanoseconds: number("sum_ns") };
        truth.compare(counted).unwrap();
    }
}

#[test]
fn an_agent_that_is_asked_to_tells_prometheus_of_waits() {
    needs!("root");
    let agent = Agent::start(&["--signals", "process,run_queue"]);
    let family = "chandra_run_queue_latency_seconds";
    let before = metrics(&agent);
    let (mut first, mut second) = (Actor::start(&mut command()), Actor::start(&mut command()));
    let truth = contend(&mut first, &mut second);
    let text = metrics(&agent);
    let grown = |end: &str| {
        let sample = format!("{family}{end}");
        value(&text, &sample).unwrap() - value(&before, &sample).unwrap_or(0.0)
    };
    // Others of this machine wait, too.
    let seconds = truth.nanoseconds as f64 / 1e9;
    assert!(grown("_count") >= truth.count as f64, "{truth:?}, but {text}");
    assert!(grown("_sum") >= 0.9 * seconds, "{truth:?}, but {text}");
    assert_eq!(
        value(&text, &format!("{family}_bucket{{le=\"+Inf\"}}")),
        value(&text, &format!("{family}_count"))
    );
    let mut buckets: Vec<f64> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with(&format!("{family}_bucket"))) {
        buckets.push(line.rsplit_once(' ').unwrap().1.parse().unwrap());
    }
    assert!(buckets.len() > 20 && buckets.is_sorted(), "{buckets:?}");
    assert!(text.contains(&format!("# TYPE {family} histogram\n")), "{text}");
    let imbalance = value(&text, "chandra_ledger_imbalance{signal=\"run_queue\"}");
    assert_eq!(imbalance, Some(0.0));
}

#[test]
fn no_agent_counts_waits_unless_it_is_asked_to() {
    needs!("root");
    let agent = Agent::start(&[]);
    assert!(!metrics(&agent).contains("run_queue"));
}
