//! Echo requests and replies: whose they are, how long they took, and what a flood of them costs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::ops::Range;
use std::time::Instant;

use chandra_tests::icmp;
use chandra_tests::namespaces::{Namespace, join};
use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::socket;
use chandra_tests::trace::{Outcome, Trace};

const HERE: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Sends echo requests of these numbers one by one, and gets their replies.
fn ping(socket: &UdpSocket, to: IpAddr, id: u16, sequences: Range<u16>) {
    for sequence in sequences {
        let request = icmp::echo_request(to.is_ipv4(), id, sequence, b"ping");
        socket.send_to(&request, (to, 0)).unwrap();
        icmp::receive(socket, to.is_ipv4(), if to.is_ipv4() { 0 } else { 129 });
    }
}

fn is(record: &Record, namespace: &Namespace, direction: &str, message: &str) -> bool {
    record.number("net_namespace") == Some(namespace.inode())
        && record.text("direction") == Some(direction)
        && record.text("icmp.type") == Some(message)
}

fn count(outcome: &Outcome, namespace: &Namespace, direction: &str, message: &str) -> usize {
    outcome.records.iter().filter(|record| is(record, namespace, direction, message)).count()
}

/// As `ping` sends them where users may: the kernel chooses the identifier.
#[test]
fn a_ping_is_its_programs_and_tells_how_long_the_answer_took() {
    needs!("root", "ip");
    let [near, far] = ["near", "far"].map(Namespace::new);
    join((&near, "wire", "10.215.0.1/24"), (&far, "wire", "10.215.0.2/24"));
    near.run("ip address add fd15::1/64 dev wire nodad");
    far.run("ip address add fd15::2/64 dev wire nodad");
    let everyone = "0 2147483647";
    near.enter(|| std::fs::write("/proc/sys/net/ipv4/ping_group_range", everyone).unwrap());
    let mut trace = Trace::start(&["icmp", "--pid", &std::process::id().to_string()]);
    for (to, from) in [("10.215.0.2", "10.215.0.1"), ("fd15::2", "fd15::1")] {
        let to: IpAddr = to.parse().unwrap();
        let is_ipv4 = to.is_ipv4();
        let socket = near.enter(|| socket::ping(is_ipv4));
        socket.connect((to, 0)).unwrap();
        let begun = Instant::now();
        socket.send(&icmp::echo_request(is_ipv4, 0, 9, b"ping")).unwrap();
        let mut reply = [0; 64];
        assert_eq!(socket.recv(&mut reply).unwrap(), 8 + 4);
        let took_ns = u64::try_from(begun.elapsed().as_nanos()).unwrap();
        // Such a socket's port is the identifier.
        let id = socket.local_addr().unwrap().port();
        let mut of = |direction, message| {
            let what = format!("{direction} {message}");
            let record = trace.wait_for(&what, |record| {
                is(record, &near, direction, message) && record.number("icmp.id") == Some(id.into())
            });
            assert_eq!(record.kind(), "icmp_echo");
            assert_eq!(record.number("process.pid"), Some(std::process::id().into()));
            assert_eq!(record.number("icmp.sequence"), Some(9));
            assert_eq!(record.number("icmp.message_bytes"), Some(12));
            record
        };
        let request = of("sent", "echo_request");
        assert_eq!(request.text("packet.source.address"), Some(from));
        assert_eq!(request.text("packet.destination.address"), Some(&*to.to_string()));
        assert_eq!(request.number("socket_cookie"), Some(socket::cookie(&socket)));
        assert_eq!(request.at("latency_ns"), None);
        let answer = of("received", "echo_reply");
        let latency_ns = answer.number("latency_ns").unwrap();
        assert!((1..took_ns).contains(&latency_ns), "{latency_ns} of {took_ns}");
    }
    let outcome = trace.stop();
    outcome.summary_without_loss();
    // The far end's are the kernel's, which the filter keeps out.
    assert!(outcome.records.iter().all(|it| it.number("net_namespace") == Some(near.inode())));
    assert_eq!(outcome.records.len(), 4);
}

