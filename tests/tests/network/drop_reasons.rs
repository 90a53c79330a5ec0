//! Packets that die in every common way, as often as the kernel's own counters say.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use chandra_tests::actor::Actor;
use chandra_tests::drops::{counted, counted_in, start_counting};
use chandra_tests::namespaces::{Namespace, join};
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::socket;
use chandra_tests::trace::Trace;

fn actor_in(namespace: &Namespace) -> Actor {
    let mut command = Command::new("ip");
    Actor::start(command.args(["netns", "exec", namespace.name(), env!("CARGO_BIN_EXE_actor")]))
}

/// So many datagrams to an address, from within the namespace.
fn send(namespace: &Namespace, count: u64, to: &str) {
    let to: SocketAddr = to.parse().unwrap();
    namespace.enter(|| {
        let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let sender = UdpSocket::bind(any).unwrap();
        for _ in 0..count {
            // A firewall's refusal is an error of the sender's.
            let _ = sender.send_to(b"twelve bytes", to);
        }
    });
}

fn text<'a>(record: &'a Record, path: &str) -> &'a str {
    record.text(path).unwrap_or_default()
}

#[test]
fn a_firewalls_drops_are_as_many_as_it_counts() {
    needs!("root", "ip", "nft");
    let net = Namespace::new("firewall");
    net.run("nft add table inet wall");
    net.run("nft add counter inet wall dropped");
    net.run("nft add chain inet wall in { type filter hook input priority 0 ; }");
    net.run("nft add rule inet wall in udp dport 9 counter name dropped drop");
    let counting = start_counting(&["--port", "9"]);
    send(&net, 250, "127.0.0.1:9");
    send(&net, 150, "[::1]:9");
    let outcome = counting.stop();
    outcome.summary_without_loss();
    assert_eq!(net.nft_counter("inet wall", "dropped"), 400);
    assert_eq!(counted(&outcome, &net, "netfilter_drop", "udp"), 400);
    assert_eq!(counted_in(&outcome, &net), 400, "{:?}", outcome.records);
}

#[test]
fn a_packet_dropped_on_its_way_out_is_its_senders() {
    needs!("root", "ip", "nft");
    let net = Namespace::new("no-way-out");
    net.run("nft add table ip wall");
    net.run("nft add chain ip wall out { type filter hook output priority 0 ; }");
    net.run("nft add rule ip wall out tcp dport 81 drop");
    let mut sender = actor_in(&net);
    let mut trace = Trace::start(&["drops", "--port", "81", "--pid", &sender.pid().to_string()]);
    let other = net.enter(|| {
        let address = "127.0.0.1:81".parse().unwrap();
        TcpStream::connect_timeout(&address, Duration::from_millis(20)).unwrap_err()
    });
    assert!(matches!(other.kind(), ErrorKind::TimedOut | ErrorKind::PermissionDenied));
    sender.tell("connect 127.0.0.1:81");
    let record = trace.wait_for("the SYN", |record| record.is("packet_drop", sender.pid()));
    assert_eq!(text(&record, "reason"), "netfilter_drop");
    assert_eq!(text(&record, "direction"), "sent");
    assert_eq!(text(&record, "packet.destination.address"), "127.0.0.1");
    assert_eq!(record.number("packet.destination.port"), Some(81));
    assert_eq!(record.strings("packet.tcp_flags").unwrap()[0], "SYN");
    assert_eq!(record.number("net_namespace"), Some(net.inode()));
    let outcome = trace.stop();
    let summary = outcome.summary_without_loss();
    assert!(summary.number("filtered") >= Some(1), "the other one's: {summary:?}");
    assert!(outcome.records.iter().all(|record| record.is("packet_drop", sender.pid())));
}

#[test]
fn datagrams_to_a_closed_port_are_as_many_as_the_kernel_counts() {
    needs!("root", "ip");
    let net = Namespace::new("closed");
    let counting = start_counting(&[]);
    let before = [net.counter("Udp", "NoPorts"), net.counter_of_ipv6("Udp6NoPorts")];
    send(&net, 321, "127.0.0.1:9");
    send(&net, 123, "[::1]:9");
    let after = [net.counter("Udp", "NoPorts"), net.counter_of_ipv6("Udp6NoPorts")];
    let outcome = counting.stop();
    outcome.summary_without_loss();
    assert_eq!([after[0] - before[0], after[1] - before[1]], [321, 123]);
    assert_eq!(counted(&outcome, &net, "no_socket", "udp"), 444);
    assert_eq!(counted_in(&outcome, &net), 444, "{:?}", outcome.records);
}

