//! One field's value on its way to an output: it borrows from the record, so that showing a
//! field costs no allocation, and it knows how it must be written (see [`Value`]'s variants).

use std::net::IpAddr;

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
    /// A number that stays below 2^53.
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
    /// A moment of wall-clock time.
    Time(Timestamp),
    /// A capability set (bit n is capability n of `linux/capability.h`): an array of names in JSON.
    Capabilities(u64),
}

impl<'a> Value<'a> {
    /// `Absent` for `None`, and what `make` makes of the rest.
    pub fn option<T>(value: Option<T>, make: impl FnOnce(T) -> Value<'a>) -> Value<'a> {
        value.map_or(Value::Absent, make)
    }
}
