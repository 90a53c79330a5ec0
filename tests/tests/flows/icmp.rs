//! Messages of ICMP as flows, from real packets to `chandra observe` and to Prometheus.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use chandra_tests::agent::Agent;
use chandra_tests::flows::Observed;
use chandra_tests::http::get_as;
use chandra_tests::icmp;
use chandra_tests::namespaces::{Namespace, join};
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;

const SIGNALS: [&str; 2] = ["--signals", "process,icmp"];
const ON_EVERY_PACKET: [&str; 4] = ["--signals", "process,icmp", "--packet-hooks", "true"];

/// Two ends of a cable with addresses that nobody else has.
fn cable(addresses: [&str; 2], addresses_v6: [&str; 2]) -> [Namespace; 2] {
    let [near, far] = ["near", "far"].map(Namespace::new);
    let [at_near, at_far] = addresses.map(|address| format!("{address}/24"));
    join((&near, "wire", &at_near), (&far, "wire", &at_far));
    for (namespace, address) in [&near, &far].into_iter().zip(addresses_v6) {
        namespace.run(&format!("ip address add {address}/64 dev wire nodad"));
    }
    [near, far]
}

/// Sends an echo request and gets its reply.
fn ping(from: &Namespace, to: &str, id: u16) {
    let to: IpAddr = to.parse().unwrap();
    let socket = from.enter(|| icmp::raw(to));
    socket.send_to(&icmp::echo_request(to.is_ipv4(), id, 3, b"ping"), (to, 0)).unwrap();
    icmp::receive(&socket, to.is_ipv4(), if to.is_ipv4() { 0 } else { 129 });
}

/// A datagram to a port that nobody has, and the ends of it.
fn to_nobody(from: &Namespace, to: &str) -> [SocketAddr; 2] {
    let to = SocketAddr::new(to.parse().unwrap(), 33_434);
    let any: IpAddr = match to.is_ipv4() {
        true => Ipv4Addr::UNSPECIFIED.into(),
        false => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = from.enter(|| UdpSocket::bind((any, 0)).unwrap());
    socket.connect(to).unwrap();
    socket.send(b"x").unwrap();
    socket.set_read_timeout(Some(chandra_tests::patience::PATIENCE)).unwrap();
    let refused = socket.recv(&mut [0; 1]).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::ECONNREFUSED));
    [socket.local_addr().unwrap(), to]
}

fn at(flow: &Record) -> (String, String, String) {
    let text = |path: &str| flow.text(path).unwrap_or_default().to_owned();
    (text("flow.Summary"), text("flow.IP.source"), text("flow.IP.destination"))
}

#[test]
fn a_ping_is_a_request_and_a_reply() {
    needs!("root", "ip");
    let observed = Observed::start(&ON_EVERY_PACKET);
    let [near, far] = cable(["10.217.0.1", "10.217.0.2"], ["fd17::1", "fd17::2"]);
    for (protocol, version, source, to, number) in [
        ("icmpv4", "ICMPv4", "10.217.0.1", "10.217.0.2", [8, 0]),
        ("icmpv6", "ICMPv6", "fd17::1", "fd17::2", [128, 129]),
    ] {
        // Where functions cannot be hooked, what comes is seen where a program's socket gets it.
        let _gets = far.enter(|| icmp::raw(to.parse().unwrap()));
        ping(&near, to, 0x4242);
        // Each end tells of what it sends and of what comes to it.
        let flags = ["--protocol", protocol, "--ip", to];
        let flows = observed.wait_for_flows(4, &flags);
        let [request, reply] = ["EchoRequest", "EchoReply"].map(|name| format!("{version} {name}"));
        let sent = (request, source.to_owned(), to.to_owned());
        let back = (reply, to.to_owned(), source.to_owned());
        let told: Vec<_> = flows.iter().map(at).collect();
        assert_eq!(told, [sent.clone(), sent, back.clone(), back], "{flows:?}");
        for (flow, number) in flows.iter().zip([number[0], number[0], number[1], number[1]]) {
            let is_reply = number == 0 || number == 129;
            assert_eq!(flow.at("flow.is_reply"), Some(&is_reply.into()), "{flow:?}");
            assert_eq!(flow.text("flow.verdict"), Some("FORWARDED"));
            assert_eq!(flow.text("flow.Type"), Some("L3_L4"));
            let l4 = flow.at("flow.l4").unwrap()[version].clone();
            assert_eq!(l4["type"].as_u64().unwrap_or_default(), number, "{flow:?}");
            assert_eq!(flow.number("flow.extensions.icmp.id"), Some(0x4242));
            assert_eq!(flow.number("flow.extensions.icmp.sequence"), Some(3));
        }
        // The program is known where it sends, and where it gets its answer.
        let own = u64::from(std::process::id());
        let pids = flows.iter().map(|flow| flow.number("flow.extensions.process.pid"));
        assert_eq!(pids.collect::<Vec<_>>(), [Some(own), None, None, Some(own)], "{flows:?}");
        let latency_ns = flows[3].number("flow.extensions.latency_ns");
        assert!(latency_ns > Some(0), "{flows:?}");
        let replies = observed.flows(&[&flags[..], &["--reply"]].concat());
        assert_eq!(replies.len(), 2);
    }
    // Both versions by the name of the first.
    assert_eq!(observed.flows(&["--protocol", "icmp", "--ip", "fd17::2"]).len(), 4);
    observed.agent.stop();
}

