//! Connections that go wrong: refused, unanswered, losing segments, broken off.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use chandra_tests::actor::Actor;
use chandra_tests::namespaces::{Namespace, join};
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::socket;
use chandra_tests::trace::Trace;

/// Runs an actor in a namespace, executed once more under this name.
fn actor_in(namespace: &Namespace) -> Actor {
    let mut command = Command::new("ip");
    Actor::start(command.args(["netns", "exec", namespace.name(), env!("CARGO_BIN_EXE_actor")]))
}

#[test]
fn a_refused_connection_says_by_what_and_how_long_it_took() {
    needs!("root");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    drop(taken);
    let mut trace = Trace::start(&["tcp-connect", "--port", &address.port().to_string()]);
    for _ in 0..20 {
        TcpStream::connect(address).unwrap_err();
    }
    trace.wait_for_lines(20);
    let outcome = trace.stop();
    let own = std::process::id();
    assert_eq!(outcome.of("tcp_connect_failed", own).count(), 20);
    for record in &outcome.records {
        assert_eq!(record.text("error"), Some("ECONNREFUSED"));
        assert_eq!(record.number("error_number"), Some(111));
        assert_eq!(record.text("connection.key_absent"), Some("not_established"));
        assert!(record.number("latency_ns") > Some(0));
    }
    assert_eq!(outcome.summary_without_loss().number("shown"), Some(20));
}

#[test]
fn retransmits_by_process_name_are_as_many_as_the_kernel_counts() {
    needs!("root", "ip");
    let net = Namespace::new("lossy");
    let (mut client, mut server) = (actor_in(&net), actor_in(&net));
    let address: SocketAddr = server.ask("listen 127.0.0.1:0").parse().unwrap();
    let before = net.tcp_counter("RetransSegs");
    let port = address.port().to_string();
    let trace = Trace::start(&["tcp-retransmit", "--by", "comm", "--port", &port]);
    client.ask(&format!("connect {address}"));
    server.ask("accept");
    server.ask("lose");
    client.ask("send 100");
    wait_for("three retransmits", || (net.tcp_counter("RetransSegs") >= before + 3).then_some(()));
    server.ask("lose-nothing");
    server.ask("receive 100");
    client.ask("settle");
    let truth = net.tcp_counter("RetransSegs") - before;
    let outcome = trace.stop();
    outcome.summary_without_loss();
    let rows: Vec<_> =
        outcome.records.iter().map(|row| (row.text("comm"), row.number("count"))).collect();
    assert_eq!(rows, [(Some("actor"), Some(truth))]);
    let measured = client.ask("measure");
    assert_eq!(measured.split(' ').nth(2), Some(&*truth.to_string()));
}

#[test]
fn a_reset_is_told_at_both_ends_with_the_kernels_reason() {
    needs!("root");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Linger time 0 disconnects; a close with unread bytes aborts.
    for reason in ["tcp_state", "tcp_abort_on_close"] {
        let mut trace = Trace::start(&["tcp-reset", "--port", &address.port().to_string()]);
        let opener = TcpStream::connect(address).unwrap();
        let mut acceptor = listener.accept().unwrap().0;
        let ports = [opener.local_addr().unwrap().port(), address.port()];
        if reason == "tcp_state" {
            socket::reset(opener);
        } else {
            acceptor.write_all(b"unread").unwrap();
            wait_for("bytes to leave unread", || (opener.peek(&mut [0]).ok()? == 1).then_some(()));
            drop(opener);
        }
        trace.wait_for_lines(2);
        let outcome = trace.stop();
        outcome.summary_without_loss();
        let [sent, received] = ["sent", "received"].map(|direction| {
            let of = |record: &&Record| record.text("direction") == Some(direction);
            let mut found = outcome.records.iter().filter(of);
            let record = found.next().expect(direction);
            assert!(found.next().is_none(), "two resets {direction}");
            record
        });
        let [opener, acceptor] = ports.map(u64::from).map(Some);
        assert_eq!(sent.number("connection.local.port"), opener);
        assert_eq!(received.number("connection.local.port"), acceptor);
        if since_6_10() {
            assert_eq!(sent.text("reason"), Some(reason));
        }
        for record in [sent, received] {
            assert_eq!(record.number("process.pid"), Some(std::process::id().into()), "{record:?}");
            let older = record.at("connection.opened_before_start");
            assert_eq!(older, Some(&false.into()), "{record:?}");
        }
        assert_eq!(sent.text("connection.key"), received.text("connection.key"));
    }
}

#[test]
fn a_reset_that_answers_a_stranger_has_no_owner() {
    needs!("root");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    drop(taken);
    let mut trace = Trace::start(&["tcp-reset", "--port", &address.port().to_string()]);
    TcpStream::connect(address).unwrap_err();
    let record = trace.wait_for("the answer", |record| record.text("direction") == Some("sent"));
    assert_eq!(record.number("connection.local.port"), Some(address.port().into()));
    assert_eq!(record.text("connection.local.address"), Some("127.0.0.1"));
    assert_eq!(record.at("process"), None);
    if since_6_10() {
        assert_eq!(record.text("reason"), Some("no_socket"));
    }
    assert_eq!(record.at("connection.opened_before_start"), Some(&false.into()));
    trace.stop().summary_without_loss();
}

fn since_6_10() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse::<u32>().unwrap());
    [numbers.next(), numbers.next()] >= [Some(6), Some(10)]
}

#[test]
fn an_unanswered_connect_is_told_while_it_is_tried_again() {
    needs!("root", "ip", "nft");
    let (net, hole) = (Namespace::new("asking"), Namespace::new("hole"));
    join((&net, "wire", "10.204.0.1/24"), (&hole, "wire", "10.204.0.2/24"));
    hole.run("nft add table ip hole");
    hole.run("nft add chain ip hole in { type filter hook input priority 0 ; }");
    hole.run("nft add rule ip hole in tcp dport 9 drop");
    let mut trace = Trace::start(&["tcp-connect", "--port", "9"]);
    let give_up = Duration::from_millis(1500);
    let address = "10.204.0.2:9".parse().unwrap();
    net.enter(|| TcpStream::connect_timeout(&address, give_up).unwrap_err());
    let retry = trace.wait_for("the retry", |record| record.kind() == "tcp_connect_retry");
    let failed = trace.wait_for("the end", |record| record.kind() == "tcp_connect_failed");
    for record in [&retry, &failed] {
        assert_eq!(record.number("process.pid"), Some(std::process::id().into()));
        assert_eq!(record.text("connection.peer.address"), Some("10.204.0.2"));
        assert_eq!(record.number("connection.net_namespace"), Some(net.inode()));
        assert_eq!(record.text("connection.key_absent"), Some("not_established"));
    }
    // The first SYN waits one second for its answer (RFC 6298).
    let latency = retry.number("latency_ns").unwrap();
    assert!((900_000_000..1_500_000_000).contains(&latency), "{latency}");
    assert!(failed.number("latency_ns").unwrap() >= 1_500_000_000);
    assert_eq!(failed.text("error"), None, "the caller gave up; the kernel had no error");
    trace.stop().summary_without_loss();
}
