//! What every record can do: name its kind, show its fields, and offer itself typed.
//!
//! A record's fields are listed once, with [`record!`]; table columns, JSON,
//! filters and docs/reference/events.md are all derived from that list.

use crate::process::{Exec, Exit, Fork};
use crate::tcp::Tcp;
use crate::time::Timestamp;
use crate::value::Value;

/// Where a field is shown without being asked for by name. JSON always holds every field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    /// In the default table, the wide table and JSON.
    Table,
    /// In the wide table and JSON.
    Wide,
    /// In JSON only.
    Json,
}

/// One field of a record's kind.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Path in JSON, `.` between objects, the unit in the name: `process.pid`, `duration_ns`.
    pub path: &'static str,
    /// Column title in tables: `PID`.
    pub column: &'static str,
    /// Column width in characters; the last column of a table takes what is left.
    pub width: usize,
    /// Where it is shown.
    pub shown: Shown,
    /// One line for docs/reference/events.md.
    pub summary: &'static str,
}

/// A kind of record: `exec`, `tcp_close`, …
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// The signal that emits it: `process`.
    pub signal: &'static str,
    /// The value of `type` in JSON.
    pub name: &'static str,
    /// One line for docs/reference/events.md.
    pub summary: &'static str,
    /// Its fields, in the order of columns.
    pub fields: &'static [Field],
}

/// A typed view of a record, for consumers that need more than its fields as text.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A program was executed, or was found running at start.
    Exec(&'a Exec<'a>),
    /// A process was created.
    Fork(&'a Fork),
    /// A process ended.
    Exit(&'a Exit),
    /// Something happened to a TCP connection.
    Tcp(&'a Tcp),
    /// A record of a signal that this crate has no type for.
    Other,
}

/// A decoded record. It may borrow from the kernel's ring, so it lives as long as the callback.
pub trait Record {
    /// The record's kind.
    fn kind(&self) -> &'static Kind;
    /// When it happened.
    fn time(&self) -> Timestamp;
    /// Calls `each` for every field in the order of [`Kind::fields`].
    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>));
    /// The record itself, typed.
    fn event(&self) -> Event<'_> {
        Event::Other
    }
}
