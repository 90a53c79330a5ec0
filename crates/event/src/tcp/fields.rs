//! The fields of the `tcp` signal's records: those of every connection once, and for each thing
//! that happens its own.

use super::{Connection, Happened, NoKey, Role, State, Tcp, Totals};
use crate::process::OwnerFields;
use crate::record::{Event, Field, Kind, Record};
use crate::socket::SampledFields;
use crate::time::Timestamp;
use crate::value::Value;

crate::fields! {
    /// One connection, from one end.
    pub struct ConnectionFields(connection: &Connection) = [] {
        "connection.local", "LOCAL", 21, TableOnly, Endpoint(connection.local),
        "Local address and port";
        "connection.peer", "PEER", 21, TableOnly, Endpoint(connection.peer),
        "Peer's address and port";
        "connection.key", "KEY", 16, Wide, Hex(connection.key.ok()),
        "Connection key, equal at both ends whatever NAT lies between";
        "connection.key_absent", "KEY_ABSENT", 15, Json,
        Word(connection.key.err().map(NoKey::word)),
        "Why there is no key: fast_open, mptcp, repaired, not_established or role_unknown";
        "connection.family", "FAMILY", 6, Json, Word(connection.family()),
        "ipv4 or ipv6; an IPv4-mapped IPv6 address counts, and is written, as IPv4";
        "connection.protocol", "PROTOCOL", 8, Json, Word("tcp"),
        "tcp";
        "connection.local.address", "LOCAL_ADDRESS", 15, Json,
        Address(connection.local.ip().to_canonical()),
        "Local address";
        "connection.local.port", "LOCAL_PORT", 10, Json, Number(Some(connection.local.port()).filter(|port| *port != 0)),
        "Local port; absent while the kernel has not chosen it yet";
        "connection.peer.address", "PEER_ADDRESS", 15, Json,
        Address(connection.peer.ip().to_canonical()),
        "Peer's address";
        "connection.peer.port", "PEER_PORT", 9, Json, Number(connection.peer.port()),
        "Peer's port";
        "connection.role", "ROLE", 8, Wide, Word(connection.role.map(Role::word)),
        "Whether this end is the opener, which called connect(2), or the acceptor";
        "connection.net_namespace", "NET_NS", 10, Wide,
        Number(Some(connection.net_namespace).filter(|inode| *inode != 0)),
        "Inode number of the network namespace";
        "connection.socket_cookie", "COOKIE", 8, Json,
        Big(Some(connection.socket_cookie).filter(|cookie| *cookie != 0)),
        "The kernel's socket cookie, when someone asked for it";
        "connection.opened_before_start", "OLDER", 5, Json, Bool(connection.opened_before_start),
        "Its opening was not seen: it was open before Chandra started, or too many were open to remember it";
    }
}

crate::fields! {
    /// The fields that every record of the `tcp` signal has.
    pub struct TcpFields(tcp: &Tcp) = [
        OwnerFields(tcp.process.as_ref()), SampledFields(&tcp.sampled_one_in),
        ConnectionFields(&tcp.connection)
    ] {}
}

crate::fields! {
    /// The connection's state, within the object of the connection.
    struct StateFields(state: &State) = [] {
        "connection.state", "STATE", 16, Table, Word(state.word()),
        "State of the connection";
    }
}

crate::fields! {
    /// What a connection did in its life.
    struct TotalsFields(totals: &Totals) = [] {
        "bytes_sent", "SENT", 7, Table, Big(totals.bytes_sent),
        "Payload bytes that the peer acknowledged";
        "bytes_received", "RECEIVED", 8, Table, Big(totals.bytes_received),
        "Payload bytes received in order";
        "segments_sent", "SEGS_SENT", 9, Wide, Number(totals.segments_sent),
        "Segments sent, retransmits and pure ACKs included";
        "segments_received", "SEGS_RECEIVED", 13, Wide, Number(totals.segments_received),
        "Segments received";
        "retransmits", "RETRANSMITS", 11, Table, Number(totals.retransmits),
        "Segments sent again";
        "smoothed_rtt_us", "RTT", 6, Table, Number(totals.smoothed_rtt_us),
        "Smoothed round-trip time, when measured";
        "minimum_rtt_us", "MIN_RTT", 7, Wide, Number(totals.minimum_rtt_us),
        "Smallest round-trip time, when measured";
        "receive_window_limited_ns", "WINDOW_LIMITED", 14, Wide, Number(totals.receive_window_limited_ns),
        "How long the receiver's window, which it had no room for more in, was what held up sending";
        "send_buffer_limited_ns", "BUFFER_LIMITED", 14, Wide, Number(totals.send_buffer_limited_ns),
        "How long the own send buffer, which was too small, was what held up sending";
        "duration_ns", "DURATION", 8, Table, Number(totals.duration_ns),
        "From established to close, or to the record, when its opening was seen";
    }
}

