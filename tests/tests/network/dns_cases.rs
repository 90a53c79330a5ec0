//! DNS beyond what resolvers of everyday programs do: names of peers, address translation, floods,
//! hostile messages, counting in the kernel, other rings and other views of cgroups.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;

use chandra_tests::dns::{Server, framed, query};
use chandra_tests::namespaces::Namespace;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::trace::Trace;
use serde_json::json;
use simple_dns::TYPE;

const ADDRESS: &str = "10.53.0.1:53";

fn network(addresses: &[&str]) -> Namespace {
    let namespace = Namespace::new("dns");
    namespace.add_addresses(&["10.53.0.1"]);
    namespace.add_addresses(addresses);
    namespace
}

fn serve(namespace: &Namespace) -> Server {
    namespace.enter(|| Server::start(ADDRESS.parse().unwrap()))
}

/// A socket in the namespace that is connected to this address.
fn client(namespace: &Namespace, to: &str) -> UdpSocket {
    namespace.enter(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect(to).unwrap();
        socket.set_read_timeout(Some(chandra_tests::patience::PATIENCE)).unwrap();
        socket
    })
}

fn ask(socket: &UdpSocket, message: &[u8]) -> Vec<u8> {
    socket.send(message).unwrap();
    let mut bytes = vec![0; 65_535];
    let length = socket.recv(&mut bytes).unwrap();
    bytes.truncate(length);
    bytes
}

fn is_in(namespace: &Namespace) -> impl Fn(&Record) -> bool {
    let inode = namespace.inode();
    move |record| record.number("connection.net_namespace") == Some(inode)
}

#[test]
fn who_is_connected_to_is_called_what_it_was_resolved_from() {
    needs!("root", "ip");
    let namespace = network(&["198.51.100.7"]);
    let server = serve(&namespace);
    let mut trace = Trace::start(&["tcp-connect"]);
    let is_here = is_in(&namespace);
    let listener = namespace.enter(|| TcpListener::bind("198.51.100.7:0").unwrap());
    let address = listener.local_addr().unwrap();
    let mut connect = || {
        let connection = namespace.enter(|| TcpStream::connect(address).unwrap());
        let port = u64::from(connection.local_addr().unwrap().port());
        trace.wait_for("the connect", |record| {
            record.number("connection.local.port") == Some(port) && is_here(record)
        })
    };
    assert_eq!(connect().at("peer_name"), None, "nobody has resolved it yet");
    let socket = client(&namespace, ADDRESS);
    ask(&socket, &query(7, "Web.Example.TEST", TYPE::A));
    // What nobody asked for is not believed: the same socket gets an answer to another number.
    let unasked = chandra_tests::dns::answer(&query(8, "alias.example.test", TYPE::A), false);
    let liar = namespace.enter(|| UdpSocket::bind("10.53.0.1:0").unwrap());
    liar.send_to(&unasked.unwrap(), socket.local_addr().unwrap()).unwrap();
    let record = connect();
    assert_eq!(record.text("peer_name"), Some("web.example.test"), "{record:?}");
    assert_eq!(record.text("peer_entity"), Some("world"));
    assert_eq!(server.counts(), (1, 0));
    trace.stop().summary_without_loss();
}

#[test]
fn a_translated_address_is_shown_as_the_client_dials_it() {
    needs!("root", "ip", "nft");
    let namespace = network(&[]);
    namespace.run("ip route add 10.96.0.0/16 dev lo src 10.53.0.1");
    for rule in [
        "add table ip nat",
        "add chain ip nat out { type nat hook output priority -100 ; }",
        "add rule ip nat out ip daddr 10.96.0.10 udp dport 53 dnat to 10.53.0.1:53",
    ] {
        namespace.run(&format!("nft {rule}"));
    }
    let server = serve(&namespace);
    let mut trace = Trace::start(&["dns"]);
    let socket = client(&namespace, "10.96.0.10:53");
    ask(&socket, &query(9, "web.example.test", TYPE::AAAA));
    assert_eq!(server.counts(), (1, 0));
    let is_here = is_in(&namespace);
    for kind in ["dns_query", "dns_response"] {
        let record = trace.wait_for(kind, |record| {
            record.kind() == kind
                && is_here(record)
                && record.text("connection.role") == Some("client")
        });
        assert_eq!(record.text("connection.peer.address"), Some("10.96.0.10"), "{record:?}");
        assert_eq!(record.number("latency_ns").is_some(), kind == "dns_response");
        assert_eq!(record.number("process.pid"), Some(std::process::id().into()));
    }
    trace.stop().summary_without_loss();
}

/// Datagrams that a namespace sent and received, by its own counters. What came counts as such once it is
/// read from the socket, or did not fit into it.
fn datagrams(namespace: &Namespace, deaf: &UdpSocket) -> [u64; 2] {
    deaf.set_nonblocking(true).unwrap();
    while deaf.recv(&mut [0; 512]).is_ok() {}
    let table = namespace.run("cat /proc/net/snmp");
    let mut rows = table.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (names, values) = (rows.next().unwrap(), rows.next().unwrap());
    let value = |name: &str| {
        let place = names.split(' ').position(|known| known == name).unwrap();
        values.split(' ').nth(place).unwrap().parse::<u64>().unwrap()
    };
    [value("OutDatagrams"), value("InDatagrams") + value("RcvbufErrors")]
}

