//! A storm of short connections over TCP through an agent, in one pod that alone is asked for. Where all of it is told,
//! what the agent counted and wrote is to the unit what the program that made it says, and the kernel's own counters of
//! its network namespace; where it is not, the ledger has what is missing.
//!
//! Facts of other programs on this machine are not told, but may be lost or counted with those that are.

use std::path::PathBuf;
use std::process::{Child, Command};

use chandra_tests::agent::Agent;
use chandra_tests::api_server::{Cluster, Served};
use chandra_tests::cgroup::{Nested, start_in};
use chandra_tests::flood::Flood;
use chandra_tests::namespaces::Namespace;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::process::resident_kib;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;

const CONNECTIONS: u64 = 50_000;
/// Then the agent is waited for, so that its ring holds them on any machine.
const AT_ONCE: u64 = 2000;
/// What the opener of each sends.
const BYTES: u64 = 100;
/// Of a connection: that it was established, that it was accepted, and its close at either end.
const RECORDS: u64 = 4;
/// What others may lose meanwhile, and what may be told beside these.
const OTHERS: u64 = 1000;
/// The most that the agent may grow by; it keeps no flows.
const MORE_KIB: u64 = 32 << 10;

/// A program in a pod and in a network namespace of its own.
struct Storm {
    program: PathBuf,
    namespace: Namespace,
    container: Nested,
    served: Served,
    scratch: Scratch,
}

impl Storm {
    fn new() -> Self {
        let (scratch, served) = (Scratch::new(), Served::new(Cluster::new(1, 0)));
        served.cluster.put_node("own", "10.78.0.1", "10.77.0.0/24");
        Self {
            program: Flood::compiled(&scratch, "connection_storm"),
            namespace: Namespace::new("storm"),
            container: served.cluster.put_pod_with_cgroup("test", "storm"),
            served,
            scratch,
        }
    }

    /// An agent that tells of this pod.
    fn agent(&self, arguments: &[&str]) -> Agent {
        let told = ["--signals", "process,tcp", "--pod", "test/storm", "--hubble-metrics", "tcp"];
        let agent = Agent::start(&[&told[..], &self.served.arguments(), arguments].concat());
        self.served.wait_until_watched();
        agent.wait_until_ready();
        agent
    }

    /// So many connections, one after another.
    fn make(&self, count: u64) {
        assert!(self.begin(count).wait().unwrap().success());
    }

    fn begin(&self, count: u64) -> Child {
        let mut command = Command::new(&self.program);
        start_in(command.arg(count.to_string()), &[self.container.innermost().folder()]);
        self.namespace.start_in(&mut command);
        command.spawn().unwrap()
    }

    /// The kernel has seen so many.
    fn has_made(&self, count: u64) {
        let opens = ["ActiveOpens", "PassiveOpens"].map(|name| self.namespace.tcp_counter(name));
        assert_eq!(opens, [count; 2]);
    }
}

/// Connections that were established, and accepted, and ends that were closed.
fn told(agent: &Agent) -> [u64; 3] {
    [
        agent.sum("chandra_tcp_connects_total", &["outcome=\"established\""]),
        agent.sum("chandra_tcp_accepts_total", &[]),
        agent.sum("hubble_tcp_flags_total", &["flag=\"FIN\""]),
    ]
}

fn tcp(agent: &Agent, path: &str) -> u64 {
    agent.signal("tcp").number(path).unwrap()
}

/// Waits until every record that was sent has been told, or was not to be.
fn settle(agent: &Agent) {
    let in_flight = || agent.signal("tcp").number("ledger.in_flight");
    wait_for("what is in flight", || (in_flight() == Some(0)).then_some(()));
    agent.wait_until_balanced("tcp");
}

