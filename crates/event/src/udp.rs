//! Records of the `udp` signal.

use crate::process::Process;
use crate::socket::Ends;
use crate::time::Timestamp;

mod fields;

pub use fields::{UDP_CLOSE, UDP_OPEN, UDP_REPLY, UDP_UPDATE};

/// Why a conversation is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its socket was closed: `socket_closed`.
    SocketClosed,
    /// Nothing was sent or received for twice the interval: `idle`.
    Idle,
    /// It was quiet for longer than others when there was no room for a new one: `evicted`.
    Evicted,
}

impl End {
    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            End::SocketClosed => "socket_closed",
            End::Idle => "idle",
            End::Evicted => "evicted",
        }
    }
}

/// What went over a conversation since its first datagram. Bytes are those of payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Datagrams sent.
    pub datagrams_sent: u64,
    /// Datagrams that reached the socket, whether it had room for them or not.
    pub datagrams_received: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Of all that its socket received, with whomever: datagrams for which it had no room.
    pub socket_drops: u64,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// `udp_open`: the first datagram.
    Open,
    /// `udp_reply`: the first datagram the other way.
    Reply,
    /// `udp_update`: it goes on.
    Update,
    /// `udp_close`: it is over.
    Close(End),
}

/// A record of the `udp` signal: a conversation between a socket and one peer, from the socket's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Udp {
    /// When.
    pub time: Timestamp,
    /// Who sent through the socket last, else who bound it, when known.
    pub process: Option<Process>,
    /// The socket and its peer.
    pub ends: Ends,
    /// The socket was open before the probe was, so what was seen first may not be what came first.
    pub opened_before_start: bool,
    /// Of so many conversations this one is told, drawn by its ends: it stands for all of them. 1: all are told.
    pub sampled_one_in: u32,
    /// The first datagram that was seen came from the peer.
    pub received_first: bool,
    /// What went over it so far.
    pub totals: Totals,
    /// From its first datagram to its last so far, in nanoseconds.
    pub duration_ns: u64,
    /// What happened to it.
    pub happened: Happened,
}
