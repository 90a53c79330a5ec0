//! Encoded messages as JSON, straight off the wire: what is read of a field is written, and nothing is
//! made in between.
//!
//! Invariant: what is written is what `prost-reflect` writes of the same message, byte for byte. That is
//! generic and slow; this knows the kinds of fields that our messages have, in the order in which we
//! encode them. Whatever is otherwise (an unknown type beside a flow, fields out of order or twice,
//! a time that is none) is refused, and `prost-reflect` has to say it.

use std::collections::HashMap;
use std::io::Write;
use std::sync::LazyLock;

use prost::Message;
use prost_reflect::{Cardinality, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use prost_types::Timestamp;

use crate::reflect;
use crate::wire::{Value, next, varint};

/// Messages in messages; ours have fewer than ten.
const DEEPEST: u32 = 64;
/// Seconds of the years 1 to 9999, which are the times that JSON has.
const TIMES: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// A message of this full name, encoded, as JSON; `None` where it is not so simple.
pub(super) fn text(name: &str, message: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(1024);
    PLANS.write(PLANS.number_of(name)?, message, DEEPEST, &mut out)?;
    String::from_utf8(out).ok()
}

static PLANS: LazyLock<Plans> = LazyLock::new(Plans::new);

/// How each of our messages is written.
struct Plans {
    plans: Vec<Plan>,
    names: HashMap<Box<str>, usize>,
}

enum Plan {
    Fields(Vec<Field>),
    Timestamp,
    Any,
    /// A number or a text that may be absent: `google.protobuf.BoolValue`.
    Wrapper(Content),
    /// Not here.
    Unknown,
}

/// A field of a message; they are in the order of their numbers.
struct Field {
    number: u32,
    /// Its name in quotes, with the colon behind it.
    key: Box<str>,
    content: Content,
    is_list: bool,
    /// It is written also where it is 0 or empty.
    has_presence: bool,
    /// A bit for the choice that it is one of.
    choice: u64,
}

enum Content {
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Fixed64,
    Text,
    /// Names in quotes, by their numbers.
    Enum(HashMap<i32, Box<str>>),
    /// The number of its plan.
    Message(usize),
    /// Not here.
    Unknown,
}

impl Plans {
    fn new() -> Self {
        let messages: Vec<_> = reflect::messages().collect();
        let name =
            |(number, message): (usize, &MessageDescriptor)| (message.full_name().into(), number);
        let names: HashMap<Box<str>, usize> = messages.iter().enumerate().map(name).collect();
        let plans = messages.iter().map(|message| Plan::of(message, &names)).collect();
        Self { plans, names }
    }

    fn number_of(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    fn write(&self, plan: usize, message: &[u8], deepest: u32, out: &mut Vec<u8>) -> Option<()> {
        let deepest = deepest.checked_sub(1)?;
        match self.plans.get(plan)? {
            Plan::Fields(fields) => {
                out.push(b'{');
                self.write_fields(fields, message, deepest, out)?;
                out.push(b'}');
                Some(())
            }
            Plan::Timestamp => {
                let time = Timestamp::decode(message).ok()?;
                let is_time =
                    TIMES.contains(&time.seconds) && (0..1_000_000_000).contains(&time.nanos);
                is_time.then(|| write!(out, "\"{time}\"").ok())?
            }
            Plan::Any => self.write_any(message, deepest, out),
            Plan::Wrapper(content) => {
                let value = match message {
                    [] if matches!(content, Content::Text) => Value::Bytes(b""),
                    [] => Value::Varint(0),
                    _ => {
                        let mut rest = message;
                        let field = next(&mut rest)?;
                        (field.number == 1 && rest.is_empty()).then_some(field.value)?
                    }
                };
                self.write_value(content, value, deepest, out)
            }
            Plan::Unknown => None,
        }
    }

    /// The type of what is in it, then its fields as if they were of this object.
    fn write_any(&self, mut message: &[u8], deepest: u32, out: &mut Vec<u8>) -> Option<()> {
        let (kind, value) = (next(&mut message)?, next(&mut message)?);
        let ((1, Value::Bytes(kind)), (2, Value::Bytes(value)), []) =
            ((kind.number, kind.value), (value.number, value.value), message)
        else {
            return None;
        };
        let kind = std::str::from_utf8(kind).ok()?;
        let Plan::Fields(fields) = self.plans.get(self.number_of(kind.rsplit_once('/')?.1)?)?
        else {
            return None;
        };
        out.extend_from_slice(b"{\"@type\":");
        json(kind, out)?;
        self.write_fields(fields, value, deepest, out)?;
        out.push(b'}');
        Some(())
    }

    /// Fields behind what opened the object or stands in it.
    fn write_fields(
        &self,
        fields: &[Field],
        mut message: &[u8],
        deepest: u32,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let (mut place, mut last, mut choices, mut in_list) = (0, 0, 0, false);
        while !message.is_empty() {
            let next = next(&mut message)?;
            let is_next = next.number == last;
            if next.number < last {
                return None;
            }
            last = next.number;
            if in_list && !is_next {
                out.push(b']');
                in_list = false;
            }
            place += fields.get(place..)?.iter().take_while(|it| it.number < next.number).count();
            let Some(field) = fields.get(place).filter(|field| field.number == next.number) else {
                // Of a newer version.
                continue;
            };
            if is_next && !field.is_list || choices & field.choice != 0 {
                return None;
            }
            choices |= field.choice;
            if field.is_list {
                self.write_item(field, next.value, &mut in_list, deepest, out)?;
            } else if field.has_presence || !field.content.is_default(next.value) {
                begin(field, out);
                self.write_value(&field.content, next.value, deepest, out)?;
            }
        }
        if in_list {
            out.push(b']');
        }
        Some(())
    }

    /// One item of a list, or some numbers that are packed.
    fn write_item(
        &self,
        field: &Field,
        value: Value<'_>,
        in_list: &mut bool,
        deepest: u32,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let mut one = |value: Value<'_>, out: &mut Vec<u8>| {
            if std::mem::replace(in_list, true) {
                out.push(b',');
            } else {
                begin(field, out);
                out.push(b'[');
            }
            self.write_value(&field.content, value, deepest, out)
        };
        match (value, &field.content) {
            (_, Content::Unknown) => None,
            (Value::Bytes(_), Content::Text | Content::Message(_)) => one(value, out),
            (Value::Bytes(mut packed), _) => {
                while !packed.is_empty() {
                    one(Value::Varint(varint(&mut packed)?), out)?;
                }
                Some(())
            }
            _ => one(value, out),
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "that is how numbers of 32 bits are decoded"
    )]
    fn write_value(
        &self,
        content: &Content,
        value: Value<'_>,
        deepest: u32,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        match (content, value) {
            (Content::Bool, Value::Varint(number)) => json(&(number != 0), out),
            (Content::Int32, Value::Varint(number)) => json(&(number as i32), out),
            (Content::Uint32, Value::Varint(number)) => json(&(number as u32), out),
            (Content::Int64, Value::Varint(number)) => quoted(number.cast_signed(), out),
            (Content::Uint64, Value::Varint(number)) => quoted(number, out),
            (Content::Fixed64, Value::Fixed64(number)) => quoted(number, out),
            (Content::Enum(names), Value::Varint(number)) => {
                let number = number as i32;
                match names.get(&number) {
                    Some(name) => out.extend_from_slice(name.as_bytes()),
                    None => json(&number, out)?,
                }
                Some(())
            }
            (Content::Text, Value::Bytes(text)) => json(std::str::from_utf8(text).ok()?, out),
            (Content::Message(plan), Value::Bytes(message)) => {
                self.write(*plan, message, deepest, out)
            }
            _ => None,
        }
    }
}

/// Writes the name of a field, behind a comma unless it is the first of its object.
fn begin(field: &Field, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.extend_from_slice(field.key.as_bytes());
}

fn json<T: serde::Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Option<()> {
    serde_json::to_writer(out, value).ok()
}

fn quoted<T: serde::Serialize>(number: T, out: &mut Vec<u8>) -> Option<()> {
    out.push(b'"');
    json(&number, out)?;
    out.push(b'"');
    Some(())
}

impl Plan {
    fn of(message: &MessageDescriptor, names: &HashMap<Box<str>, usize>) -> Self {
        match message.full_name().strip_prefix("google.protobuf.") {
            Some("Timestamp") => Self::Timestamp,
            Some("Any") => Self::Any,
            Some("BoolValue") => Self::Wrapper(Content::Bool),
            Some("Int32Value") => Self::Wrapper(Content::Int32),
            Some("UInt32Value") => Self::Wrapper(Content::Uint32),
            Some("Int64Value") => Self::Wrapper(Content::Int64),
            Some("UInt64Value") => Self::Wrapper(Content::Uint64),
            Some("StringValue") => Self::Wrapper(Content::Text),
            Some(_) => Self::Unknown,
            None if message.oneofs().count() > 64 => Self::Unknown,
            None => {
                let fields = message.fields().map(|field| Field::of(message, &field, names));
                let mut fields: Vec<_> = fields.collect();
                fields.sort_by_key(|field| field.number);
                Self::Fields(fields)
            }
        }
    }
}

impl Field {
    fn of(
        message: &MessageDescriptor,
        field: &FieldDescriptor,
        names: &HashMap<Box<str>, usize>,
    ) -> Self {
        let choice = field.containing_oneof();
        let choice = choice.and_then(|choice| message.oneofs().position(|it| it == choice));
        Self {
            number: field.number(),
            key: format!("\"{}\":", field.name()).into(),
            content: if field.is_map() {
                Content::Unknown
            } else {
                Content::of(&field.kind(), names)
            },
            is_list: field.cardinality() == Cardinality::Repeated,
            has_presence: field.supports_presence(),
            choice: choice.map_or(0, |place| 1 << place),
        }
    }
}

impl Content {
    fn of(kind: &Kind, names: &HashMap<Box<str>, usize>) -> Self {
        match kind {
            Kind::Bool => Self::Bool,
            Kind::Int32 => Self::Int32,
            Kind::Int64 => Self::Int64,
            Kind::Uint32 => Self::Uint32,
            Kind::Uint64 => Self::Uint64,
            Kind::Fixed64 => Self::Fixed64,
            Kind::String => Self::Text,
            Kind::Enum(words) => Self::Enum(quoted_names(words)),
            Kind::Message(message) => {
                names.get(message.full_name()).map_or(Self::Unknown, |plan| Self::Message(*plan))
            }
            _ => Self::Unknown,
        }
    }

    /// It is the value that an absent field has.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "that is how numbers of 32 bits are decoded"
    )]
    fn is_default(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::Int32 | Self::Uint32 | Self::Enum(_), Value::Varint(number)) => {
                number as u32 == 0
            }
            (Self::Bool | Self::Int64 | Self::Uint64, Value::Varint(0))
            | (Self::Fixed64, Value::Fixed64(0))
            | (Self::Text, Value::Bytes([])) => true,
            _ => false,
        }
    }
}

fn quoted_names(words: &EnumDescriptor) -> HashMap<i32, Box<str>> {
    let numbers = words.values().map(|value| value.number());
    let name = |number| Some((number, format!("\"{}\"", words.get_value(number)?.name()).into()));
    numbers.filter_map(name).collect()
}

#[cfg(test)]
mod tests;
