//! Messages of connection tracking as netlink carries them: a header of 16 bytes (`struct nlmsghdr`), one
//! of four (`struct nfgenmsg`), then attributes in attributes, all aligned to four bytes. Lengths and types
//! are in the machine's byte order, addresses and ports in the network's.
//!
//! A connection has two tuples: how its packets look on the way there, and how the answers look. Where
//! these come from somewhere else than those go to, the destination was translated.

use std::net::{IpAddr, SocketAddr};

use chandra_identity::translation::Translation;

use crate::attribute::{
    CTA_IP_V4_DST, CTA_IP_V4_SRC, CTA_IP_V6_DST, CTA_IP_V6_SRC, CTA_PROTO_DST_PORT, CTA_PROTO_NUM,
    CTA_PROTO_SRC_PORT, CTA_PROTOINFO, CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE, CTA_TUPLE_IP,
    CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_TUPLE_REPLY,
};

/// Types of messages (`linux/netlink.h`).
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Of connection tracking (`NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_*`).
const NEW: u16 = 0x100;
pub(crate) const GET: u16 = 0x101;
const DELETE: u16 = 0x102;

const HEADER_BYTES: usize = 16;
const FAMILY_BYTES: usize = 4;

/// The protocol's number in IP.
pub(crate) const TCP: u8 = 6;
/// States in which tracking remembers a connection that is over (`nf_conntrack_tcp.h`).
const TIME_WAIT: u8 = 7;
const CLOSE: u8 = 8;

/// What one message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// A translated connection is there.
    Tracked(Translation),
    /// A translated connection is not tracked any more.
    Gone(Translation),
    /// Of what is not TCP, or was not translated, or is over.
    Other,
    /// The listing is complete.
    Done,
    /// A request was refused with this error number, or acknowledged with 0.
    Refused(u32),
}

/// Bytes that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no message of connection tracking")]
pub struct Malformed;

/// The messages in what was received at once. After one that cannot be told from the next there is none.
pub fn messages(received: &[u8]) -> impl Iterator<Item = Result<Message, Malformed>> {
    let mut rest = received;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((kind, body, after)) = split(rest) else {
            rest = &[];
            return Some(Err(Malformed));
        };
        rest = after;
        Some(read(kind, body).ok_or(Malformed))
    })
}

/// The first message: its type, what is behind its header, and what is behind it.
fn split(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (length, after_length) = bytes.split_first_chunk()?;
    let kind = u16::from_ne_bytes(*after_length.first_chunk()?);
    let length = usize::try_from(u32::from_ne_bytes(*length)).ok()?;
    let body = bytes.get(HEADER_BYTES..length)?;
    Some((kind, body, aligned(bytes, length)))
}

/// What begins at the next multiple of four.
fn aligned(bytes: &[u8], length: usize) -> &[u8] {
    length.checked_next_multiple_of(4).and_then(|next| bytes.get(next..)).unwrap_or_default()
}

fn read(kind: u16, body: &[u8]) -> Option<Message> {
    match kind {
        DONE => Some(Message::Done),
        ERROR => {
            let number = i32::from_ne_bytes(*body.first_chunk()?);
            Some(Message::Refused(number.unsigned_abs()))
        }
        NEW | DELETE => {
            let tracked = Tracked::read(body.get(FAMILY_BYTES..)?)?;
            let told = tracked.translation().filter(|_| kind == DELETE || !tracked.is_over);
            Some(match told {
                None => Message::Other,
                Some(translation) if kind == DELETE => Message::Gone(translation),
                Some(translation) => Message::Tracked(translation),
            })
        }
        _ => Some(Message::Other),
    }
}

/// One way of a TCP connection.
#[derive(Debug, Clone, Copy)]
struct Tuple {
    source: SocketAddr,
    destination: SocketAddr,
}

/// What is read of a connection; without tuples it is not of TCP.
#[derive(Debug, Default)]
struct Tracked {
    there: Option<Tuple>,
    back: Option<Tuple>,
    is_over: bool,
}

