//! Errors that routers and hosts send, each with the connection that it is about: real packets through network
//! namespaces, compared with what the kernels at both ends make of them.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use chandra_tests::icmp;
use chandra_tests::namespaces::{Namespace, join};
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::socket;
use chandra_tests::trace::Trace;

/// A client whose way to a server leads over a router and then a narrow link.
struct Network {
    client: Namespace,
    router: Namespace,
    server: Namespace,
}

const NARROW_MTU: u64 = 1300;

/// The ends of one family.
#[derive(Clone, Copy)]
struct Addresses {
    client: &'static str,
    router: &'static str,
    server: &'static str,
    /// What the router has no way to, and what it does not let anybody to.
    unreachable: &'static str,
    prohibited: &'static str,
}

const V4: Addresses = Addresses {
    client: "10.211.0.2",
    router: "10.211.0.1",
    server: "10.212.0.2",
    unreachable: "10.213.0.1",
    prohibited: "10.214.0.1",
};
const V6: Addresses = Addresses {
    client: "fd11::2",
    router: "fd11::1",
    server: "fd12::2",
    unreachable: "fd13::1",
    prohibited: "fd14::1",
};

impl Network {
    fn new() -> Self {
        let [client, router, server] = ["client", "router", "server"].map(Namespace::new);
        join((&client, "wire", "10.211.0.2/24"), (&router, "inside", "10.211.0.1/24"));
        join((&router, "outside", "10.212.0.1/24"), (&server, "wire", "10.212.0.2/24"));
        // Without the search for others of the same address, which takes seconds.
        for (namespace, device, address) in [
            (&client, "wire", "fd11::2/64"),
            (&router, "inside", "fd11::1/64"),
            (&router, "outside", "fd12::1/64"),
            (&server, "wire", "fd12::2/64"),
        ] {
            namespace.run(&format!("ip address add {address} dev {device} nodad"));
        }
        router.run("sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        router.run(&format!("ip link set outside mtu {NARROW_MTU}"));
        server.run(&format!("ip link set wire mtu {NARROW_MTU}"));
        client.run("ip route add default via 10.211.0.1");
        client.run("ip route add default via fd11::1");
        server.run("ip route add default via 10.212.0.1");
        server.run("ip route add default via fd12::1");
        router.run("ip route add unreachable 10.213.0.0/24");
        router.run("ip route add prohibit 10.214.0.0/24");
        router.run("ip route add unreachable fd13::/64");
        router.run("ip route add prohibit fd14::/64");
        Self { client, router, server }
    }
}

/// A client's socket for datagrams, and one that gets the errors that come back.
struct Sender {
    datagrams: UdpSocket,
    errors: UdpSocket,
    addresses: Addresses,
}

impl Sender {
    fn new(network: &Network, addresses: Addresses) -> Self {
        network.client.enter(|| {
            let host: IpAddr = addresses.client.parse().unwrap();
            let datagrams = UdpSocket::bind((host, 0)).unwrap();
            socket::never_fragment(&datagrams);
            Self { datagrams, errors: icmp::raw(host), addresses }
        })
    }

    fn is_ipv4(&self) -> bool {
        self.local().is_ipv4()
    }

    fn local(&self) -> SocketAddr {
        self.datagrams.local_addr().unwrap()
    }

