//! The `dns` signal: DNS messages at the sockets that send and receive them.

use chandra_event::dns::{DNS_QUERY, DNS_RESPONSE, Dns, Message, code_name};
use chandra_event::record::{Kind, Record};
use chandra_event::socket::{Ends, Part, Transport};
use chandra_loader::load::Loaded;

use crate::process::process;
use crate::registry::{Context, DecodeError};
use crate::tcp::address;

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    use chandra_loader::abi::Process;
    include!(concat!(env!("OUT_DIR"), "/dns.rs"));
}
use wire::{DnsRecord, dns_flag};

/// Kinds of records of this signal.
pub const KINDS: &[&Kind] = &[&DNS_QUERY, &DNS_RESPONSE];

/// Decodes one record: its fixed part, the headers of the packet as far as they came along, the message.
pub fn decode(
    bytes: &[u8],
    context: &Context,
    sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), DecodeError> {
    let record = DnsRecord::read(bytes).ok_or(DecodeError::Short(bytes.len()))?;
    let has = |flag| record.flags & flag != 0;
    let packet = bytes.get(DnsRecord::BYTES..).unwrap_or_default();
    let message = packet.get(record.message_offset as usize..).unwrap_or_default();
    let message = message.get(..record.captured_bytes as usize);
    let message = message.ok_or(DecodeError::Short(bytes.len()))?;
    let message = Message::read(message).ok_or(DecodeError::Value("captured_bytes"))?;
    sink(&Dns {
        time: context.clock.get().event_time(record.time_ns),
        process: has(dns_flag::DNS_OWNER_KNOWN)
            .then(|| process(&record.process, &context.clock.get())),
        ends: Ends {
            transport: if has(dns_flag::DNS_TCP) { Transport::Tcp } else { Transport::Udp },
            part: Some(if has(dns_flag::DNS_SERVER) { Part::Server } else { Part::Client }),
            local: address(record.family, record.local_address, record.local_port)?,
            peer: address(record.family, record.peer_address, record.peer_port)?,
            net_namespace: record.net_namespace,
            cookie: record.socket_cookie,
        },
        message,
        message_bytes: record.message_bytes,
        is_cut: record.captured_bytes < record.message_bytes,
        latency_ns: has(dns_flag::DNS_LATENCY_KNOWN)
            .then_some(record.latency_ns)
            .filter(|_| message.is_response()),
    });
    Ok(())
}

/// What was asked before the probe was there is nobody's to know.
pub fn seed(_loaded: &Loaded, _context: &Context, _sink: &mut dyn FnMut(&dyn Record)) -> usize {
    0
}

/// A group's code is the response code, without the bits that EDNS adds; a query has none.
pub fn code_text(code: u32, _context: &Context) -> String {
    u16::try_from(code).map_or_else(|_| "-".to_owned(), |code| code_name(code).to_string())
}

#[cfg(test)]
mod tests;
