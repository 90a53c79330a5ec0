//! What stands on the left of a comparison, or in `val(…)`: a field, or what is made of some.

use std::io::Write;
use std::net::SocketAddr;

use chandra_event::names;
use chandra_event::time::Timestamp;
use chandra_event::who::Mount;

use super::value::TimeForm;
use super::{Argument, Facts, Value};
use crate::catalogue::FieldSpec;
use crate::matching::OptionLetters;

/// A field with its argument.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FieldRef {
    pub spec: &'static FieldSpec,
    pub argument: Argument,
}

/// Something that has values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    /// A field as it is.
    Field(FieldRef),
    /// Text that is made.
    Made(Part),
    /// How many bytes a text has.
    Length(Part),
    /// How many parts a text of several has.
    Count(FieldRef),
    /// Options among the parts of a field; the last value of one of them, if it is named.
    Options { of: FieldRef, letters: OptionLetters, only: Option<u8> },
}

/// Something that can be written as text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    /// The value of a field.
    Field(FieldRef),
    /// All parts of a field, which is for [`Join`](Part::Join).
    Parts(FieldRef),
    Literal(Box<[u8]>),
    Lower(Box<Part>),
    Upper(Box<Part>),
    Base64(Box<Part>),
    BaseName(Box<Part>),
    /// A path without the slash at its end; the root stays.
    WithoutSlash(Box<Part>),
    /// Parts with the first between them.
    Join(Box<Part>, Box<[Part]>),
}

/// Whether a text could be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Yes,
    Absent,
    Unknown,
}

impl FieldRef {
    pub fn value<'f>(&self, facts: &'f dyn Facts) -> Value<'f> {
        facts.value(self.spec.id, &self.argument)
    }
}

impl Part {
    /// Appends the text.
    pub fn write(&self, facts: &dyn Facts, out: &mut Vec<u8>) -> Written {
        let start = out.len();
        match self {
            Self::Field(field) | Self::Parts(field) => write_value(field.value(facts), out),
            Self::Literal(text) => {
                out.extend_from_slice(text);
                Written::Yes
            }
            Self::Lower(part) => map(part, facts, out, |bytes| {
                bytes.make_ascii_lowercase();
                Some(bytes.len())
            }),
            Self::Upper(part) => map(part, facts, out, |bytes| {
                bytes.make_ascii_uppercase();
                Some(bytes.len())
            }),
            Self::Base64(part) => map(part, facts, out, decode_base64),
            Self::WithoutSlash(part) => map(part, facts, out, |bytes| {
                let ends_so = bytes.len() > 1 && bytes.ends_with(b"/");
                Some(bytes.len() - usize::from(ends_so))
            }),
            Self::BaseName(part) => map(part, facts, out, |bytes| {
                let at = memchr::memrchr(b'/', bytes).map_or(0, |slash| slash + 1);
                bytes.copy_within(at.., 0);
                Some(bytes.len() - at)
            }),
            Self::Join(separator, parts) => {
                for part in parts {
                    let written = match part {
                        Self::Parts(field) => write_parts(field, separator, facts, start, out),
                        part => {
                            if out.len() > start && separator.write(facts, out) != Written::Yes {
                                return Written::Absent;
                            }
                            part.write(facts, out)
                        }
                    };
                    if written != Written::Yes {
                        return written;
                    }
                }
                Written::Yes
            }
        }
    }
}

/// Appends the arguments that a field has.
fn write_parts(
    field: &FieldRef,
    separator: &Part,
    facts: &dyn Facts,
    start: usize,
    out: &mut Vec<u8>,
) -> Written {
    let words = match field.value(facts) {
        Value::Words(words) if !words.is_cut => words,
        Value::Absent => return Written::Absent,
        _ => return Written::Unknown,
    };
    for argument in words.arguments() {
        if out.len() > start {
            separator.write(facts, out);
        }
        out.extend_from_slice(argument);
    }
    Written::Yes
}

/// Appends a part, changed in its place; `change` says how many bytes are left, or that it cannot be.
fn map(
    part: &Part,
    facts: &dyn Facts,
    out: &mut Vec<u8>,
    change: impl FnOnce(&mut [u8]) -> Option<usize>,
) -> Written {
    let start = out.len();
    let written = part.write(facts, out);
    if written != Written::Yes {
        return written;
    }
    match change(out.get_mut(start..).unwrap_or_default()) {
        Some(length) => {
            out.truncate(start + length);
            Written::Yes
        }
        None => Written::Absent,
    }
}

