//! Conversations over UDP that are over at once, many times what a ring holds: the look through their table tells each
//! of them, with what went over it, by and by.

use std::net::{SocketAddr, UdpSocket};

use chandra_tests::datagrams::{bind, ended, ports, went};
use chandra_tests::namespaces::Namespace;
use chandra_tests::needs;
use chandra_tests::trace::{Outcome, Trace};

/// Of 250 bytes each; the ring takes a tenth of that.
const PEERS: u16 = 10_000;
const RING: [&str; 2] = ["--ring-size", "256k"];

/// As many bytes go to each peer as the last digits of its port.
fn bytes(port: u16) -> u16 {
    1 + port % 100
}

fn peers() -> std::ops::Range<u16> {
    1000..1000 + PEERS
}

fn send_to_all(client: &UdpSocket) {
    for port in peers() {
        let text = vec![0; bytes(port).into()];
        client.send_to(&text, SocketAddr::from(([127, 0, 0, 2], port))).unwrap();
    }
}

/// Each was told once, with what went over it.
fn are_all_told(outcome: &Outcome, why: &str) {
    let mut told: Vec<_> = outcome
        .records
        .iter()
        .map(|record| {
            assert_eq!(record.text("end"), Some(why), "{record:?}");
            (ports(record)[1], went(record))
        })
        .collect();
    told.sort_unstable();
    let truth = peers().map(|port| (port, [1, bytes(port).into(), 0, 0]));
    assert!(told == truth.collect::<Vec<_>>(), "{} of {PEERS}", told.len());
}

#[test]
fn those_of_a_socket_that_is_closed_are_all_told() {
    needs!("root", "ip");
    let namespace = Namespace::new("sweeps");
    let trace = Trace::start(&[&["udp", "--type", "udp_close"], &RING[..]].concat());
    let client = bind(&namespace, "127.0.0.1:0");
    send_to_all(&client);
    assert_eq!(namespace.counter("Udp", "OutDatagrams"), u64::from(PEERS));
    drop(client);
    are_all_told(&ended(trace, &namespace, usize::from(PEERS)), "socket_closed");
}

#[test]
fn those_that_become_quiet_are_all_told() {
    needs!("root", "ip");
    let namespace = Namespace::new("quiet");
    let interval = ["--interval", "1s"];
    let verb = ["udp", "--type", "udp_close"];
    let trace = Trace::start(&[&verb[..], &interval, &RING].concat());
    let client = bind(&namespace, "127.0.0.1:0");
    send_to_all(&client);
    are_all_told(&ended(trace, &namespace, usize::from(PEERS)), "idle");
    drop(client);
}

#[test]
fn those_beyond_the_budget_of_their_cgroup_wait_until_it_has_some() {
    needs!("root", "ip");
    let namespace = Namespace::new("waiting");
    // A quarter of it at once, and so much in each look.
    let budget = (PEERS * 2).to_string();
    let verb = ["udp", "--type", "udp_close", "--event-budget", &budget];
    let trace = Trace::start(&verb);
    let client = bind(&namespace, "127.0.0.1:0");
    send_to_all(&client);
    drop(client);
    are_all_told(&ended(trace, &namespace, usize::from(PEERS)), "socket_closed");
}
