//! The answers of a message: its resource records, read from it one after another.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::message::{Malformed, words};
use super::name::Name;

const A: u16 = 1;
const NS: u16 = 2;
const CNAME: u16 = 5;
const PTR: u16 = 12;
const MX: u16 = 15;
const AAAA: u16 = 28;
const SRV: u16 = 33;
const DNAME: u16 = 39;

/// Bytes of a record between its name and its data.
const FIXED_BYTES: usize = 10;

/// A record as it lies in a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResourceRecord<'a> {
    pub(super) name: Name<'a>,
    pub(super) type_code: u16,
    pub(super) class: u16,
    pub(super) time_to_live: u32,
    message: &'a [u8],
    data_at: usize,
    data_bytes: usize,
}

impl<'a> ResourceRecord<'a> {
    /// The record at this place, and where the next begins.
    pub(super) fn read(message: &'a [u8], at: usize) -> Result<(Self, usize), Malformed> {
        let (name, after) = Name::read(message, at)?;
        let fixed = message.get(after..).and_then(<[u8]>::first_chunk::<FIXED_BYTES>);
        let [type_code, class, high, low, data_bytes] =
            words::<FIXED_BYTES, 5>(fixed.ok_or(Malformed::EndsTooSoon)?);
        let (data_at, data_bytes) = (after + FIXED_BYTES, usize::from(data_bytes));
        let end = data_at + data_bytes;
        if end > message.len() {
            return Err(Malformed::EndsTooSoon);
        }
        let time_to_live = u32::from(high) << 16 | u32::from(low);
        Ok((Self { name, type_code, class, time_to_live, message, data_at, data_bytes }, end))
    }

    /// What it says, of the types that say an address or a name.
    pub(super) fn data(&self) -> Result<Data<'a>, Malformed> {
        let bytes = self.message.get(self.data_at..self.data_at + self.data_bytes);
        let bytes = bytes.ok_or(Malformed::EndsTooSoon)?;
        // What comes before the name.
        let skipped = match self.type_code {
            A => {
                let address: &[u8; 4] = bytes.try_into().map_err(|_| Malformed::Data)?;
                return Ok(Data::Address(Ipv4Addr::from(*address).into()));
            }
            AAAA => {
                let address: &[u8; 16] = bytes.try_into().map_err(|_| Malformed::Data)?;
                return Ok(Data::Address(Ipv6Addr::from(*address).into()));
            }
            NS | CNAME | PTR | DNAME => 0,
            MX => 2,
            SRV => 6,
            _ => return Ok(Data::Other),
        };
        let end = self.data_at + self.data_bytes;
        // A name ends with its data; what it points to lies before.
        let until = self.message.get(..end).unwrap_or_default();
        match Name::read(until, self.data_at + skipped) {
            Ok((name, after)) if after == end => Ok(Data::Target(name)),
            Ok(_) | Err(Malformed::EndsTooSoon) => Err(Malformed::Data),
            Err(wrong) => Err(wrong),
        }
    }
}

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Of which name.
    pub name: Name<'a>,
    /// The type: 1 is A.
    pub type_code: u16,
    /// How long it may be kept, in seconds.
    pub ttl_seconds: u32,
    /// What it says.
    pub data: Data<'a>,
}

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data<'a> {
    /// The address of A and AAAA.
    Address(IpAddr),
    /// The name that CNAME, DNAME, MX, NS, PTR and SRV lead to.
    Target(Name<'a>),
    /// Something else.
    Other,
}

/// The answers of a message, up to where they can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answers<'a> {
    message: &'a [u8],
    at: usize,
    pub(super) count: u16,
}

impl<'a> Answers<'a> {
    /// How many are shown of a message.
    pub const MAX_SHOWN: usize = 64;

    pub(super) fn none(message: &'a [u8]) -> Self {
        Self::at(message, message.len())
    }

    pub(super) fn at(message: &'a [u8], at: usize) -> Self {
        Self { message, at, count: 0 }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// One after another.
    pub fn iter(&self) -> impl Iterator<Item = Answer<'a>> + Clone + use<'a> {
        let (message, mut at) = (self.message, self.at);
        (0..self.count).map_while(move |_| {
            let (record, after) = ResourceRecord::read(message, at).ok()?;
            at = after;
            // The upper half of the numbers counts as none (RFC 2181, 8).
            let ttl_seconds = i32::try_from(record.time_to_live).map_or(0, i32::unsigned_abs);
            let data = record.data().ok()?;
            Some(Answer { name: record.name, type_code: record.type_code, ttl_seconds, data })
        })
    }
}