/// Appends a value as text.
pub(crate) fn write_value(value: Value<'_>, out: &mut Vec<u8>) -> Written {
    let written = match value {
        Value::Absent => return Written::Absent,
        Value::Unknown | Value::Cut { .. } | Value::NotNegative => return Written::Unknown,
        Value::Composed(text) if !text.by.compose(text.field, out) => return Written::Unknown,
        Value::Composed(_) => Ok(()),
        Value::Path(path, part) => {
            super::path::write(path, part, out);
            Ok(())
        }
        Value::Flags(set, names) => write_flags(set, names, out),
        Value::OpenFlags(flags) => {
            for (index, name) in names::open_flags(flags).enumerate() {
                let _ = write!(out, "{}{name}", if index > 0 { "|" } else { "" });
            }
            Ok(())
        }
        Value::Text(text) => out.write_all(text),
        Value::Joined(first, second) => out.write_all(first).and_then(|()| out.write_all(second)),
        Value::Words(words) if words.is_cut => return Written::Unknown,
        Value::Words(words) => {
            words.write_head(out);
            Ok(())
        }
        Value::Labels(labels) => {
            for (index, (key, value)) in labels.iter().enumerate() {
                let separator = if index > 0 { ", " } else { "" };
                let _ = write!(out, "{separator}{key}:{value}");
            }
            Ok(())
        }
        Value::Mounts(mounts) => write_mounts(mounts, out),
        Value::Number(number) => write!(out, "{number}"),
        Value::Bool(holds) => write!(out, "{holds}"),
        Value::Address(address) => write!(out, "{}", address.to_canonical()),
        Value::Time(time, form) => write_time(time, form, out),
        Value::Endpoint(end) => write!(out, "{}", canonical(end)),
        Value::Connection { client, server } => {
            write!(out, "{}->{}", canonical(client), canonical(server))
        }
        Value::Capabilities(set) => {
            for (index, name) in names::capabilities(set).enumerate() {
                let _ = write!(out, "{}{name}", if index > 0 { " " } else { "" });
            }
            Ok(())
        }
    };
    // A vector takes all.
    if written.is_ok() { Written::Yes } else { Written::Unknown }
}

fn canonical(end: SocketAddr) -> SocketAddr {
    SocketAddr::new(end.ip().to_canonical(), end.port())
}

fn write_mounts(mounts: &[Mount], out: &mut Vec<u8>) -> std::io::Result<()> {
    for (index, mount) in mounts.iter().enumerate() {
        let separator = if index > 0 { " " } else { "" };
        let Mount { host_path, container_path, read_only, propagation } = mount;
        let mode = if *read_only { "ro" } else { "rw" };
        let (writable, propagation) = (!read_only, propagation.word());
        write!(out, "{separator}{host_path}:{container_path}:{mode}:{writable}:{propagation}")?;
    }
    Ok(())
}

fn write_flags(set: u64, names: &[(u64, &'static str)], out: &mut Vec<u8>) -> std::io::Result<()> {
    let start = out.len();
    let mut rest = set;
    for (bits, name) in names.iter().filter(|(bits, _)| set & bits != 0) {
        rest &= !bits;
        write!(out, "{}{name}", if out.len() > start { "|" } else { "" })?;
    }
    match (rest, out.len() > start) {
        (0, true) => Ok(()),
        (0, false) => write!(out, "0"),
        (rest, named) => write!(out, "{}{rest:#x}", if named { "|" } else { "" }),
    }
}

fn write_time(time: Timestamp, form: TimeForm, out: &mut Vec<u8>) -> std::io::Result<()> {
    let start = out.len();
    write!(out, "{time}")?;
    // `2026-11-22T09:10:11.123456789Z`, years having four digits.
    let (day, second, whole) = (11, 19, 29);
    let kept = match form {
        TimeForm::Rfc3339 => return Ok(()),
        TimeForm::OfDay => day..whole,
        TimeForm::OfDaySeconds => day..second,
        TimeForm::DateTime => 0..whole,
        TimeForm::DateTimeSeconds => 0..second,
    };
    if matches!(form, TimeForm::DateTime | TimeForm::DateTimeSeconds)
        && let Some(between) = out.get_mut(start + day - 1)
    {
        *between = b' ';
    }
    out.copy_within(start + kept.start..start + kept.end, start);
    out.truncate(start + kept.len());
    Ok(())
}

/// Decodes Base64 (RFC 4648, also with the letters of its section 5) where it stands, and says how many
/// bytes came out; nothing if it is none.
fn decode_base64(bytes: &mut [u8]) -> Option<usize> {
    let (mut length, mut bits, mut held) = (0, 0u32, 0);
    let padding = bytes.iter().rev().take_while(|byte| **byte == b'=').count();
    if padding > 2 {
        return None;
    }
    for index in 0..bytes.len() - padding {
        let value = match bytes.get(index)? {
            upper @ b'A'..=b'Z' => upper - b'A',
            lower @ b'a'..=b'z' => lower - b'a' + 26,
            digit @ b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            *bytes.get_mut(length)? = u8::try_from(bits >> held & 0xff).ok()?;
            length += 1;
        }
    }
    // A last letter alone says nothing.
    (held < 6).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_in_its_place() {
        let decoded = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            let length = decode_base64(&mut bytes)?;
            bytes.truncate(length);
            Some(String::from_utf8(bytes).unwrap())
        };
        for (text, expected) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg", "foob"),
            ("8J-YgA", "😀"),
        ] {
            assert_eq!(decoded(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["Z", "Zm9v!", "Z=m9", "====="] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }
}