#[test]
fn connections_to_a_closed_port_are_as_many_as_the_resets_that_answer_them() {
    needs!("root", "ip");
    let net = Namespace::new("refusing");
    let counting = start_counting(&[]);
    let before = net.counter("Tcp", "OutRsts");
    net.enter(|| {
        for _ in 0..77 {
            TcpStream::connect("127.0.0.1:9").unwrap_err();
        }
    });
    let truth = net.counter("Tcp", "OutRsts") - before;
    let outcome = counting.stop();
    outcome.summary_without_loss();
    assert_eq!(truth, 77);
    assert_eq!(counted(&outcome, &net, "no_socket", "tcp"), truth);
    assert_eq!(counted_in(&outcome, &net), truth, "{:?}", outcome.records);
}

#[test]
fn a_full_receive_buffer_is_the_receivers_loss_and_exactly_counted() {
    needs!("root", "ip");
    let net = Namespace::new("slow");
    let mut receiver = actor_in(&net);
    let address = receiver.ask("bind 127.0.0.1:0");
    let counting = start_counting(&[]);
    let pid = receiver.pid().to_string();
    let by_process = Trace::start(&["drops", "--by", "comm,pid,reason", "--pid", &pid]);
    let mut trace = Trace::start(&["drops", "--pid", &pid]);
    let before = net.counter("Udp", "RcvbufErrors");
    send(&net, 500, &address);
    let truth = net.counter("Udp", "RcvbufErrors") - before;
    assert!(truth > 400, "{truth}");
    let outcome = counting.stop();
    outcome.summary_without_loss();
    assert_eq!(counted(&outcome, &net, "socket_rcvbuff", "udp"), truth);
    assert_eq!(counted_in(&outcome, &net), truth, "{:?}", outcome.records);

    // The receiver is known where the kernel hands its socket over (6.11), never the sender.
    let record = trace.wait_for("a record", |record| record.kind() == "packet_drop");
    assert_eq!(record.number("process.pid"), Some(receiver.pid().into()));
    assert_eq!(text(&record, "process.comm"), "actor");
    assert_eq!(text(&record, "direction"), "received");
    assert_eq!(format!("127.0.0.1:{}", record.number("packet.destination.port").unwrap()), address);
    let rows = by_process.stop().records;
    let rows: Vec<_> = rows.iter().map(|row| (text(row, "reason"), row.number("count"))).collect();
    assert_eq!(rows, [("socket_rcvbuff", Some(truth))]);
    trace.stop().summary_without_loss();
}

#[test]
fn a_damaged_datagram_is_counted_as_the_kernel_counts_it() {
    needs!("root", "ip");
    let net = Namespace::new("damaged");
    let mut receiver = actor_in(&net);
    let address: SocketAddr = receiver.ask("bind 127.0.0.1:0").parse().unwrap();
    let counting = start_counting(&[]);
    let before = net.counter("Udp", "InCsumErrors");
    net.enter(|| {
        let sender = socket::raw(IpAddr::V4(Ipv4Addr::LOCALHOST), libc::IPPROTO_UDP);
        let [high, low] = address.port().to_be_bytes();
        // Ports, length, and a checksum that is not that of "abcd".
        let datagram = [3, 232, high, low, 0, 12, 0xde, 0xad, b'a', b'b', b'c', b'd'];
        for _ in 0..33 {
            sender.send_to(&datagram, "127.0.0.1:0").unwrap();
        }
    });
    let truth = net.counter("Udp", "InCsumErrors") - before;
    let outcome = counting.stop();
    outcome.summary_without_loss();
    assert_eq!(truth, 33);
    assert_eq!(counted(&outcome, &net, "udp_csum", "udp"), truth, "{:?}", outcome.records);
}

