//! The two ends of a socket, where there need be no connection between them.

use std::net::SocketAddr;

/// What carries the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// `tcp`
    #[default]
    Tcp,
    /// `udp`
    Udp,
}

impl Transport {
    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        }
    }
}

/// Which part an end takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It asks: `client`.
    Client,
    /// It answers: `server`.
    Server,
}

impl Part {
    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            Part::Client => "client",
            Part::Server => "server",
        }
    }
}

/// A socket, and whom it has to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// What carries the data.
    pub transport: Transport,
    /// Which part this end takes, when known.
    pub part: Option<Part>,
    /// Local address and port.
    pub local: SocketAddr,
    /// Peer's address and port.
    pub peer: SocketAddr,
    /// Inode number of the network namespace.
    pub net_namespace: u32,
    /// The kernel's socket cookie.
    pub cookie: u64,
}

/// `ipv4` or `ipv6`: what travels, so IPv4 for IPv4-mapped addresses of an IPv6 socket.
pub(crate) fn family(local: SocketAddr, peer: SocketAddr) -> &'static str {
    let is_ipv4 = |end: SocketAddr| end.ip().to_canonical().is_ipv4();
    if is_ipv4(peer) || is_ipv4(local) { "ipv4" } else { "ipv6" }
}

crate::fields! {
    /// How many connections or conversations a record is told for.
    pub struct SampledFields(one_in: &u32) = [] {
        "sampled_one_in", "SAMPLED", 7, Json, Number(Some(*one_in).filter(|one_in| *one_in != 1)),
        "Of so many connections or conversations one was told, drawn by what both ends have, so that it stands for all of them; absent where all are told";
    }
}

crate::fields! {
    /// The two ends of a socket, as of every connection.
    pub struct EndsFields(ends: &Ends) = [] {
        "connection.local", "LOCAL", 21, TableOnly, Endpoint(ends.local),
        "Local address and port";
        "connection.peer", "PEER", 21, TableOnly, Endpoint(ends.peer),
        "Peer's address and port";
        "connection.family", "FAMILY", 6, Json, Word(family(ends.local, ends.peer)),
        "ipv4 or ipv6; an IPv4-mapped IPv6 address counts, and is written, as IPv4";
        "connection.protocol", "PROTOCOL", 8, Wide, Word(ends.transport.word()),
        "tcp or udp";
        "connection.local.address", "LOCAL_ADDRESS", 15, Json,
        Address(ends.local.ip().to_canonical()),
        "Local address";
        "connection.local.port", "LOCAL_PORT", 10, Json, Number(ends.local.port()),
        "Local port";
        "connection.peer.address", "PEER_ADDRESS", 15, Json,
        Address(ends.peer.ip().to_canonical()),
        "Peer's address";
        "connection.peer.port", "PEER_PORT", 9, Json, Number(ends.peer.port()),
        "Peer's port";
        "connection.role", "ROLE", 6, Table, Word(ends.part.map(Part::word)),
        "Whether this end is the client, which asks, or the server, which answers";
        "connection.net_namespace", "NET_NS", 10, Wide, Number(ends.net_namespace),
        "Inode number of the network namespace";
        "connection.socket_cookie", "COOKIE", 8, Json, Big(ends.cookie),
        "The kernel's socket cookie";
    }
}
