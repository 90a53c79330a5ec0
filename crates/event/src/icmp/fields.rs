//! The fields of the `icmp` signal's records: the same for all kinds.

use super::{Class, Icmp, Quoted, code_word, type_word};
use crate::drop::InterfaceFields;
use crate::drop::ip_protocol_word;
use crate::process::OwnerFields;
use crate::record::{Event, Field, Kind, Record};
use crate::time::Timestamp;
use crate::value::Value;

crate::fields! {
    /// From whom to whom.
    struct PacketFields(icmp: &Icmp) = [] {
        "packet.source.address", "FROM", 15, Table, Address(icmp.source),
        "Source address; absent of an error that a router sends where only icmp_send tells of it";
        "packet.destination.address", "TO", 15, Table, Address(icmp.destination),
        "Destination address";
        "packet.protocol", "PROTOCOL", 8, Wide, Word(icmp.version().word()),
        "icmp or icmpv6";
        "packet.hop_limit", "HOP_LIMIT", 9, Wide, Number(icmp.hop_limit),
        "Time to live (IPv4) or hop limit (IPv6) of what came in";
    }
}

crate::fields! {
    /// The message.
    struct MessageFields(icmp: &Icmp) = [] {
        "icmp.type", "MESSAGE", 23, Table, Word(type_word(icmp.version(), icmp.type_number)),
        "What it is: echo_request, echo_reply, destination_unreachable, packet_too_big, time_exceeded, …";
        "icmp.code", "REASON", 20, Table,
        Word(code_word(icmp.version(), icmp.type_number, icmp.code)),
        "What its code says: port_unreachable, fragmentation_needed, ttl_exceeded, …";
        "icmp.type_number", "ICMP_TYPE", 9, Wide, Number(icmp.type_number),
        "Number of the type";
        "icmp.code_number", "ICMP_CODE", 9, Wide, Number(icmp.code),
        "Number of the code";
        "icmp.id", "ID", 5, Wide, Number(icmp.echo().map(|echo| echo.id)),
        "Identifier of an echo";
        "icmp.sequence", "SEQ", 5, Table, Number(icmp.echo().map(|echo| echo.sequence)),
        "Sequence number of an echo";
        "icmp.mtu", "MTU", 5, Table, Number(icmp.mtu()),
        "Bytes of the largest packet that the next link takes (fragmentation needed, packet too big)";
        "icmp.pointer", "POINTER", 7, Wide, Number(icmp.pointer()),
        "Where in the quoted packet the problem is, in bytes (parameter problem)";
        "icmp.gateway", "GATEWAY", 15, Wide, Address(icmp.gateway()),
        "The better first hop (redirect)";
        "icmp.message_bytes", "MESSAGE_BYTES", 13, Wide, Number(icmp.message_bytes),
        "Bytes of the message, its header included";
        "icmp.malformed", "MALFORMED", 13, Wide, Word(icmp.malformed.map(super::Malformed::word)),
        "Why the quoted packet cannot be read: ends_too_soon, not_ip, bad_header";
    }
}

crate::fields! {
    /// The packet that an error is about.
    struct QuotedFields(quoted: &Quoted) = [] {
        "quoted.protocol", "QUOTED", 8, Table, Word(quoted.protocol.and_then(ip_protocol_word)),
        "What failed: tcp, udp, icmp, icmpv6, sctp, …";
        "quoted.source", "QUOTED_SOURCE", 21, TableOnly, Endpoint(quoted.source),
        "Source address and port of the quoted packet; port 0 where there is none";
        "quoted.destination", "QUOTED_DESTINATION", 21, TableOnly, Endpoint(quoted.destination),
        "Destination address and port of the quoted packet; port 0 where there is none";
        "quoted.ip_protocol", "QUOTED_IP_PROTOCOL", 18, Json, Number(quoted.protocol),
        "Number of what IP carries in the quoted packet";
        "quoted.source.address", "QUOTED_SOURCE_ADDRESS", 21, Json, Address(quoted.source.ip()),
        "Source address of the quoted packet";
        "quoted.source.port", "QUOTED_SOURCE_PORT", 18, Json,
        Number(Some(quoted.source.port()).filter(|_| quoted.has_ports)),
        "Source port of the quoted packet";
        "quoted.destination.address", "QUOTED_DESTINATION_ADDRESS", 26, Json,
        Address(quoted.destination.ip()),
        "Destination address of the quoted packet";
        "quoted.destination.port", "QUOTED_DESTINATION_PORT", 23, Json,
        Number(Some(quoted.destination.port()).filter(|_| quoted.has_ports)),
        "Destination port of the quoted packet";
        "quoted.icmp_type", "QUOTED_ICMP_TYPE", 16, Json, Number(quoted.icmp_type),
        "Type of the quoted message of ICMP or ICMPv6";
        "quoted.icmp_id", "QUOTED_ID", 9, Json, Number(quoted.echo.map(|echo| echo.id)),
        "Identifier of the quoted echo";
        "quoted.icmp_sequence", "QUOTED_SEQ", 10, Json,
        Number(quoted.echo.map(|echo| echo.sequence)),
        "Sequence number of the quoted echo";
        "quoted.is_fragment", "QUOTED_FRAGMENT", 15, Json,
        Bool(quoted.is_fragment.then_some(true)),
        "The quoted packet is a fragment, the first of which alone has ports; absent for others";
        "quoted.length_bytes", "QUOTED_BYTES", 12, Wide, Number(quoted.length_bytes),
        "Bytes of the quoted packet, as its header says";
    }
}

crate::fields! {
    /// The fields of every record of the `icmp` signal.
    pub struct IcmpFields(icmp: &Icmp) = [
        OwnerFields(icmp.process.as_ref()),
        PacketFields(icmp),
        InterfaceFields(icmp.interface.as_ref()),
        MessageFields(icmp),
        QuotedFields(icmp.quoted.as_ref())
    ] {
        "direction", "DIRECTION", 9, Table, Word(icmp.direction.word()),
        "received: it came in for this machine; sent: it was made here";
        "net_namespace", "NET_NS", 10, Wide,
        Number(Some(icmp.net_namespace).filter(|inode| *inode != 0)),
        "Inode number of the network namespace";
        "socket_cookie", "COOKIE", 8, Json,
        Big(Some(icmp.socket_cookie).filter(|cookie| *cookie != 0)),
        "The kernel's cookie of the program's socket that sends or gets it";
        "latency_ns", "LATENCY", 7, Table, Number(icmp.latency_ns),
        "Time from the echo request to this reply, where the request was seen";
    }
}

macro_rules! kinds {
    ($(#[doc = $summary:literal] $kind:ident = $name:literal;)*) => {
        $(#[doc = $summary]
        pub static $kind: Kind = Kind {
            signal: "icmp",
            name: $name,
            summary: $summary.trim_ascii(),
            fields: IcmpFields::FIELDS,
        };)*
    };
}

kinds! {
    /// An error of ICMP: a packet failed, or should go another way; `quoted` is that packet
    ICMP_ERROR = "icmp_error";
    /// An echo request or reply (ping)
    ICMP_ECHO = "icmp_echo";
    /// Any other message of ICMP: neighbour discovery, multicast listeners, timestamps, …
    ICMP_OTHER = "icmp_other";
}

impl Record for Icmp {
    fn kind(&self) -> &'static Kind {
        match self.class {
            Class::Error => &ICMP_ERROR,
            Class::Echo => &ICMP_ECHO,
            Class::Other => &ICMP_OTHER,
        }
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        IcmpFields::visit(self, each);
    }

    fn event(&self) -> Event<'_> {
        Event::Icmp(self)
    }
}