/// The client's only way leads by the router; the router knows only the client and one other network.
#[test]
fn packets_that_a_router_cannot_send_on_are_as_many_as_it_counts() {
    needs!("root", "ip");
    let (client, router) = (Namespace::new("lost"), Namespace::new("router"));
    join((&client, "wire", "10.205.0.1/24"), (&router, "inside", "10.205.0.2/24"));
    let far = Namespace::new("far");
    join((&router, "outside", "10.206.0.2/24"), (&far, "wire", "10.206.0.1/24"));
    client.run("ip route add default via 10.205.0.2");
    router.run("sysctl -q -w net.ipv4.ip_forward=1");
    let counting = start_counting(&[]);
    let before = [router.counter("IpExt", "InNoRoutes"), router.counter("Ip", "InHdrErrors")];
    send(&client, 60, "10.207.0.1:53");
    client.enter(|| {
        let sender = UdpSocket::bind("0.0.0.0:0").unwrap();
        sender.set_ttl(1).unwrap();
        for _ in 0..40 {
            sender.send_to(b"too far", "10.206.0.1:53").unwrap();
        }
    });
    let counters = || [router.counter("IpExt", "InNoRoutes"), router.counter("Ip", "InHdrErrors")];
    let truth = wait_for("all at the router", || {
        let [no_route, too_far] = counters();
        let truth = [no_route - before[0], too_far - before[1]];
        (truth.iter().sum::<u64>() >= 100).then_some(truth)
    });
    let outcome = counting.stop();
    outcome.summary_without_loss();
    assert_eq!(truth, [60, 40]);
    assert_eq!(counted(&outcome, &router, "ip_innoroutes", "udp"), 60, "{:?}", outcome.records);
    assert_eq!(counted(&outcome, &router, "ip_inhdr", "udp"), 40, "{:?}", outcome.records);
    assert_eq!(counted_in(&outcome, &client), 0);
}

/// As `/proc/net/tcp` has it.
const SYN_RECEIVED: &str = "03";

/// Room for 17 connections that nobody accepts: ten are there, then sixteen more complete at once.
#[test]
fn a_full_backlog_is_the_listeners_loss() {
    needs!("root", "ip", "nft");
    let (client, server) = (Namespace::new("crowd"), Namespace::new("busy"));
    join((&client, "wire", "10.208.0.1/24"), (&server, "wire", "10.208.0.2/24"));
    client.run("nft add table ip hold");
    client.run("nft add chain ip hold out { type filter hook output priority 0 ; }");
    let listener = server.enter(|| {
        let socket = socket::unbound(0).unwrap();
        socket::bind_to(&socket, "10.208.0.2:7000".parse().unwrap()).unwrap();
        socket::listen(socket, false)
    });
    server.run("sysctl -q -w net.ipv4.tcp_synack_retries=2");
    let open = |count| -> Vec<TcpStream> {
        let connect = |_| TcpStream::connect("10.208.0.2:7000").unwrap();
        client.enter(|| (0..count).map(connect).collect())
    };
    let mut trace = Trace::start(&["drops", "--port", "7000"]);
    let counting = start_counting(&["--port", "7000"]);
    let early = open(10);
    // The last step of a handshake is kept back; the client does not know.
    client.run("nft add rule ip hold out tcp flags & ( syn | ack ) == ack drop");
    let late = open(16);
    client.run("nft flush chain ip hold out");
    let record = trace.wait_for("the loss", |record| {
        record.number("net_namespace") == Some(server.inode())
            && record.text("reason") == Some("tcp_listen_overflow")
    });
    assert_eq!(record.number("packet.destination.port"), Some(7000));
    // It has its socket from the listening one, which this process has.
    assert_eq!(record.number("process.pid"), Some(std::process::id().into()), "{record:?}");
    // They are asked for their last step twice more; then nothing can change any more.
    wait_for("the end of all handshakes", || {
        let sockets = server.run("cat /proc/net/tcp");
        let mut states = sockets.lines().filter_map(|row| row.split_ascii_whitespace().nth(3));
        (!states.any(|state| state == SYN_RECEIVED)).then_some(())
    });
    let truth = server.counter("TcpExt", "ListenOverflows");
    assert!(truth >= 9, "{truth}");
    let outcome = counting.stop();
    outcome.summary_without_loss();
    let counted = counted(&outcome, &server, "tcp_listen_overflow", "tcp");
    assert_eq!(counted, truth, "{:?}", outcome.records);
    trace.stop().summary_without_loss();
    drop((early, late, listener));
}
