//! Budgets of records of the network: a cgroup that makes a flood of conversations over UDP, of pings, or of
//! packets that are dropped spends its own, and another cgroup's are told.

use std::fs;
use std::process::Command;
use std::time::Instant;

use chandra_tests::cgroup::{Cgroup, start_in};
use chandra_tests::namespaces::Namespace;
use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::{Outcome, Trace};

/// Does so many times what its first argument says.
const SENDER: &str = r#"
import socket, struct, sys

what, times = sys.argv[1], int(sys.argv[2])
if what == "conversations":
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind(("127.0.0.1", 0))
    for number in range(times):
        sender.sendto(b"x", ("127.0.0.1", 2000 + number))
elif what == "pings":
    # The kernel answers; nobody reads that, so that only some of the answers come.
    sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    for number in range(times):
        head = struct.pack("!BBHHH", 8, 0, 0, 7, number)
        total = sum(struct.unpack("!4H", head))
        total = (total & 0xffff) + (total >> 16)
        sender.sendto(head[:2] + struct.pack("!H", ~total & 0xffff) + head[4:], ("127.0.0.1", 0))
elif what == "drops":
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for number in range(times):
        try:
            sender.sendto(b"x", ("127.0.0.1", 9))
        except PermissionError:
            pass
"#;

const FLOOD: u64 = 5000;
const FEW: u64 = 10;

struct Crowd {
    scratch: Scratch,
    net: Namespace,
    noisy: Cgroup,
    quiet: Cgroup,
    /// Last, because it can only go when those below it are gone.
    both: Cgroup,
}

impl Crowd {
    fn new(role: &str) -> Self {
        let scratch = Scratch::new();
        fs::write(scratch.at("sender.py"), SENDER).unwrap();
        let both = Cgroup::new();
        let (noisy, quiet) = (both.below("noisy"), both.below("quiet"));
        Self { scratch, net: Namespace::new(role), noisy, quiet, both }
    }

    /// What these two cgroups do is traced with this budget.
    fn trace(&self, verb: &str, kind: &str, budget: u64) -> Trace {
        let (cgroup, budget) = (self.both.id().to_string(), budget.to_string());
        Trace::start(&[verb, "--type", kind, "--event-budget", &budget, "--cgroup", &cgroup])
    }

    fn send(&self, cgroup: &Cgroup, what: &str, times: u64) {
        let mut command = Command::new("python3");
        command.arg(self.scratch.at("sender.py")).args([what, &times.to_string()]);
        start_in(&mut command, &[cgroup.folder()]);
        self.net.start_in(&mut command);
        assert!(command.status().unwrap().success());
    }

    fn told(&self, outcome: &Outcome, cgroup: &Cgroup) -> u64 {
        let id = cgroup.id().to_string();
        let of = |record: &&Record| record.text("process.cgroup_id") == Some(&id);
        outcome.records.iter().filter(of).count() as u64
    }
}

/// Of `seen` facts of the noisy cgroup no more are told than its budget allows, and each other one is counted.
fn check(crowd: &Crowd, outcome: &Outcome, begun: Instant, rate: u64, seen: u64) {
    let summary = outcome.summary_without_loss();
    let number = |name: &str| summary.number(name).unwrap();
    let told = crowd.told(outcome, &crowd.noisy);
    let cpus = std::thread::available_parallelism().unwrap().get() as u64;
    let allowed = begun.elapsed().as_millis() as u64 * rate / 1000 + rate / 4 + 1 + cpus;
    assert!((1..=allowed).contains(&told), "{told} told of {allowed}: {summary:?}");
    assert!(number("rate_limited") >= seen - told, "{told} told: {summary:?}");
    let accounted = number("filtered") + number("rate_limited") + number("shown");
    assert_eq!(number("seen"), accounted, "{summary:?}");
}

#[test]
fn a_flood_of_conversations_in_one_cgroup_leaves_those_of_another() {
    needs!("root", "ip", "python3");
    let crowd = Crowd::new("crowd");
    let begun = Instant::now();
    let trace = crowd.trace("udp", "udp_open", 100);
    crowd.send(&crowd.noisy, "conversations", FLOOD);
    crowd.send(&crowd.quiet, "conversations", FEW);
    let outcome = trace.stop();
    assert_eq!(crowd.told(&outcome, &crowd.quiet), FEW);
    check(&crowd, &outcome, begun, 100, FLOOD);
}

#[test]
fn a_flood_of_pings_in_one_cgroup_leaves_those_of_another() {
    needs!("root", "ip", "python3");
    let crowd = Crowd::new("pinging");
    let begun = Instant::now();
    // Requests and answers are the sender's, both.
    let trace = crowd.trace("icmp", "icmp_echo", 200);
    crowd.send(&crowd.noisy, "pings", FLOOD);
    crowd.send(&crowd.quiet, "pings", FEW);
    let outcome = trace.stop();
    assert_eq!(crowd.told(&outcome, &crowd.quiet), 2 * FEW);
    check(&crowd, &outcome, begun, 200, FLOOD);
}

#[test]
fn a_flood_of_packets_that_are_dropped_spends_the_sender_s_budget() {
    needs!("root", "ip", "nft", "python3");
    let crowd = Crowd::new("dropping");
    crowd.net.run("nft add table ip filter");
    crowd.net.run("nft add chain ip filter output { type filter hook output priority 0 ; }");
    crowd.net.run("nft add rule ip filter output udp dport 9 drop");
    let begun = Instant::now();
    // Less than what is told of one place in the kernel, which is ten a second.
    let trace = crowd.trace("drops", "packet_drop", 2);
    crowd.send(&crowd.noisy, "drops", FLOOD);
    let outcome = trace.stop();
    check(&crowd, &outcome, begun, 2, FLOOD);
}
