//! Connections that are legal and rare: what cannot be compared must not be called a key.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::Barrier;

use chandra_tests::namespaces::Namespace;
use chandra_tests::record::Record;
use chandra_tests::trace::{Outcome, Trace};
use chandra_tests::{needs, socket};

const KINDS: &str = "tcp_connect,tcp_established,tcp_connect_failed,tcp_accept,tcp_close,tcp_state";

/// Traces this process alone.
fn trace() -> Trace {
    Trace::start(&["tcp-close", "--type", KINDS, "--pid", &std::process::id().to_string()])
}

/// Traces these ports.
fn trace_of(ports: &str) -> Trace {
    Trace::start(&["tcp-close", "--type", KINDS, "--port", ports])
}

fn address(address: SocketAddr) -> SocketAddrV4 {
    let SocketAddr::V4(address) = address else { panic!("{address}") };
    address
}

/// The closes of connections from or to this port.
fn closes(outcome: &Outcome, port: u16) -> impl Iterator<Item = &Record> {
    let of_port = move |record: &&Record| {
        ["local", "peer"]
            .iter()
            .any(|end| record.number(&format!("connection.{end}.port")) == Some(port.into()))
    };
    outcome.records.iter().filter(|record| record.kind() == "tcp_close").filter(of_port)
}

fn wait_for_closes(trace: &mut Trace, port: u16, count: usize) {
    let (port, seen) = (Some(u64::from(port)), Cell::new(0));
    trace.wait_for("the closes", |record| {
        let ends = ["connection.local.port", "connection.peer.port"];
        let found =
            record.kind() == "tcp_close" && ends.iter().any(|end| record.number(end) == port);
        seen.set(seen.get() + usize::from(found));
        found && seen.get() == count
    });
}

/// Two sockets that connect to each other at the same moment, which needs some tries.
fn cross() -> [TcpStream; 2] {
    for _ in 0..10_000 {
        let sockets = [socket::bound(0).unwrap(), socket::bound(0).unwrap()];
        let addresses = sockets.each_ref().map(|socket| address(socket.local_addr().unwrap()));
        let (barrier, [one, other]) = (Barrier::new(2), &sockets);
        let connect = |socket: &TcpStream, to| {
            barrier.wait();
            socket::connect(socket, to).is_ok()
        };
        let crossed = std::thread::scope(|scope| {
            let first = scope.spawn(|| connect(one, addresses[1]));
            let second = connect(other, addresses[0]);
            first.join().unwrap() && second
        });
        if crossed {
            return sockets;
        }
    }
    panic!("no two SYNs ever crossed");
}

#[test]
fn two_openers_have_no_key_and_every_byte() {
    needs!("root");
    let mut trace = trace();
    let [mut one, mut other] = cross();
    let port = one.local_addr().unwrap().port();
    one.write_all(&[1; 1000]).unwrap();
    other.read_exact(&mut [0; 1000]).unwrap();
    other.write_all(&[2; 77]).unwrap();
    one.read_exact(&mut [0; 77]).unwrap();
    drop(one);
    assert_eq!(other.read(&mut [0]).unwrap(), 0);
    drop(other);
    wait_for_closes(&mut trace, port, 2);
    let outcome = trace.stop();
    let closes: Vec<_> = closes(&outcome, port).collect();
    // The end whose SYN was on its way when the other's answer came cannot tell that it was crossed.
    let unknown = Some("role_unknown");
    let keys: Vec<_> = closes.iter().map(|it| it.text("connection.key_absent")).collect();
    assert!(keys.contains(&unknown), "{closes:#?}");
    assert!(keys.iter().all(|key| [unknown, None].contains(key)), "{closes:#?}");
    let mut bytes: Vec<_> = closes
        .into_iter()
        .map(|close| {
            assert_eq!(close.text("connection.role"), Some("opener"));
            (close.number("bytes_sent"), close.number("bytes_received"))
        })
        .collect();
    bytes.sort();
    assert_eq!(bytes, [(Some(77), Some(1000)), (Some(1000), Some(77))]);
}

