//! What holds connections up, and what listening sockets have no room for: compared with `ss` and with the kernel's
//! own counters of a network namespace.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use chandra_tests::namespaces::Namespace;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::socket;
use chandra_tests::trace::Trace;

/// Room for 17 connections: the others' SYNs are dropped, again and again, until their clients are gone.
#[test]
fn drops_of_a_listening_socket_are_those_that_the_kernel_counts() {
    needs!("root", "ip");
    let home = Namespace::new("listen");
    let listener = home.enter(|| {
        let socket = socket::unbound(0).unwrap();
        socket::bind_to(&socket, "127.0.0.1:7100".parse().unwrap()).unwrap();
        socket::listen(socket, false)
    });
    let mut trace = Trace::start(&["tcp-listen-drops", "--port", "7100"]);
    let clients: Vec<_> = home.enter(|| {
        let client = |_| {
            let client = socket::unbound(0).unwrap();
            client.set_nonblocking(true).unwrap();
            if let Err(error) = socket::connect(&client, "127.0.0.1:7100".parse().unwrap()) {
                assert_eq!(error.raw_os_error(), Some(libc::EINPROGRESS));
            }
            client
        };
        (0..40).map(client).collect()
    });
    let first = trace.wait_for("drops", |record| record.kind() == "tcp_listen_drop");
    assert_eq!(first.number("process.pid"), Some(std::process::id().into()));
    assert_eq!(first.text("connection.local.address"), Some("127.0.0.1"));
    let queue = ["accept_queue", "accept_queue_limit"].map(|name| first.number(name));
    assert_eq!(queue, [Some(17), Some(16)]);
    drop(clients);
    // No client is left that would try again.
    let truth = home.counter("TcpExt", "ListenDrops");
    assert!(truth >= 23, "{truth}");
    let told = |trace: &mut Trace| -> u64 {
        trace.records().iter().filter_map(|record| record.number("drops")).sum()
    };
    wait_for("all drops to be told", || (told(&mut trace) >= truth).then_some(()));
    drop(listener);
    let outcome = trace.stop();
    outcome.summary_without_loss();
    let sum: u64 = outcome.records.iter().filter_map(|record| record.number("drops")).sum();
    assert_eq!((sum, home.counter("TcpExt", "ListenDrops")), (truth, truth));
}

/// Milliseconds that `ss` says a connection to this port was held up by the receiver's window.
fn window_limited_ms(home: &Namespace, port: u16) -> Option<u64> {
    let sockets = home.run(&format!("ss -tinH state established dport = {port}"));
    let (_, rest) = sockets.split_once(" rwnd_limited:")?;
    rest.split_once("ms")?.0.parse().ok()
}

#[test]
fn time_in_which_the_receiver_had_no_room_is_that_of_ss() {
    needs!("root", "ip", "ss");
    let home = Namespace::new("window");
    let (listener, mut sender) = home.enter(|| {
        let listener = TcpListener::bind("127.0.0.1:7101").unwrap();
        // Only once the trace is there: it is to see the whole of the connection.
        let trace = Trace::start(&["tcp-close", "--port", "7101"]);
        (listener, (TcpStream::connect("127.0.0.1:7101").unwrap(), trace))
    });
    let (sender, trace) = (&mut sender.0, &mut sender.1);
    let (mut receiver, _) = listener.accept().unwrap();
    sender.set_nonblocking(true).unwrap();
    let mut sent = 0;
    wait_for("a receiver without room", || {
        match sender.write(&[0; 65_536]) {
            Ok(count) => sent += count,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        window_limited_ms(&home, 7101).filter(|ms| *ms >= 300)
    });
    receiver.read_exact(&mut vec![0; sent]).unwrap();
    // Everything is acknowledged, so nothing is held up, or timed, any more.
    socket::wait_until_acknowledged(sender);
    let truth_ms = window_limited_ms(&home, 7101).unwrap();
    assert!(truth_ms >= 300, "{truth_ms}");
    sender.shutdown(std::net::Shutdown::Both).unwrap();
    drop(receiver);
    let is_sender =
        |record: &chandra_tests::record::Record| record.text("connection.role") == Some("opener");
    let record = trace.wait_for("its close", is_sender);
    assert_eq!(record.number("bytes_sent"), Some(sent as u64));
    let told_ns = record.number("receive_window_limited_ns").unwrap();
    assert_eq!(told_ns / 1_000_000, truth_ms, "{record:?}");
}
