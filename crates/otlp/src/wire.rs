//! OTLP's messages, field by field. Numbers and types of fields are those of opentelemetry-proto 1.10.

pub(crate) mod answer;
pub mod logs;
pub(crate) mod metrics;
mod points;
pub(crate) mod profiles;
mod semantic;
pub mod spans;

use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

/// Of `ExportMetricsServiceRequest`, `ExportLogsServiceRequest`, `ExportTraceServiceRequest`,
/// `ExportProfilesServiceRequest`: a resource with what is told of it.
const RESOURCE_ITEMS: u32 = 1;
/// Of `ResourceMetrics`, `ResourceLogs`, `ResourceSpans` and `ResourceProfiles`.
const RESOURCE: u32 = 1;
const SCOPE_ITEMS: u32 = 2;
/// Of `ScopeMetrics`, `ScopeLogs`, `ScopeSpans` and `ScopeProfiles`.
const SCOPE: u32 = 1;
pub(crate) const ITEM: u32 = 2;
/// Of `InstrumentationScope`.
const SCOPE_NAME: u32 = 1;
const SCOPE_VERSION: u32 = 2;
/// Of `KeyValue`.
const KEY: u32 = 1;
const VALUE: u32 = 2;
/// Of `AnyValue`.
const STRING: u32 = 1;
const BOOL: u32 = 2;
const INT: u32 = 3;
const DOUBLE: u32 = 4;
const ARRAY: u32 = 5;
/// Of `ArrayValue`.
const VALUES: u32 = 1;

/// What tells of itself here (`InstrumentationScope.name`).
pub const SCOPE_WORD: &str = "chandra";

/// Attributes that are being written. Whoever writes sees to it that no key comes twice.
#[derive(Debug)]
pub struct Attributes<'o> {
    tag: u32,
    out: &'o mut Vec<u8>,
}

impl<'o> Attributes<'o> {
    /// Of a message whose attributes are this field.
    pub(crate) fn new(tag: u32, out: &'o mut Vec<u8>) -> Self {
        Self { tag, out }
    }

    /// Any value.
    pub fn add(&mut self, key: &str, value: Any<'_>) {
        attribute(self.tag, key, value, self.out);
    }

    /// A text, unless it is empty, which stands for not known.
    pub fn known(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.add(key, Any::Text(text));
        }
    }
}

/// A value of an attribute.
#[derive(Debug, Clone, Copy)]
pub enum Any<'a> {
    /// A text.
    Text(&'a str),
    /// A truth.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any number.
    Double(f64),
    /// Several texts.
    Texts(&'a [String]),
}

/// A whole request, from a resource's attributes and items (metrics, or log records) that are fields
/// already.
pub(crate) fn request(resource: &[u8], items: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(items.len() + resource.len() + 64);
    of_resource(resource, items, &mut out);
    out
}

/// What is told of one resource, as a field of a request.
pub(crate) fn of_resource(resource: &[u8], items: &[u8], out: &mut Vec<u8>) {
    nested(RESOURCE_ITEMS, out, |out| {
        bytes_field(RESOURCE, resource, out);
        nested(SCOPE_ITEMS, out, |out| {
            nested(SCOPE, out, |out| {
                bytes_field(SCOPE_NAME, SCOPE_WORD.as_bytes(), out);
                bytes_field(SCOPE_VERSION, env!("CARGO_PKG_VERSION").as_bytes(), out);
            });
            out.extend_from_slice(items);
        });
    });
}

/// A message within another, after its length.
pub(crate) fn nested(tag: u32, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    encode_key(tag, WireType::LengthDelimited, out);
    let begin = out.len();
    write(out);
    let length = (out.len() - begin) as u64;
    // What was written moves by the few bytes of its length.
    let room = encoded_len_varint(length);
    let end = out.len();
    out.resize(end + room, 0);
    out.copy_within(begin..end, begin + room);
    if let Some(mut place) = out.get_mut(begin..begin + room) {
        encode_varint(length, &mut place);
    }
}

/// Bytes, a text, or a message that is written already.
pub(crate) fn bytes_field(tag: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// `uint64`, `bool`, or an `enum`.
pub(crate) fn varint_field(tag: u32, value: u64, out: &mut Vec<u8>) {
    encode_key(tag, WireType::Varint, out);
    encode_varint(value, out);
}

/// `sint32`
pub(crate) fn sint32_field(tag: u32, value: i32, out: &mut Vec<u8>) {
    let zigzag = (value << 1 ^ value >> 31).cast_unsigned();
    varint_field(tag, zigzag.into(), out);
}

/// `fixed32`
pub(crate) fn fixed32_field(tag: u32, value: u32, out: &mut Vec<u8>) {
    encode_key(tag, WireType::ThirtyTwoBit, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// `fixed64` or `sfixed64`
pub(crate) fn fixed64_field(tag: u32, value: u64, out: &mut Vec<u8>) {
    encode_key(tag, WireType::SixtyFourBit, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// `double`
pub(crate) fn double_field(tag: u32, value: f64, out: &mut Vec<u8>) {
    fixed64_field(tag, value.to_bits(), out);
}

/// An attribute that is a text, of which a series has many: without a byte moved.
pub(crate) fn text_attribute(tag: u32, key: &str, text: &str, out: &mut Vec<u8>) {
    let field = |length: usize| key_len(1) + encoded_len_varint(length as u64) + length;
    let value = field(text.len());
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint((field(key.len()) + field(value)) as u64, out);
    bytes_field(KEY, key.as_bytes(), out);
    encode_key(VALUE, WireType::LengthDelimited, out);
    encode_varint(value as u64, out);
    bytes_field(STRING, text.as_bytes(), out);
}

/// Any attribute.
pub(crate) fn attribute(tag: u32, key: &str, value: Any<'_>, out: &mut Vec<u8>) {
    nested(tag, out, |out| {
        bytes_field(KEY, key.as_bytes(), out);
        nested(VALUE, out, |out| any(value, out));
    });
}

/// The fields of an `AnyValue`.
pub(crate) fn any(value: Any<'_>, out: &mut Vec<u8>) {
    match value {
        Any::Text(text) => bytes_field(STRING, text.as_bytes(), out),
        Any::Bool(truth) => varint_field(BOOL, truth.into(), out),
        Any::Int(number) => varint_field(INT, number.cast_unsigned(), out),
        Any::Double(number) => double_field(DOUBLE, number, out),
        Any::Texts(texts) => nested(ARRAY, out, |out| {
            for text in texts {
                nested(VALUES, out, |out| bytes_field(STRING, text.as_bytes(), out));
            }
        }),
    }
}
