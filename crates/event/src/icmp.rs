//! Records of the `icmp` signal: messages of ICMP (RFC 792) and ICMPv6 (RFC 4443).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::drop::{Direction, Interface};
use crate::process::Process;
use crate::time::Timestamp;

mod fields;
mod names;
mod quoted;

pub use fields::{ICMP_ECHO, ICMP_ERROR, ICMP_OTHER, IcmpFields};
pub use names::{code_word, type_word};
pub use quoted::{Echo, Malformed, Quoted, Redirected, redirected};

/// Which of the two protocols it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// ICMP, over IPv4: `icmp`.
    V4,
    /// ICMPv6: `icmpv6`.
    V6,
}

impl Version {
    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            Version::V4 => "icmp",
            Version::V6 => "icmpv6",
        }
    }
}

/// What sets the kinds of records apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It tells that a packet failed, or should go another way, and quotes it: `icmp_error`.
    Error,
    /// An echo request or its reply (ping): `icmp_echo`.
    Echo,
    /// Anything else: neighbour discovery, multicast listeners, timestamps: `icmp_other`.
    Other,
}

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icmp {
    /// When.
    pub time: Timestamp,
    /// The process that sent it, or that sent the request which it answers; absent for what the kernel
    /// sends, and for what comes in otherwise.
    pub process: Option<Process>,
    /// What it is.
    pub class: Class,
    /// Whether it came in or was made here.
    pub direction: Direction,
    /// Source; absent where the kernel has not said it yet.
    pub source: Option<IpAddr>,
    /// Destination.
    pub destination: IpAddr,
    /// Type (IANA's numbers).
    pub type_number: u8,
    /// Code of that type.
    pub code: u8,
    /// Bytes four to seven of the message, whose meaning depends on the type.
    pub word: Option<[u8; 4]>,
    /// Bytes of the message, its header included; absent where not known.
    pub message_bytes: Option<u32>,
    /// What was left of its hops as it came in: time to live of IPv4, hop limit of IPv6.
    pub hop_limit: Option<u8>,
    /// The better first hop that a redirect of IPv6 names.
    pub target: Option<IpAddr>,
    /// The packet that it is about, as far as it is quoted.
    pub quoted: Option<Quoted>,
    /// Why that cannot be read.
    pub malformed: Option<Malformed>,
    /// From the echo request to this reply.
    pub latency_ns: Option<u64>,
    /// The interface by which it came or goes.
    pub interface: Option<Interface>,
    /// Inode number of the network namespace.
    pub net_namespace: u32,
    /// The kernel's cookie of the program's socket that sends or gets it; 0 where there is none.
    pub socket_cookie: u64,
}

impl Icmp {
    /// The protocol.
    pub fn version(&self) -> Version {
        if self.destination.is_ipv4() { Version::V4 } else { Version::V6 }
    }

    /// The other end, seen from where it was observed. There are no ports: 0.
    pub fn peer(&self) -> Option<SocketAddr> {
        let peer = match self.direction {
            Direction::Received => self.source,
            Direction::Sent => Some(self.destination),
        };
        peer.map(|peer| SocketAddr::new(peer, 0))
    }

    /// Identifier and sequence number of an echo request or reply.
    pub fn echo(&self) -> Option<Echo> {
        self.word.filter(|_| self.class == Class::Echo).map(Echo::new)
    }

    /// The largest packet, in bytes, that the link to the next hop takes. Routers before RFC 1191 say 0,
    /// which is absent.
    pub fn mtu(&self) -> Option<u32> {
        let [_, _, high, low] = self.word?;
        let mtu = match (self.version(), self.type_number, self.code) {
            (Version::V4, 3, 4) => u32::from(u16::from_be_bytes([high, low])),
            (Version::V6, 2, _) => u32::from_be_bytes(self.word?),
            _ => 0,
        };
        Some(mtu).filter(|mtu| *mtu != 0)
    }

    /// Where in the quoted packet the problem is (parameter problem), in bytes from its beginning.
    pub fn pointer(&self) -> Option<u32> {
        let [first, ..] = self.word?;
        match (self.version(), self.type_number, self.code) {
            (Version::V4, 12, 0) => Some(first.into()),
            (Version::V6, 4, _) => self.word.map(u32::from_be_bytes),
            _ => None,
        }
    }

    /// The better first hop that a redirect names.
    pub fn gateway(&self) -> Option<IpAddr> {
        match (self.version(), self.type_number) {
            (Version::V4, 5) => self.word.map(|word| Ipv4Addr::from(word).into()),
            _ => self.target,
        }
    }
}

#[cfg(test)]
mod tests;