crate::record! {
    /// connect(2) sent the first SYN, or queued it
    pub static TCP_CONNECT: Kind = ("tcp", "tcp_connect");
    struct ConnectFields(tcp: &Tcp) = [TcpFields(tcp)] {}
}

crate::record! {
    /// The opener's handshake ended well
    pub static TCP_ESTABLISHED: Kind = ("tcp", "tcp_established");
    struct EstablishedFields(tcp: &Tcp) = [TcpFields(tcp)] {
        "latency_ns", "LATENCY", 7, Table, Number(tcp.happened.latency_ns()),
        "From connect to established, when that was seen";
    }
}

crate::record! {
    /// No answer to the opener's SYN yet: it was sent again
    pub static TCP_CONNECT_RETRY: Kind = ("tcp", "tcp_connect_retry");
    struct ConnectRetryFields(tcp: &Tcp) = [TcpFields(tcp)] {
        "latency_ns", "LATENCY", 7, Table, Number(tcp.happened.latency_ns()),
        "Since connect, when that was seen";
    }
}

crate::record! {
    /// The opener's handshake did not end well
    pub static TCP_CONNECT_FAILED: Kind = ("tcp", "tcp_connect_failed");
    struct ConnectFailedFields(tcp: &Tcp) = [TcpFields(tcp)] {
        "latency_ns", "LATENCY", 7, Table, Number(tcp.happened.latency_ns()),
        "From connect to failure, when that was seen";
        "error", "ERROR", 12, Table, Errno(tcp.happened.error()),
        "The socket's error; absent when the caller gave up or nothing could be sent";
        "error_number", "ERRNO", 5, Json, Number(tcp.happened.error()),
        "Number of that error";
    }
}

crate::record! {
    /// accept(2) returned a connection
    pub static TCP_ACCEPT: Kind = ("tcp", "tcp_accept");
    struct AcceptFields(tcp: &Tcp) = [TcpFields(tcp)] {
        "queued_ns", "QUEUED", 7, Table, Number(tcp.happened.queued_ns()),
        "How long it lay in the accept queue, when its handshake was seen";
    }
}

crate::record! {
    /// A connection is gone
    pub static TCP_CLOSE: Kind = ("tcp", "tcp_close");
    struct CloseFields(tcp: &Tcp) = [TcpFields(tcp), TotalsFields(tcp.happened.totals())] {}
}

crate::record! {
    /// A connection goes on, and more went over it than was told before
    pub static TCP_UPDATE: Kind = ("tcp", "tcp_update");
    struct UpdateFields(tcp: &Tcp) = [TcpFields(tcp), TotalsFields(tcp.happened.totals())] {}
}

crate::record! {
    /// A connection changed its state
    pub static TCP_STATE: Kind = ("tcp", "tcp_state");
    struct StateChangeFields(tcp: &Tcp) = [TcpFields(tcp)] {
        "old_state", "OLD_STATE", 16, Table,
        Word(tcp.happened.state_change().map(|(old, _)| old.word())),
        "State before";
        "new_state", "NEW_STATE", 16, Table,
        Word(tcp.happened.state_change().map(|(_, new)| new.word())),
        "State after";
    }
}

crate::record! {
    /// A segment was sent again
    pub static TCP_RETRANSMIT: Kind = ("tcp", "tcp_retransmit");
    struct RetransmitFields(tcp: &Tcp) = [TcpFields(tcp), StateFields(tcp.happened.state())] {}
}

crate::record! {
    /// An RST was sent or received
    pub static TCP_RESET: Kind = ("tcp", "tcp_reset");
    struct ResetFields(tcp: &Tcp) = [TcpFields(tcp), StateFields(tcp.happened.state())] {
        "direction", "DIRECTION", 9, Table,
        Word(tcp.happened.reset_sent().map(|sent| if sent { "sent" } else { "received" })),
        "sent or received";
        "reason", "REASON", 20, Table, Word(tcp.happened.reset_reason()),
        "The kernel's own reason (kernel 6.10 and later)";
    }
}

