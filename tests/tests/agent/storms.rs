//! Storms that are told whole: each fact of them is counted once, the books balance, and memory stays within bounds.
//! What is told in part has tests of its own (`governor_sums.rs`), and flows have theirs (`flows/storm.rs`).

use std::fs;

use chandra_tests::agent::Agent;
use chandra_tests::cgroup::Cgroup;
use chandra_tests::flood::Flood;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::process::resident_kib;
use chandra_tests::scratch::Scratch;

/// More in a millisecond than any processor makes.
const AS_MANY_AS_IT_CAN: &str = "20000";
const CALLS: u64 = 4_000_000;
const CGROUPS: u64 = 10_000;
/// What a storm may leave in memory.
const MORE_KIB: u64 = 16 << 10;

fn number(agent: &Agent, signal: &str, path: &str) -> u64 {
    agent.signal(signal).number(path).unwrap()
}

fn loses_nothing(agent: &Agent, signal: &str) {
    agent.wait_until_balanced(signal);
    for door in ["lost", "sampled_out", "rate_limited", "decode_errors"] {
        assert_eq!(number(agent, signal, &format!("ledger.{door}")), 0, "{signal}: {door}");
    }
}

#[test]
fn calls_by_all_processors_at_once_are_counted_one_by_one() {
    needs!("root", "cc");
    let scratch = Scratch::new();
    let flooding = Flood::compiled(&scratch, "call_flood");
    let agent = Agent::start(&["--signals", "process,system_call_count", "--cpu-budget", "off"]);
    agent.wait_until_ready();
    let before = resident_kib(agent.pid());
    let errors = || {
        let sample = "chandra_system_call_errors_total{call=\"timer_delete\",errno=\"EINVAL\"}";
        agent.metric(sample)
    };
    let processors = std::thread::available_parallelism().unwrap().get();
    let began = std::time::Instant::now();
    let floods: Vec<_> =
        (0..processors).map(|_| Flood::start(&flooding, &[AS_MANY_AS_IT_CAN])).collect();
    wait_for("a storm of calls", || (errors() > CALLS).then_some(()));
    let made: u64 = floods.into_iter().map(Flood::stop).sum();
    println!("{made} calls in {:?}", began.elapsed());
    assert_eq!(errors(), made);
    loses_nothing(&agent, "system_call_count");
    let grown = resident_kib(agent.pid()).saturating_sub(before);
    assert!(grown < MORE_KIB, "{grown} KiB more than {before}");
    agent.stop();
}

#[test]
fn cgroups_that_live_for_a_moment_are_told_and_forgotten() {
    needs!("root");
    let agent = Agent::start(&["--signals", "process,cgroup"]);
    agent.wait_until_ready();
    let known = || agent.get("/signals").body.number("identity.cgroups.cgroups").unwrap();
    let (cgroups_before, before) = (known(), resident_kib(agent.pid()));
    let around = Cgroup::new();
    let seen_before = number(&agent, "cgroup", "ledger.seen");
    for name in 0..CGROUPS {
        let folder = around.folder().join(name.to_string());
        fs::create_dir(&folder).unwrap();
        fs::remove_dir(&folder).unwrap();
    }
    // Each is made and removed; the kernel lets go of it at some time after that.
    let seen = || number(&agent, "cgroup", "ledger.seen") - seen_before;
    wait_for("all that was made", || (seen() >= 2 * CGROUPS).then_some(()));
    wait_for("those that are gone being forgotten", || {
        (known() < cgroups_before + CGROUPS / 10).then_some(())
    });
    loses_nothing(&agent, "cgroup");
    let grown = resident_kib(agent.pid()).saturating_sub(before);
    assert!(grown < MORE_KIB, "{grown} KiB more than {before}");
    agent.stop();
}
