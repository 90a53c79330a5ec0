//! Records of the `tcp` signal.

use std::net::SocketAddr;

use crate::process::Process;
use crate::time::Timestamp;

/// Which end of a connection this socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It called connect(2): `opener`.
    Opener,
    /// It came out of a listening socket: `acceptor`.
    Acceptor,
}

/// States of TCP (RFC 9293 and `include/net/tcp_states.h`), numbered as the kernel does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum State {
    Established = 1,
    SynSent,
    SynReceived,
    FinWait1,
    FinWait2,
    TimeWait,
    Close,
    CloseWait,
    LastAck,
    Listen,
    Closing,
    NewSynReceived,
}

/// Why a connection has no key: its sequence numbers cannot be compared with the other end's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoKey {
    /// TCP Fast Open carried data in the SYN: `fast_open`.
    FastOpen,
    /// A subflow of Multipath TCP: `mptcp`.
    Mptcp,
    /// The socket was restored by TCP_REPAIR: `repaired`.
    Repaired,
    /// Not yet established: `not_established`.
    NotEstablished,
    /// Which end opened it is not known: `role_unknown`.
    RoleUnknown,
}

/// One TCP connection, from one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// The connection key of docs/concepts: (opener's first byte << 32 | acceptor's first byte).
    pub key: Result<u64, NoKey>,
    /// Which end this is, when known.
    pub role: Option<Role>,
    /// Local address and port.
    pub local: SocketAddr,
    /// Peer's address and port.
    pub peer: SocketAddr,
    /// Inode number of the network namespace.
    pub net_namespace: u32,
    /// The kernel's socket cookie; 0 where no one asked for it yet.
    pub socket_cookie: u64,
    /// It was open before the probe was; its owner was found by looking, not by watching.
    pub opened_before_start: bool,
}

/// What a connection did in its life; filled on `tcp_close`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Payload bytes that the peer acknowledged.
    pub bytes_sent: u64,
    /// Payload bytes received in order.
    pub bytes_received: u64,
    /// Segments sent, retransmits and pure ACKs included.
    pub segments_sent: u64,
    /// Segments received.
    pub segments_received: u64,
    /// Segments retransmitted.
    pub retransmits: u64,
    /// Smoothed round-trip time in microseconds, when measured.
    pub smoothed_rtt_us: Option<u64>,
    /// Smallest round-trip time in microseconds, when measured.
    pub minimum_rtt_us: Option<u64>,
    /// From established (or first seen) to close, in nanoseconds.
    pub duration_ns: u64,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// `tcp_connect`: connect(2) sent the first SYN (or queued it).
    Connect,
    /// `tcp_established`: the opener's handshake ended well.
    Established {
        /// From connect to established, in nanoseconds.
        latency_ns: u64,
    },
    /// `tcp_connect_failed`: the handshake did not end well.
    ConnectFailed {
        /// The socket's error as errno (111 is ECONNREFUSED), 0 when the caller gave up.
        error: u32,
        /// From connect to failure, in nanoseconds.
        latency_ns: u64,
    },
    /// `tcp_accept`: accept(2) returned this connection.
    Accept {
        /// How long it lay in the accept queue, in nanoseconds, when its handshake was seen.
        queued_ns: Option<u64>,
    },
    /// `tcp_close`: the connection is gone.
    Close(Totals),
    /// `tcp_state`: a state change.
    StateChange {
        /// State before.
        old: State,
        /// State after.
        new: State,
    },
    /// `tcp_retransmit`: a segment was sent again.
    Retransmit {
        /// State of the connection.
        state: State,
    },
    /// `tcp_reset`: an RST was sent or received.
    Reset {
        /// True when sent, false when received.
        sent: bool,
        /// State of the connection, when a socket was there.
        state: Option<State>,
        /// The kernel's own reason (`enum sk_rst_reason`, kernel 6.10 and later), lower case.
        reason: Option<&'static str>,
    },
}

/// A record of the `tcp` signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tcp {
    /// When.
    pub time: Timestamp,
    /// The owner of this end, when known: who connected or accepted.
    pub process: Option<Process>,
    /// The connection.
    pub connection: Connection,
    /// What happened to it.
    pub happened: Happened,
}