#[test]
fn a_storm_of_connections_is_counted_to_the_unit_within_its_memory() {
    needs!("root", "cc", "ip");
    let storm = Storm::new();
    let path = storm.scratch.at("closes.log");
    let agent = storm.agent(&[
        "--event-budget",
        "off",
        "--export-file-path",
        path.to_str().unwrap(),
        "--export-file-max-size-mb",
        "1000",
        "--export-allowlist",
        r#"{"tcp_flags":[{"FIN":true}]}"#,
        "--export-fieldmask",
        "extensions",
    ]);
    let before = resident_kib(agent.pid());
    let mut established = 0;
    for made in (AT_ONCE..=CONNECTIONS).step_by(AT_ONCE as usize) {
        storm.make(AT_ONCE);
        // It answers all the while, and what it has counted stays counted.
        let [now, ..] = told(&agent);
        assert!((established..=made).contains(&now), "{now} after {established}, of {made}");
        established = now;
        wait_for("an agent that keeps up", || {
            (tcp(&agent, "ledger.decoded") >= RECORDS * made).then_some(())
        });
    }
    storm.has_made(CONNECTIONS);
    let closes = 2 * CONNECTIONS;
    wait_for("all closes", || (told(&agent)[2] >= closes).then_some(()));
    settle(&agent);
    assert_eq!(told(&agent), [CONNECTIONS, CONNECTIONS, closes]);
    // All of these, and few others, of which it is not asked here what they are.
    let delivered = tcp(&agent, "ledger.delivered");
    assert!((RECORDS * CONNECTIONS..RECORDS * CONNECTIONS + OTHERS).contains(&delivered));
    for door in ["lost", "rate_limited", "sampled_out", "decode_errors"] {
        assert_eq!(tcp(&agent, &format!("ledger.{door}")), 0, "{door}");
    }
    for outcome in ["evicted", "refused"] {
        let labels = format!("signal=\"tcp\",outcome=\"{outcome}\"");
        let overflows: u64 = agent.sum("chandra_flow_table_overflows_total", &[&labels]);
        assert_eq!(overflows, 0, "{outcome}");
    }
    let grown = resident_kib(agent.pid()).saturating_sub(before);
    assert!(grown < MORE_KIB, "{grown} KiB more than {before}");
    agent.stop();
    let written = std::fs::read_to_string(path).unwrap();
    let bytes = written.lines().map(|line| {
        let flow = Record::parse(line);
        ["forward", "backward"]
            .map(|way| flow.number(&format!("flow.extensions.{way}.bytes")).unwrap_or_default())
    });
    let sums = bytes.fold([0; 3], |[ends, sent, received], [forward, backward]| {
        [ends + 1, sent + forward, received + backward]
    });
    // Of each end what it sent comes first.
    assert_eq!(sums, [closes, CONNECTIONS * BYTES, CONNECTIONS * BYTES]);
}

#[test]
fn what_a_storm_has_over_its_budget_is_missing_to_the_unit() {
    needs!("root", "cc", "ip");
    let storm = Storm::new();
    let agent = storm.agent(&["--event-budget", "tcp=500"]);
    storm.make(AT_ONCE);
    storm.has_made(AT_ONCE);
    settle(&agent);
    let missing = || RECORDS * AT_ONCE - told(&agent).iter().sum::<u64>();
    let of_pod = "signal=\"tcp\",namespace=\"test\",pod=\"storm\"";
    let limited = wait_for("what was over the budget", || {
        let limited = agent.sum::<u64>("chandra_rate_limited_total", &[of_pod]);
        (limited > 0 && limited >= missing()).then_some(limited)
    });
    assert_eq!((missing(), tcp(&agent, "ledger.lost")), (limited, 0));
    agent.stop();
}

#[test]
fn what_a_ring_has_no_room_for_is_missing_and_counted() {
    needs!("root", "cc", "ip");
    let storm = Storm::new();
    let agent = storm.agent(&["--event-budget", "off", "--ring-size", "256k"]);
    // Who should read it sleeps.
    agent.pause();
    storm.make(AT_ONCE);
    storm.has_made(AT_ONCE);
    agent.go_on();
    settle(&agent);
    let lost = tcp(&agent, "ledger.lost");
    let told: u64 = told(&agent).iter().sum();
    let missing = RECORDS * AT_ONCE - told;
    assert!(told > 0 && missing > 0, "{told} told");
    assert!((missing..=missing + OTHERS).contains(&lost), "{missing} are missing, {lost} lost");
    agent.stop();
}

/// In percent of a core, while connections are made and all of them are told.
fn cost_of(storm: &Storm) -> f64 {
    let agent = storm.agent(&["--cpu-budget", "tcp=100000%", "--cpu-budget-window", "300ms"]);
    let mut making = storm.begin(u64::MAX >> 1);
    wait_for("a storm that is seen", || (told(&agent)[0] > AT_ONCE).then_some(()));
    let cost = agent.median_cost_percent("tcp", 5);
    making.kill().unwrap();
    making.wait().unwrap();
    agent.stop();
    cost
}

/// What is told of so many more connections.
fn exactly_more(agent: &Agent, storm: &Storm) -> [u64; 3] {
    settle(agent);
    let before = told(agent);
    storm.make(AT_ONCE);
    settle(agent);
    let after = told(agent);
    std::array::from_fn(|index| after[index] - before[index])
}

