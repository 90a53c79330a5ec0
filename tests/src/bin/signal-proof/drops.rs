//! Packets that the kernel drops: those that nobody waits for, one that is damaged, and one that is lost
//! before it is sent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use chandra_tests::comparison::Comparison;
use chandra_tests::launch::checked;
use chandra_tests::loopback;
use chandra_tests::process::{Process, host_name};
use chandra_tests::record::Record;
use chandra_tests::socket;
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock::now;

use crate::hooks::Hooks;

/// One packet as it truly was.
struct Truth {
    protocol: (&'static str, u8),
    ends: [SocketAddr; 2],
    length_bytes: u64,
    direction: &'static str,
    reasons: &'static [&'static str],
    functions: &'static [&'static str],
    owner: Option<Process>,
}

pub fn drops(chandra: &Path, hooks: &mut Hooks) {
    loopback::in_new_namespace(|namespace| {
        // Beyond the open files that are looked at: known only to who looked at all of them at start.
        let early = at_descriptor(udp(Ipv4Addr::LOCALHOST.into()), 300);
        let mut trace = Trace::start_program(chandra, &["drops"]);
        let scene = Scene { namespace };
        for host in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            scene.to_nobody(&mut trace, hooks, host);
            scene.connection_to_nobody(&mut trace, hooks, host);
        }
        scene.damaged(&mut trace, hooks);
        loopback::lose_what_is_sent().unwrap();
        scene.lost_on_the_way_out(&mut trace, hooks, "owners", &early);
        scene.lost_on_the_way_out(&mut trace, hooks, "kfree_skb", &udp(Ipv4Addr::LOCALHOST.into()));
        hooks.served(&trace.stop());
    });
}

fn udp(host: IpAddr) -> UdpSocket {
    UdpSocket::bind((host, 0)).unwrap()
}

/// The same socket, open nowhere but there.
fn at_descriptor(socket: UdpSocket, descriptor: i32) -> UdpSocket {
    // SAFETY: takes numbers only; the descriptor is new, as nobody has so many, and nobody else's.
    unsafe {
        let moved = libc::fcntl(socket.as_raw_fd(), libc::F_DUPFD_CLOEXEC, descriptor);
        UdpSocket::from(OwnedFd::from_raw_fd(checked(moved).unwrap()))
    }
}

/// An address on which nobody listens.
fn nobody(host: IpAddr) -> SocketAddr {
    udp(host).local_addr().unwrap()
}

struct Scene {
    namespace: u64,
}

impl Scene {
    fn to_nobody(&self, trace: &mut Trace, hooks: &mut Hooks, host: IpAddr) {
        let (sender, address) = (udp(host), nobody(host));
        let before = now();
        sender.send_to(b"to nobody", address).unwrap();
        let truth = Truth {
            protocol: ("udp", 17),
            ends: [sender.local_addr().unwrap(), address],
            length_bytes: 8 + 9,
            direction: "received",
            reasons: &["no_socket"],
            functions: &["__udp4_lib_rcv", "__udp6_lib_rcv", "udp_rcv", "udpv6_rcv"],
            owner: None,
        };
        let mut fields = self.compare(trace, &truth, before);
        fields.is_absent("packet.tcp_flags");
        hooks.compared("kfree_skb", fields.finish());
    }

    fn connection_to_nobody(&self, trace: &mut Trace, hooks: &mut Hooks, host: IpAddr) {
        let address = nobody(host);
        let before = now();
        TcpStream::connect(address).unwrap_err();
        let record = trace.wait_for("the refused connect", |record| {
            self.is_at(record, "tcp", address) && record.kind() == "packet_drop"
        });
        // The program never learns its port.
        let port = record.number("packet.source.port").unwrap_or_default();
        let truth = Truth {
            protocol: ("tcp", 6),
            ends: [SocketAddr::new(host, u16::try_from(port).unwrap()), address],
            // With the options that Linux sends in a SYN.
            length_bytes: 40,
            direction: "received",
            reasons: &["no_socket"],
            functions: &["tcp_v4_rcv", "tcp_v6_rcv"],
            owner: None,
        };
        let mut fields = self.compare_with(&record, &truth, before);
        let flags = fields.take("packet.tcp_flags");
        // Explicit congestion notification, where it is asked for.
        let is_syn = flags.and_then(|flags| flags.as_array()?.first().cloned());
        if is_syn != Some("SYN".into()) || port < 1024 {
            fields.problem(format!("flags begin with {is_syn:?}, port {port}"));
        }
        hooks.compared("kfree_skb", fields.finish());
    }

