//! What the probe of UDP conversations costs. First as the kernel measures its programs: a packet of TCP, a
//! datagram of a conversation that is known, one that begins a conversation, one for which another has to
//! go, and looks through the table: empty, full of what goes on, full of what is over. Then what a round trip over
//! the loopback takes with it and without it, beside the signal `dns` that is there by default. Rounds alternate and
//! medians are shown. Needs root:
//! `cargo run --release -p chandra-signals --example udp_cost`
#![allow(clippy::unwrap_used, reason = "it stops where it cannot measure")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Instant;

use chandra_loader::cost::{self, Statistics};
use chandra_loader::load::{Loaded, Options, Request, load};
use chandra_loader::{ledger, ring};
use chandra_signals::filter::Filter;
use chandra_signals::registry::signal;
use chandra_tests::loopback;

const ROUNDS: usize = 15;
const MESSAGES: u64 = 20_000;
/// As many as the table holds.
const CONVERSATIONS: u64 = 65_536;
/// Nobody reads it, and a look through the table leaves half of it free.
const RING_BYTES: usize = 256 << 20;

fn start(name: &str) -> Loaded {
    let signal = signal(name).unwrap();
    let hooks: Vec<_> = signal.spec.hooks.iter().map(|hook| hook.name).collect();
    let request = Request {
        spec: &signal.spec,
        hooks: &hooks,
        config: Filter::default().config(u32::MAX, 0).unwrap(),
        map_entries: &[],
        tracepoints: Ok(&[]),
        options: &Options { ring_bytes: Some(RING_BYTES), ..Options::default() },
    };
    let loaded = load(&request).unwrap();
    ring::listen(&loaded.map("reader").unwrap()).unwrap();
    loaded
}

/// Two sockets of UDP that are each other's peers.
fn pair() -> [UdpSocket; 2] {
    let [near, far] = [(); 2].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    near.connect(far.local_addr().unwrap()).unwrap();
    far.connect(near.local_addr().unwrap()).unwrap();
    [near, far]
}

fn udp_round_trips() -> u64 {
    let [near, far] = pair();
    let started = Instant::now();
    for _ in 0..MESSAGES {
        near.send(b"x").unwrap();
        far.recv(&mut [0; 8]).unwrap();
        far.send(b"x").unwrap();
        near.recv(&mut [0; 8]).unwrap();
    }
    per_message(started)
}

fn tcp_round_trips() -> u64 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut far = listener.accept().unwrap().0;
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    let started = Instant::now();
    for _ in 0..MESSAGES {
        near.write_all(b"x").unwrap();
        far.read_exact(&mut [0]).unwrap();
        far.write_all(b"x").unwrap();
        near.read_exact(&mut [0]).unwrap();
    }
    per_message(started)
}

fn per_message(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_nanos()).unwrap() / MESSAGES
}

/// A datagram to each of so many ports, on which nobody listens. The conversations go on until the socket is dropped.
fn to_strangers(count: u64) -> UdpSocket {
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for number in 0..count {
        let [a, b, ..] = number.to_le_bytes();
        let port = 1 + u16::try_from(number % 60_000).unwrap();
        let address = SocketAddr::from(([127, 1 + (number / 60_000) as u8, a, b], port));
        let _ = sender.send_to(b"x", address);
    }
    sender
}

/// What one run of the programs with this name took on average, since `before`.
fn spent(loaded: &Loaded, name: &str, before: (u64, u64)) -> ((u64, u64), u64) {
    let programs = cost::read(loaded.object());
    let program = programs.iter().find(|program| program.program == name).unwrap();
    let now = (program.run_time_ns, program.run_count);
    (now, (now.0 - before.0) / (now.1 - before.1).max(1))
}

fn median(mut figures: Vec<u64>) -> u64 {
    figures.sort_unstable();
    figures[figures.len() / 2]
}

/// What is done, with what it is called.
type Case<T> = (&'static str, fn() -> T);

/// Nanoseconds a run of the egress and the ingress program, for each thing that is done.
fn programs() {
    let _statistics = Statistics::enable().unwrap();
    let cases: [Case<Option<UdpSocket>>; 4] = [
        ("a packet of TCP", || {
            tcp_round_trips();
            None
        }),
        ("a datagram of a known conversation", || {
            udp_round_trips();
            None
        }),
        ("a datagram that begins a conversation", || Some(to_strangers(CONVERSATIONS / 2))),
        ("and for which another has to go", || Some(to_strangers(CONVERSATIONS * 2))),
    ];
    let mut figures: Vec<[Vec<u64>; 2]> = vec![Default::default(); cases.len()];
    let looks =
        ["an empty table", "a full one of which all goes on", "a full one of which all is over"];
    let mut looks = looks.map(|at| (at, Vec::new()));
    for _ in 0..ROUNDS / 3 {
        let loaded = start("udp");
        looks[0].1.push(sweep(&loaded));
        let mut open = None;
        for ((_, act), figures) in cases.iter().zip(&mut figures) {
            let programs = ["udp_egress", "udp_ingress"];
            let before = programs.map(|name| spent(&loaded, name, (0, 0)).0);
            open = act();
            for ((name, before), figures) in programs.iter().zip(before).zip(figures) {
                figures.push(spent(&loaded, name, before).1);
            }
        }
        looks[1].1.push(sweep(&loaded));
        drop(open);
        looks[2].1.push(sweep(&loaded));
        assert_eq!(ledger::read(loaded.object()).imbalance(), 0);
    }
    println!("{:<44}{:>10}{:>10}", "ns a run, measuring included", "egress", "ingress");
    for ((name, _), figures) in cases.iter().zip(figures) {
        let [egress, ingress] = figures.map(median);
        println!("{name:<44}{egress:>10}{ingress:>10}");
    }
    for (at, sweeps) in looks {
        println!("a look through {at}: {} µs", median(sweeps));
    }
}

/// Microseconds of one look through the table.
fn sweep(loaded: &Loaded) -> u64 {
    let started = Instant::now();
    loaded.iterate("conversations", &mut Vec::new()).unwrap();
    u64::try_from(started.elapsed().as_micros()).unwrap()
}

fn round_trips() {
    let sets: [&[&str]; 4] = [&[], &["dns"], &["udp"], &["dns", "udp"]];
    let kinds: [Case<u64>; 2] = [("TCP", tcp_round_trips), ("UDP", udp_round_trips)];
    let mut figures: Vec<[Vec<u64>; 4]> = vec![Default::default(); kinds.len()];
    for _ in 0..ROUNDS {
        for (set, names) in sets.iter().enumerate() {
            let loaded: Vec<_> = names.iter().map(|name| start(name)).collect();
            for ((_, act), figures) in kinds.iter().zip(&mut figures) {
                figures[set].push(act());
            }
            drop(loaded);
        }
    }
    println!("{:<44}{:>10}{:>10}{:>10}{:>10}", "ns a round trip", "neither", "dns", "udp", "both");
    for ((name, _), figures) in kinds.iter().zip(figures) {
        print!("{name:<44}");
        figures.into_iter().for_each(|figures| print!("{:>10}", median(figures)));
        println!();
    }
}

fn main() {
    loopback::in_new_namespace(|_| {
        programs();
        round_trips();
    });
}