#[test]
fn each_echo_is_told_once_where_it_is_sent_and_once_where_it_comes() {
    needs!("root", "ip");
    let net = Namespace::new("pinged");
    let trace = Trace::start(&["icmp"]);
    for to in HERE {
        let socket = net.enter(|| icmp::raw(to));
        ping(&socket, to, 7, 0..20);
    }
    let outcome = trace.stop();
    outcome.summary_without_loss();
    for (direction, message) in [
        ("sent", "echo_request"),
        ("received", "echo_request"),
        ("sent", "echo_reply"),
        ("received", "echo_reply"),
    ] {
        assert_eq!(count(&outcome, &net, direction, message), 2 * 20, "{direction} {message}");
    }
    assert_eq!(net.counter("Icmp", "OutEchoReps"), 20);
    assert_eq!(net.counter_of_ipv6("Icmp6OutEchoReplies"), 20);
    let replies = outcome.records.iter().filter(|it| is(it, &net, "received", "echo_reply"));
    assert!(replies.clone().all(|reply| reply.number("latency_ns").is_some()));
}

/// A thousand a second of each type are told, and the rest is in the books.
#[test]
fn a_flood_is_counted_where_it_is_not_told() {
    needs!("root", "ip");
    let net = Namespace::new("flooded");
    const REQUESTS: u16 = 5000;
    let by = "message,net_namespace";
    let counting = Trace::start(&["icmp", "--by", by]);
    let telling = Trace::start(&["icmp"]);
    let socket = net.enter(|| icmp::raw(HERE[0]));
    let begun = Instant::now();
    ping(&socket, HERE[0], 7, 0..REQUESTS);
    let seconds = begun.elapsed().as_secs();
    let counted = counting.stop();
    let is_of = |row: &&Record, message: &str| {
        row.number("net_namespace") == Some(net.inode()) && row.text("message") == Some(message)
    };
    // Of each message both the sending and the coming.
    for message in ["echo_request", "echo_reply"] {
        let row = counted.records.iter().find(|row| is_of(row, message)).unwrap();
        assert_eq!(row.number("count"), Some(2 * u64::from(REQUESTS)), "{row:?}");
    }
    let told = telling.stop();
    let summary = told.summary_without_loss();
    assert!(summary.number("seen") >= Some(4 * u64::from(REQUESTS)), "{summary:?}");
    let requests = count(&told, &net, "sent", "echo_request") as u64;
    // Those of the seconds that began, and one more of each processor that asked at the same moment.
    assert!((1000..=1000 * (seconds + 2)).contains(&requests), "{requests} in {seconds} s");
    if requests < u64::from(REQUESTS) {
        assert!(summary.number("rate_limited") > Some(0), "{summary:?}");
    }
}

/// What keeps a network alive is shown when it is asked for.
#[test]
fn neighbour_discovery_is_told_only_when_it_is_asked_for() {
    needs!("root", "ip");
    let [near, far] = ["near", "far"].map(Namespace::new);
    let mut trace = Trace::start(&["icmp", "--type", "icmp_other"]);
    let plain = Trace::start(&["icmp"]);
    join((&near, "wire", "10.216.0.1/24"), (&far, "wire", "10.216.0.2/24"));
    near.run("ip address add fd16::1/64 dev wire nodad");
    far.run("ip address add fd16::2/64 dev wire nodad");
    let socket = near.enter(|| icmp::raw("fd16::1".parse().unwrap()));
    ping(&socket, "fd16::2".parse().unwrap(), 7, 0..1);
    let record = trace.wait_for("a question for a neighbour", |record| {
        is(record, &near, "sent", "neighbor_solicitation")
    });
    assert_eq!(record.kind(), "icmp_other");
    assert_eq!(record.text("packet.source.address"), Some("fd16::1"));
    let mine = |outcome: &Outcome, kind: &str| {
        let of = |record: &&Record| record.number("net_namespace") == Some(near.inode());
        outcome.records.iter().filter(of).filter(|record| record.kind() == kind).count()
    };
    let (all, plain) = (trace.stop(), plain.stop());
    assert_eq!(mine(&all, "icmp_echo"), 0);
    assert_eq!((mine(&plain, "icmp_other"), mine(&plain, "icmp_echo")), (0, 2));
}
