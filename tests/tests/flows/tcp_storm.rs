//! A storm of short connections over TCP through an agent, in one pod that alone is asked for. Where all of it is told,
//! what the agent counted and wrote is to the unit what the program that made it says, and the kernel's own counters of
//! its network namespace; where it is not, the ledger has what is missing.
//!
//! Facts of other programs on this machine are not told, but may be lost or counted with those that are.

use std::path::PathBuf;
use std::process::Command;

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
        let mut command = Command::new(&self.program);
        start_in(command.arg(count.to_string()), &[self.container.innermost().folder()]);
        self.namespace.start_in(&mut command);
        assert!(command.status().unwrap().success());
    }

    /// The kernel has seen so many.
    fn has_made(&self, count: u64) {
        let opens = ["ActiveOpens", "PassiveOpens"].map(|name| self.namespace.tcp_counter(name));
        assert_eq!(opens, [count; 2]);
    }
}

/// The sum of all series of a family that have this label.
fn sum(agent: &Agent, family: &str, label: &str) -> u64 {
    let values = agent.samples(family, &[label]);
    values.iter().map(|value| value.parse::<u64>().unwrap()).sum()
}

/// Connections that were established, and accepted, and ends that were closed.
fn told(agent: &Agent) -> [u64; 3] {
    [
        sum(agent, "chandra_tcp_connects_total", "outcome=\"established\""),
        sum(agent, "chandra_tcp_accepts_total", ""),
        sum(agent, "hubble_tcp_flags_total", "flag=\"FIN\""),
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
        assert_eq!(sum(&agent, "chandra_flow_table_overflows_total", &labels), 0, "{outcome}");
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
        let limited = sum(&agent, "chandra_rate_limited_total", of_pod);
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