    /// An echo request whose checksum is wrong.
    fn damaged(&self, trace: &mut Trace, hooks: &mut Hooks) {
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let sender = socket::raw(host, libc::IPPROTO_ICMP);
        let before = now();
        let request = [8, 0, 0xba, 0xad, 0, 1, 0, 1, b'x'];
        sender.send_to(&request, (host, 0)).unwrap();
        let truth = Truth {
            protocol: ("icmp", 1),
            ends: [SocketAddr::new(host, 0); 2],
            length_bytes: request.len() as u64,
            direction: "received",
            // Its own reason since 6.6.
            reasons: &["icmp_csum", "not_specified"],
            functions: &["icmp_rcv"],
            owner: None,
        };
        let mut fields = self.compare(trace, &truth, before);
        fields.is("packet.icmp_type", 8);
        fields.is("packet.icmp_code", 0);
        hooks.compared("kfree_skb", fields.finish());
    }

    fn lost_on_the_way_out(
        &self,
        trace: &mut Trace,
        hooks: &mut Hooks,
        hook: &str,
        sender: &UdpSocket,
    ) {
        let address = nobody(Ipv4Addr::LOCALHOST.into());
        let cookie = socket::cookie(sender);
        let before = now();
        // The kernel may tell the sender so at once.
        let _ = sender.send_to(b"never sent", address);
        let truth = Truth {
            protocol: ("udp", 17),
            ends: [sender.local_addr().unwrap(), address],
            // The whole frame: Ethernet, IPv4, UDP.
            length_bytes: 14 + 20 + 8 + 10,
            direction: "sent",
            reasons: &["qdisc_drop"],
            // Where lists of them are freed, since that has its own name.
            functions: &[
                "__dev_queue_xmit",
                "kfree_skb_list",
                "kfree_skb_list_reason",
                "__tcf_kfree_skb_list",
            ],
            owner: Some(Process::own()),
        };
        let mut fields = self.compare(trace, &truth, before);
        fields.is_big("socket_cookie", cookie);
        hooks.compared(hook, fields.finish());
    }

    fn is_at(&self, record: &Record, protocol: &str, destination: SocketAddr) -> bool {
        let ip = destination.ip().to_string();
        record.number("net_namespace") == Some(self.namespace)
            && record.text("packet.protocol") == Some(protocol)
            && record.text("packet.destination.address") == Some(&ip)
            && record.number("packet.destination.port").unwrap_or_default()
                == u64::from(destination.port())
    }

    fn compare(&self, trace: &mut Trace, truth: &Truth, before: u64) -> Comparison {
        let (protocol, _) = truth.protocol;
        let record = trace.wait_for(protocol, |record| {
            self.is_at(record, protocol, truth.ends[1])
                && record.text("direction") == Some(truth.direction)
        });
        self.compare_with(&record, truth, before)
    }

    fn compare_with(&self, record: &Record, truth: &Truth, before: u64) -> Comparison {
        let mut fields = Comparison::of(record, "drop", "packet_drop", before..=now());
        match &truth.owner {
            Some(owner) => owner.compare(&mut fields, "process"),
            None => fields.is("node", host_name()),
        }
        let is_ipv4 = truth.ends[0].is_ipv4();
        fields.is("packet.protocol", truth.protocol.0);
        fields.is("packet.ip_protocol", truth.protocol.1);
        fields.is("packet.ethertype", if is_ipv4 { 0x0800 } else { 0x86dd });
        for (name, end) in [("source", truth.ends[0]), ("destination", truth.ends[1])] {
            fields.is(&format!("packet.{name}.address"), end.ip().to_string());
            let port = Some(end.port()).filter(|port| *port != 0);
            fields.is_optional(&format!("packet.{name}.port"), port);
        }
        fields.is("packet.length_bytes", truth.length_bytes);
        fields.is("interface.name", "lo");
        fields.is("interface.index", 1);
        fields.is("direction", truth.direction);
        fields.is("net_namespace", self.namespace);
        // Both ends are this host's own.
        fields.is("peer_entity", "host");
        fields.is("peer_node", host_name());
        compare_place(&mut fields, truth);
        fields
    }
}

/// The reason, where the kernel gives reasons, and the function that dropped the packet.
fn compare_place(fields: &mut Comparison, truth: &Truth) {
    if gives_reasons() {
        let reason = fields.take("reason");
        let reason = reason.as_ref().and_then(|reason| reason.as_str()).unwrap_or_default();
        if !truth.reasons.contains(&reason) {
            fields.problem(format!("reason {reason:?}, in truth {:?}", truth.reasons));
        }
        fields.is_within("reason_number", 2..=0xffff);
    }
    let place = fields.take("location");
    let place = place.as_ref().and_then(|place| place.as_str()).unwrap_or_default();
    let (function, offset) = place.split_once("+0x").unwrap_or((place, ""));
    // A compiler may have made a copy of a function: `tcp_v4_rcv.cold`.
    let function = function.split('.').next().unwrap_or_default();
    if !truth.functions.contains(&function) || u64::from_str_radix(offset, 16).is_err() {
        fields.problem(format!("location {place:?}, in truth in {:?}", truth.functions));
    }
}

/// Kernel 5.17 and later give the reason of a drop.
fn gives_reasons() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse::<u32>().unwrap());
    let version = [numbers.next(), numbers.next()];
    version >= [Some(5), Some(17)]
}