#[test]
fn the_books_of_a_flood_balance_and_counts_are_the_kernels_own() {
    needs!("root", "ip");
    let namespace = network(&[]);
    // It reads nothing: its buffer fills, and what does not fit is dropped after it was seen.
    let deaf = namespace.enter(|| UdpSocket::bind(ADDRESS).unwrap());
    let socket = client(&namespace, ADDRESS);
    let message = query(1, "web.example.test", TYPE::A);
    let flood = |count: u64| {
        for _ in 0..count {
            socket.send(&message).unwrap();
        }
    };
    let trace = Trace::start(&["dns", "--by", "type,local_port"]);
    flood(20_000);
    let [sent, received] = datagrams(&namespace, &deaf);
    assert_eq!([sent, received], [20_000, 20_000]);
    let outcome = trace.stop();
    let port = u64::from(socket.local_addr().unwrap().port());
    let mine = |record: &&Record| record.number("local_port") == Some(port);
    let counts: Vec<_> = outcome.records.iter().filter(mine).collect();
    assert_eq!(counts.len(), 1, "{counts:?}");
    assert_eq!(counts[0].number("count"), Some(sent));
    assert_eq!(counts[0].text("type"), Some("dns_query"), "{counts:?}");
}

#[test]
fn a_flood_of_records_is_told_or_counted_as_lost() {
    needs!("root", "ip");
    let namespace = network(&[]);
    let deaf = namespace.enter(|| UdpSocket::bind(ADDRESS).unwrap());
    let socket = client(&namespace, ADDRESS);
    let message = query(1, "web.example.test", TYPE::A);
    for ring in ["auto", "perf"] {
        let before = datagrams(&namespace, &deaf);
        let mut trace = Trace::start(&["dns", "--ring", ring, "--ring-size", "64k"]);
        for _ in 0..20_000 {
            socket.send(&message).unwrap();
        }
        let after = datagrams(&namespace, &deaf);
        assert_eq!([after[0] - before[0], after[1] - before[1]], [20_000, 20_000]);
        wait_for("records", || (trace.records().len() > 100).then_some(()));
        // Checks that all that was seen was shown or lost.
        let summary = trace.stop().summary();
        assert!(summary.number("seen") >= Some(40_000), "{ring} {summary:?}");
    }
}

#[test]
fn hostile_messages_are_told_with_what_is_wrong_with_them() {
    needs!("root", "ip");
    let namespace = network(&[]);
    let deaf = namespace.enter(|| UdpSocket::bind(ADDRESS).unwrap());
    let socket = client(&namespace, ADDRESS);
    let good = query(1, "web.example.test", TYPE::A);
    let header = |id: u8, counts: [u8; 4]| {
        let counts = counts.iter().flat_map(|count| [0, *count]);
        [0, id, 0x01, 0].into_iter().chain(counts).collect::<Vec<u8>>()
    };
    let with = |id, rest: &[u8]| [header(id, [1, 0, 0, 0]), rest.to_vec()].concat();
    let long = [&[63][..], &[b'a'; 63]].concat().repeat(4);
    let cases = [
        (2, with(2, b"\xc0\x0c\x00\x01\x00\x01"), json!("pointer")),
        (3, with(3, b"\x41aaa\x00\x00\x01\x00\x01"), json!("label")),
        (4, with(4, &[&long[..], b"\x00\x00\x01\x00\x01"].concat()), json!("name_too_long")),
        (5, with(5, b"\x03www"), json!("ends_too_soon")),
        (6, with(6, b"\x00\x00\x01\x00\x01\x00\x00"), json!("trailing_bytes")),
        (7, header(7, [0xff, 0xff, 0xff, 0xff]), json!("ends_too_soon")),
        (8, with(8, b"\x07\x1b[2J.\n\\\x00\x00\x01\x00\x01"), json!(null)),
    ];
    let mut trace = Trace::start(&["dns"]);
    let is_here = is_in(&namespace);
    for (_, message, _) in &cases {
        socket.send(message).unwrap();
    }
    // Shorter than any message, and larger than what is captured.
    socket.send(&[0; 11]).unwrap();
    let padded = [good.clone(), vec![0; 9000]].concat();
    socket.send(&padded).unwrap();
    for (id, message, expected) in &cases {
        for role in ["client", "server"] {
            let record = trace.wait_for("a message", |record| {
                record.number("dns.id") == Some(*id)
                    && is_here(record)
                    && record.text("connection.role") == Some(role)
            });
            assert_eq!(record.at("dns.malformed").unwrap_or(&json!(null)), expected, "{record:?}");
            assert_eq!(record.number("dns.message_bytes"), Some(message.len() as u64));
            if *id == 8 {
                assert_eq!(record.text("dns.name"), Some(r"\027[2j\.\010\\"));
            }
        }
    }
    let cut = trace
        .wait_for("the large one", |record| record.number("dns.id") == Some(1) && is_here(record));
    assert_eq!(cut.number("dns.message_bytes"), Some(padded.len() as u64));
    assert_eq!(cut.at("dns.message_is_cut"), Some(&json!(true)));
    assert_eq!(cut.text("dns.name"), Some("web.example.test"));
    drop(deaf);
    let outcome = trace.stop();
    outcome.summary_without_loss();
    let told = outcome.records.iter().filter(|record| is_here(record)).count();
    assert_eq!(told, 2 * (cases.len() + 1), "what is shorter than a header is no message");
}

