//! One record as one line of JSON, the shape that every verb and sink shares.
//!
//! `time`, `signal`, `type` and `node` come first, then the fields, nested by the dots of their
//! paths. What is not known is left out, and so is an object that would be empty.
//!
//! Bytes from outside become strings that are valid JSON and harmless on a terminal: a control
//! character, or one that hides or moves others, is written as a JSON escape and so comes back as
//! it was; a byte that is not UTF-8 has no JSON form and is written visibly as the four characters
//! `\xff` (in the line: `"\\xff"`).

use std::fmt::{self, Display};
use std::io::Write;

use crate::bounded::Pairs;
use crate::dns::{self, Answer, Answers, Data};
use crate::names;
use crate::process::strings;
use crate::record::{Kind, Record, Shown};
use crate::text;
use crate::time::Timestamp;
use crate::value::Value;

/// Appends `record` as one line, its end included.
pub fn write_line(record: &dyn Record, node: Option<&str>, out: &mut Vec<u8>) {
    let mut line = Line::begin(record.kind(), record.time(), node, out);
    record.visit(&mut |field, value| {
        if field.shown != Shown::TableOnly {
            line.field(field.path, value);
        }
    });
    line.end();
}

/// A line that is being written; for callers that add fields of their own to a record's.
///
/// The fields of one object must be written together.
#[derive(Debug)]
pub struct Line<'o> {
    out: &'o mut Vec<u8>,
    /// Path of the object that is open, empty at the top.
    object: &'static str,
}

impl<'o> Line<'o> {
    /// Opens the line with what every record starts with.
    pub fn begin(
        kind: &Kind,
        time: Timestamp,
        node: Option<&str>,
        out: &'o mut Vec<u8>,
    ) -> Line<'o> {
        out.extend_from_slice(b"{\"time\":");
        write_quoted(time, out);
        let known = [("signal", Some(kind.signal)), ("type", Some(kind.name)), ("node", node)];
        for (name, value) in known {
            if let Some(value) = value {
                out.push(b',');
                write_name(name, out);
                write_string(value.as_bytes(), out);
            }
        }
        Line { out, object: "" }
    }

    /// Adds a field; nothing when the value is absent.
    pub fn field(&mut self, path: &'static str, value: Value<'_>) {
        if value == Value::Absent {
            return;
        }
        let (object, name) = path.rsplit_once('.').unwrap_or(("", path));
        self.enter(object);
        write_name(name, self.out);
        write_value(value, self.out);
    }

    /// Adds what no record has: a field at the top whose value is JSON already.
    pub fn json(&mut self, name: &'static str, value: &str) {
        self.enter("");
        write_name(name, self.out);
        self.out.extend_from_slice(value.as_bytes());
    }

    /// Closes the line.
    pub fn end(mut self) {
        self.leave(0);
        self.out.extend_from_slice(b"}\n");
    }

    /// Closes the objects that `object` is not in and opens those on the way to it.
    fn enter(&mut self, object: &'static str) {
        let shared = names_of(self.object)
            .zip(names_of(object))
            .take_while(|(open, wanted)| open == wanted)
            .count();
        self.leave(shared);
        self.out.push(b',');
        for name in names_of(object).skip(shared) {
            write_name(name, self.out);
            self.out.push(b'{');
        }
        self.object = object;
    }

    /// Closes objects until `depth` of them are open.
    fn leave(&mut self, depth: usize) {
        for _ in names_of(self.object).skip(depth) {
            self.out.push(b'}');
        }
    }
}

fn names_of(object: &str) -> impl Iterator<Item = &str> {
    object.split('.').filter(|name| !name.is_empty())
}

fn write_name(name: &str, out: &mut Vec<u8>) {
    write_string(name.as_bytes(), out);
    out.push(b':');
}

fn write_value(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Absent => write_plain("null", out),
        Value::Bool(yes) => write_plain(yes, out),
        Value::Number(number) => write_plain(number, out),
        Value::Signed(number) => write_plain(number, out),
        Value::Big(number) => write_quoted(number, out),
        Value::Hex(bits) => write_quoted(format_args!("{bits:016x}"), out),
        Value::Bytes(bytes) => write_string(bytes, out),
        Value::Word(word) => write_string(word.as_bytes(), out),
        Value::Strings(memory) => write_array(strings(memory), write_string, out),
        Value::Arguments(argv) => write_array(argv.head().chain(argv.tail()), write_string, out),
        Value::Address(address) => write_quoted(address, out),
        Value::Endpoint(end) => write_quoted(text::canonical(end), out),
        Value::Device(device) => write_quoted(names::device(device), out),
        Value::Time(time) => write_quoted(time, out),
        Value::Capabilities(set) => write_array(names::capabilities(set), write_quoted, out),
        Value::TcpFlags(flags) => write_array(names::tcp_flags(flags), write_quoted, out),
        Value::OpenFlags(flags) => write_array(names::open_flags(flags), write_quoted, out),
        Value::HexList(numbers) => {
            write_array(numbers.iter().map(names::hexadecimal), write_quoted, out);
        }
        Value::Mode(mode) => write_quoted(format_args!("{mode:04o}"), out),
        Value::Signal(number) => write_quoted(names::signal(number), out),
        Value::Errno(number) => write_quoted(names::errno(number), out),
        Value::Pairs(pairs) => write_object(pairs, out),
        Value::DnsName(name) => write_dns_name(name, out),
        Value::DnsType(number) => write_quoted(dns::type_name(number), out),
        Value::DnsCode(number) => write_quoted(dns::code_name(number), out),
        Value::DnsAnswers(answers) => {
            write_array(answers.iter().take(Answers::MAX_SHOWN), write_dns_answer, out);
        }
    }
}

