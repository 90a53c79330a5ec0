//! Connections that differ from the plain one: IPv6, IPv4 in IPv6's clothes, older than the trace.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use chandra_tests::actor::Actor;
use chandra_tests::conversation::{Ending, Plan, converse};
use chandra_tests::endpoint::Endpoint;
use chandra_tests::namespaces::Routed;
use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock::now;

use crate::both_ends::assert_seen_whole;

const KINDS: &str = "tcp_connect,tcp_established,tcp_accept,tcp_close";

/// Converses with each of these addresses in turn, and compares.
fn converse_with(listen: &str, address: impl Fn(u16) -> SocketAddr) {
    let listener = TcpListener::bind(listen).unwrap();
    let port = listener.local_addr().unwrap().port();
    let options = ["tcp-close", "--type", KINDS, "--port", &port.to_string()];
    let endings = [Ending::OpenerFirst, Ending::AcceptorFirst, Ending::OpenerCloses];
    for ending in endings {
        let mut trace = Trace::start(&options);
        let plan = Plan { opener_sends: 100_000, acceptor_sends: 3, ending };
        let conversation = converse(address(port), &listener, plan);
        trace.wait_for_lines(5);
        let outcome = trace.stop();
        outcome.summary_without_loss();
        assert_seen_whole(&outcome.records, &[conversation]);
    }
}

/// The kernel begins to connect before it chooses the port. What is not known is absent.
#[test]
fn a_port_that_is_not_chosen_yet_is_absent_rather_than_wrong() {
    needs!("root");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let port = address.port().to_string();
    let types = "tcp_connect,tcp_state,tcp_established";
    let mut trace = Trace::start(&["tcp-connect", "--type", types, "--port", &port]);
    let opener = TcpStream::connect(address).unwrap();
    let truth = Some(u64::from(opener.local_addr().unwrap().port()));
    trace.wait_for("the end of the handshake", |record| record.kind() == "tcp_established");
    let peer = Some(u64::from(address.port()));
    let outcome = trace.stop();
    let of_opener = |record: &&Record| record.number("connection.peer.port") == peer;
    let records: Vec<_> = outcome.records.iter().filter(of_opener).collect();
    assert_eq!(records.len(), 4, "connect, two changes of state, established");
    for record in records {
        let port = record.number("connection.local.port");
        assert!(port.is_none() || port == truth, "{record:?}");
    }
}

#[test]
fn ipv6() {
    needs!("root");
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6 loopback");
        return;
    }
    converse_with("[::1]:0", |port| format!("[::1]:{port}").parse().unwrap());
}

#[test]
fn ipv4_on_an_ipv6_socket_is_ipv4() {
    needs!("root");
    if TcpListener::bind("[::]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    converse_with("[::]:0", |port| format!("[::ffff:127.0.0.1]:{port}").parse().unwrap());
}

/// Opens a connection between two actors, then traces its end.
fn older_connection(mut opener: Actor, mut acceptor: Actor, address: &str) {
    let near = opener.ask(&format!("connect {address}"));
    let far = acceptor.ask("accept");
    // Bytes on either side of the start count alike.
    opener.ask("send 5000");
    acceptor.ask("receive 5000");
    let mut trace = Trace::start(&["tcp-close"]);
    let before = now();
    acceptor.ask("send 70000");
    opener.ask("receive 70000");
    opener.ask("close");
    acceptor.ask("receive-end");
    acceptor.ask("close");
    let mut keys = Vec::new();
    let ends =
        [(&opener, "opener", &near, [5000, 70_000]), (&acceptor, "acceptor", &far, [70_000, 5000])];
    for (actor, role, addresses, bytes) in ends {
        let mut end = Endpoint::new(actor.pid(), role, addresses);
        end.is_older = true;
        let record = trace.wait_for("the close", |record| end.is_in(record, "tcp_close"));
        let key = record.text("connection.key").unwrap().to_owned();
        end.key = Ok(key.clone());
        keys.push(key);
        let mut fields = end.compare(&record, "tcp_close", before..=now());
        fields.is_big("bytes_sent", bytes[0]);
        fields.is_big("bytes_received", bytes[1]);
        fields.is_absent("duration_ns");
        // On a busy machine an answer may come too late; tests/tcp_failures.rs counts exactly.
        fields.is_within("retransmits", 0..=2);
        for measure in ["segments_sent", "segments_received"] {
            fields.is_within(measure, 3..=200);
        }
        for time in ["smoothed_rtt_us", "minimum_rtt_us"] {
            fields.is_within(time, 0..=5_000_000);
        }
        // For some jiffies; tests/tcp_health.rs compares with `ss`.
        for limited in ["receive_window_limited_ns", "send_buffer_limited_ns"] {
            fields.is_within(limited, 0..=5_000_000_000);
        }
        assert_eq!(fields.finish(), Ok(()));
    }
    assert_eq!(keys[0], keys[1]);
    trace.stop().summary_without_loss();
}

#[test]
fn older_than_the_trace() {
    needs!("root");
    let start = || Actor::start(&mut Command::new(env!("CARGO_BIN_EXE_actor")));
    let (opener, mut acceptor) = (start(), start());
    let address = acceptor.ask("listen 127.0.0.1:0");
    older_connection(opener, acceptor, &address);
}

#[test]
fn older_than_the_trace_and_behind_a_router() {
    needs!("root", "ip", "nft");
    let net = Routed::new();
    let inside = |namespace: &str| {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace, env!("CARGO_BIN_EXE_actor")]);
        Actor::start(&mut command)
    };
    let (opener, mut acceptor) = (inside(net.client.name()), inside(net.server.name()));
    acceptor.ask(&format!("listen 10.202.0.2:{}", Routed::SERVER_PORT));
    older_connection(opener, acceptor, &format!("10.203.0.1:{}", Routed::VISIBLE_PORT));
}
