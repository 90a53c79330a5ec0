//! What a fact costs that is told, that is left out by sampling, and that is only counted, as the kernel measures
//! it: opens, reads, connections and conversations with both their ends. Rounds of all cases alternate and medians
//! are shown. Needs root:
//! `cargo run --release -p chandra-signals --example governed_cost`
#![allow(clippy::unwrap_used, reason = "it stops where it cannot measure")]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::num::NonZeroU32;
use std::os::unix::fs::FileExt;

use chandra_loader::abi::group_field;
use chandra_loader::cost::{self, Statistics};
use chandra_loader::governed::Share;
use chandra_loader::load::{Options, Request, load};
use chandra_loader::{ledger, ring};
use chandra_signals::filter::Filter;
use chandra_signals::registry::signal;

const ROUNDS: usize = 11;
const FACTS: u64 = 20_000;

fn opens() {
    (0..FACTS).for_each(|_| drop(File::open("/usr/share/doc/libc6/../libc6/copyright").unwrap()));
}

fn reads() {
    let zero = File::open("/dev/zero").unwrap();
    (0..FACTS).for_each(|_| zero.read_exact_at(&mut [0], 0).unwrap());
}

fn connections() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for _ in 0..FACTS {
        let mut opener = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut acceptor = listener.accept().unwrap().0;
        opener.write_all(&[0; 100]).unwrap();
        acceptor.read_exact(&mut [0; 100]).unwrap();
        drop(acceptor);
    }
}

fn conversations() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..FACTS {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(server.local_addr().unwrap()).unwrap();
        client.send(&[0; 100]).unwrap();
        server.recv(&mut [0; 100]).unwrap();
    }
}

/// Nanoseconds in programs for each fact.
fn measure(name: &str, group_by: u32, share: Share, act: fn()) -> u64 {
    let signal = signal(name).unwrap();
    let hooks: Vec<_> = signal.spec.hooks.iter().map(|hook| hook.name).collect();
    let own = Filter { pids: vec![std::process::id()], ..Filter::default() };
    let kinds = if signal.agent_kinds == 0 { 1 } else { signal.agent_kinds };
    let loaded = load(&Request {
        spec: &signal.spec,
        hooks: &hooks,
        config: own.config(kinds, group_by).unwrap(),
        map_entries: &[],
        tracepoints: Ok(&[]),
        options: &Options { ring_bytes: Some(64 << 20), ..Options::default() },
    })
    .unwrap();
    loaded.tell_share(share).unwrap();
    ring::listen(&loaded.map("reader").unwrap()).unwrap();
    act();
    let spent: u64 = cost::read(loaded.object()).iter().map(|program| program.run_time_ns).sum();
    let books = ledger::read(loaded.object());
    assert_eq!((books.imbalance(), books.lost), (0, 0));
    spent / FACTS
}

fn main() {
    let seldom = Share::OneIn(NonZeroU32::new(256).unwrap());
    let by_pid = group_field::GROUP_PID;
    /// What it is called, of which signal, grouped by what, how it is told, and what makes facts.
    type Case = (&'static str, &'static str, u32, Share, fn());
    let cases: [Case; 11] = [
        ("file_open: told", "file_open", 0, Share::ALL, opens),
        ("file_open: one in 256", "file_open", 0, seldom, opens),
        ("file_open: counted in the ledger", "file_open", 0, Share::Counted, opens),
        ("file_io: all, as histograms", "file_io", 0, Share::ALL, reads),
        ("file_io: one in 256", "file_io", 0, seldom, reads),
        ("file_io: all, by process", "file_io", by_pid, Share::ALL, reads),
        ("file_io: one in 256, by process", "file_io", by_pid, seldom, reads),
        ("tcp: connections, both ends, told", "tcp", 0, Share::ALL, connections),
        ("tcp: one in 256", "tcp", 0, seldom, connections),
        ("udp: conversations, both ends, told", "udp", 0, Share::ALL, conversations),
        ("udp: one in 256", "udp", 0, seldom, conversations),
    ];
    let _statistics = Statistics::enable().unwrap();
    let mut figures = vec![Vec::new(); cases.len()];
    for _ in 0..ROUNDS {
        for ((_, name, group_by, share, act), figures) in cases.iter().zip(&mut figures) {
            figures.push(measure(name, *group_by, *share, *act));
        }
    }
    println!("{:<46}{:>12}", "ns a fact, measuring included", "median");
    for ((name, ..), figures) in cases.iter().zip(&mut figures) {
        figures.sort_unstable();
        println!("{name:<46}{:>12}", figures[figures.len() / 2]);
    }
}
