//! The `tcp` signal: connections from their opening to their close.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use chandra_event::record::{Kind, Record};
use chandra_event::tcp::{
    Connection, Happened, NoKey, Role, State, TCP_ACCEPT, TCP_CLOSE, TCP_CONNECT,
    TCP_CONNECT_FAILED, TCP_CONNECT_RETRY, TCP_ESTABLISHED, TCP_LISTEN_DROP, TCP_RESET, TCP_RETRANSMIT, TCP_STATE,
    TCP_UPDATE, Tcp, Totals,
};
use chandra_loader::load::Loaded;

use crate::one_in::one_in;
use crate::process::process;
use crate::registry::{Context, DecodeError};

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    use chandra_loader::abi::Process;
    include!(concat!(env!("OUT_DIR"), "/tcp.rs"));
}
use wire::{TcpRecord, tcp_flag, tcp_key_state, tcp_kind, tcp_role};

/// Kinds of records of this signal.
pub const KINDS: &[&Kind] = &[
    &TCP_CONNECT,
    &TCP_ESTABLISHED,
    &TCP_CONNECT_FAILED,
    &TCP_ACCEPT,
    &TCP_CLOSE,
    &TCP_STATE,
    &TCP_RETRANSMIT,
    &TCP_RESET,
    &TCP_CONNECT_RETRY,
    &TCP_UPDATE,
    &TCP_LISTEN_DROP,
];

/// Decodes one record.
pub fn decode(
    bytes: &[u8],
    context: &Context,
    sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), DecodeError> {
    let record = TcpRecord::read(bytes).ok_or(DecodeError::Short(bytes.len()))?;
    let known = record.flags & tcp_flag::TCP_OWNER_KNOWN != 0;
    sink(&Tcp {
        time: context.clock.get().event_time(record.time_ns),
        process: known.then(|| process(&record.process, &context.clock.get())),
        connection: connection(&record)?,
        sampled_one_in: one_in(record.one_in_log2).ok_or(DecodeError::Value("one_in"))?,
        happened: happened(&record, context)?,
    });
    Ok(())
}

/// Lets the probe find the connections that are open already; it remembers them itself. Where it
/// cannot look, it meets each when something happens to it.
pub fn seed(loaded: &Loaded, _context: &Context, _sink: &mut dyn FnMut(&dyn Record)) -> usize {
    let mut keys = Vec::new();
    let _ = loaded.iterate("open", &mut keys);
    keys.len() / size_of::<u64>()
}

/// A group's code is the kernel's reason for a reset.
pub fn code_text(reason: u32, context: &Context) -> String {
    context.reset_reason(reason).map_or_else(|| "-".to_owned(), str::to_owned)
}

fn connection(record: &TcpRecord) -> Result<Connection, DecodeError> {
    let key = u64::from(record.opener_sequence) << 32 | u64::from(record.acceptor_sequence);
    Ok(Connection {
        key: match u32::from(record.key_state) {
            tcp_key_state::KEY_VALID => Ok(key),
            tcp_key_state::KEY_FAST_OPEN => Err(NoKey::FastOpen),
            tcp_key_state::KEY_MPTCP => Err(NoKey::Mptcp),
            tcp_key_state::KEY_REPAIRED => Err(NoKey::Repaired),
            tcp_key_state::KEY_ROLE_UNKNOWN => Err(NoKey::RoleUnknown),
            tcp_key_state::KEY_NOT_ESTABLISHED => Err(NoKey::NotEstablished),
            _ => return Err(DecodeError::Value("key_state")),
        },
        role: match u32::from(record.role) {
            tcp_role::ROLE_OPENER => Some(Role::Opener),
            tcp_role::ROLE_ACCEPTOR => Some(Role::Acceptor),
            _ => None,
        },
        local: address(record.family, record.local_address, record.local_port)?,
        peer: address(record.family, record.peer_address, record.peer_port)?,
        net_namespace: record.net_namespace,
        socket_cookie: record.socket_cookie,
        opened_before_start: record.flags & tcp_flag::TCP_OPENED_BEFORE_START != 0,
    })
}

