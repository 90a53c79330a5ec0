//! Packets of every shape: what is read of them is so, and what cannot be read is left out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use chandra_tests::drops::of;
use chandra_tests::namespaces::{Namespace, join};
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::socket;
use chandra_tests::trace::Trace;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const HERE_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// A namespace that drops all that comes in by its loopback.
fn walled() -> Namespace {
    let net = Namespace::new("walled");
    net.run("nft add table inet wall");
    net.run("nft add chain inet wall in { type filter hook input priority -500 ; }");
    net.run("nft add rule inet wall in drop");
    net
}

/// Sends these bytes behind the header of IP and returns the record of them.
fn sent(net: &Namespace, to: IpAddr, protocol: i32, bytes: &[u8]) -> Record {
    let mut trace = Trace::start(&["drops"]);
    net.enter(|| socket::raw(to, protocol).send_to(bytes, (to, 0)).unwrap());
    let inode = net.inode();
    let is_it = |record: &Record| record.number("net_namespace") == Some(inode);
    let record = trace.wait_for("the packet", is_it);
    let outcome = trace.stop();
    outcome.summary_without_loss();
    assert_eq!(of(&outcome.records, net).count(), 1, "{:?}", outcome.records);
    assert_eq!(record.text("reason"), Some("netfilter_drop"));
    record
}

fn ports(record: &Record) -> [Option<u64>; 2] {
    ["source", "destination"].map(|end| record.number(&format!("packet.{end}.port")))
}

/// Ports 1000 and 2000, as the transports that have ports begin.
const PORTS: [u8; 4] = [3, 232, 7, 208];

#[test]
fn sctp_has_ports_and_gre_has_none() {
    needs!("root", "ip", "nft");
    let net = walled();
    let record = sent(&net, HERE, 132, &[&PORTS[..], &[0; 12]].concat());
    assert_eq!(record.text("packet.protocol"), Some("sctp"));
    assert_eq!(ports(&record), [Some(1000), Some(2000)]);
    // The header of IPv4 is still there where netfilter looks.
    assert_eq!(record.number("packet.length_bytes"), Some(20 + 16));
    let record = sent(&net, HERE, 47, &[0; 8]);
    assert_eq!(record.text("packet.protocol"), Some("gre"));
    assert_eq!((ports(&record), record.at("packet.tcp_flags")), ([None; 2], None));
    let record = sent(&net, HERE, 253, &[0; 8]);
    assert_eq!(record.at("packet.protocol"), None, "a protocol for experiments has no name");
    assert_eq!(record.number("packet.ip_protocol"), Some(253));
}

#[test]
fn a_transports_header_that_is_cut_short_is_not_guessed() {
    needs!("root", "ip", "nft");
    let net = walled();
    let record = sent(&net, HERE, libc::IPPROTO_TCP, &PORTS);
    assert_eq!(ports(&record), [Some(1000), Some(2000)]);
    assert_eq!(record.at("packet.tcp_flags"), None, "{record:?}");
    let record = sent(&net, HERE, libc::IPPROTO_TCP, &PORTS[..2]);
    assert_eq!(ports(&record), [None; 2]);
    let record = sent(&net, HERE, libc::IPPROTO_ICMP, &[13, 7, 0, 0]);
    assert_eq!(record.number("packet.icmp_type"), Some(13));
    assert_eq!(record.number("packet.icmp_code"), Some(7));
}

/// An extension header of IPv6: what follows it, and eight bytes in all.
fn extension(next: u8) -> [u8; 8] {
    [next, 0, 1, 4, 0, 0, 0, 0]
}

