//! The fields of the `drop` signal's records: the same for both kinds.

use std::net::SocketAddr;

use super::{Drop, Interface, Packet, protocol_word};
use crate::process::OwnerFields;
use crate::record::{Event, Field, Kind, Record};
use crate::time::Timestamp;
use crate::value::Value;

crate::fields! {
    /// One packet.
    struct PacketFields(packet: &Packet) = [] {
        "packet.source", "SOURCE", 21, TableOnly, Endpoint(packet.source),
        "Source address and port; port 0 where there is none";
        "packet.destination", "DESTINATION", 21, TableOnly, Endpoint(packet.destination),
        "Destination address and port; port 0 where there is none";
        "packet.protocol", "PROTOCOL", 8, Table,
        Word(protocol_word(packet.ethertype.unwrap_or_default(), packet.protocol)),
        "What IP carries (tcp, udp, icmp, icmpv6, sctp, …), else what the frame carries (ipv4, ipv6, arp, …)";
        "packet.ethertype", "ETHERTYPE", 9, Json, Number(packet.ethertype),
        "Number of what the frame carries, behind tags of VLANs: 2048 is IPv4, 34525 IPv6";
        "packet.ip_protocol", "IP_PROTOCOL", 11, Json, Number(packet.protocol),
        "Number of what IP carries, behind the extension headers of IPv6";
        "packet.source.address", "SOURCE_ADDRESS", 15, Json,
        Address(packet.source.map(|end| end.ip().to_canonical())),
        "Source address";
        "packet.source.port", "SOURCE_PORT", 11, Json, Number(port(packet, packet.source)),
        "Source port";
        "packet.destination.address", "DESTINATION_ADDRESS", 19, Json,
        Address(packet.destination.map(|end| end.ip().to_canonical())),
        "Destination address";
        "packet.destination.port", "DESTINATION_PORT", 16, Json,
        Number(port(packet, packet.destination)),
        "Destination port";
        "packet.tcp_flags", "TCP_FLAGS", 9, Wide, TcpFlags(packet.tcp_flags),
        "Flags of the TCP header";
        "packet.icmp_type", "ICMP_TYPE", 9, Wide, Number(packet.icmp.map(|(kind, _)| kind)),
        "Type of ICMP or ICMPv6";
        "packet.icmp_code", "ICMP_CODE", 9, Wide, Number(packet.icmp.map(|(_, code)| code)),
        "Code of ICMP or ICMPv6";
        "packet.is_fragment", "FRAGMENT", 8, Json, Bool(packet.is_fragment.then_some(true)),
        "It is a fragment, the first of which alone has ports; absent for others";
        "packet.length_bytes", "LENGTH", 7, Wide, Number(packet.length_bytes),
        "Bytes left of it where it died, without headers that had been taken off by then";
    }
}

crate::fields! {
    /// The interface.
    pub(crate) struct InterfaceFields(interface: &Interface) = [] {
        "interface.name", "INTERFACE", 10, Wide, Bytes(interface.name()),
        "Network interface that it was at";
        "interface.index", "INTERFACE_INDEX", 15, Json, Number(interface.index),
        "Index of that interface in its network namespace";
    }
}

crate::fields! {
    /// The fields of every record of the `drop` signal.
    pub struct DropFields(dropped: &Drop) = [
        OwnerFields(dropped.process.as_ref()),
        PacketFields(&dropped.packet),
        InterfaceFields(dropped.interface.as_ref())
    ] {
        "direction", "DIRECTION", 9, Wide, Word(dropped.direction.word()),
        "received: it came in by an interface, for this machine or to be sent on; sent: it was made here";
        "net_namespace", "NET_NS", 10, Wide,
        Number(Some(dropped.net_namespace).filter(|inode| *inode != 0)),
        "Inode number of the network namespace";
        "socket_cookie", "COOKIE", 8, Json,
        Big(Some(dropped.socket_cookie).filter(|cookie| *cookie != 0)),
        "The kernel's cookie of the packet's socket, when someone asked for it";
        "reason", "REASON", 20, Table, Word(dropped.reason.and_then(|reason| reason.name)),
        "The kernel's own reason (kernel 5.17 and later)";
        "reason_number", "REASON_NUMBER", 13, Json, Number(dropped.reason.map(|reason| reason.number)),
        "Number of that reason in the running kernel";
        "location", "LOCATION", 30, Table, Word(dropped.location),
        "Where in the kernel's code, FUNCTION+0xOFFSET; absent when the kernel hides its addresses";
    }
}

fn port(packet: &Packet, end: Option<SocketAddr>) -> Option<u16> {
    end.map(|end| end.port()).filter(|_| packet.has_ports)
}

macro_rules! kinds {
    ($(#[doc = $summary:literal] $kind:ident = $name:literal;)*) => {
        $(#[doc = $summary]
        pub static $kind: Kind = Kind {
            signal: "drop",
            name: $name,
            summary: $summary.trim_ascii(),
            fields: DropFields::FIELDS,
        };)*
    };
}

kinds! {
    /// The kernel dropped a packet; of each reason and place at most ten a second are told
    PACKET_DROP = "packet_drop";
    /// The kernel threw a packet away in the ordinary course of things, without harm
    PACKET_DISCARD = "packet_discard";
}

impl Record for Drop {
    fn kind(&self) -> &'static Kind {
        if self.is_ordinary { &PACKET_DISCARD } else { &PACKET_DROP }
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        DropFields::visit(self, each);
    }

    fn event(&self) -> Event<'_> {
        Event::Drop(self)
    }
}