/// An address of the kernel's family number.
pub(crate) fn address(family: u8, bytes: [u8; 16], port: u16) -> Result<SocketAddr, DecodeError> {
    let [a, b, c, d, ..] = bytes;
    let address = match i32::from(family) {
        AF_INET => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        AF_INET6 => IpAddr::V6(Ipv6Addr::from(bytes)),
        _ => return Err(DecodeError::Value("family")),
    };
    Ok(SocketAddr::new(address, port))
}

/// `include/linux/socket.h`; the same on every architecture.
const AF_INET: i32 = 2;
const AF_INET6: i32 = 10;

fn happened(record: &TcpRecord, context: &Context) -> Result<Happened, DecodeError> {
    let state = |number, name| State::from_kernel(number).ok_or(DecodeError::Value(name));
    let opening_seen = record.flags & tcp_flag::TCP_HANDSHAKE_SEEN != 0;
    let latency_ns = opening_seen.then_some(record.elapsed_ns);
    Ok(match u32::from(record.kind) {
        tcp_kind::KIND_TCP_CONNECT => Happened::Connect,
        tcp_kind::KIND_TCP_ESTABLISHED => Happened::Established { latency_ns },
        tcp_kind::KIND_TCP_CONNECT_RETRY => Happened::ConnectRetry { latency_ns },
        tcp_kind::KIND_TCP_CONNECT_FAILED => {
            Happened::ConnectFailed { error: record.code, latency_ns }
        }
        tcp_kind::KIND_TCP_ACCEPT => {
            Happened::Accept { queued_ns: opening_seen.then_some(record.elapsed_ns) }
        }
        tcp_kind::KIND_TCP_CLOSE => Happened::Close(totals(record, context)),
        tcp_kind::KIND_TCP_UPDATE => Happened::Update(totals(record, context)),
        tcp_kind::KIND_TCP_STATE => Happened::StateChange {
            old: state(record.old_state, "old_state")?,
            new: state(record.new_state, "new_state")?,
        },
        tcp_kind::KIND_TCP_RETRANSMIT => {
            Happened::Retransmit { state: state(record.new_state, "new_state")? }
        }
        tcp_kind::KIND_TCP_RESET => {
            let socket = record.flags & tcp_flag::TCP_NO_SOCKET == 0;
            let reason = record.flags & tcp_flag::TCP_REASON_KNOWN != 0;
            Happened::Reset {
                sent: record.flags & tcp_flag::TCP_RESET_SENT != 0,
                state: socket.then(|| state(record.new_state, "new_state")).transpose()?,
                reason: reason.then(|| context.reset_reason(record.code)).flatten(),
            }
        }
        tcp_kind::KIND_TCP_LISTEN_DROP => Happened::ListenDrop {
            drops: u64::from(record.drops),
            accept_queue: u64::from(record.accept_queue),
            accept_queue_limit: u64::from(record.accept_queue_limit),
        },
        kind => return Err(DecodeError::Kind(kind)),
    })
}

fn totals(record: &TcpRecord, context: &Context) -> Totals {
    let ns = |jiffies| u64::from(jiffies) * context.jiffy_ns;
    let opening_seen = record.flags & tcp_flag::TCP_HANDSHAKE_SEEN != 0;
    Totals {
        bytes_sent: record.bytes_sent,
        bytes_received: record.bytes_received,
        segments_sent: u64::from(record.segments_sent),
        segments_received: u64::from(record.segments_received),
        retransmits: u64::from(record.retransmits),
        // The kernel keeps eight times the smoothed value (RFC 6298 in Jacobson's integers).
        smoothed_rtt_us: Some(u64::from(record.smoothed_rtt_us >> 3)).filter(|_| record.smoothed_rtt_us != 0),
        minimum_rtt_us: Some(u64::from(record.minimum_rtt_us)).filter(|_| record.minimum_rtt_us != u32::MAX),
        receive_window_limited_ns: ns(record.receive_window_limited),
        send_buffer_limited_ns: ns(record.send_buffer_limited),
        duration_ns: Some(record.elapsed_ns).filter(|_| opening_seen),
    }
}

#[cfg(test)]
mod tests;