fn rung(agent: &Agent) -> String {
    agent.signal("tcp").text("governor.rung").unwrap().to_owned()
}

#[test]
fn sums_of_a_storm_that_is_told_in_part_are_those_of_who_made_it_and_what_follows_is_exact() {
    needs!("root", "cc", "ip");
    const MADE: u64 = 2 * CONNECTIONS;
    let storm = Storm::new();
    // Less than what it costs to tell all, and more than what it costs to leave most of it out.
    let budget = format!("tcp={:.2}%", cost_of(&storm) * 0.7);
    let before = storm.namespace.tcp_counter("ActiveOpens");
    let path = storm.scratch.at("closes.log");
    let agent = storm.agent(&[
        "--event-budget",
        "off",
        "--cpu-budget",
        &budget,
        "--cpu-budget-window",
        "300ms",
        "--export-file-path",
        path.to_str().unwrap(),
        "--export-file-max-size-mb",
        "1000",
        "--export-allowlist",
        r#"{"tcp_flags":[{"FIN":true}]}"#,
        "--export-fieldmask",
        "extensions",
    ]);
    let mut making = storm.begin(MADE);
    let mut least_told = 1;
    wait_for("the end of the storm", || {
        let one_in = agent.signal("tcp").number("governor.sampling_one_in").unwrap();
        assert!(one_in > 0, "none was out of sight");
        least_told = least_told.max(one_in);
        making.try_wait().unwrap()
    });
    assert_eq!(storm.namespace.tcp_counter("ActiveOpens") - before, MADE);
    settle(&agent);
    // Four standard deviations of as many of which one in so many is drawn.
    let most_off = 4.0 * (((least_told - 1) as f64) / MADE as f64).sqrt();
    let sums = told(&agent);
    println!("{sums:?} of {MADE}, one in {least_told} at the least, {most_off}, {budget}");
    assert!(least_told > 1, "it was told in part");
    for (sum, truth) in sums.into_iter().zip([MADE, MADE, 2 * MADE]) {
        assert!(sum.abs_diff(truth) as f64 <= truth as f64 * most_off, "{sum} of {truth}");
    }
    assert!(tcp(&agent, "ledger.sampled_out") > 0);
    assert_eq!(tcp(&agent, "ledger.lost"), 0);

    wait_for("a signal that is told whole again", || (rung(&agent) == "all").then_some(()));
    assert_eq!(exactly_more(&agent, &storm), [AT_ONCE, AT_ONCE, 2 * AT_ONCE], "all of them");
    let closes = told(&agent)[2];
    agent.stop();
    // Each flow says for how many it stands.
    let written = std::fs::read_to_string(path).unwrap();
    let stand_for = written.lines().map(|line| {
        let flow = Record::parse(line);
        flow.number("flow.extensions.sampled_one_in").unwrap_or(1)
    });
    assert_eq!(stand_for.sum::<u64>(), closes);
}

#[test]
fn a_storm_that_even_sampling_does_not_help_is_out_of_sight_and_what_follows_is_exact() {
    needs!("root", "cc", "ip");
    let storm = Storm::new();
    let agent = storm.agent(&["--cpu-budget", "tcp=1%", "--cpu-budget-window", "200ms"]);
    // To ask it takes connections, too: it says by itself what it does.
    let says = |words: &str| {
        let is_said = || agent.messages().iter().any(|line| line.contains(words)).then_some(());
        wait_for(words, is_said);
    };
    let mut making = storm.begin(u64::MAX >> 1);
    says("its hooks are detached");
    wait_for("nothing that is seen between two looks", || {
        let (steps, seen) = (tcp(&agent, "governor.steps"), tcp(&agent, "ledger.seen"));
        let opens = storm.namespace.tcp_counter("ActiveOpens");
        wait_for("more connections", || {
            (storm.namespace.tcp_counter("ActiveOpens") > opens + 100).then_some(())
        });
        let is_same = seen == tcp(&agent, "ledger.seen") && steps == tcp(&agent, "governor.steps");
        (is_same && rung(&agent) == "detached").then_some(())
    });
    making.kill().unwrap();
    making.wait().unwrap();
    says("all of its facts are told again");
    assert_eq!(exactly_more(&agent, &storm), [AT_ONCE, AT_ONCE, 2 * AT_ONCE], "all of them");
    agent.stop();
}
