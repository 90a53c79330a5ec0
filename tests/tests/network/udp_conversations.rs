//! Conversations over UDP in a network namespace of their own: every datagram and byte that was sent and
//! received, who with whom, and how each ended. The truth is what the test sent and what the namespace's own
//! counters say.

use std::os::fd::OwnedFd;
use std::process::Command;

use chandra_tests::datagrams::{at, bind, ended, is_in, only, receive, went};
use chandra_tests::namespaces::Namespace;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::socket;
use chandra_tests::trace::{Outcome, Trace};

fn sum(outcome: &Outcome, family: &str, name: &str) -> u64 {
    let is_it = |record: &&Record| {
        record.kind() == "udp_close" && record.text("connection.family") == Some(family)
    };
    outcome.records.iter().filter(is_it).map(|record| record.number(name).unwrap()).sum()
}

/// From where to where: what the server is bound to, how it is dialled, what the client is bound to.
struct Way {
    server: &'static str,
    dialled: &'static str,
    client: &'static str,
    is_connected: bool,
    /// The addresses that travel: the client's, and the server's.
    truth: [&'static str; 2],
}

const WAYS: [Way; 7] = [
    way("127.0.0.1:0", "127.0.0.1", "127.0.0.1:0", true, ["127.0.0.1"; 2]),
    way("0.0.0.0:0", "127.0.0.1", "0.0.0.0:0", false, ["127.0.0.1"; 2]),
    way("[::1]:0", "::1", "[::1]:0", true, ["::1"; 2]),
    way("[::]:0", "::1", "[::]:0", false, ["::1"; 2]),
    // IPv4 between sockets of IPv6, and to one from a socket of IPv4.
    way("[::]:0", "::ffff:127.0.0.1", "[::]:0", true, ["127.0.0.1"; 2]),
    way("[::]:0", "::ffff:127.0.0.1", "[::]:0", false, ["127.0.0.1"; 2]),
    way("[::]:0", "127.0.0.1", "127.0.0.1:0", false, ["127.0.0.1"; 2]),
];

const fn way(
    server: &'static str,
    dialled: &'static str,
    client: &'static str,
    is_connected: bool,
    truth: [&'static str; 2],
) -> Way {
    Way { server, dialled, client, is_connected, truth }
}

/// Sizes of what the client sends, and of what the server answers; the largest are sent in fragments.
const ASKED: [usize; 4] = [1, 0, 60_000, 512];
const ANSWERED: [usize; 3] = [1200, 65_000, 3];

#[test]
fn each_datagram_and_byte_counts_at_both_ends_whatever_the_sockets_are() {
    needs!("root", "ip");
    let namespace = Namespace::new("udp");
    let trace = Trace::start(&["udp"]);
    let mut all = Vec::new();
    for way in &WAYS {
        let (server, client) = (bind(&namespace, way.server), bind(&namespace, way.client));
        let dialled = at(way.dialled, &server);
        if way.is_connected {
            client.connect(dialled).unwrap();
        }
        for bytes in ASKED {
            let sent = match way.is_connected {
                true => client.send(&vec![b'?'; bytes]),
                false => client.send_to(&vec![b'?'; bytes], dialled),
            };
            assert_eq!(sent.unwrap(), bytes);
        }
        let (_, from) = server.peek_from(&mut [0; 8]).unwrap();
        receive(&server, ASKED.len());
        for bytes in ANSWERED {
            assert_eq!(server.send_to(&vec![b'!'; bytes], from).unwrap(), bytes);
        }
        receive(&client, ANSWERED.len());
        let ports = [&client, &server].map(|socket| socket.local_addr().unwrap().port());
        all.push((way, ports, [socket::cookie(&client), socket::cookie(&server)]));
    }
    // All of them are closed by now; each has two ends.
    let outcome = ended(trace, &namespace, 2 * WAYS.len());
    let total = |sizes: &[usize]| [sizes.len() as u64, sizes.iter().sum::<usize>() as u64];
    let ([asks, ask_bytes], [answers, answer_bytes]) = (total(&ASKED), total(&ANSWERED));
    for (way, [client, server], cookies) in all {
        for (is_client, ends) in [(true, [client, server]), (false, [server, client])] {
            let record = only(&outcome, "udp_close", ends);
            let expected = match is_client {
                true => [asks, ask_bytes, answers, answer_bytes],
                false => [answers, answer_bytes, asks, ask_bytes],
            };
            assert_eq!(went(record), expected, "{record:?}");
            let mut truth = way.truth;
            let mut roles = ["client", "server"];
            let mut cookies = cookies;
            if !is_client {
                truth.reverse();
                roles.reverse();
                cookies.reverse();
            }
            for (end, address) in ["local", "peer"].into_iter().zip(truth) {
                let path = format!("connection.{end}.address");
                assert_eq!(record.text(&path), Some(address), "{record:?}");
            }
            assert_eq!(record.text("connection.role"), Some(roles[0]), "{record:?}");
            assert_eq!(record.number("connection.socket_cookie"), Some(cookies[0]));
            assert_eq!(record.text("end"), Some("socket_closed"));
            assert_eq!(record.number("process.pid"), Some(std::process::id().into()));
            // Before it came a record of its first datagram, and one of the first the other way.
            let opened = only(&outcome, "udp_open", ends);
            let first = ASKED[0] as u64;
            let expected = if is_client { [1, first, 0, 0] } else { [0, 0, 1, first] };
            assert_eq!(went(opened), expected, "{opened:?}");
            let replied = only(&outcome, "udp_reply", ends);
            let expected = match is_client {
                true => [asks, ask_bytes, 1, ANSWERED[0] as u64],
                false => [1, ANSWERED[0] as u64, asks, ask_bytes],
            };
            assert_eq!(went(replied), expected, "{replied:?}");
        }
    }
    // The namespace's own counters: nobody else has sent anything there.
    let counters = |sent: u64, received: u64| [sent, received];
    let truth =
        counters(namespace.counter("Udp", "OutDatagrams"), namespace.counter("Udp", "InDatagrams"));
    let of =
        |family| ["datagrams_sent", "datagrams_received"].map(|name| sum(&outcome, family, name));
    // A socket of IPv6 counts what it receives as such, whatever it is.
    let truth_of_ipv6 =
        ["Udp6OutDatagrams", "Udp6InDatagrams"].map(|name| namespace.counter_of_ipv6(name));
    let all = [0, 1].map(|way| truth[way] + truth_of_ipv6[way]);
    assert_eq!([0, 1].map(|way| of("ipv4")[way] + of("ipv6")[way]), all);
    assert_eq!(all[0], (WAYS.len() * (ASKED.len() + ANSWERED.len())) as u64);
}

#[test]
fn a_server_has_a_conversation_with_each_of_its_peers() {
    needs!("root", "ip");
    // More than are ended at once when a socket is closed.
    const PEERS: usize = 50;
    let namespace = Namespace::new("server");
    let trace = Trace::start(&["udp"]);
    let server = bind(&namespace, "[::]:0");
    let address = at("127.0.0.1", &server);
    let clients: Vec<_> = (0..PEERS).map(|_| bind(&namespace, "127.0.0.1:0")).collect();
    let datagrams = |number: usize| number % 7 + 1;
    for (number, client) in clients.iter().enumerate() {
        for _ in 0..datagrams(number) {
            client.send_to(&vec![b'x'; number], address).unwrap();
        }
        let (_, from) = server.recv_from(&mut [0; 100]).unwrap();
        receive(&server, datagrams(number) - 1);
        server.send_to(b"yes", from).unwrap();
        receive(client, 1);
    }
    drop(server);
    let ports: Vec<_> = clients.iter().map(|client| client.local_addr().unwrap().port()).collect();
    drop(clients);
    let outcome = ended(trace, &namespace, 2 * PEERS);
    for (number, port) in ports.into_iter().enumerate() {
        let (count, bytes) = (datagrams(number) as u64, (datagrams(number) * number) as u64);
        let record = only(&outcome, "udp_close", [address.port(), port]);
        assert_eq!(went(record), [1, 3, count, bytes], "{record:?}");
        assert_eq!(record.text("end"), Some("socket_closed"), "{record:?}");
        assert_eq!(record.text("connection.local.address"), Some("127.0.0.1"));
        let record = only(&outcome, "udp_close", [port, address.port()]);
        assert_eq!(went(record), [count, bytes, 1, 3], "{record:?}");
    }
}

#[test]
fn a_closed_port_is_a_question_without_an_answer() {
    needs!("root", "ip");
    let namespace = Namespace::new("closed");
    let trace = Trace::start(&["udp"]);
    let client = bind(&namespace, "127.0.0.1:0");
    client.connect("127.0.0.1:9").unwrap();
    client.send(b"anybody?").unwrap();
    let error = client.recv(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(namespace.counter("Udp", "NoPorts"), 1);
    let port = client.local_addr().unwrap().port();
    drop(client);
    let outcome = ended(trace, &namespace, 1);
    let kinds: Vec<_> = outcome.records.iter().map(Record::kind).collect();
    assert_eq!(kinds, ["udp_open", "udp_close"], "{:#?}", outcome.records);
    assert_eq!(went(only(&outcome, "udp_close", [port, 9])), [1, 8, 0, 0]);
}

#[test]
fn datagrams_that_are_sent_at_once_are_counted_one_by_one() {
    needs!("root", "ip");
    let namespace = Namespace::new("segments");
    let trace = Trace::start(&["udp"]);
    let (server, client) = (bind(&namespace, "127.0.0.1:0"), bind(&namespace, "127.0.0.1:0"));
    socket::send_in_segments(&client, 100);
    assert_eq!(client.send_to(&[b'x'; 950], server.local_addr().unwrap()).unwrap(), 950);
    receive(&server, 10);
    let ends = [&client, &server].map(|socket| socket.local_addr().unwrap().port());
    drop((server, client));
    let outcome = ended(trace, &namespace, 2);
    assert_eq!(went(only(&outcome, "udp_close", ends)), [10, 950, 0, 0]);
    assert_eq!(went(only(&outcome, "udp_close", [ends[1], ends[0]])), [0, 0, 10, 950]);
}

#[test]
fn what_goes_on_is_told_of_once_an_interval_and_what_is_quiet_is_over() {
    needs!("root", "ip");
    let namespace = Namespace::new("idle");
    let mut trace = Trace::start(&["udp", "--interval", "1s"]);
    let client = bind(&namespace, "127.0.0.1:0");
    let is_here = is_in(&namespace);
    // It is sent until the second update tells of it.
    let (mut sent, mut updates) = (0, Vec::new());
    wait_for("two updates", || {
        client.send_to(b"still here", "127.0.0.1:9").unwrap();
        sent += 1;
        let is_update = |record: &&Record| record.kind() == "udp_update" && is_here(record);
        updates = trace.records().iter().filter(is_update).cloned().collect();
        (updates.len() >= 2).then_some(())
    });
    let counts: Vec<_> = updates.iter().map(|record| went(record)[0]).collect();
    assert!(counts.is_sorted_by(|before, after| before < after), "{counts:?}");
    // The socket stays open.
    let outcome = ended(trace, &namespace, 1);
    let port = client.local_addr().unwrap().port();
    let closed = only(&outcome, "udp_close", [port, 9]);
    assert_eq!(closed.text("end"), Some("idle"), "{closed:?}");
    assert_eq!(went(closed), [sent, 10 * sent, 0, 0]);
}

#[test]
fn threads_that_share_a_socket_lose_no_count_and_what_did_not_fit_is_told() {
    needs!("root", "ip");
    const THREADS: u64 = 4;
    const EACH: u64 = 20_000;
    let namespace = Namespace::new("flood");
    let trace = Trace::start(&["udp"]);
    // It never reads.
    let deaf = bind(&namespace, "127.0.0.1:0");
    socket::limit_receive_buffer(&deaf, 1);
    let client = bind(&namespace, "127.0.0.1:0");
    client.connect(deaf.local_addr().unwrap()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let send = || assert_eq!(client.send(b"four").unwrap(), 4);
            scope.spawn(move || (0..EACH).for_each(|_| send()));
        }
    });
    let sent = THREADS * EACH;
    assert_eq!(namespace.counter("Udp", "OutDatagrams"), sent);
    let dropped = namespace.counter("Udp", "RcvbufErrors");
    assert!((1..sent).contains(&dropped), "{dropped} of {sent}");
    let ends = [&client, &deaf].map(|socket| socket.local_addr().unwrap().port());
    drop((client, deaf));
    let outcome = ended(trace, &namespace, 2);
    let at_client = only(&outcome, "udp_close", ends);
    assert_eq!(went(at_client), [sent, 4 * sent, 0, 0]);
    assert_eq!(at_client.number("socket_drops"), Some(0));
    let at_deaf = only(&outcome, "udp_close", [ends[1], ends[0]]);
    assert_eq!(went(at_deaf), [0, 0, sent, 4 * sent]);
    assert_eq!(at_deaf.number("socket_drops"), Some(dropped));
}

#[test]
fn who_sends_is_who_it_was_also_through_a_socket_that_another_bound() {
    needs!("root", "ip", "busybox");
    let namespace = Namespace::new("given");
    let trace = Trace::start(&["udp"]);
    let server = bind(&namespace, "127.0.0.1:0");
    let client = bind(&namespace, "127.0.0.1:0");
    client.connect(server.local_addr().unwrap()).unwrap();
    client.send(b"from the test").unwrap();
    let ends = [&client, &server].map(|socket| socket.local_addr().unwrap().port());
    // Its standard output is the socket, which this process then has no more.
    let mut echo = Command::new("busybox");
    echo.args(["echo", "-n", "from busybox"]).stdout(OwnedFd::from(client));
    let mut child = echo.spawn().unwrap();
    drop(echo);
    let pid = child.id();
    assert!(child.wait().unwrap().success());
    receive(&server, 2);
    drop(server);
    let outcome = ended(trace, &namespace, 2);
    let own = Some(u64::from(std::process::id()));
    assert_eq!(only(&outcome, "udp_open", ends).number("process.pid"), own);
    let closed = only(&outcome, "udp_close", ends);
    assert_eq!(closed.number("process.pid"), Some(pid.into()), "{closed:?}");
    assert_eq!(closed.text("process.comm"), Some("busybox"));
    assert_eq!(went(closed), [2, 25, 0, 0]);
}

#[test]
fn a_translated_address_is_the_peer_as_the_client_dials_it() {
    needs!("root", "ip", "nft");
    let namespace = Namespace::new("translated");
    namespace.add_addresses(&["10.53.0.1"]);
    namespace.run("ip route add 10.96.0.0/16 dev lo src 10.53.0.1");
    for rule in [
        "add table ip nat",
        "add chain ip nat out { type nat hook output priority -100 ; }",
        "add rule ip nat out ip daddr 10.96.0.10 udp dport 5000 dnat to 10.53.0.1:6000",
    ] {
        namespace.run(&format!("nft {rule}"));
    }
    let trace = Trace::start(&["udp"]);
    let server = bind(&namespace, "10.53.0.1:6000");
    let client = bind(&namespace, "10.53.0.1:0");
    client.connect("10.96.0.10:5000").unwrap();
    client.send(b"hello").unwrap();
    let (_, from) = server.recv_from(&mut [0; 8]).unwrap();
    server.send_to(b"hello, too", from).unwrap();
    receive(&client, 1);
    // The same without a connection: each call names the address.
    let other = bind(&namespace, "0.0.0.0:0");
    other.send_to(b"hello", "10.96.0.10:5000").unwrap();
    let (_, from) = server.recv_from(&mut [0; 8]).unwrap();
    server.send_to(b"hello, too", from).unwrap();
    let (_, from) = other.recv_from(&mut [0; 10]).unwrap();
    assert_eq!(from, "10.96.0.10:5000".parse().unwrap());
    let ports = [&client, &other].map(|socket| socket.local_addr().unwrap().port());
    drop((client, other, server));
    let outcome = ended(trace, &namespace, 4);
    for port in ports {
        let at_client = only(&outcome, "udp_close", [port, 5000]);
        assert_eq!(at_client.text("connection.peer.address"), Some("10.96.0.10"));
        assert_eq!(at_client.text("connection.local.address"), Some("10.53.0.1"));
        assert_eq!(went(at_client), [1, 5, 1, 10]);
        let at_server = only(&outcome, "udp_close", [6000, port]);
        assert_eq!(went(at_server), [1, 10, 1, 5]);
    }
}

#[test]
fn a_connected_socket_may_send_elsewhere() {
    needs!("root", "ip");
    let namespace = Namespace::new("elsewhere");
    let trace = Trace::start(&["udp"]);
    let [client, peer, other] = [(); 3].map(|()| bind(&namespace, "127.0.0.1:0"));
    client.connect(peer.local_addr().unwrap()).unwrap();
    for (count, bytes) in [(1, b"to the peer"), (2, b"to another.")] {
        for _ in 0..count {
            match count {
                1 => client.send(bytes).unwrap(),
                _ => client.send_to(bytes, other.local_addr().unwrap()).unwrap(),
            };
        }
    }
    // What is named once is not meant the next time.
    client.send(b"to the peer").unwrap();
    let [from, peer_port, other_port] =
        [&client, &peer, &other].map(|socket| socket.local_addr().unwrap().port());
    drop((client, peer, other));
    let outcome = ended(trace, &namespace, 4);
    assert_eq!(went(only(&outcome, "udp_close", [from, peer_port])), [2, 22, 0, 0]);
    assert_eq!(went(only(&outcome, "udp_close", [from, other_port])), [2, 22, 0, 0]);
}

#[test]
fn filters_counts_and_the_perf_buffer_are_those_of_every_signal() {
    needs!("root", "ip");
    let namespace = Namespace::new("filters");
    let exchange = || {
        let (server, client) = (bind(&namespace, "127.0.0.1:0"), bind(&namespace, "127.0.0.1:0"));
        let address = server.local_addr().unwrap();
        client.send_to(b"x", address).unwrap();
        let (_, from) = server.recv_from(&mut [0; 8]).unwrap();
        server.send_to(b"y", from).unwrap();
        receive(&client, 1);
        [client.local_addr().unwrap().port(), address.port()]
    };
    let trace = Trace::start(&["udp", "--ring", "perf"]);
    let [client, server] = exchange();
    let outcome = ended(trace, &namespace, 2);
    assert_eq!(went(only(&outcome, "udp_close", [client, server])), [1, 1, 1, 1]);
    assert_eq!(outcome.records.len(), 6, "{:#?}", outcome.records);

    let (first, second) = (exchange(), std::process::id().to_string());
    let trace = Trace::start(&["udp", "--pid", &second, "--by", "type,reason,pid"]);
    let ends = [exchange(), first].map(|[client, _]| client);
    assert_ne!(ends[0], ends[1]);
    let outcome = trace.stop();
    outcome.summary_without_loss();
    let mut counts: Vec<_> = outcome.records.iter().map(|record| record.0.to_string()).collect();
    counts.sort();
    let line = |kind: &str, reason: &str| {
        format!(r#"{{"count":"2","pid":{second},"reason":"{reason}","type":"{kind}"}}"#)
    };
    let expected =
        [line("udp_open", "-"), line("udp_reply", "-"), line("udp_close", "socket_closed")];
    for line in &expected {
        assert!(counts.contains(line), "{line} in {counts:#?}");
    }
    assert_eq!(counts.len(), expected.len(), "{counts:#?}");

    let nobody = Trace::start(&["udp", "--comm", "nobody-at-all"]);
    exchange();
    let outcome = nobody.stop();
    assert!(outcome.records.is_empty(), "{:#?}", outcome.records);
    assert_eq!(outcome.summary_without_loss().number("filtered"), Some(6));
}
