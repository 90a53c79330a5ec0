//! Messages of ICMP and ICMPv6 within a loopback: an echo and its reply, a datagram that nobody waits for,
//! and a router's word that a segment was too large. Twice: as the agent watches them, and with programs on
//! every packet. What a rung cannot see is in `Rungs`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::path::Path;

use chandra_tests::comparison::Comparison;
use chandra_tests::icmp;
use chandra_tests::loopback;
use chandra_tests::process::{Process, host_name};
use chandra_tests::record::Record;
use chandra_tests::socket;
use chandra_tests::trace::{Outcome, Trace};
use chandra_tests::wall_clock::now;

use crate::hooks::Hooks;

pub fn messages(chandra: &Path, hooks: &mut Hooks) {
    // There exactly where functions can be hooked (CONFIG_KPROBE_EVENTS).
    if !Path::new("/sys/bus/event_source/devices/kprobe").exists() {
        hooks.is_impossible("message_received");
    }
    prove(chandra, hooks, "false", "");
}

pub fn messages_on_every_packet(chandra: &Path, hooks: &mut Hooks) {
    prove(chandra, hooks, "true", ", packet hooks");
}

fn prove(chandra: &Path, hooks: &mut Hooks, packet_hooks: &str, suffix: &str) {
    loopback::in_new_namespace(|namespace| {
        let mut trace = Trace::start_program(chandra, &["icmp", "--packet-hooks", packet_hooks]);
        let before = now();
        let scenes = [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)]
            .map(|host| Scene::act(host, namespace));
        // Every rung tells of the last error that was sent, and of all that was before it.
        trace.wait_for("the last error", |record| {
            record.text("direction") == Some("sent")
                && record.text("packet.protocol") == Some("icmp")
                && record.text("quoted.protocol") == Some("udp")
        });
        let outcome = trace.stop();
        let when = before..=now();
        hooks.served_as(&outcome, suffix);
        let rungs = Rungs::of(&outcome);
        for scene in &scenes {
            for truth in scene.truths() {
                let hook = match truth.direction {
                    "sent" => "message_sent",
                    _ => "message_received",
                };
                if !rungs.see(&truth) {
                    assert_eq!(scene.records(&outcome, &truth).count(), 0, "{}", truth.name);
                    continue;
                }
                let compared = scene.compare(&outcome, &truth, &rungs, when.clone());
                hooks.compared(&format!("{hook}{suffix}"), compared);
            }
        }
    });
}

/// By which way the two hooks were served.
struct Rungs {
    sent: String,
    received: Option<String>,
}

impl Rungs {
    fn of(outcome: &Outcome) -> Self {
        let summary = outcome.summary_without_loss();
        let hooks = summary.at("hooks").unwrap().as_array().unwrap().clone();
        let rung = |name: &str| {
            let hook = hooks.iter().find(|hook| hook["hook"] == name).unwrap();
            hook["rung"].as_str().map(str::to_owned)
        };
        Self { sent: rung("message_sent").unwrap(), received: rung("message_received") }
    }

    /// The sender's own packets are seen on their way out.
    fn see_packets_sent(&self) -> bool {
        self.sent == "cgroup_skb"
    }

    fn see_packets_received(&self) -> bool {
        self.received.as_deref() == Some("cgroup_skb")
    }

    fn see(&self, truth: &Truth) -> bool {
        match (truth.direction, self.sent.as_str()) {
            ("sent", "cgroup_skb") => true,
            // Errors of IPv4.
            ("sent", "tp_btf" | "raw_tp") => {
                truth.is_by_kernel && truth.is_ipv4 && truth.is_error()
            }
            // What raw sockets send passes by.
            ("sent", _) => truth.is_by_kernel,
            _ => self.received.is_some(),
        }
    }
}

/// A message as it truly was, at one of its two moments.
#[derive(Clone)]
struct Truth {
    name: &'static str,
    direction: &'static str,
    is_ipv4: bool,
    is_by_kernel: bool,
    type_number: u8,
    code: u8,
    code_name: Option<&'static str>,
    echo: Option<(u16, u16)>,
    mtu: Option<u16>,
    bytes: usize,
    quoted: Option<Quoted>,
}

