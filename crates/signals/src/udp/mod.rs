//! The `udp` signal: conversations over UDP, from their first datagram to their end.

use chandra_event::record::{Kind, Record};
use chandra_event::socket::{Ends, Part, Transport};
use chandra_event::udp::{
    End, Happened, Totals, UDP_CLOSE, UDP_OPEN, UDP_REPLY, UDP_UPDATE, Udp,
};
use chandra_loader::load::Loaded;

use crate::one_in::one_in;
use crate::process::process;
use crate::registry::{Context, DecodeError};
use crate::tcp::address;

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    use chandra_loader::abi::Process;
    include!(concat!(env!("OUT_DIR"), "/udp.rs"));
}
use wire::{UdpRecord, udp_end, udp_flag, udp_kind};

/// Kinds of records of this signal.
pub const KINDS: &[&Kind] = &[&UDP_OPEN, &UDP_REPLY, &UDP_UPDATE, &UDP_CLOSE];

/// Decodes one record.
pub fn decode(
    bytes: &[u8],
    context: &Context,
    sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), DecodeError> {
    let record = UdpRecord::read(bytes).ok_or(DecodeError::Short(bytes.len()))?;
    let has = |flag| record.flags & flag != 0;
    let (received_first, is_older) =
        (has(udp_flag::UDP_RECEIVED_FIRST), has(udp_flag::UDP_OPENED_BEFORE_START));
    // Who sends the first datagram asks.
    let part = if received_first { Part::Server } else { Part::Client };
    sink(&Udp {
        time: context.clock.get().event_time(record.time_ns),
        process: has(udp_flag::UDP_OWNER_KNOWN)
            .then(|| process(&record.process, &context.clock.get())),
        ends: Ends {
            transport: Transport::Udp,
            part: (!is_older).then_some(part),
            local: address(record.family, record.local_address, record.local_port)?,
            peer: address(record.family, record.peer_address, record.peer_port)?,
            net_namespace: record.net_namespace,
            cookie: record.socket_cookie,
        },
        opened_before_start: is_older,
        sampled_one_in: one_in(record.one_in_log2).ok_or(DecodeError::Value("one_in"))?,
        received_first,
        totals: Totals {
            datagrams_sent: record.datagrams_sent,
            datagrams_received: record.datagrams_received,
            bytes_sent: record.bytes_sent,
            bytes_received: record.bytes_received,
            socket_drops: record.socket_drops,
        },
        // A clock that is read on two processors may seem to run backwards.
        duration_ns: record.last_ns.saturating_sub(record.began_ns),
        happened: happened(&record)?,
    });
    Ok(())
}

fn happened(record: &UdpRecord) -> Result<Happened, DecodeError> {
    Ok(match u32::from(record.kind) {
        udp_kind::KIND_UDP_OPEN => Happened::Open,
        udp_kind::KIND_UDP_REPLY => Happened::Reply,
        udp_kind::KIND_UDP_UPDATE => Happened::Update,
        udp_kind::KIND_UDP_CLOSE => {
            Happened::Close(end(record.end.into()).ok_or(DecodeError::Value("end"))?)
        }
        kind => return Err(DecodeError::Kind(kind)),
    })
}

fn end(number: u32) -> Option<End> {
    Some(match number {
        udp_end::END_SOCKET_CLOSED => End::SocketClosed,
        udp_end::END_IDLE => End::Idle,
        udp_end::END_EVICTED => End::Evicted,
        _ => return None,
    })
}

/// Lets the probe find the sockets that are open already, and whose they are; it remembers them itself.
pub fn seed(loaded: &Loaded, _context: &Context, _sink: &mut dyn FnMut(&dyn Record)) -> usize {
    let mut places = Vec::new();
    let _ = loaded.iterate("open_sockets", &mut places);
    places.len() / size_of::<u64>()
}

/// A group's code is why conversations ended; those that go on have none.
pub fn code_text(code: u32, _context: &Context) -> String {
    end(code).map_or("-", End::word).to_owned()
}

#[cfg(test)]
mod tests;
