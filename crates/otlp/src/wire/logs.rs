//! Log records: the fields of `LogRecord`.

use super::{Any, any, bytes_field, fixed64_field, nested, varint_field};

pub use super::Attributes;

const ATTRIBUTES: u32 = 6;

/// How grave it is (`SeverityNumber`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are OpenTelemetry's")]
pub enum Severity {
    Debug = 5,
    Info = 9,
    Info2 = 10,
    Warn = 13,
    Error = 17,
    Error2 = 18,
    Error3 = 19,
    Fatal = 21,
}

/// A record, borrowed from what it is made of.
pub struct Record<'a> {
    /// When it happened, nanoseconds since 1970.
    pub time_ns: u64,
    /// When the agent had it, nanoseconds since 1970.
    pub observed_ns: u64,
    /// How grave it is.
    pub severity: Severity,
    /// The same in the words of where it is from.
    pub severity_text: &'a str,
    /// What is the same of all that are alike: `chandra.alert`.
    pub event_name: &'a str,
    /// For people.
    pub body: &'a str,
    /// Writes its attributes.
    pub attributes: &'a dyn Fn(&mut Attributes<'_>),
}

impl std::fmt::Debug for Record<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Record").field("event_name", &self.event_name).finish_non_exhaustive()
    }
}

impl Record<'_> {
    /// Its fields.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        fixed64_field(1, self.time_ns, out);
        varint_field(2, self.severity as u64, out);
        bytes_field(3, self.severity_text.as_bytes(), out);
        nested(5, out, |out| any(Any::Text(self.body), out));
        (self.attributes)(&mut Attributes::new(ATTRIBUTES, out));
        fixed64_field(11, self.observed_ns, out);
        bytes_field(12, self.event_name.as_bytes(), out);
    }
}