crate::record! {
    /// A listening socket had no room for connections, since that was told last
    pub static TCP_LISTEN_DROP: Kind = ("tcp", "tcp_listen_drop");
    struct ListenDropFields(tcp: &Tcp) = [TcpFields(tcp)] {
        "drops", "DROPPED", 7, Table, Number(tcp.happened.listen_drop().map(|it| it.0)),
        "SYNs and last segments of handshakes that it dropped for that";
        "accept_queue", "QUEUE", 5, Table, Number(tcp.happened.listen_drop().map(|it| it.1)),
        "Connections that waited to be accepted when it was looked at";
        "accept_queue_limit", "BACKLOG", 7, Table, Number(tcp.happened.listen_drop().map(|it| it.2)),
        "So many can: the backlog of listen(2), net.core.somaxconn at most";
    }
}

/// What each thing that happens knows; nothing of the others.
impl Happened {
    fn latency_ns(&self) -> Option<u64> {
        match *self {
            Happened::Established { latency_ns } | Happened::ConnectRetry { latency_ns } => {
                latency_ns
            }
            Happened::ConnectFailed { latency_ns, .. } => latency_ns,
            _ => None,
        }
    }

    fn error(&self) -> Option<u32> {
        match *self {
            Happened::ConnectFailed { error, .. } => Some(error).filter(|error| *error != 0),
            _ => None,
        }
    }

    fn queued_ns(&self) -> Option<u64> {
        match *self {
            Happened::Accept { queued_ns } => queued_ns,
            _ => None,
        }
    }

    fn totals(&self) -> Option<&Totals> {
        match self {
            Happened::Close(totals) | Happened::Update(totals) => Some(totals),
            _ => None,
        }
    }

    fn state_change(&self) -> Option<(State, State)> {
        match *self {
            Happened::StateChange { old, new } => Some((old, new)),
            _ => None,
        }
    }

    /// Drops, and the accept queue with its limit.
    fn listen_drop(&self) -> Option<(u64, u64, u64)> {
        match *self {
            Happened::ListenDrop { drops, accept_queue, accept_queue_limit } => {
                Some((drops, accept_queue, accept_queue_limit))
            }
            _ => None,
        }
    }

    fn state(&self) -> Option<&State> {
        match self {
            Happened::Retransmit { state } => Some(state),
            Happened::Reset { state, .. } => state.as_ref(),
            _ => None,
        }
    }

    fn reset_sent(&self) -> Option<bool> {
        match *self {
            Happened::Reset { sent, .. } => Some(sent),
            _ => None,
        }
    }

    fn reset_reason(&self) -> Option<&'static str> {
        match *self {
            Happened::Reset { reason, .. } => reason,
            _ => None,
        }
    }
}

impl Record for Tcp {
    fn kind(&self) -> &'static Kind {
        match self.happened {
            Happened::Connect => &TCP_CONNECT,
            Happened::Established { .. } => &TCP_ESTABLISHED,
            Happened::ConnectRetry { .. } => &TCP_CONNECT_RETRY,
            Happened::ConnectFailed { .. } => &TCP_CONNECT_FAILED,
            Happened::Accept { .. } => &TCP_ACCEPT,
            Happened::Close(_) => &TCP_CLOSE,
            Happened::Update(_) => &TCP_UPDATE,
            Happened::StateChange { .. } => &TCP_STATE,
            Happened::Retransmit { .. } => &TCP_RETRANSMIT,
            Happened::Reset { .. } => &TCP_RESET,
            Happened::ListenDrop { .. } => &TCP_LISTEN_DROP,
        }
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        match self.happened {
            Happened::Connect => ConnectFields::visit(self, each),
            Happened::Established { .. } => EstablishedFields::visit(self, each),
            Happened::ConnectRetry { .. } => ConnectRetryFields::visit(self, each),
            Happened::ConnectFailed { .. } => ConnectFailedFields::visit(self, each),
            Happened::Accept { .. } => AcceptFields::visit(self, each),
            Happened::Close(_) => CloseFields::visit(self, each),
            Happened::Update(_) => UpdateFields::visit(self, each),
            Happened::StateChange { .. } => StateChangeFields::visit(self, each),
            Happened::Retransmit { .. } => RetransmitFields::visit(self, each),
            Happened::Reset { .. } => ResetFields::visit(self, each),
            Happened::ListenDrop { .. } => ListenDropFields::visit(self, each),
        }
    }

    fn event(&self) -> Event<'_> {
        Event::Tcp(self)
    }
}
