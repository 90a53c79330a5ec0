//! The `drop` signal: packets that the kernel throws away.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use chandra_event::drop::{Direction, Drop, Interface, PACKET_DISCARD, PACKET_DROP, Packet, Reason};
use chandra_event::record::{Kind, Record};
use chandra_loader::batch;
use chandra_loader::load::Loaded;

use crate::process::process;
use crate::registry::{Context, DecodeError};

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    use chandra_loader::abi::Process;
    include!(concat!(env!("OUT_DIR"), "/drop.rs"));
}
use wire::{DropCount, DropKey, DropRecord, drop_flag, drop_kind};

/// Kinds of records of this signal.
pub const KINDS: &[&Kind] = &[&PACKET_DROP, &PACKET_DISCARD];

/// Decodes one record.
pub fn decode(
    bytes: &[u8],
    context: &Context,
    sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), DecodeError> {
    let record = DropRecord::read(bytes).ok_or(DecodeError::Short(bytes.len()))?;
    let has = |flag| record.flags & flag != 0;
    let is_ordinary = match u32::from(record.kind) {
        drop_kind::KIND_PACKET_DROP => false,
        drop_kind::KIND_PACKET_DISCARD => true,
        kind => return Err(DecodeError::Kind(kind)),
    };
    let clock = context.clock.get();
    sink(&Drop {
        time: clock.event_time(record.time_ns),
        process: has(drop_flag::DROP_OWNER_KNOWN).then(|| process(&record.process, &clock)),
        is_ordinary,
        reason: has(drop_flag::DROP_REASON_KNOWN).then(|| reason(record.reason, context)),
        location: context.place(record.location),
        packet: packet(&record)?,
        direction: match has(drop_flag::DROP_WAS_RECEIVED) {
            true => Direction::Received,
            false => Direction::Sent,
        },
        interface: (record.interface_index != 0)
            .then_some(Interface { index: record.interface_index, name: record.interface_name }),
        net_namespace: record.net_namespace,
        socket_cookie: record.socket_cookie,
    });
    Ok(())
}

/// Lets the probe find the sockets that are open already; it remembers them itself.
pub fn seed(loaded: &Loaded, _context: &Context, _sink: &mut dyn FnMut(&dyn Record)) -> usize {
    let mut inodes = Vec::new();
    let _ = loaded.iterate("owners", &mut inodes);
    inodes.len() / size_of::<u64>()
}

/// A group's code is the kernel's reason; one without a name is shown as a number.
pub fn code_text(number: u32, context: &Context) -> String {
    match context.drop_reason(number) {
        Some(name) => name.to_owned(),
        None if number == u32::MAX => "-".to_owned(),
        None => number.to_string(),
    }
}

fn reason(number: u32, context: &Context) -> Reason {
    Reason { number, name: context.drop_reason(number) }
}

fn packet(record: &DropRecord) -> Result<Packet, DecodeError> {
    let has = |flag| record.flags & flag != 0;
    let ends = match has(drop_flag::DROP_ADDRESSES_KNOWN) {
        true => Some((
            address(record.family, record.source_address, record.source_port)?,
            address(record.family, record.destination_address, record.destination_port)?,
        )),
        false => None,
    };
    Ok(Packet {
        ethertype: Some(record.ethertype).filter(|ethertype| *ethertype != 0),
        protocol: has(drop_flag::DROP_PROTOCOL_KNOWN).then_some(record.protocol),
        source: ends.map(|(source, _)| source),
        destination: ends.map(|(_, destination)| destination),
        has_ports: has(drop_flag::DROP_PORTS_KNOWN),
        tcp_flags: has(drop_flag::DROP_TCP_FLAGS_KNOWN).then_some(record.tcp_flags),
        icmp: has(drop_flag::DROP_ICMP_KNOWN).then_some((record.icmp_type, record.icmp_code)),
        is_fragment: has(drop_flag::DROP_IS_FRAGMENT),
        length_bytes: record.length_bytes,
    })
}

fn address(family: u8, bytes: [u8; 16], port: u16) -> Result<SocketAddr, DecodeError> {
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

/// How often packets were dropped in one way, since the probe was loaded: every one of them, whether
/// a record told of it or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Address of the place in the kernel's code; [`Context::place`] names it.
    pub location: u64,
    /// The kernel's reason, where it gives reasons; [`Context::drop_reason`] names it.
    pub reason: u32,
    /// Inode number of the network namespace; 0 when not known.
    pub net_namespace: u32,
    /// What the frames carried.
    pub ethertype: u16,
    /// What IP carried.
    pub protocol: u8,
    /// They were thrown away in the ordinary course of things.
    pub is_ordinary: bool,
    /// Packets.
    pub packets: u64,
    /// Bytes of these, as `packet.length_bytes` has them.
    pub bytes: u64,
}

/// All that was counted; nothing is counted here while the kernel counts by groups instead.
///
/// What found no room in the kernel's table of 2,048 is one more entry, of zeros but for its counts. A
/// reader may delete the keys of network namespaces that are gone.
///
/// # Errors
/// What the kernel says when its tables are read.
pub fn counts(loaded: &Loaded) -> io::Result<Vec<Count>> {
    let read = |name| {
        let map = loaded.map(name);
        batch::lookup(&map.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?)
    };
    let sum = |per_cpu: &[u8]| {
        let each = per_cpu.chunks_exact(DropCount::BYTES).filter_map(DropCount::read);
        each.fold((0, 0), |(packets, bytes), one| (packets + one.packets, bytes + one.bytes))
    };
    let mut counts = Vec::new();
    for (key, value) in read("drops")?.iter() {
        let Some(key) = DropKey::read(key) else { continue };
        let (packets, bytes) = sum(value);
        counts.push(Count {
            location: key.location,
            reason: key.reason,
            net_namespace: key.net_namespace,
            ethertype: key.ethertype,
            protocol: key.protocol,
            is_ordinary: u32::from(key.kind) == drop_kind::KIND_PACKET_DISCARD,
            packets,
            bytes,
        });
    }
    let (packets, bytes) = read("drops_without_key")?
        .iter()
        .map(|(_, value)| sum(value))
        .fold((0, 0), |(packets, bytes), (more, larger)| (packets + more, bytes + larger));
    if packets > 0 {
        counts.push(Count {
            location: 0,
            reason: 0,
            net_namespace: 0,
            ethertype: 0,
            protocol: 0,
            is_ordinary: false,
            packets,
            bytes,
        });
    }
    Ok(counts)
}

#[cfg(test)]
mod tests;
