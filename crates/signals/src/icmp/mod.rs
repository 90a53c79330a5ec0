//! The `icmp` signal: messages of ICMP and ICMPv6, and which connection an error is about.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chandra_event::drop::{Direction, Interface};
use chandra_event::icmp::{
    Class, ICMP_ECHO, ICMP_ERROR, ICMP_OTHER, Icmp, Malformed, Quoted, Version, code_word,
    redirected, type_word,
};
use chandra_event::record::{Kind, Record};
use chandra_loader::load::Loaded;

use crate::process::process;
use crate::registry::{Context, DecodeError};

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    use chandra_loader::abi::Process;
    include!(concat!(env!("OUT_DIR"), "/icmp.rs"));
}
use wire::{IcmpRecord, icmp_flag, icmp_kind};

/// Kinds of records of this signal.
pub const KINDS: &[&Kind] = &[&ICMP_ERROR, &ICMP_ECHO, &ICMP_OTHER];

/// Decodes one record. What it quotes comes from whoever sent the message.
pub fn decode(
    bytes: &[u8],
    context: &Context,
    sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), DecodeError> {
    let record = IcmpRecord::read(bytes).ok_or(DecodeError::Short(bytes.len()))?;
    let has = |flag| record.flags & flag != 0;
    let class = match u32::from(record.kind) {
        icmp_kind::KIND_ICMP_ERROR => Class::Error,
        icmp_kind::KIND_ICMP_ECHO => Class::Echo,
        icmp_kind::KIND_ICMP_OTHER => Class::Other,
        kind => return Err(DecodeError::Kind(kind)),
    };
    let data = record.data.get(..record.captured_bytes as usize);
    let data = data.ok_or(DecodeError::Value("captured_bytes"))?;
    let destination = address(record.family, record.destination_address)?;
    let source = address(record.family, record.source_address)?;
    let message_bytes = Some(record.message_bytes).filter(|bytes| *bytes != 0);
    let clock = context.clock.get();
    let about = match class {
        Class::Error => About::read(&destination, record.r#type, data, message_bytes),
        Class::Echo | Class::Other => About::default(),
    };
    sink(&Icmp {
        time: clock.event_time(record.time_ns),
        process: has(icmp_flag::ICMP_OWNER_KNOWN).then(|| process(&record.process, &clock)),
        class,
        direction: match has(icmp_flag::ICMP_SENT) {
            true => Direction::Sent,
            false => Direction::Received,
        },
        source: has(icmp_flag::ICMP_SOURCE_KNOWN).then_some(source),
        destination,
        type_number: record.r#type,
        code: record.code,
        word: has(icmp_flag::ICMP_WORD_KNOWN).then_some(record.word),
        message_bytes,
        hop_limit: Some(record.hop_limit).filter(|hops| *hops != 0),
        target: about.target,
        quoted: about.quoted,
        malformed: about.malformed,
        latency_ns: has(icmp_flag::ICMP_LATENCY_KNOWN).then_some(record.latency_ns),
        interface: (record.interface_index != 0)
            .then_some(Interface { index: record.interface_index, name: record.interface_name }),
        net_namespace: record.net_namespace,
        socket_cookie: record.socket_cookie,
    });
    Ok(())
}

/// Nothing is there before it happens.
pub fn seed(_loaded: &Loaded, _context: &Context, _sink: &mut dyn FnMut(&dyn Record)) -> usize {
    0
}

/// A group's code is the family, the type and the code of a message:
/// `destination_unreachable/port_unreachable`, by number where a number has no name.
pub fn code_text(code: u32, _context: &Context) -> String {
    let [_, family, type_number, code] = code.to_be_bytes();
    let version = if i32::from(family) == AF_INET { Version::V4 } else { Version::V6 };
    let word = type_word(version, type_number);
    let name = word.map_or_else(|| type_number.to_string(), str::to_owned);
    match code_word(version, type_number, code) {
        Some(word) => format!("{name}/{word}"),
        None if code == 0 => name,
        None => format!("{name}/{code}"),
    }
}

/// What an error is about.
#[derive(Debug, Default)]
struct About {
    target: Option<IpAddr>,
    quoted: Option<Quoted>,
    malformed: Option<Malformed>,
}

impl About {
    /// Reads what follows the first eight bytes of a message.
    fn read(
        destination: &IpAddr,
        type_number: u8,
        data: &[u8],
        message_bytes: Option<u32>,
    ) -> Self {
        let (target, packet) = match (destination, type_number) {
            (IpAddr::V6(_), REDIRECT_V6) => match redirected(data) {
                Some(redirected) => (Some(redirected.target), redirected.packet),
                None => (None, Some(data)),
            },
            _ => (None, Some(data)),
        };
        // A buffer may keep what follows where a probe cannot read it; what has nothing there is broken.
        let is_unread = data.is_empty() && message_bytes.is_none_or(|bytes| bytes > HEADER_BYTES);
        let quoted = packet.filter(|_| !is_unread).map(Quoted::read);
        match quoted {
            Some(Ok(quoted)) => Self { target, quoted: Some(quoted), malformed: None },
            Some(Err(malformed)) => Self { target, quoted: None, malformed: Some(malformed) },
            None => Self { target, ..Self::default() },
        }
    }
}

/// RFC 792.
const HEADER_BYTES: u32 = 8;
/// RFC 4861.
const REDIRECT_V6: u8 = 137;

/// `include/linux/socket.h`; the same on every architecture.
const AF_INET: i32 = 2;
const AF_INET6: i32 = 10;

fn address(family: u8, bytes: [u8; 16]) -> Result<IpAddr, DecodeError> {
    let [a, b, c, d, ..] = bytes;
    match i32::from(family) {
        AF_INET => Ok(IpAddr::V4(Ipv4Addr::new(a, b, c, d))),
        AF_INET6 => Ok(IpAddr::V6(Ipv6Addr::from(bytes))),
        _ => Err(DecodeError::Value("family")),
    }
}

#[cfg(test)]
mod tests;
