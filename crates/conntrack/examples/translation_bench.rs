//! What it costs to know where a dialled service led to: for each connection in the kernel and here, and
//! for each record that asks.
//!
//! `cargo run --release -p chandra-conntrack --example translation_bench`
//!
//! The kernel's part needs root, `ip` and `nft`. Lines that begin with `translation_` are for programs:
//! name, value, unit.
#![allow(clippy::unwrap_used, reason = "a bench stops where something is not as expected")]

use std::hint::black_box;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use chandra_conntrack::{Change, Events, Translation, message};
use chandra_identity::translation::Translations;
use chandra_tests::namespaces::Namespace;

const CONNECTIONS: u32 = 60_000;
const LOOKUPS: u32 = 4_000_000;
/// Connections of one round, and rounds, which alternate between what is compared.
const OPENED: u32 = 2_000;
const ROUNDS: usize = 15;

fn main() {
    measure_table();
    measure_parser();
    match chandra_tests::needs::lack(&["root", "ip", "nft"]) {
        Some(lack) => println!("  the kernel's part is left out: {lack}"),
        None => measure_kernel(),
    }
}

fn say(name: &str, value: f64, unit: &str, meaning: &str) {
    println!("  {value:>9.1} {unit:<5} {meaning}");
    println!("translation_{name} {value:.1} {unit}");
}

fn translation(number: u32) -> Translation {
    let [_, high, middle, low] = number.to_be_bytes();
    Translation {
        client: SocketAddr::new([10, high, middle, low].into(), 40_000),
        dialled: SocketAddr::new([10, 96, 0, low].into(), 80),
        backend: SocketAddr::new([10, 77, middle, low].into(), 8080),
    }
}

fn measure_table() {
    let per = |count: u32, act: &mut dyn FnMut(u32)| {
        let mut random = 1_u32;
        let began = Instant::now();
        for _ in 0..count {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            act((random >> 8) % CONNECTIONS);
        }
        began.elapsed().as_nanos() as f64 / f64::from(count)
    };
    let mut table = Translations::default();
    let nothing = per(LOOKUPS, &mut |number| {
        let Translation { client, dialled, .. } = black_box(translation(number));
        assert!(black_box(table.backend(client, dialled)).is_none());
    });
    let mut number = 0;
    let made = per(CONNECTIONS, &mut |_| {
        table.apply(Change::Made(translation(number)), 0);
        number += 1;
    });
    let bytes = table.stats().bytes as f64 / f64::from(CONNECTIONS);
    let hit = per(LOOKUPS, &mut |number| {
        let Translation { client, dialled, .. } = black_box(translation(number));
        assert!(black_box(table.backend(client, dialled)).is_some());
    });
    let miss = per(LOOKUPS, &mut |number| {
        let Translation { client, dialled, .. } = black_box(translation(number + CONNECTIONS));
        assert!(black_box(table.backend(client, dialled)).is_none());
    });
    let gone = per(CONNECTIONS, &mut |number| {
        table.apply(Change::Gone(translation(number)), 0);
    });
    println!("{CONNECTIONS} connections:");
    say("bytes_per_connection", bytes, "bytes", "per connection as counted");
    say("lookup_hit", hit, "ns", "to find a backend, at random");
    say("lookup_miss", miss, "ns", "to find none");
    say("lookup_empty", nothing, "ns", "to find none where nothing is translated");
    say("apply_made", made, "ns", "to take in a connection");
    say("apply_gone", gone, "ns", "to take in its end");
}

fn measure_parser() {
    let captured = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fuzz/corpus/conntrack_messages/captured-new-ipv4"
    );
    let bytes = std::fs::read(captured).unwrap();
    let began = Instant::now();
    for _ in 0..LOOKUPS {
        let read = message::messages(black_box(&bytes)).filter(Result::is_ok);
        assert_eq!(black_box(read.count()), 1);
    }
    let each = began.elapsed().as_nanos() as f64 / f64::from(LOOKUPS);
    say("parse", each, "ns", "to parse a message");
}

/// Connections to an address that is translated and to one that is not, where connection tracking works,
/// with nobody listening and with us listening.
fn measure_kernel() {
    let namespace = Namespace::new("bench");
    namespace.add_addresses(&["10.1.1.1"]);
    namespace.run("ip route add 10.96.0.0/16 dev lo");
    for rule in [
        "add table ip nat",
        "add chain ip nat out { type nat hook output priority -100 ; }",
        "add rule ip nat out ip daddr 10.96.0.10 tcp dport 80 dnat to 127.0.0.1:8080",
    ] {
        namespace.run(&format!("nft {rule}"));
    }
    let listener = namespace.enter(|| TcpListener::bind("127.0.0.1:8080")).unwrap();
    for (name, to) in [("translated", "10.96.0.10:80"), ("plain", "127.0.0.1:8080")] {
        let round = |listens: bool| {
            namespace.enter(|| {
                let mut events = listens.then(|| Events::open().unwrap());
                let began = Instant::now();
                for number in 0..OPENED {
                    let opened = TcpStream::connect(to).unwrap();
                    // Reset, so that no port stays taken and tracking ends at once.
                    let accepted = socket2::Socket::from(listener.accept().unwrap().0);
                    accepted.set_linger(Some(std::time::Duration::ZERO)).unwrap();
                    drop(accepted);
                    drop(opened);
                    if number % 32 == 0
                        && let Some(events) = &mut events
                    {
                        events.take(&mut |change| {
                            black_box(change);
                        });
                    }
                }
                began.elapsed().as_nanos() as f64 / f64::from(OPENED)
            })
        };
        let mut costs: Vec<_> = (0..ROUNDS).map(|_| round(true) - round(false)).collect();
        costs.sort_by(f64::total_cmp);
        let mut alone: Vec<_> = (0..ROUNDS).map(|_| round(false)).collect();
        alone.sort_by(f64::total_cmp);
        let whole = alone[ROUNDS / 2];
        println!("a {name} connection, opened and reset at once, takes {whole:.0} ns:");
        let meaning = "more where we listen, all that we do included (median of differences)";
        say(&format!("listening_{name}"), costs[ROUNDS / 2], "ns", meaning);
        say(&format!("connection_{name}"), whole, "ns", "where nobody listens");
    }
}
