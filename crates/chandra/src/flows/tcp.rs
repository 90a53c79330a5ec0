//! What records of TCP say went over the wire.
//!
//! | record | flow |
//! |---|---|
//! | `tcp_connect_retry` | SYN, sent by the opener again: nobody answered yet |
//! | `tcp_established` | SYN, sent by the opener when it began, and SYN, ACK, received |
//! | `tcp_accept` | SYN, received by the acceptor: it is told when its program takes the connection |
//! | `tcp_connect_failed` | SYN as above; refused: RST, ACK, received; otherwise an error: nobody answered |
//! | `tcp_retransmit` | what was sent again: SYN while opening, ACK after |
//! | `tcp_reset` | RST, sent or received; one that refuses a connection is told as that |
//! | `tcp_update` | ACK, sent by each end, with what went over the connection so far |
//! | `tcp_close` | FIN, ACK, sent by each end, with what went over the connection |
//!
//! The first SYN is told when its answer is known, with the time at which it was sent: before that the
//! kernel has not chosen its port yet (`tcp_connect` has none).

use std::num::NonZeroU64;

use chandra_event::tcp::{Happened, Role, State, Tcp, Totals};
use chandra_hubble::flow::{Details, TcpFlags, Traffic, Verdict};

use super::endpoints::{Carried, Seen};

/// `ECONNREFUSED`, the same on all architectures that Linux runs on but MIPS, PA-RISC, SPARC and Alpha.
const REFUSED: u32 = 111;

/// How long before the record its connection's first SYN was sent, where that was not told before.
pub fn opened_before_ns(tcp: &Tcp) -> Option<u64> {
    match tcp.happened {
        Happened::Established { latency_ns } | Happened::ConnectFailed { latency_ns, .. } => {
            latency_ns
        }
        _ => None,
    }
}

/// The first SYN of a connection.
pub fn opening() -> Seen {
    let carried = Carried::Tcp(TcpFlags::SYN);
    Seen { is_sent: true, is_reply: Some(false), carried, verdict: Verdict::Forwarded }
}

/// What went over the wire; `None` where the record tells of no packet.
pub fn seen(tcp: &Tcp) -> Option<Seen> {
    let forwarded = |is_sent, flags| (is_sent, flags, Verdict::Forwarded);
    let syn_ack = TcpFlags::SYN | TcpFlags::ACK;
    let (is_sent, flags, verdict) = match tcp.happened {
        Happened::Connect => return None,
        Happened::ConnectRetry { .. } => forwarded(true, TcpFlags::SYN),
        Happened::Established { .. } => forwarded(false, syn_ack),
        Happened::Accept { .. } => forwarded(false, TcpFlags::SYN),
        Happened::ConnectFailed { error: REFUSED, .. } => {
            forwarded(false, TcpFlags::RST | TcpFlags::ACK)
        }
        Happened::ConnectFailed { .. } => (true, TcpFlags::SYN, Verdict::Error),
        Happened::Retransmit { state } => forwarded(true, resent(state)),
        // Told as the connection that failed.
        Happened::Reset { sent: false, state: Some(State::SynSent), .. } => return None,
        Happened::Reset { sent, .. } => forwarded(sent, TcpFlags::RST),
        Happened::Update(_) => forwarded(true, TcpFlags::ACK),
        Happened::Close(_) => forwarded(true, TcpFlags::FIN | TcpFlags::ACK),
        Happened::StateChange { .. } | Happened::ListenDrop { .. } => return None,
    };
    // What the opener sends is no reply, and what it gets is one.
    let is_reply = tcp.connection.role.map(|role| (role == Role::Opener) != is_sent);
    Some(Seen { is_sent, is_reply, carried: Carried::Tcp(flags), verdict })
}

fn resent(state: State) -> TcpFlags {
    match state {
        State::SynSent => TcpFlags::SYN,
        State::SynReceived | State::NewSynReceived => TcpFlags::SYN | TcpFlags::ACK,
        _ => TcpFlags::ACK,
    }
}