#[test]
fn another_port_is_dns_where_it_is_asked_for() {
    needs!("root", "ip");
    let namespace = network(&[]);
    let other: SocketAddr = "10.53.0.1:5300".parse().unwrap();
    let (_usual, _other) = (serve(&namespace), namespace.enter(|| Server::start(other)));
    let mut trace = Trace::start(&["dns", "--port", "5300"]);
    ask(&client(&namespace, ADDRESS), &query(1, "web.example.test", TYPE::A));
    ask(&client(&namespace, "10.53.0.1:5300"), &query(2, "web.example.test", TYPE::A));
    let is_here = is_in(&namespace);
    let count = |trace: &mut Trace| trace.records().iter().filter(|it| is_here(it)).count();
    wait_for("four records", || (count(&mut trace) >= 4).then_some(()));
    let outcome = trace.stop();
    outcome.summary_without_loss();
    let ids = outcome.records.iter().filter(|record| is_here(record));
    assert!(ids.map(|record| record.number("dns.id")).eq([Some(2); 4]));
}

#[test]
fn messages_of_a_connection_are_found_where_they_begin() {
    needs!("root", "ip");
    let namespace = network(&[]);
    let listener = namespace.enter(|| TcpListener::bind(ADDRESS).unwrap());
    let connect = || {
        let connection = namespace.enter(|| TcpStream::connect(ADDRESS).unwrap());
        connection.set_nodelay(true).unwrap();
        (connection, listener.accept().unwrap().0)
    };
    let (older, _end) = connect();
    let message = |id| framed(&query(id, "web.example.test", TYPE::A));
    let write = |mut connection: &TcpStream, bytes: &[u8]| {
        use std::io::Write;
        connection.write_all(bytes).unwrap();
        chandra_tests::socket::wait_until_acknowledged(connection);
    };
    write(&older, &message(9));
    let mut trace = Trace::start(&["dns"]);
    let (newer, _other_end) = connect();
    // Two together; the length by itself; one in two pieces, the second of which looks like another.
    write(&newer, &[message(1), message(2)].concat());
    let third = message(3);
    write(&newer, &third[..2]);
    write(&newer, &third[2..]);
    let fourth = message(4);
    write(&newer, &fourth[..20]);
    write(&newer, &fourth[20..]);
    write(&newer, &message(5));
    // Where the beginning was not seen, a segment that is one message says where they are.
    write(&older, &[message(10), message(11)].concat());
    write(&older, &message(12));
    write(&older, &[message(13), message(14)].concat());
    let is_here = is_in(&namespace);
    let ids = |trace: &mut Trace, role: &str| {
        let records = trace.records().iter();
        let of = records.filter(|it| is_here(it) && it.text("connection.role") == Some(role));
        of.map(|record| {
            (
                record.number("dns.id").unwrap(),
                record.at("dns.message_is_cut") == Some(&json!(true)),
            )
        })
        .collect::<Vec<_>>()
    };
    for role in ["client", "server"] {
        wait_for("the last", || {
            ids(&mut trace, role).iter().any(|(id, _)| *id == 14).then_some(())
        });
        let expected = [1, 2, 3, 4, 5, 12, 13, 14].map(|id| (id, id == 4));
        assert_eq!(ids(&mut trace, role), expected, "{role}");
    }
    trace.stop().summary_without_loss();
}

/// In a mount namespace without cgroup2, and in a cgroup namespace that shows a part of it as all.
#[test]
fn it_finds_the_root_of_cgroups_where_nobody_shows_it() {
    needs!("root", "ip", "unshare");
    let namespace = network(&[]);
    let _server = serve(&namespace);
    for hide in [
        "umount -a -t cgroup2; ",
        "umount -a -t cgroup2; mount -t tmpfs none /sys/fs/cgroup; exec unshare -C ",
    ] {
        let script =
            format!("{hide}exec \"$0\" \"$@\"").replace("exec unshare -C exec", "exec unshare -C");
        let chandra = chandra_tests::trace::chandra();
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &script]).arg(chandra);
        command.args(["trace", "dns", "--count", "2", "--type", "dns_response", "-o", "json"]);
        let output =
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = output.spawn().unwrap();
        let socket = client(&namespace, ADDRESS);
        wait_for("two records", || {
            ask(&socket, &query(1, "web.example.test", TYPE::A));
            child.try_wait().unwrap()
        });
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{error}");
        assert_eq!(text.lines().count(), 2, "{text} {error}");
        assert!(
            text.contains("web.example.test") && error.contains("egress by cgroup_skb"),
            "{error}"
        );
    }
}