#[test]
fn a_second_try_does_not_have_the_first_ones_port() {
    needs!("root");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = socket::bound(0).unwrap();
    let ports = [nobody.local_addr().unwrap().port(), listener.local_addr().unwrap().port()];
    let mut trace = trace_of(&format!("{},{}", ports[0], ports[1]));
    // Not bound: the kernel chooses the port, for each try another.
    let opener = socket::unbound(0).unwrap();
    assert!(socket::connect(&opener, address(nobody.local_addr().unwrap())).is_err());
    socket::connect(&opener, address(listener.local_addr().unwrap())).unwrap();
    let port = opener.local_addr().unwrap().port();
    drop((opener, listener.accept().unwrap()));
    wait_for_closes(&mut trace, port, 2);
    let outcome = trace.stop();
    let connects = outcome.records.iter().filter(|record| record.kind() == "tcp_connect");
    let ports: Vec<_> = connects.map(|record| record.number("connection.local.port")).collect();
    assert_eq!(ports, [None, None]);
}

#[test]
fn a_socket_that_listening_made_has_no_key_before_it_is_established() {
    needs!("root");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut trace = Trace::start(&["tcp-state", "--port", &port.to_string()]);
    drop(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    let made =
        trace.wait_for("the new socket", |record| record.text("new_state") == Some("syn_received"));
    assert_eq!(made.text("connection.key_absent"), Some("not_established"), "{made:?}");
    assert_eq!(made.at("connection.opened_before_start"), Some(&false.into()));
}

#[test]
fn multipath_tcp_is_accepted_and_has_no_key() {
    needs!("root");
    let Ok(listener) = socket::bound(libc::IPPROTO_MPTCP) else {
        eprintln!("skipped: this kernel has no Multipath TCP");
        return;
    };
    let listener = socket::listen(listener, false);
    let port = listener.local_addr().unwrap().port();
    let mut trace = trace_of(&port.to_string());
    let mut opener = socket::bound(libc::IPPROTO_MPTCP).unwrap();
    socket::connect(&opener, address(listener.local_addr().unwrap())).unwrap();
    let mut acceptor = listener.accept().unwrap().0;
    opener.write_all(&[1; 1234]).unwrap();
    acceptor.read_exact(&mut [0; 1234]).unwrap();
    let accepted = trace.wait_for("the accept", |record| record.kind() == "tcp_accept");
    assert_eq!(accepted.text("connection.key_absent"), Some("mptcp"));
    drop((opener, acceptor));
    wait_for_closes(&mut trace, port, 2);
    trace.stop().summary_without_loss();
}

#[test]
fn data_in_the_syn_is_said_at_both_ends_and_counted() {
    needs!("root");
    let namespace = Namespace::new("fast");
    let mut trace = trace();
    let port = namespace.enter(|| {
        // Both ends, and without a cookie.
        std::fs::write("/proc/sys/net/ipv4/tcp_fastopen", "519").unwrap();
        let listener = socket::listen(socket::bound(0).unwrap(), true);
        let to = address(listener.local_addr().unwrap());
        let mut opener = socket::bound(0).unwrap();
        socket::connect_with(&opener, to, &[1; 100]).unwrap();
        let mut acceptor = listener.accept().unwrap().0;
        acceptor.read_exact(&mut [0; 100]).unwrap();
        acceptor.write_all(&[2; 50]).unwrap();
        opener.read_exact(&mut [0; 50]).unwrap();
        drop(opener);
        assert_eq!(acceptor.read(&mut [0]).unwrap(), 0);
        to.port()
    });
    wait_for_closes(&mut trace, port, 2);
    let outcome = trace.stop();
    for close in closes(&outcome, port) {
        assert_eq!(close.text("connection.key_absent"), Some("fast_open"), "{close:?}");
        let is_opener = close.text("connection.role") == Some("opener");
        let bytes = if is_opener { (Some(100), Some(50)) } else { (Some(50), Some(100)) };
        assert_eq!((close.number("bytes_sent"), close.number("bytes_received")), bytes);
    }
}