/// Adds what Hubble's message has no field for.
pub fn fill(tcp: &Tcp, mut details: Details) -> Details {
    details.connection_key = tcp.connection.key.ok().and_then(NonZeroU64::new);
    match tcp.happened {
        Happened::Established { latency_ns }
        | Happened::ConnectRetry { latency_ns }
        | Happened::ConnectFailed { latency_ns, .. } => {
            details.latency_ns = latency_ns.unwrap_or_default();
        }
        Happened::Accept { queued_ns } => details.latency_ns = queued_ns.unwrap_or_default(),
        // The flow goes from this end to the other.
        Happened::Update(totals) | Happened::Close(totals) => fill_totals(&totals, &mut details),
        _ => {}
    }
    details
}

fn fill_totals(totals: &Totals, details: &mut Details) {
    details.forward = Traffic { bytes: totals.bytes_sent, packets: totals.segments_sent };
    details.backward = Traffic { bytes: totals.bytes_received, packets: totals.segments_received };
    details.retransmits = u32::try_from(totals.retransmits).unwrap_or(u32::MAX);
    let rtt_us = totals.smoothed_rtt_us.map(u32::try_from);
    details.rtt_us = rtt_us.and_then(Result::ok).unwrap_or_default();
    details.duration_ns = totals.duration_ns.unwrap_or_default();
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::net::SocketAddr;

    use chandra_event::tcp::{Connection, NoKey};
    use chandra_event::time::Timestamp;

    use super::*;

    fn tcp(role: Option<Role>, happened: Happened) -> Tcp {
        let address = SocketAddr::from(([10, 0, 0, 1], 80));
        let connection = Connection {
            key: Err(NoKey::NotEstablished),
            role,
            local: address,
            peer: address,
            net_namespace: 1,
            socket_cookie: 1,
            opened_before_start: false,
        };
        Tcp { time: Timestamp(0), process: None, connection, sampled_one_in: 1, happened }
    }

    #[test]
    fn each_happening_is_the_packet_that_it_stands_for() {
        let (opener, acceptor) = (Some(Role::Opener), Some(Role::Acceptor));
        let failed = |error| Happened::ConnectFailed { error, latency_ns: None };
        let reset = |sent, state| Happened::Reset { sent, state, reason: None };
        for (role, happened, is_sent, is_reply, flags, verdict) in [
            (
                opener,
                Happened::ConnectRetry { latency_ns: None },
                true,
                Some(false),
                "SYN",
                Verdict::Forwarded,
            ),
            (
                opener,
                Happened::Established { latency_ns: None },
                false,
                Some(true),
                "SYN, ACK",
                Verdict::Forwarded,
            ),
            (
                acceptor,
                Happened::Accept { queued_ns: None },
                false,
                Some(false),
                "SYN",
                Verdict::Forwarded,
            ),
            (opener, failed(REFUSED), false, Some(true), "ACK, RST", Verdict::Forwarded),
            (opener, failed(110), true, Some(false), "SYN", Verdict::Error),
            (
                acceptor,
                Happened::Close(Totals::default()),
                true,
                Some(true),
                "ACK, FIN",
                Verdict::Forwarded,
            ),
            (None, Happened::Close(Totals::default()), true, None, "ACK, FIN", Verdict::Forwarded),
            (
                acceptor,
                Happened::Retransmit { state: State::Established },
                true,
                Some(true),
                "ACK",
                Verdict::Forwarded,
            ),
            (None, reset(true, None), true, None, "RST", Verdict::Forwarded),
            (
                opener,
                reset(false, Some(State::Established)),
                false,
                Some(true),
                "RST",
                Verdict::Forwarded,
            ),
        ] {
            let seen = seen(&tcp(role, happened)).unwrap();
            assert_eq!((seen.is_sent, seen.is_reply), (is_sent, is_reply), "{happened:?}");
            let Carried::Tcp(seen_flags) = seen.carried else { panic!("{seen:?}") };
            assert_eq!(seen_flags.to_string(), flags, "{happened:?}");
            assert_eq!(seen.verdict, verdict, "{happened:?}");
        }
        for happened in [Happened::Connect, reset(false, Some(State::SynSent))] {
            assert!(seen(&tcp(opener, happened)).is_none(), "{happened:?}");
        }
    }
}