#[test]
fn extension_headers_of_ipv6_are_passed_over_as_far_as_six_of_them() {
    needs!("root", "ip", "nft");
    let net = walled();
    let destination_options = 60;
    let udp = [&PORTS[..], &[0, 8, 0, 0]].concat();
    let behind = |count: usize| {
        let mut bytes = extension(17).to_vec();
        for _ in 1..count {
            bytes = [&extension(60)[..], &bytes].concat();
        }
        bytes.extend_from_slice(&udp);
        bytes
    };
    for count in [1, 6] {
        let record = sent(&net, HERE_V6, destination_options, &behind(count));
        assert_eq!(record.text("packet.protocol"), Some("udp"), "behind {count}");
        assert_eq!(record.number("packet.ip_protocol"), Some(17));
        assert_eq!(ports(&record), [Some(1000), Some(2000)]);
        assert_eq!(record.text("packet.source.address"), Some("::1"));
    }
    let record = sent(&net, HERE_V6, destination_options, &behind(7));
    assert_eq!(record.text("packet.protocol"), Some("ipv6"), "what is behind them is not known");
    assert_eq!(record.at("packet.ip_protocol"), None);
    assert_eq!(ports(&record), [None; 2]);
    let record = sent(&net, HERE_V6, destination_options, &extension(17)[..4]);
    assert_eq!((record.text("packet.protocol"), ports(&record)), (Some("ipv6"), [None; 2]));
}

#[test]
fn of_fragments_only_the_first_has_ports() {
    needs!("root", "ip", "nft");
    let (net, far) = (Namespace::new("large"), Namespace::new("small"));
    join((&net, "wire", "10.209.0.1/24"), (&far, "wire", "10.209.0.2/24"));
    // Before fragments are put together, which is at -400.
    far.run("nft add table ip wall");
    far.run("nft add chain ip wall in { type filter hook prerouting priority -500 ; }");
    far.run("nft add rule ip wall in ip protocol udp drop");
    let mut trace = Trace::start(&["drops"]);
    let (sender, to) = net.enter(|| {
        let sender = UdpSocket::bind("10.209.0.1:0").unwrap();
        let to: SocketAddr = "10.209.0.2:2000".parse().unwrap();
        sender.send_to(&[b'x'; 4000], to).unwrap();
        (sender, to)
    });
    wait_for("three fragments", || (of(trace.records(), &far).count() == 3).then_some(()));
    let outcome = trace.stop();
    outcome.summary_without_loss();
    let records: Vec<_> = of(&outcome.records, &far).collect();
    let first = [Some(sender.local_addr().unwrap().port().into()), Some(to.port().into())];
    assert_eq!(
        records.iter().map(|record| ports(record)).collect::<Vec<_>>(),
        [first, [None; 2], [None; 2]]
    );
    for record in records {
        assert_eq!(record.at("packet.is_fragment"), Some(&true.into()));
        assert_eq!(record.text("packet.source.address"), Some("10.209.0.1"));
        assert_eq!(record.text("packet.destination.address"), Some("10.209.0.2"));
        assert_eq!(record.text("interface.name"), Some("wire"));
        assert_eq!(record.text("direction"), Some("received"));
    }
}

#[test]
fn frames_that_are_not_ip_are_told_by_what_they_carry() {
    needs!("root", "ip", "nft");
    let (net, far) = (Namespace::new("asks"), Namespace::new("silent"));
    join((&net, "wire", "10.210.0.1/24"), (&far, "wire", "10.210.0.2/24"));
    far.run("nft add table netdev wall");
    far.run("nft add chain netdev wall in { type filter hook ingress device wire priority 0 ; }");
    far.run("nft add rule netdev wall in ether type arp drop");
    let mut trace = Trace::start(&["drops"]);
    let inode = far.inode();
    net.enter(|| {
        let sender = UdpSocket::bind("10.210.0.1:0").unwrap();
        sender.send_to(b"who is it?", "10.210.0.2:9").unwrap();
    });
    let record =
        trace.wait_for("the request", |record| record.number("net_namespace") == Some(inode));
    assert_eq!(record.text("packet.protocol"), Some("arp"), "{record:?}");
    assert_eq!(record.number("packet.ethertype"), Some(0x0806));
    assert_eq!((record.at("packet.source"), record.at("packet.ip_protocol")), (None, None));
    assert_eq!(record.text("interface.name"), Some("wire"));
    trace.stop().summary_without_loss();
}
