//! What the probe counts by reason, place, network namespace and protocol: every drop, also where its
//! table is full.
#![allow(clippy::unwrap_used, reason = "a test states what it expects by stopping")]

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use chandra_loader::load::{Loaded, Options, Request, load};
use chandra_loader::{MapHandle, ledger, ring};
use chandra_signals::drop::{Count, counts};
use chandra_signals::filter::Filter;
use chandra_signals::registry::signal;
use chandra_tests::loopback;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;

const PACKETS: u64 = 20_000;
const BYTES: u64 = 8 + 3;

/// Counts drops of packets with this port, with so many entries in the table.
fn counting(port: u16, entries: u32) -> Loaded {
    let signal = signal("drop").unwrap();
    let filter = Filter { ports: vec![port], ..Filter::default() };
    let request = Request {
        spec: &signal.spec,
        hooks: &["kfree_skb"],
        config: filter.config(1, 0).unwrap(),
        map_entries: &[("drops", entries)],
        tracepoints: Ok(&[]),
        options: &Options { ring_bytes: Some(1 << 20), ..Options::default() },
    };
    let loaded = load(&request).unwrap();
    ring::listen(&MapHandle::try_from(&loaded.map("reader").unwrap()).unwrap()).unwrap();
    loaded
}

/// So many datagrams to a port of each family's loopback, on which nobody listens.
fn send(port: u16) {
    let ends: [SocketAddr; 2] =
        [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
    for end in ends {
        let sender = UdpSocket::bind((end.ip(), 0)).unwrap();
        for _ in 0..PACKETS {
            sender.send_to(b"lost".get(..3).unwrap(), end).unwrap();
        }
    }
}

fn books_balance(loaded: &Loaded, truth: u64) {
    let books = wait_for("books that balance", || {
        Some(ledger::read(loaded.object())).filter(|books| books.imbalance() == 0)
    });
    assert_eq!(books.seen - books.filtered, truth, "{books:?}");
    // No record was lost for want of a reader: the ring has room for the few that are sent.
    assert_eq!((books.lost, books.rate_limited + books.submitted), (0, truth), "{books:?}");
}

fn sum(counts: &[Count]) -> (u64, u64) {
    counts
        .iter()
        .fold((0, 0), |(packets, bytes), count| (packets + count.packets, bytes + count.bytes))
}

#[test]
fn every_drop_is_counted_by_what_sets_it_apart() {
    needs!("root");
    let port = 40_009;
    loopback::in_new_namespace(|namespace| {
        let loaded = counting(port, 64);
        send(port);
        let counts = counts(&loaded).unwrap();
        let mut families = counts.iter().map(|count| count.ethertype).collect::<Vec<_>>();
        families.sort_unstable();
        assert_eq!(families, [0x0800, 0x86dd]);
        for count in &counts {
            assert_eq!(u64::from(count.net_namespace), namespace);
            assert_eq!((count.packets, count.bytes), (PACKETS, PACKETS * BYTES));
            assert_eq!((count.protocol, count.is_ordinary), (17, false));
        }
        books_balance(&loaded, 2 * PACKETS);
    });
}

#[test]
fn what_finds_no_room_in_the_table_is_counted_all_the_same() {
    needs!("root");
    let port = 40_010;
    loopback::in_new_namespace(|_| {
        let loaded = counting(port, 1);
        send(port);
        let counts = counts(&loaded).unwrap();
        let without_key = counts.iter().find(|count| count.location == 0).unwrap();
        assert_eq!(without_key.packets, PACKETS);
        assert_eq!(counts.len(), 2);
        assert_eq!(sum(&counts), (2 * PACKETS, 2 * PACKETS * BYTES));
        books_balance(&loaded, 2 * PACKETS);
    });
}