    /// Sends so many bytes, and waits until an error of this type has come back.
    fn fails(&self, to: &str, bytes: usize, type_number: u8) -> SocketAddr {
        let to = SocketAddr::new(to.parse().unwrap(), 33_434);
        self.datagrams.send_to(&vec![b'x'; bytes], to).unwrap();
        icmp::receive(&self.errors, self.is_ipv4(), type_number);
        to
    }
}

/// What one error says, whoever tells of it.
struct Error<'a> {
    /// Type and code as words.
    words: [&'a str; 2],
    from: &'a str,
    /// Of the datagram that it is about, and its bytes with all headers.
    to: SocketAddr,
    bytes: u64,
    mtu: Option<u64>,
}

fn check(trace: &mut Trace, network: &Network, sender: &Sender, error: &Error<'_>) {
    let local = sender.local();
    for (namespace, direction, interface) in
        [(&network.router, "sent", "inside"), (&network.client, "received", "wire")]
    {
        // Where the server itself answers, it is the one who sends.
        let namespace = match direction == "sent" && error.from == sender.addresses.server {
            true => &network.server,
            false => namespace,
        };
        let is_it = |record: &Record| {
            record.number("net_namespace") == Some(namespace.inode())
                && record.text("direction") == Some(direction)
                && record.text("icmp.code").or(record.text("icmp.type")) == Some(error.words[1])
                && record.number("quoted.source.port") == Some(local.port().into())
        };
        let record = trace.wait_for(error.words[1], is_it);
        assert_eq!(record.kind(), "icmp_error");
        assert_eq!(record.text("icmp.type"), Some(error.words[0]), "{record:?}");
        assert_eq!(record.text("packet.source.address"), Some(error.from), "{record:?}");
        assert_eq!(record.text("packet.destination.address"), Some(sender.addresses.client));
        assert_eq!(record.number("icmp.mtu"), error.mtu, "{record:?}");
        assert_eq!(record.text("quoted.protocol"), Some("udp"));
        assert_eq!(record.text("quoted.source.address"), Some(sender.addresses.client));
        let to = error.to.ip().to_string();
        assert_eq!(record.text("quoted.destination.address"), Some(&*to), "{record:?}");
        assert_eq!(record.number("quoted.destination.port"), Some(33_434));
        assert_eq!(record.number("quoted.length_bytes"), Some(error.bytes), "{record:?}");
        assert_eq!(record.at("process"), None, "errors are the kernel's: {record:?}");
        let name = record.text("interface.name");
        assert!(name.is_none_or(|name| name == interface || name == "wire"), "{record:?}");
    }
}

/// Through both families: what a traceroute, a closed port, and a missing or closed road come to.
#[test]
fn routers_and_hosts_say_why_a_datagram_did_not_arrive() {
    needs!("root", "ip");
    let network = Network::new();
    let mut trace = Trace::start(&["icmp"]);
    for addresses in [V4, V6] {
        let sender = Sender::new(&network, addresses);
        let is_ipv4 = sender.is_ipv4();
        let header = if is_ipv4 { 20 } else { 40 };
        let [unreachable, exceeded] = if is_ipv4 { [3, 11] } else { [1, 3] };
        let mut fails = |to, type_number, words, from| {
            let to = sender.fails(to, 10, type_number);
            let error = Error { words, from, to, bytes: header + 8 + 10, mtu: None };
            check(&mut trace, &network, &sender, &error);
        };
        let Addresses { router, server, .. } = addresses;
        let lost = "destination_unreachable";
        fails(server, unreachable, [lost, "port_unreachable"], server);
        let no_way = if is_ipv4 { "host_unreachable" } else { "no_route" };
        fails(addresses.unreachable, unreachable, [lost, no_way], router);
        fails(addresses.prohibited, unreachable, [lost, "communication_prohibited"], router);
        socket::set_hops(&sender.datagrams, is_ipv4, 1);
        let spent = if is_ipv4 { "ttl_exceeded" } else { "hop_limit_exceeded" };
        fails(server, exceeded, ["time_exceeded", spent], router);
    }
    trace.stop().summary_without_loss();
}

/// What a connection hangs of where such errors are lost.
#[test]
fn a_link_with_a_smaller_mtu_is_told_with_that_mtu() {
    needs!("root", "ip");
    let network = Network::new();
    let mut trace = Trace::start(&["icmp"]);
    for addresses in [V4, V6] {
        let sender = Sender::new(&network, addresses);
        let (header, type_number) = if sender.is_ipv4() { (20, 3) } else { (40, 2) };
        let to = sender.fails(addresses.server, 1400, type_number);
        let words = match sender.is_ipv4() {
            true => ["destination_unreachable", "fragmentation_needed"],
            false => ["packet_too_big", "packet_too_big"],
        };
        let mtu = Some(NARROW_MTU);
        let bytes = header + 8 + 1400;
        let error = Error { words, from: addresses.router, to, bytes, mtu };
        check(&mut trace, &network, &sender, &error);
        // The client's kernel has learnt the same.
        let route = network.client.run(&format!("ip route get {}", addresses.server));
        assert!(route.contains(&format!("mtu {NARROW_MTU}")), "{route}");
        let again = sender.datagrams.send_to(&[b'x'; 1400], to).unwrap_err();
        assert_eq!(again.raw_os_error(), Some(libc::EMSGSIZE));
    }
    trace.stop().summary_without_loss();
}

/// The kernel sends only so many errors a second: what it keeps back was not sent, by any rung.
#[test]
fn errors_that_the_kernel_keeps_back_are_not_told() {
    needs!("root", "ip");
    for packet_hooks in ["true", "false"] {
        let network = Network::new();
        let trace = Trace::start(&["icmp", "--packet-hooks", packet_hooks]);
        let sender = Sender::new(&network, V4);
        const DATAGRAMS: usize = 200;
        for _ in 0..DATAGRAMS {
            sender.datagrams.send_to(b"x", (V4.server, 33_434)).unwrap();
        }
        let server = &network.server;
        wait_for("all datagrams", || {
            (server.counter("Udp", "NoPorts") == DATAGRAMS as u64).then_some(())
        });
        let outcome = trace.stop();
        outcome.summary_without_loss();
        let sent = server.counter("Icmp", "OutDestUnreachs");
        assert!((1..DATAGRAMS as u64).contains(&sent), "{sent} of {DATAGRAMS}");
        let told = outcome.records.iter().filter(|record| {
            record.number("net_namespace") == Some(server.inode())
                && record.text("direction") == Some("sent")
                && record.text("icmp.code") == Some("port_unreachable")
        });
        assert_eq!(told.count() as u64, sent, "--packet-hooks {packet_hooks}");
    }
}

/// Where only the kernel's tracepoint tells, it tells of the errors of IPv4, and from whom they come only
/// where the packet was for this machine.
#[test]
fn without_programs_on_every_packet_errors_of_ipv4_are_told_as_they_are_sent() {
    needs!("root", "ip");
    let network = Network::new();
    let mut trace = Trace::start(&["icmp", "--packet-hooks", "false"]);
    let sender = Sender::new(&network, V4);
    sender.fails(V4.server, 10, 3);
    sender.fails(V4.unreachable, 10, 3);
    let mut sent = |namespace: &Namespace, code: &str| {
        let inode = namespace.inode();
        trace.wait_for(code, |record| {
            record.number("net_namespace") == Some(inode)
                && record.text("direction") == Some("sent")
                && record.text("icmp.code") == Some(code)
        })
    };
    let closed = sent(&network.server, "port_unreachable");
    assert_eq!(closed.text("packet.source.address"), Some(V4.server));
    let lost = sent(&network.router, "host_unreachable");
    let from = lost.text("packet.source.address");
    assert!(from.is_none_or(|from| from == V4.router), "{lost:?}");
    for record in [closed, lost] {
        assert_eq!(record.text("packet.destination.address"), Some(V4.client));
        assert_eq!(record.number("quoted.source.port"), Some(sender.local().port().into()));
        assert_eq!(record.text("quoted.protocol"), Some("udp"));
    }
    trace.stop().summary_without_loss();
}

/// Nobody has to send what the standards ask for.
#[test]
fn quotes_that_are_cut_or_invented_are_told_as_far_as_they_can_be_read() {
    needs!("root", "ip");
    let net = Namespace::new("hostile");
    let mut trace = Trace::start(&["icmp"]);
    let inode = net.inode();
    let ends = ["127.0.0.1:40000", "127.0.0.9:443"].map(|end| end.parse().unwrap());
    let whole = icmp::quote(6, ends[0], ends[1], 60);
    let with = |at: usize, byte: u8| {
        let mut quote = whole.clone();
        quote[at] = byte;
        quote
    };
    // The quote, what is wrong with it, and the port of its destination.
    let cases: &[(Vec<u8>, Option<&str>, Option<u64>)] = &[
        (whole.clone(), None, Some(443)),
        ([&whole[..], &[0xff; 1400]].concat(), None, Some(443)),
        (whole[..24].to_vec(), None, Some(443)),
        (whole[..23].to_vec(), None, None),
        (whole[..20].to_vec(), None, None),
        (whole[..19].to_vec(), Some("ends_too_soon"), None),
        (whole[..1].to_vec(), Some("ends_too_soon"), None),
        (Vec::new(), Some("ends_too_soon"), None),
        (with(0, 0x44), Some("bad_header"), None),
        (with(0, 0x15), Some("not_ip"), None),
        (with(0, 0x4f), None, None),
        (with(7, 1), None, None),
        (vec![0xff; 112], Some("not_ip"), None),
    ];
    net.enter(|| {
        let socket = icmp::raw(ends[0].ip());
        for (number, (quote, ..)) in cases.iter().enumerate() {
            // The code says which case it is: no kernel acts upon these.
            let code = 100 + u8::try_from(number).unwrap();
            let message = icmp::message(3, code, [0; 4], quote);
            match socket.send_to(&message, (ends[0].ip(), 0)) {
                Ok(sent) => assert_eq!(sent, message.len()),
                Err(error) => assert_ne!(error.kind(), ErrorKind::PermissionDenied, "{error}"),
            }
        }
    });
    for direction in ["sent", "received"] {
        for (number, (quote, malformed, port)) in cases.iter().enumerate() {
            let record = trace.wait_for(&format!("case {number} {direction}"), |record| {
                record.number("net_namespace") == Some(inode)
                    && record.text("direction") == Some(direction)
                    && record.number("icmp.code_number") == Some(100 + number as u64)
            });
            assert_eq!(record.text("icmp.malformed"), *malformed, "{number}: {record:?}");
            assert_eq!(record.number("quoted.destination.port"), *port, "{number}: {record:?}");
            assert_eq!(record.at("quoted").is_some(), malformed.is_none(), "{number}: {record:?}");
            assert_eq!(record.number("icmp.message_bytes"), Some(8 + quote.len() as u64));
            assert_eq!(record.at("icmp.code"), None);
        }
    }
    trace.stop().summary_without_loss();
}

/// A redirect of each version names the better first hop and the packet that went the longer way.
#[test]
fn a_redirect_names_the_better_way() {
    needs!("root", "ip");
    let net = Namespace::new("redirected");
    let mut trace = Trace::start(&["icmp"]);
    let inode = net.inode();
    let v4 = ["127.0.0.1:40000", "127.0.0.9:443"].map(|end| end.parse().unwrap());
    let v6 = ["[::1]:40000", "[fd00::9]:443"].map(|end| end.parse().unwrap());
    net.enter(|| {
        let quote = icmp::quote(17, v4[0], v4[1], 60);
        let message = icmp::message(5, 1, [127, 0, 0, 8], &quote);
        icmp::raw(v4[0].ip()).send_to(&message, (v4[0].ip(), 0)).unwrap();
        // RFC 4861, 4.5: target, destination, the target's link-layer address, the redirected header.
        let quote = icmp::quote(17, v6[0], v6[1], 60);
        let target = [&[0xfe, 0x80][..], &[0; 13], &[7]].concat();
        let data = [
            &target[..],
            &[0xfd; 16],
            &[2, 1, 1, 2, 3, 4, 5, 6],
            &[4, 7, 0, 0, 0, 0, 0, 0],
            &quote,
        ];
        let message = icmp::message(137, 0, [0; 4], &data.concat());
        icmp::raw(v6[0].ip()).send_to(&message, (v6[0].ip(), 0)).unwrap();
    });
    for (protocol, gateway, to) in
        [("icmp", "127.0.0.8", "127.0.0.9"), ("icmpv6", "fe80::7", "fd00::9")]
    {
        let record = trace.wait_for(protocol, |record| {
            record.number("net_namespace") == Some(inode)
                && record.text("packet.protocol") == Some(protocol)
                && record.text("icmp.type") == Some("redirect")
        });
        assert_eq!(record.kind(), "icmp_error");
        assert_eq!(record.text("icmp.gateway"), Some(gateway), "{record:?}");
        assert_eq!(record.text("quoted.destination.address"), Some(to));
        assert_eq!(record.number("quoted.destination.port"), Some(443));
    }
    trace.stop().summary_without_loss();
}