/// A name's own escapes are of visible characters, one of which JSON escapes, too.
fn write_dns_name(name: dns::Name<'_>, out: &mut Vec<u8>) {
    struct Escaped<'o>(&'o mut Vec<u8>);
    impl fmt::Write for Escaped<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            text.chars().for_each(|character| write_character(character, self.0));
            Ok(())
        }
    }
    out.push(b'"');
    let _ = fmt::write(&mut Escaped(out), format_args!("{name}"));
    out.push(b'"');
}

fn write_dns_answer(answer: Answer<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"name\":");
    write_dns_name(answer.name, out);
    let (kind, ttl) = (dns::type_name(answer.type_code), answer.ttl_seconds);
    write_plain(format_args!(",\"type\":\"{kind}\",\"ttl_seconds\":{ttl}"), out);
    match answer.data {
        Data::Address(address) => write_plain(format_args!(",\"address\":\"{address}\""), out),
        Data::Target(name) => {
            out.extend_from_slice(b",\"target\":");
            write_dns_name(name, out);
        }
        Data::Other => {}
    }
    out.push(b'}');
}

/// Writes what needs no quotes. Writing to a `Vec` cannot fail.
fn write_plain(value: impl Display, out: &mut Vec<u8>) {
    let _ = write!(out, "{value}");
}

/// Writes text of ours, which holds nothing to escape.
fn write_quoted(value: impl Display, out: &mut Vec<u8>) {
    let _ = write!(out, "\"{value}\"");
}

fn write_array<T>(
    items: impl Iterator<Item = T>,
    write: impl Fn(T, &mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

fn write_object(pairs: &Pairs, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (key, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_name(key, out);
        write_string(value.as_str().as_bytes(), out);
    }
    out.push(b'}');
}

/// Writes text from outside.
/// Appends a JSON string, its quotes included.
pub fn write_string(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            write_character(character, out);
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\\\x{byte:02x}");
        }
    }
    out.push(b'"');
}

fn write_character(character: char, out: &mut Vec<u8>) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        _ if text::is_hidden(character) => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
        _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::samples;

    fn string(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write_string(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_valid_text_comes_back_as_it_was() {
        for text in ["", "é\u{1b}[0m\n\"\\", "\u{0}\u{7f}\u{9b}\u{202e}\u{e0041}日本"] {
            let json = string(text.as_bytes());
            assert!(!json.chars().any(text::is_hidden), "{json}");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }

    #[test]
    fn a_byte_that_is_not_utf_8_is_written_visibly() {
        assert_eq!(string(b"a\xffb\xe2\x82"), r#""a\\xffb\\xe2\\x82""#);
        assert_eq!(serde_json::from_str::<String>(&string(b"\xff")).unwrap(), "\\xff");
    }

    #[test]
    fn objects_open_and_close_by_the_dots_of_paths() {
        let mut out = Vec::new();
        let mut line = Line::begin(samples::exec().kind(), Timestamp(0), Some("n\"1"), &mut out);
        for (path, value) in [
            ("a.b.c", Value::Number(1)),
            ("a.b.d", Value::Absent),
            ("a.e", Value::Bool(true)),
            ("f.g", Value::Absent),
            ("h", Value::Signed(-1)),
            ("i.j.k.l", Value::Big(u64::MAX)),
            ("i.m.k.l", Value::Hex(255)),
        ] {
            line.field(path, value);
        }
        line.end();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{"time":"1970-01-01T00:00:00.000000000Z","signal":"process","type":"exec","#,
                r#""node":"n\"1","a":{"b":{"c":1},"e":true},"h":-1,"#,
                r#""i":{"j":{"k":{"l":"18446744073709551615"}},"m":{"k":{"l":"00000000000000ff"}}}}"#,
                "\n"
            )
        );
    }
}
