//! Values of fields.

use std::net::{IpAddr, SocketAddr};

use chandra_event::bounded::Pairs;
use chandra_event::process::strings;
use chandra_event::time::Timestamp;
use chandra_event::who::Mount;

use crate::catalogue::FieldId;
use crate::matching::MountChoice;

/// A value of a field, borrowed from the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// There is none, and that is known: a process without a terminal, a pod of a process in none.
    Absent,
    /// There may be one, but it is not known, or not yet.
    Unknown,
    /// Text, or any bytes.
    Text(&'a [u8]),
    /// A text of which the middle is missing: its first bytes and its last.
    Cut {
        /// The first bytes.
        head: &'a [u8],
        /// The last bytes; nothing is known of the end if they are empty.
        tail: &'a [u8],
    },
    /// Two texts, one behind the other.
    Joined(&'a [u8], &'a [u8]),
    /// A command line, or the arguments of one.
    Words(Words<'a>),
    /// Labels, which read as `key:value` with commas between.
    Labels(&'a Pairs),
    /// Mounts, which read as `source:destination:mode:rdwr:propagation` with blanks between.
    Mounts(&'a [Mount]),
    /// A path that is absolute but not normal, which reads without `.`, `..` and doubled slashes; or a
    /// part of it.
    Path(&'a [u8], PathPart),
    /// A whole number.
    Number(i64),
    /// A number of which no more is known than that it is not below 0.
    NotNegative,
    /// Bits, which read as their names with bars between; those without one as a number.
    Flags(u64, &'static [(u64, &'static str)]),
    /// Flags of open(2), which read so, too.
    OpenFlags(u32),
    /// True or false.
    Bool(bool),
    /// An IP address.
    Address(IpAddr),
    /// A moment, which reads as `TimeForm` says; a number of nanoseconds in JSON.
    Time(Timestamp, TimeForm),
    /// A connection, which reads as `client->server`, each with its port.
    Connection {
        /// Who opened it.
        client: SocketAddr,
        /// Who accepted it.
        server: SocketAddr,
    },
    /// An address with a port.
    Endpoint(SocketAddr),
    /// A set of capabilities (bit n is capability n of `linux/capability.h`), which reads as their names
    /// with blanks between.
    Capabilities(u64),
    /// A text that the event puts together from others when it is read.
    Composed(Composed<'a>),
}

/// An event that puts texts together.
pub trait Compose {
    /// Appends the text that is the value of a field; false, and nothing that counts, if it is not known.
    fn compose(&self, field: FieldId, out: &mut Vec<u8>) -> bool;
}

/// A text that an event puts together.
#[derive(Clone, Copy)]
pub struct Composed<'a> {
    /// The event.
    pub by: &'a dyn Compose,
    /// The field that it is the value of.
    pub field: FieldId,
}

/// The same event's value of the same field.
impl PartialEq for Composed<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self.by, other.by) && self.field == other.field
    }
}

impl Eq for Composed<'_> {}

impl std::fmt::Debug for Composed<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Composed({:?})", self.field)
    }
}

impl<'a> Value<'a> {
    /// What is there is text; what is not is known not to be.
    pub fn text(text: Option<&'a (impl AsRef<[u8]> + ?Sized)>) -> Self {
        text.map_or(Self::Absent, |text| Self::Text(text.as_ref()))
    }

    /// As [`text`](Self::text), where nothing is known if there is nothing.
    pub fn known_text(text: Option<&'a (impl AsRef<[u8]> + ?Sized)>) -> Self {
        text.map_or(Self::Unknown, |text| Self::Text(text.as_ref()))
    }

    /// A number that is known or not. One above 2^63 is 2^63 - 1.
    pub fn known_number(number: Option<u64>) -> Self {
        number.map_or(Self::Unknown, Self::number)
    }

    /// A number. One above 2^63 is 2^63 - 1.
    pub fn number(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// What is asked for of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathPart {
    /// All of it.
    Whole,
    /// What stands before the last slash; the root for what is there.
    Directory,
    /// What follows the last slash.
    Name,
}

/// Words of a command line, which read with blanks between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words<'a> {
    /// The word before the arguments.
    pub first: Option<&'a [u8]>,
    /// Arguments, each ended by NUL.
    pub head: &'a [u8],
    /// The last arguments, if some between were left out.
    pub tail: &'a [u8],
    /// Some were left out.
    pub is_cut: bool,
}

impl<'a> Words<'a> {
    /// The arguments; of those that are cut, the head.
    pub fn arguments(&self) -> impl Iterator<Item = &'a [u8]> {
        strings(self.head)
    }

    /// Appends the words before anything that was left out.
    pub(crate) fn write_head(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.first.unwrap_or_default());
        if self.first.is_some() && !self.head.is_empty() {
            out.push(b' ');
        }
        write_words(self.head, out);
    }

    /// Appends the words behind what was left out.
    pub(crate) fn write_tail(&self, out: &mut Vec<u8>) {
        write_words(self.tail, out);
    }
}

fn write_words(memory: &[u8], out: &mut Vec<u8>) {
    let memory = memory.strip_suffix(b"\0").unwrap_or(memory);
    let start = out.len();
    out.extend_from_slice(memory);
    let written = out.get_mut(start..).unwrap_or_default();
    written.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b' ');
}

/// How a moment reads. All are of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeForm {
    /// `09:10:11.123456789`
    OfDay,
    /// `09:10:11`
    OfDaySeconds,
    /// `2026-11-22 09:10:11.123456789`
    DateTime,
    /// `2026-11-22 09:10:11`
    DateTimeSeconds,
    /// RFC 3339: `2026-11-22T09:10:11.123456789Z`
    Rfc3339,
}

/// What stands in brackets behind a field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Argument {
    /// Nothing.
    None,
    /// The number of an ancestor, 0 being the process itself.
    Ancestor(u32),
    /// A name.
    Name(Box<str>),
    /// One of the mounts.
    Mount(MountChoice),
    /// The place of an argument, from 0.
    Place(u32),
}
