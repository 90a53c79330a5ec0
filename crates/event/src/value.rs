//! One field's value on its way to an output: it borrows from the record, so that showing a
//! field costs no allocation, and it knows how it must be written (see [`Value`]'s variants).

use std::net::{IpAddr, SocketAddr};

use crate::bounded::Pairs;
use crate::dns::{Answers, Name};
use crate::process::Arguments;
use crate::time::Timestamp;

/// A field's value.
///
/// Bytes come from outside (argv, paths, process names) and may hold anything; outputs escape them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Not known. Left out of JSON; `-` in a table.
    Absent,
    /// True or false.
    Bool(bool),
    /// A number that stays below 2^53, or a time, of which a reader of doubles may lose a few
    /// nanoseconds once it passes 2^53 of them (104 days).
    Number(u64),
    /// A signed number that stays within ±2^53.
    Signed(i64),
    /// A number that may pass 2^53: a decimal string in JSON.
    Big(u64),
    /// A 64-bit pattern: 16 hexadecimal digits, a string in JSON.
    Hex(u64),
    /// Bytes from outside, meant as text.
    Bytes(&'a [u8]),
    /// A word of ours: lower case, one of a closed set, or a name read from the kernel's BTF.
    Word(&'a str),
    /// Strings separated by NUL, as argv lies in memory: an array of strings in JSON.
    Strings(&'a [u8]),
    /// An IP address.
    Address(IpAddr),
    /// An address and port, an IPv4-mapped address as IPv4: `10.0.0.1:443`, `[::1]:443`.
    Endpoint(SocketAddr),
    /// A moment of wall-clock time.
    Time(Timestamp),
    /// A capability set (bit n is capability n of `linux/capability.h`): an array of names in JSON.
    Capabilities(u64),
    /// Flags of a TCP header (bit 0 is FIN, RFC 9293): an array of names in JSON.
    TcpFlags(u8),
    /// Flags of open(2), as this architecture numbers them: an array of names in JSON.
    OpenFlags(u32),
    /// Numbers that may be addresses: an array of hexadecimal strings in JSON.
    HexList(&'a [u64]),
    /// Permissions of a file: four octal digits, a string in JSON.
    Mode(u32),
    /// A device of the kernel's (major << 20 | minor): `8:1`.
    Device(u32),
    /// A signal's number, shown as its name: `SIGKILL`.
    Signal(u8),
    /// An errno, shown as its name: `ECONNREFUSED`.
    Errno(u32),
    /// A command line with its middle left out if it was cut; an array in JSON.
    Arguments(Arguments<'a>),
    /// Labels: an object of strings in JSON.
    Pairs(&'a Pairs),
    /// A domain name, in lower case.
    DnsName(Name<'a>),
    /// A type of DNS records, shown as its name: `AAAA`.
    DnsType(u16),
    /// A response code of DNS, shown as its name: `NXDOMAIN`.
    DnsCode(u16),
    /// What a DNS message answers: an array of objects in JSON.
    DnsAnswers(Answers<'a>),
}

impl<'a> Value<'a> {
    /// `Absent` for `None`, and what `make` makes of the rest.
    pub fn option<T>(value: Option<T>, make: impl FnOnce(T) -> Value<'a>) -> Value<'a> {
        value.map_or(Value::Absent, make)
    }

    /// What `make` makes of a value that may or may not be known, however wide its integer.
    pub fn of<T>(make: impl FnOnce(T) -> Value<'a>, value: impl Maybe<T>) -> Value<'a> {
        Value::option(value.maybe(), make)
    }
}

/// A value or an `Option` of one, so that lists of fields name both the same way.
pub trait Maybe<T> {
    /// The value, when known.
    fn maybe(self) -> Option<T>;
}

impl<T> Maybe<T> for T {
    fn maybe(self) -> Option<T> {
        Some(self)
    }
}

impl<T> Maybe<T> for Option<T> {
    fn maybe(self) -> Option<T> {
        self
    }
}

macro_rules! widen_to_u64 {
    ($($integer:ty),+) => {$(
        impl Maybe<u64> for $integer {
            fn maybe(self) -> Option<u64> {
                Some(self.into())
            }
        }
        impl Maybe<u64> for Option<$integer> {
            fn maybe(self) -> Option<u64> {
                self.map(u64::from)
            }
        }
    )+};
}
widen_to_u64!(u8, u16, u32);

/// Which variant of [`Value`] a field has when it has one, known before any record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the variant of Value with its name")]
pub enum Type {
    Bool,
    Number,
    Signed,
    Big,
    Hex,
    Bytes,
    Word,
    Strings,
    Address,
    Endpoint,
    Time,
    Capabilities,
    TcpFlags,
    OpenFlags,
    Mode,
    HexList,
    Device,
    Signal,
    Errno,
    Arguments,
    Pairs,
    DnsName,
    DnsType,
    DnsCode,
    DnsAnswers,
}

impl Type {
    /// Whether it counts or measures: tables align such columns right.
    pub fn is_numeric(self) -> bool {
        matches!(self, Type::Number | Type::Signed | Type::Big)
    }

    /// Whether it is text from outside of any length, which a terminal may not have room for.
    pub fn is_free_text(self) -> bool {
        matches!(
            self,
            Type::Bytes
                | Type::Strings
                | Type::Arguments
                | Type::Capabilities
                | Type::Pairs
                | Type::DnsName
                | Type::DnsAnswers
        )
    }

    /// How docs/reference/events.md calls its form in JSON.
    pub fn in_json(self) -> &'static str {
        match self {
            Type::Bool => "boolean",
            Type::Number | Type::Signed => "number",
            Type::Big => "string (decimal)",
            Type::Hex => "string (16 hexadecimal digits)",
            Type::Bytes => "string",
            Type::Word => "string (word)",
            Type::Strings | Type::Arguments => "array of strings",
            Type::Address => "string (IP address)",
            Type::Endpoint => "string (address and port)",
            Type::Time => "string (RFC 3339)",
            Type::Capabilities => "array of strings (capability names)",
            Type::TcpFlags | Type::OpenFlags => "array of strings (flag names)",
            Type::Mode => "string (octal)",
            Type::HexList => "array of strings (hexadecimal)",
            Type::Device => "string (major:minor)",
            Type::Signal => "string (signal name)",
            Type::Errno => "string (errno name)",
            Type::Pairs => "object of strings",
            Type::DnsName => "string (domain name)",
            Type::DnsType => "string (DNS type)",
            Type::DnsCode => "string (DNS response code)",
            Type::DnsAnswers => "array of objects",
        }
    }
}
