//! Records of the `drop` signal.

use std::net::SocketAddr;

use crate::process::Process;
use crate::time::Timestamp;

mod fields;

pub(crate) use fields::InterfaceFields;
pub use fields::{DropFields, PACKET_DISCARD, PACKET_DROP};

/// Why the kernel dropped a packet (`enum skb_drop_reason`, kernel 5.17 and later).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// Its number in the running kernel, which the next one may use for another reason.
    pub number: u32,
    /// The kernel's own name of it, lower case: `netfilter_drop`; absent when it gives none.
    pub name: Option<&'static str>,
}

/// Which way a packet went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It came in by an interface, for this machine or to be sent on: `received`.
    Received,
    /// It was made in this network namespace: `sent`.
    Sent,
}

impl Direction {
    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            Direction::Received => "received",
            Direction::Sent => "sent",
        }
    }
}

/// A packet, as far as its headers could be read. Those of a tunnel are the outer ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// What the frame carries (IEEE 802 numbers, behind tags of VLANs): 0x0800 is IPv4.
    pub ethertype: Option<u16>,
    /// What IP carries (IANA's protocol numbers), behind the extension headers of IPv6.
    pub protocol: Option<u8>,
    /// Source; port 0 where `has_ports` is false.
    pub source: Option<SocketAddr>,
    /// Destination; port 0 where `has_ports` is false.
    pub destination: Option<SocketAddr>,
    /// The ports are known.
    pub has_ports: bool,
    /// Flags of TCP (bit 0 is FIN).
    pub tcp_flags: Option<u8>,
    /// Type and code of ICMP or ICMPv6.
    pub icmp: Option<(u8, u8)>,
    /// It is a fragment. Only the first one has what IP carries.
    pub is_fragment: bool,
    /// Bytes that were left of it where it died: headers that had been taken off by then are not
    /// counted. What one segmentation offload carries is one packet.
    pub length_bytes: u32,
}

/// The network interface that a packet was at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// Its index in its network namespace.
    pub index: u32,
    /// Its name, up to the first NUL; empty when not known.
    pub name: [u8; 16],
}

impl Interface {
    /// The bytes of its name.
    pub fn name(&self) -> Option<&[u8]> {
        let end = self.name.iter().position(|byte| *byte == 0).unwrap_or(self.name.len());
        self.name.get(..end).filter(|name| !name.is_empty())
    }
}

/// A packet that the kernel dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drop {
    /// When.
    pub time: Timestamp,
    /// A process that has the packet's socket open, when known: the receiver's for a packet that was
    /// received, the sender's for one that was sent.
    pub process: Option<Process>,
    /// It was thrown away in the ordinary course of things: `packet_discard`.
    pub is_ordinary: bool,
    /// Why; absent before kernel 5.17.
    pub reason: Option<Reason>,
    /// Where in the kernel's code, as `FUNCTION+0xOFFSET`; absent when the kernel hides addresses.
    pub location: Option<&'static str>,
    /// The packet.
    pub packet: Packet,
    /// Which way it went.
    pub direction: Direction,
    /// The interface it was at.
    pub interface: Option<Interface>,
    /// Inode number of the network namespace; 0 when not known.
    pub net_namespace: u32,
    /// The kernel's cookie of its socket; 0 where there is none, or no one asked for it yet.
    pub socket_cookie: u64,
}

impl Drop {
    /// The other end, seen from where it died.
    pub fn peer(&self) -> Option<SocketAddr> {
        match self.direction {
            Direction::Received => self.packet.source,
            Direction::Sent => self.packet.destination,
        }
    }
}

/// The word for what a frame carries; for what IP carries where it is IP.
pub fn protocol_word(ethertype: u16, protocol: Option<u8>) -> Option<&'static str> {
    match (ethertype, protocol) {
        (0x0800 | 0x86dd, Some(protocol)) => ip_protocol_word(protocol),
        (0x0800, None) => Some("ipv4"),
        (0x86dd, None) => Some("ipv6"),
        (0x0806, _) => Some("arp"),
        (0x8035, _) => Some("rarp"),
        (0x8847 | 0x8848, _) => Some("mpls"),
        (0x8863, _) => Some("pppoe_discovery"),
        (0x8864, _) => Some("pppoe"),
        (0x888e, _) => Some("eapol"),
        (0x88cc, _) => Some("lldp"),
        _ => None,
    }
}

/// IANA's registry "Assigned Internet Protocol Numbers", those that are met.
pub(crate) fn ip_protocol_word(protocol: u8) -> Option<&'static str> {
    Some(match protocol {
        1 => "icmp",
        2 => "igmp",
        4 => "ipip",
        6 => "tcp",
        17 => "udp",
        33 => "dccp",
        41 => "ipv6_in_ip",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        58 => "icmpv6",
        59 => "ipv6_no_next",
        89 => "ospf",
        103 => "pim",
        112 => "vrrp",
        132 => "sctp",
        136 => "udplite",
        _ => return None,
    })
}