#[test]
fn an_error_says_which_connection_it_is_about() {
    needs!("root", "ip");
    let observed = Observed::start(&ON_EVERY_PACKET);
    let [near, _far] = cable(["10.218.0.1", "10.218.0.2"], ["fd18::1", "fd18::2"]);
    for (to, summary, length) in [
        ("10.218.0.2", "ICMPv4 DestinationUnreachable(Port)", 20 + 8 + 1),
        ("fd18::2", "ICMPv6 DestinationUnreachable(PortUnreachable)", 40 + 8 + 1),
    ] {
        let [source, destination] = to_nobody(&near, to);
        let flow = observed.wait_for_flows(1, &["--protocol", "icmp", "--from-ip", to]).remove(0);
        assert_eq!(at(&flow), (summary.into(), to.into(), source.ip().to_string()));
        assert_eq!(flow.at("flow.is_reply"), Some(&false.into()));
        let quoted = |name: &str| flow.at(&format!("flow.extensions.icmp.quoted.{name}")).cloned();
        assert_eq!(quoted("protocol"), Some(17.into()), "{flow:?}");
        assert_eq!(quoted("source"), Some(source.ip().to_string().into()));
        assert_eq!(quoted("source_port"), Some(source.port().into()));
        assert_eq!(quoted("destination"), Some(to.into()));
        assert_eq!(quoted("destination_port"), Some(destination.port().into()));
        assert_eq!(quoted("length_bytes"), Some(length.into()));
        let wide = observed.printed(&["observe", "--all", "-o", "wide", "--from-ip", to]);
        assert!(wide.contains(&format!(" about={source}->{destination}")), "{wide}");
    }
    observed.agent.stop();
}

/// By itself the agent has no program on every packet, and tells what can be told without.
#[test]
fn an_agent_asks_for_no_program_on_every_packet() {
    needs!("root", "ip");
    let observed = Observed::start(&SIGNALS);
    let signal = observed.agent.signal("icmp");
    let programs = signal.at("programs").unwrap().to_string();
    assert!(!programs.contains("icmp_egress") && !programs.contains("icmp_ingress"), "{programs}");
    let hooks = signal.at("hooks").unwrap().to_string();
    assert!(hooks.contains("cgroup_skb not tried: it is on the path of every packet"), "{hooks}");
    let [near, _far] = cable(["10.219.0.1", "10.219.0.2"], ["fd19::1", "fd19::2"]);
    to_nobody(&near, "10.219.0.2");
    let flags = ["--protocol", "icmp", "--from-ip", "10.219.0.2"];
    let flow = observed.wait_for_flows(1, &flags).remove(0);
    assert_eq!(flow.text("flow.Summary"), Some("ICMPv4 DestinationUnreachable(Port)"));
    assert_eq!(flow.text("flow.IP.destination"), Some("10.219.0.1"));
    observed.agent.stop();
}

#[test]
fn messages_are_counted_by_type() {
    needs!("root", "ip");
    let options = ["--hubble-metrics", "icmp:labelsContext=destination_ip,traffic_direction"];
    let agent = Agent::start(&[&ON_EVERY_PACKET[..], &options].concat());
    agent.wait_until_ready();
    let [near, _far] = cable(["10.220.0.1", "10.220.0.2"], ["fd20::1", "fd20::2"]);
    for id in 0..5 {
        ping(&near, "10.220.0.2", id);
        ping(&near, "fd20::2", id);
    }
    to_nobody(&near, "10.220.0.2");
    for (family, kind, to, expected) in [
        ("IPv4", "EchoRequest", "10.220.0.2", 5),
        ("IPv4", "EchoReply", "10.220.0.1", 5),
        ("IPv6", "EchoRequest", "fd20::2", 5),
        ("IPv6", "EchoReply", "fd20::1", 5),
        ("IPv4", "DestinationUnreachable(Port)", "10.220.0.1", 1),
    ] {
        let is_it = |line: &&str| {
            let has = |text: &str| line.contains(text);
            has(&format!("family=\"{family}\""))
                && has(&format!("type=\"{kind}\""))
                && has(&format!("\"{to}\""))
                && has("\"egress\"")
        };
        wait_for(&format!("{expected} of {kind} to {to}"), || {
            let (_, text) = get_as(agent.address(), "/metrics", "text/plain");
            let line = text.lines().filter(|line| line.starts_with("hubble_icmp_total{"));
            let line = line.clone().find(is_it)?.to_owned();
            (line.rsplit_once(' ')?.1 == expected.to_string()).then_some(())
        });
    }
    agent.stop();
}