impl Tracked {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut tracked = Self::default();
        each_attribute(bytes, |name, value| {
            match name {
                CTA_TUPLE_ORIG => tracked.there = Tuple::read(value)?,
                CTA_TUPLE_REPLY => tracked.back = Tuple::read(value)?,
                CTA_PROTOINFO => tracked.is_over = is_over(value)?,
                _ => {}
            }
            Some(())
        })?;
        Some(tracked)
    }

    fn translation(&self) -> Option<Translation> {
        let (there, back) = (self.there?, self.back?);
        let (client, dialled, backend) = (there.source, there.destination, back.source);
        // Translation between families is done by no tracker of the kernel.
        let is_translated = backend != dialled && backend.is_ipv4() == dialled.is_ipv4();
        is_translated.then_some(Translation { client, dialled, backend })
    }
}

impl Tuple {
    /// `None` for bytes that are malformed, `Some(None)` for what is not TCP over IP.
    fn read(bytes: &[u8]) -> Option<Option<Self>> {
        let (mut source, mut destination) = (None, None);
        let (mut protocol, mut source_port, mut destination_port) = (0, None, None);
        each_attribute(bytes, |name, value| match name {
            CTA_TUPLE_IP => each_attribute(value, |name, value| {
                match name {
                    CTA_IP_V4_SRC => source = Some(ipv4(value)?),
                    CTA_IP_V4_DST => destination = Some(ipv4(value)?),
                    CTA_IP_V6_SRC => source = Some(ipv6(value)?),
                    CTA_IP_V6_DST => destination = Some(ipv6(value)?),
                    _ => {}
                }
                Some(())
            }),
            CTA_TUPLE_PROTO => each_attribute(value, |name, value| {
                match name {
                    CTA_PROTO_NUM => protocol = *value.first()?,
                    CTA_PROTO_SRC_PORT => source_port = Some(port(value)?),
                    CTA_PROTO_DST_PORT => destination_port = Some(port(value)?),
                    _ => {}
                }
                Some(())
            }),
            _ => Some(()),
        })?;
        let end = |ip: Option<IpAddr>, port: Option<u16>| Some(SocketAddr::new(ip?, port?));
        let ends = end(source, source_port).zip(end(destination, destination_port));
        let tuple = ends.map(|(source, destination)| Self { source, destination });
        Some(tuple.filter(|_| protocol == TCP))
    }
}

/// Tracking remembers a connection of TCP for a while when it is over.
fn is_over(protocol_information: &[u8]) -> Option<bool> {
    let mut is_over = false;
    each_attribute(protocol_information, |name, value| match name {
        CTA_PROTOINFO_TCP => each_attribute(value, |name, value| {
            if name == CTA_PROTOINFO_TCP_STATE {
                is_over = matches!(*value.first()?, TIME_WAIT | CLOSE);
            }
            Some(())
        }),
        _ => Some(()),
    })?;
    Some(is_over)
}

fn ipv4(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from)
}

fn ipv6(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

fn port(bytes: &[u8]) -> Option<u16> {
    <[u8; 2]>::try_from(bytes).ok().map(u16::from_be_bytes)
}

/// Gives the attributes that lie one behind the other, each with its name, until one is refused.
/// `None` where that happened, or where one is longer than what there is.
fn each_attribute<'a>(
    mut bytes: &'a [u8],
    mut each: impl FnMut(u16, &'a [u8]) -> Option<()>,
) -> Option<()> {
    /// The rest of the type are flags: it has attributes in it, it is in the network's byte order.
    const NAME: u16 = 0x3fff;
    while !bytes.is_empty() {
        let (length, after_length) = bytes.split_first_chunk()?;
        let name = u16::from_ne_bytes(*after_length.first_chunk()?) & NAME;
        let length = usize::from(u16::from_ne_bytes(*length));
        each(name, bytes.get(4..length)?)?;
        bytes = aligned(bytes, length);
    }
    Some(())
}

#[cfg(test)]
mod tests;
