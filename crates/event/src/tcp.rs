//! Records of the `tcp` signal.

use std::net::SocketAddr;

use crate::process::Process;
use crate::time::Timestamp;

mod fields;

pub use fields::{
    ConnectionFields, TCP_ACCEPT, TCP_CLOSE, TCP_CONNECT, TCP_CONNECT_FAILED, TCP_CONNECT_RETRY,
    TCP_ESTABLISHED, TCP_LISTEN_DROP, TCP_RESET, TCP_RETRANSMIT, TCP_STATE, TCP_UPDATE, TcpFields,
};

/// Which end of a connection this socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It called connect(2): `opener`.
    Opener,
    /// It came out of a listening socket: `acceptor`.
    Acceptor,
}

impl Role {
    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            Role::Opener => "opener",
            Role::Acceptor => "acceptor",
        }
    }
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

impl State {
    /// The state that the kernel numbers so.
    pub fn from_kernel(number: u8) -> Option<State> {
        Some(match number {
            1 => State::Established,
            2 => State::SynSent,
            3 => State::SynReceived,
            4 => State::FinWait1,
            5 => State::FinWait2,
            6 => State::TimeWait,
            7 => State::Close,
            8 => State::CloseWait,
            9 => State::LastAck,
            10 => State::Listen,
            11 => State::Closing,
            12 => State::NewSynReceived,
            _ => return None,
        })
    }

    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            State::Established => "established",
            State::SynSent => "syn_sent",
            State::SynReceived => "syn_received",
            State::FinWait1 => "fin_wait_1",
            State::FinWait2 => "fin_wait_2",
            State::TimeWait => "time_wait",
            State::Close => "close",
            State::CloseWait => "close_wait",
            State::LastAck => "last_ack",
            State::Listen => "listen",
            State::Closing => "closing",
            State::NewSynReceived => "new_syn_received",
        }
    }
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

impl NoKey {
    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            NoKey::FastOpen => "fast_open",
            NoKey::Mptcp => "mptcp",
            NoKey::Repaired => "repaired",
            NoKey::NotEstablished => "not_established",
            NoKey::RoleUnknown => "role_unknown",
        }
    }
}

/// One TCP connection, from one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// The connection key (docs/concepts/connection-key.md): (opener's first byte << 32 | acceptor's first byte).
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

impl Connection {
    /// `ipv4` or `ipv6`: what travels, so IPv4 for IPv4-mapped addresses of an IPv6 socket.
    pub fn family(&self) -> &'static str {
        crate::socket::family(self.local, self.peer)
    }
}

/// What a connection did in its life, or so far; filled on `tcp_close` and `tcp_update`.
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
    /// How long the receiver's window was what held up sending, in nanoseconds (as `rwnd_limited` of `ss -i`).
    pub receive_window_limited_ns: u64,
    /// How long its own send buffer was (as `sndbuf_limited` of `ss -i`).
    pub send_buffer_limited_ns: u64,
    /// From established to close, or to now, in nanoseconds, when its opening was seen.
    pub duration_ns: Option<u64>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// `tcp_connect`: connect(2) sent the first SYN (or queued it).
    Connect,
    /// `tcp_established`: the opener's handshake ended well.
    Established {
        /// From connect to established, in nanoseconds, when the connect was seen.
        latency_ns: Option<u64>,
    },
    /// `tcp_connect_retry`: no answer yet, the SYN was sent again.
    ConnectRetry {
        /// Since connect, in nanoseconds, when the connect was seen.
        latency_ns: Option<u64>,
    },
    /// `tcp_connect_failed`: the handshake did not end well.
    ConnectFailed {
        /// The socket's error as errno (111 is ECONNREFUSED), 0 when the caller gave up or nothing
        /// could be sent.
        error: u32,
        /// From connect to failure, in nanoseconds, when the connect was seen.
        latency_ns: Option<u64>,
    },
    /// `tcp_accept`: accept(2) returned this connection.
    Accept {
        /// How long it lay in the accept queue, in nanoseconds, when its handshake was seen.
        queued_ns: Option<u64>,
    },
    /// `tcp_close`: the connection is gone.
    Close(Totals),
    /// `tcp_update`: the connection goes on, and more went over it than was told before.
    Update(Totals),
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
    /// `tcp_listen_drop`: a listening socket had no room for connections.
    ListenDrop {
        /// Segments that it dropped for that, SYNs and the last of handshakes, since it was told last.
        drops: u64,
        /// Connections that waited to be accepted at this moment.
        accept_queue: u64,
        /// So many can: the backlog of listen(2), or the system's limit.
        accept_queue_limit: u64,
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
    /// Of so many connections this one is told, drawn by its key: it stands for all of them. 1: all are told.
    pub sampled_one_in: u32,
    /// What happened to it.
    pub happened: Happened,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_numbered_as_the_kernel_does() {
        for number in 1..=12 {
            assert_eq!(State::from_kernel(number).map(|state| state as u8), Some(number));
        }
        assert_eq!(State::from_kernel(0), None);
        assert_eq!(State::from_kernel(13), None);
    }
}
