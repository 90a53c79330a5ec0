//! What the probe of drops costs, as the kernel measures it: a drop that is counted, one that a filter
//! asks the owner of, one that is sent as a record, and what is freed in the same way and is no drop.
//! Rounds of all cases alternate and medians are shown. Needs root:
//! `cargo run --release -p chandra-signals --example drop_cost`
#![allow(clippy::unwrap_used, reason = "it stops where it cannot measure")]

use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Instant;

use chandra_loader::abi::group_field;
use chandra_loader::cost::{self, Statistics};
use chandra_loader::load::{Loaded, Options, Request, load};
use chandra_loader::{ledger, ring};
use chandra_signals::filter::Filter;
use chandra_signals::registry::signal;
use chandra_symbols::kernel::KernelSymbols;
use chandra_tests::loopback;

const ROUNDS: usize = 11;
const PACKETS: u64 = 20_000;

fn start(filter: &Filter, group_by: u32) -> Loaded {
    let signal = signal("drop").unwrap();
    let request = Request {
        spec: &signal.spec,
        hooks: &["kfree_skb"],
        config: filter.config(1, group_by).unwrap(),
        map_entries: &[],
        tracepoints: Ok(&[]),
        options: &Options::default(),
    };
    let loaded = load(&request).unwrap();
    ring::listen(&loaded.map("reader").unwrap()).unwrap();
    loaded
}

fn to_nobody(packets: u64) {
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for _ in 0..packets {
        sender.send_to(b"x", (Ipv4Addr::LOCALHOST, 9)).unwrap();
    }
}

/// Ten: as many as are sent in a second, each by a probe that has just been loaded.
fn few() {
    to_nobody(10);
}

fn many() {
    to_nobody(PACKETS);
}

/// What waits in a socket that is closed: a FIN of each connection.
fn connections() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for _ in 0..PACKETS / 20 {
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let far = listener.accept().unwrap().0;
        drop(near);
        // Until the end has come.
        far.peek(&mut [0]).unwrap();
    }
}

/// Datagrams of another family that nobody reads.
fn unix() {
    for _ in 0..PACKETS / 10 {
        let (near, far) = UnixDatagram::pair().unwrap();
        near.send(b"x").unwrap();
        drop((near, far));
    }
}

/// What it is, what passes, what is counted by, and what is done.
type Case<'a> = (&'static str, &'a Filter, u32, fn());

/// Nanoseconds and the number of runs of one round.
fn measure(filter: &Filter, group_by: u32, act: fn()) -> (u64, u64) {
    let loaded = start(filter, group_by);
    act();
    let programs = cost::read(loaded.object());
    let spent: u64 = programs.iter().map(|program| program.run_time_ns).sum();
    let runs: u64 = programs.iter().map(|program| program.run_count).sum();
    assert_eq!(ledger::read(loaded.object()).imbalance(), 0);
    (spent / runs.max(1), runs)
}

/// Microseconds of a look through the kernel's symbols.
fn look_for_a_place() -> u128 {
    let mut spent: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            assert!(!KernelSymbols::read().unwrap().is_empty());
            started.elapsed().as_micros()
        })
        .collect();
    spent.sort_unstable();
    spent[ROUNDS / 2]
}

fn main() {
    let by = group_field::GROUP_CODE | group_field::GROUP_LOCATION;
    let all = Filter::default();
    let owned = Filter { pids: vec![std::process::id()], ..Filter::default() };
    let cases: [Case<'_>; 6] = [
        ("a drop, counted, few of them sent", &all, 0, many),
        ("a drop, counted by group", &all, by, many),
        ("a drop, its owner asked for", &owned, 0, many),
        ("a drop, sent", &all, 0, few),
        ("an ordinary discard, not wanted", &all, 0, connections),
        ("a buffer of a Unix socket", &all, 0, unix),
    ];
    loopback::in_new_namespace(|_| {
        let _statistics = Statistics::enable().unwrap();
        let mut figures = vec![Vec::new(); cases.len()];
        for _ in 0..ROUNDS {
            for ((_, filter, group_by, act), figures) in cases.iter().zip(&mut figures) {
                figures.push(measure(filter, *group_by, *act));
            }
        }
        println!("{:<40}{:>12}{:>10}", "ns a run, measuring included", "median", "runs");
        for ((name, ..), figures) in cases.iter().zip(&mut figures) {
            figures.sort_unstable();
            let (spent, runs) = figures[figures.len() / 2];
            println!("{name:<40}{spent:>12}{runs:>10}");
        }
        println!("the kernel's symbols: {} µs of the thread that tells", look_for_a_place());
    });
}
