//! Spans: the fields of `Span`.

pub use super::Attributes;
use super::{bytes_field, fixed32_field, fixed64_field, nested, varint_field};

const ATTRIBUTES: u32 = 9;
/// Of `Status`.
const CODE: u32 = 3;
const ERROR: u64 = 2;
/// Of the flags: the parent is known to be another process's.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// Which end of an exchange it is (`SpanKind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are OpenTelemetry's")]
pub enum SpanKind {
    Server = 2,
    Client = 3,
}

/// A span, borrowed from what it is made of.
pub struct Span<'a> {
    /// The trace that it is part of.
    pub trace_id: [u8; 16],
    /// Its own.
    pub span_id: u64,
    /// The span that it is below.
    pub parent_id: u64,
    /// The flags of the trace context that was seen.
    pub trace_flags: u8,
    /// Which end.
    pub kind: SpanKind,
    /// What is the same of all that are alike: `GET`.
    pub name: &'a str,
    /// When it began and when it ended, nanoseconds since 1970.
    pub time_ns: [u64; 2],
    /// It did not end well.
    pub is_error: bool,
    /// Writes its attributes.
    pub attributes: &'a dyn Fn(&mut Attributes<'_>),
}

impl std::fmt::Debug for Span<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Span").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Span<'_> {
    /// Its fields.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let [start_ns, end_ns] = self.time_ns;
        bytes_field(1, &self.trace_id, out);
        bytes_field(2, &self.span_id.to_be_bytes(), out);
        bytes_field(4, &self.parent_id.to_be_bytes(), out);
        bytes_field(5, self.name.as_bytes(), out);
        varint_field(6, self.kind as u64, out);
        fixed64_field(7, start_ns, out);
        fixed64_field(8, end_ns, out);
        (self.attributes)(&mut Attributes::new(ATTRIBUTES, out));
        if self.is_error {
            nested(15, out, |out| varint_field(CODE, ERROR, out));
        }
        fixed32_field(16, u32::from(self.trace_flags) | HAS_IS_REMOTE | IS_REMOTE, out);
    }
}
