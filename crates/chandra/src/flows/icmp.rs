//! Messages of ICMP and ICMPv6, as flows.
//!
//! An error is a flow of its own, from who sent the error to who gets it; the connection that it is about is in
//! the flow's details. As Hubble has it, the reply to an echo is a reply, and an error, which belongs to a
//! connection but is no packet of it, is none.

use std::net::SocketAddr;
use std::sync::Arc;

use chandra_event::drop::Direction;
use chandra_event::icmp::{self as event, Class, Version};
use chandra_hubble::flow::{Icmp, QuotedPacket, Verdict};

use super::endpoints::{Carried, Seen};

/// What went over the wire; `None` of what is neither an error nor an echo.
pub fn seen(icmp: &event::Icmp) -> Option<Seen> {
    let is_reply = match icmp.class {
        Class::Error => false,
        Class::Echo => is_echo_reply(icmp),
        Class::Other => return None,
    };
    let carried = match icmp.version() {
        Version::V4 => Carried::Icmpv4(icmp.type_number, icmp.code),
        Version::V6 => Carried::Icmpv6(icmp.type_number, icmp.code),
    };
    let is_sent = icmp.direction == Direction::Sent;
    Some(Seen { is_sent, is_reply: Some(is_reply), carried, verdict: Verdict::Forwarded })
}

/// RFC 792, RFC 4443.
fn is_echo_reply(icmp: &event::Icmp) -> bool {
    matches!((icmp.version(), icmp.type_number), (Version::V4, 0) | (Version::V6, 129))
}

/// The observed end and the other one, which have no ports: 0.
pub fn ends(icmp: &event::Icmp) -> Option<(SocketAddr, SocketAddr)> {
    let end = |address| SocketAddr::new(address, 0);
    let (source, destination) = (end(icmp.source?), end(icmp.destination));
    Some(match icmp.direction {
        Direction::Sent => (source, destination),
        Direction::Received => (destination, source),
    })
}

/// What it says beyond its type and code.
pub fn details(icmp: &event::Icmp) -> Arc<Icmp> {
    let echo = icmp.echo();
    Arc::new(Icmp {
        id: echo.map(|echo| echo.id.into()),
        sequence: echo.map(|echo| echo.sequence.into()),
        mtu: icmp.mtu().unwrap_or_default(),
        gateway: icmp.gateway().map(|gateway| gateway.to_string()).unwrap_or_default(),
        quoted: icmp.quoted.as_ref().map(quoted),
    })
}

fn quoted(packet: &event::Quoted) -> QuotedPacket {
    let port = |end: SocketAddr| packet.has_ports.then(|| end.port().into());
    QuotedPacket {
        protocol: packet.protocol.map(u32::from),
        source: packet.source.ip().to_string(),
        destination: packet.destination.ip().to_string(),
        source_port: port(packet.source),
        destination_port: port(packet.destination),
        length_bytes: packet.length_bytes,
    }
}
