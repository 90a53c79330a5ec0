//! What the probe of ICMP costs, as the kernel measures it: a message by each rung that this kernel has, and,
//! of programs on every packet, a packet that is no message. Rounds of all cases alternate and medians are
//! shown. Needs root: `cargo run --release -p chandra-signals --example icmp_cost`
#![allow(clippy::unwrap_used, reason = "it stops where it cannot measure")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use chandra_loader::abi::group_field;
use chandra_loader::cost::{self, Statistics};
use chandra_loader::load::{Loaded, Options, Request, load};
use chandra_loader::{ledger, ring};
use chandra_signals::filter::Filter;
use chandra_signals::registry::signal;
use chandra_tests::{icmp, loopback};

const ROUNDS: usize = 11;
const PACKETS: u16 = 20_000;
/// As many of a type as are told in a second.
const TOLD: u16 = 900;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const HERE_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn start(hook: &str, packet_hooks: bool, group_by: u32) -> Loaded {
    let signal = signal("icmp").unwrap();
    let request = Request {
        spec: &signal.spec,
        hooks: &[hook],
        config: Filter::default().config(u32::MAX, group_by).unwrap(),
        map_entries: &[],
        tracepoints: Ok(&[]),
        options: &Options { packet_hooks, ..Options::default() },
    };
    let loaded = load(&request).unwrap();
    ring::listen(&loaded.map("reader").unwrap()).unwrap();
    loaded
}

/// Datagrams to a port that somebody has.
fn datagrams() {
    let receiver = UdpSocket::bind((HERE, 0)).unwrap();
    let sender = UdpSocket::bind((HERE, 0)).unwrap();
    for _ in 0..PACKETS {
        sender.send_to(b"x", receiver.local_addr().unwrap()).unwrap();
        receiver.recv(&mut [0; 1]).unwrap();
    }
}

/// Datagrams to a port that nobody has, each of which comes to an error.
fn errors(host: IpAddr, count: u16) {
    let sender = UdpSocket::bind((host, 0)).unwrap();
    for _ in 0..count {
        sender.send_to(b"x", (host, 9)).unwrap();
    }
}

fn echoes(host: IpAddr, count: u16) {
    let socket = icmp::raw(host);
    for sequence in 0..count {
        let request = icmp::echo_request(host.is_ipv4(), 7, sequence, &[0; 56]);
        socket.send_to(&request, (host, 0)).unwrap();
        icmp::receive(&socket, host.is_ipv4(), if host.is_ipv4() { 0 } else { 129 });
    }
}

/// What it is, the hook, whether programs on every packet are used, what is counted by, what is done.
type Case = (&'static str, &'static str, bool, u32, fn());

/// Nanoseconds and the number of runs of one round, and the rung.
fn measure((_, hook, packet_hooks, group_by, act): &Case) -> (u64, u64, String) {
    let loaded = start(hook, *packet_hooks, *group_by);
    act();
    let programs = cost::read(loaded.object());
    let spent: u64 = programs.iter().map(|program| program.run_time_ns).sum();
    let runs: u64 = programs.iter().map(|program| program.run_count).sum();
    assert_eq!(ledger::read(loaded.object()).imbalance(), 0);
    let verdict = loaded.hooks.iter().find(|verdict| verdict.hook == *hook);
    (spent / runs.max(1), runs, format!("{:?}", verdict.map(|verdict| &verdict.verdict)))
}

fn main() {
    let by = group_field::GROUP_CODE | group_field::GROUP_KIND;
    let (sent, received) = ("message_sent", "message_received");
    let cases: [Case; 9] = [
        ("a datagram on its way out", sent, true, 0, datagrams),
        ("a datagram on its way in", received, true, 0, datagrams),
        ("an error, sent, told", sent, true, 0, || errors(HERE, TOLD)),
        ("an error of IPv6, sent, told", sent, true, 0, || errors(HERE_V6, TOLD)),
        ("an error, sent, not told (flood)", sent, true, 0, || errors(HERE, PACKETS)),
        ("an error, sent, counted by group", sent, true, by, || errors(HERE, PACKETS)),
        ("an echo and its reply, sent, told", sent, true, 0, || echoes(HERE, TOLD)),
        ("an error, by icmp_send, told", sent, false, 0, || errors(HERE, TOLD)),
        ("an error, by icmp_send, not told", sent, false, 0, || errors(HERE, PACKETS)),
    ];
    loopback::in_new_namespace(|_| {
        let _statistics = Statistics::enable().unwrap();
        let mut figures = vec![Vec::new(); cases.len()];
        for _ in 0..ROUNDS {
            for (case, figures) in cases.iter().zip(&mut figures) {
                figures.push(measure(case));
            }
        }
        println!("{:<40}{:>12}{:>10}  rung", "ns a run, measuring included", "median", "runs");
        for ((name, ..), figures) in cases.iter().zip(&mut figures) {
            figures.sort();
            let (spent, runs, rung) = &figures[figures.len() / 2];
            println!("{name:<40}{spent:>12}{runs:>10}  {rung}");
        }
    });
}