impl Truth {
    fn is_error(&self) -> bool {
        self.quoted.is_some()
    }
}

#[derive(Clone)]
struct Quoted {
    protocol: (&'static str, u8),
    ends: [SocketAddr; 2],
    length: u16,
}

/// What was done with addresses of one family.
struct Scene {
    host: IpAddr,
    namespace: u64,
    cookie: u64,
    ends: [SocketAddr; 2],
}

const ID: u16 = 0x4242;
const SEQUENCE: u16 = 7;
const DATA: &[u8] = b"chandra";
const MTU: u16 = 1400;
const SEGMENT_BYTES: u16 = 1500;

impl Scene {
    fn act(host: IpAddr, namespace: u64) -> Self {
        let (is_ipv4, everyone) = (host.is_ipv4(), SocketAddr::new(host, 0));
        let raw = icmp::raw(host);
        raw.send_to(&icmp::echo_request(is_ipv4, ID, SEQUENCE, DATA), everyone).unwrap();
        let echoed = icmp::receive(&raw, is_ipv4, if is_ipv4 { 0 } else { 129 });
        assert_eq!(echoed, DATA);

        let quote = icmp::quote(6, segment(host)[0], segment(host)[1], SEGMENT_BYTES);
        raw.send_to(&icmp::too_big(is_ipv4, MTU, &quote), everyone).unwrap();
        assert_eq!(icmp::receive(&raw, is_ipv4, if is_ipv4 { 3 } else { 2 }), quote);

        let datagrams = UdpSocket::bind(everyone).unwrap();
        let nobody = UdpSocket::bind(everyone).unwrap().local_addr().unwrap();
        datagrams.connect(nobody).unwrap();
        datagrams.send(DATA).unwrap();
        // The error has come when the socket tells of it.
        let refused = datagrams.recv(&mut [0; 1]).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::ECONNREFUSED));
        let ends = [datagrams.local_addr().unwrap(), nobody];
        Self { host, namespace, cookie: socket::cookie(&raw), ends }
    }

    fn truths(&self) -> Vec<Truth> {
        let is_ipv4 = self.host.is_ipv4();
        let header = if is_ipv4 { 20 } else { 40 };
        let echo = |name, type_number, is_by_kernel| Truth {
            name,
            direction: "sent",
            is_ipv4,
            is_by_kernel,
            type_number,
            code: 0,
            code_name: None,
            echo: Some((ID, SEQUENCE)),
            mtu: None,
            bytes: 8 + DATA.len(),
            quoted: None,
        };
        let too_big = Truth {
            code: if is_ipv4 { 4 } else { 0 },
            code_name: is_ipv4.then_some("fragmentation_needed"),
            echo: None,
            mtu: Some(MTU),
            bytes: 8 + header + 8,
            quoted: Some(Quoted {
                protocol: ("tcp", 6),
                ends: segment(self.host),
                length: SEGMENT_BYTES,
            }),
            ..match is_ipv4 {
                true => echo("destination_unreachable", 3, false),
                false => echo("packet_too_big", 2, false),
            }
        };
        let datagram = header + 8 + DATA.len();
        let unreachable = Truth {
            code: if is_ipv4 { 3 } else { 4 },
            code_name: Some("port_unreachable"),
            mtu: None,
            // The whole packet is quoted.
            bytes: 8 + datagram,
            quoted: Some(Quoted {
                protocol: ("udp", 17),
                ends: self.ends,
                length: u16::try_from(datagram).unwrap(),
            }),
            echo: None,
            ..echo("destination_unreachable", if is_ipv4 { 3 } else { 1 }, true)
        };
        let [request, reply] = if is_ipv4 { [8, 0] } else { [128, 129] };
        let sent = [
            echo("echo_request", request, false),
            echo("echo_reply", reply, true),
            too_big,
            unreachable,
        ];
        let received = sent.clone().map(|truth| Truth { direction: "received", ..truth });
        [sent, received].concat()
    }

    fn records<'a>(
        &'a self,
        outcome: &'a Outcome,
        truth: &'a Truth,
    ) -> impl Iterator<Item = &'a Record> {
        outcome.records.iter().filter(|record| {
            record.number("net_namespace") == Some(self.namespace)
                && record.text("packet.destination.address") == Some(&self.host.to_string())
                && record.text("direction") == Some(truth.direction)
                && record.text("icmp.type") == Some(truth.name)
                && record.number("icmp.code_number") == Some(truth.code.into())
        })
    }

    fn compare(
        &self,
        outcome: &Outcome,
        truth: &Truth,
        rungs: &Rungs,
        when: RangeInclusive<u64>,
    ) -> Result<(), String> {
        let records: Vec<_> = self.records(outcome, truth).collect();
        let &[record] = &records[..] else {
            let count = records.len();
            return Err(format!("{count} of {} {} {}", self.host, truth.name, truth.direction));
        };
        let took_ns = when.end() - when.start();
        let kind = if truth.is_error() { "icmp_error" } else { "icmp_echo" };
        let mut fields = Comparison::of(record, "icmp", kind, when);
        let is_sent = truth.direction == "sent";
        let is_own_packet = is_sent && !truth.is_by_kernel;
        let is_answer = !is_sent && truth.name == "echo_reply" && rungs.see_packets_sent();
        match is_own_packet || is_answer {
            true => Process::own().compare(&mut fields, "process"),
            false => fields.is("node", host_name()),
        }
        fields.is("packet.source.address", self.host.to_string());
        fields.is("packet.destination.address", self.host.to_string());
        fields.is("packet.protocol", if truth.is_ipv4 { "icmp" } else { "icmpv6" });
        fields.is_optional("packet.hop_limit", (!is_sent).then_some(64));
        let is_of_packets = match is_sent {
            true => rungs.see_packets_sent(),
            false => rungs.see_packets_received(),
        };
        let has_interface = is_of_packets || !is_sent;
        fields.is_optional("interface.index", has_interface.then_some(1));
        fields.is_optional("interface.name", (has_interface && !is_of_packets).then_some("lo"));
        fields.is("icmp.type", truth.name);
        fields.is_optional("icmp.code", truth.code_name);
        fields.is("icmp.type_number", truth.type_number);
        fields.is("icmp.code_number", truth.code);
        fields.is_optional("icmp.id", truth.echo.map(|(id, _)| id));
        fields.is_optional("icmp.sequence", truth.echo.map(|(_, sequence)| sequence));
        fields.is_optional("icmp.mtu", truth.mtu);
        let knows_length = !is_sent || !rungs.sent.ends_with("_tp") && rungs.sent != "tp_btf";
        fields.is_optional("icmp.message_bytes", knows_length.then_some(truth.bytes));
        if let Some(quoted) = &truth.quoted {
            quoted.compare(&mut fields);
        }
        fields.is("direction", truth.direction);
        fields.is("net_namespace", self.namespace);
        let has_socket = is_of_packets && (is_own_packet || !is_sent);
        fields.is_optional("socket_cookie", has_socket.then(|| self.cookie.to_string()));
        if is_answer {
            fields.is_within("latency_ns", 1..=took_ns);
        }
        // Both ends are this host's own.
        fields.is("peer_entity", "host");
        fields.is("peer_node", host_name());
        fields.finish()
    }
}

impl Quoted {
    fn compare(&self, fields: &mut Comparison) {
        fields.is("quoted.protocol", self.protocol.0);
        fields.is("quoted.ip_protocol", self.protocol.1);
        for (name, end) in [("source", self.ends[0]), ("destination", self.ends[1])] {
            fields.is(&format!("quoted.{name}.address"), end.ip().to_string());
            fields.is(&format!("quoted.{name}.port"), end.port());
        }
        fields.is("quoted.length_bytes", self.length);
    }
}

/// The ends of the segment that was too large; nobody has such a connection.
fn segment(host: IpAddr) -> [SocketAddr; 2] {
    [SocketAddr::new(host, 40_000), SocketAddr::new(host, 443)]
}
