//! Values as text for people, safe to show on a terminal.
//!
//! Invariant: what [`push_value`] appends holds no control character and none that changes how
//! its neighbours are shown (escapes, line ends, bidirectional overrides, joiners), whoever chose
//! the bytes. They are written visibly: `\n`, `\x1b`, `\u{202e}`; a byte that is not UTF-8 as
//! `\xff`.

use std::fmt::Write;
use std::net::SocketAddr;

use unicode_width::UnicodeWidthChar;

use crate::bounded::Pairs;
use crate::dns::{self, Answers, Data};
use crate::names;
use crate::process::{Arguments, strings};
use crate::unit::Unit;
use crate::value::Value;

/// Bytes from outside as text that is harmless on a terminal and in a document.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    push_escaped(bytes, &mut text);
    text
}

/// Characters that show nothing of their own, or move or hide others: they must not reach a
/// terminal or a reader unseen.
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Appends bytes from outside.
pub(crate) fn push_escaped(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            let _ = match character {
                '\n' => out.write_str("\\n"),
                '\r' => out.write_str("\\r"),
                '\t' => out.write_str("\\t"),
                _ if !is_hidden(character) => out.write_char(character),
                '\0'..='\u{7f}' => write!(out, "\\x{:02x}", u32::from(character)),
                _ => write!(out, "\\u{{{:x}}}", u32::from(character)),
            };
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

/// Appends strings with a space between; one that is empty or would not read as one is quoted.
fn push_strings<'a>(strings: impl Iterator<Item = &'a [u8]>, out: &mut String) {
    for (index, string) in strings.enumerate() {
        if index > 0 {
            out.push(' ');
        }
        let ambiguous = |byte: &u8| matches!(byte, b' ' | b'"');
        if string.is_empty() || string.iter().any(ambiguous) {
            out.push('"');
            for (index, part) in string.split(|byte| *byte == b'"').enumerate() {
                if index > 0 {
                    out.push_str("\\\"");
                }
                push_escaped(part, out);
            }
            out.push('"');
        } else {
            push_escaped(string, out);
        }
    }
}

fn push_arguments(arguments: &Arguments<'_>, out: &mut String) {
    push_strings(arguments.head(), out);
    if arguments.is_cut() {
        out.push_str(" … ");
        push_strings(arguments.tail(), out);
    }
}

/// Appends `key=value` with commas between.
fn push_pairs(pairs: &Pairs, out: &mut String) {
    for (index, (key, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_escaped(key.as_bytes(), out);
        out.push('=');
        push_escaped(value.as_str().as_bytes(), out);
    }
}

/// Appends what DNS answers lead to with commas between; one that leads nowhere by its type.
fn push_answers(answers: Answers<'_>, out: &mut String) {
    if answers.is_empty() {
        out.push('-');
    }
    for (index, answer) in answers.iter().take(Answers::MAX_SHOWN).enumerate() {
        if index > 0 {
            out.push(',');
        }
        let _ = match answer.data {
            Data::Address(address) => write!(out, "{address}"),
            Data::Target(name) => write!(out, "{name}"),
            Data::Other => write!(out, "{}", dns::type_name(answer.type_code)),
        };
    }
    if answers.len() > Answers::MAX_SHOWN {
        out.push_str(",…");
    }
}

/// An IPv4-mapped address as the IPv4 address that travels.
pub(crate) fn canonical(end: SocketAddr) -> SocketAddr {
    SocketAddr::new(end.ip().to_canonical(), end.port())
}

/// Appends a value: a measured one exactly (`1234567ns`) or scaled for people (`1.2ms`).
pub(crate) fn push_value(value: Value<'_>, unit: Option<Unit>, exact: bool, out: &mut String) {
    let _ = match value {
        Value::Absent => out.write_char('-'),
        Value::Bool(yes) => out.write_str(if yes { "true" } else { "false" }),
        Value::Number(number) | Value::Big(number) => match unit {
            Some(unit) if exact => return unit.push_exact(number, out),
            Some(unit) => return unit.push_scaled(number, out),
            None => write!(out, "{number}"),
        },
        Value::Signed(number) => write!(out, "{number}"),
        Value::Hex(bits) => write!(out, "{bits:016x}"),
        Value::Bytes([]) => out.write_str("\"\""),
        Value::Bytes(bytes) => return push_escaped(bytes, out),
        Value::Word(word) => return push_escaped(word.as_bytes(), out),
        Value::Strings(memory) => return push_strings(strings(memory), out),
        Value::Arguments(arguments) => return push_arguments(&arguments, out),
        Value::Address(address) => write!(out, "{address}"),
        Value::Endpoint(end) => write!(out, "{}", canonical(end)),
        Value::Time(time) => write!(out, "{time}"),
        Value::Capabilities(0) => out.write_str("none"),
        Value::Capabilities(set) => {
            names::capabilities(set).enumerate().try_for_each(|(index, name)| {
                write!(out, "{}{name}", if index > 0 { "," } else { "" })
            })
        }
        Value::TcpFlags(0) => out.write_str("none"),
        Value::TcpFlags(flags) => {
            names::tcp_flags(flags).enumerate().try_for_each(|(index, name)| {
                write!(out, "{}{name}", if index > 0 { "," } else { "" })
            })
        }
        Value::OpenFlags(flags) => {
            names::open_flags(flags).enumerate().try_for_each(|(index, name)| {
                write!(out, "{}{name}", if index > 0 { "|" } else { "" })
            })
        }
        Value::HexList(numbers) => numbers.iter().enumerate().try_for_each(|(index, number)| {
            write!(out, "{}{number:#x}", if index > 0 { "," } else { "" })
        }),
        Value::Mode(mode) => write!(out, "{mode:04o}"),
        Value::Device(device) => write!(out, "{}", names::device(device)),
        Value::Signal(number) => write!(out, "{}", names::signal(number)),
        Value::Errno(number) => write!(out, "{}", names::errno(number)),
        Value::Pairs(pairs) => return push_pairs(pairs, out),
        Value::DnsName(name) => write!(out, "{name}"),
        Value::DnsType(number) => write!(out, "{}", dns::type_name(number)),
        Value::DnsCode(number) => write!(out, "{}", dns::code_name(number)),
        Value::DnsAnswers(answers) => return push_answers(answers, out),
    };
}

/// An error's name: `ECONNREFUSED`.
pub fn errno(number: u32) -> String {
    names::errno(number).to_string()
}

/// How many columns of a terminal a text takes.
///
/// Counted by character, which is never less than what a terminal uses: all that could widen a
/// neighbour [is hidden](is_hidden).
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|character| character.width().unwrap_or(0)).sum()
}

/// Cuts a text to `limit` columns, with `…` as the last of them when something is missing.
pub(crate) fn cut(text: &mut String, limit: usize) {
    if width(text) <= limit {
        return;
    }
    let room = limit.saturating_sub(1);
    let (mut used, mut end) = (0, 0);
    for (start, character) in text.char_indices() {
        used += character.width().unwrap_or(0);
        if used > room {
            break;
        }
        end = start + character.len_utf8();
    }
    text.truncate(end);
    if limit > 0 {
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: Value<'_>) -> String {
        let mut out = String::new();
        push_value(value, None, false, &mut out);
        out
    }

    #[test]
    fn escapes_and_bad_bytes_are_written_visibly() {
        let hostile = b"a\x1b[31m\r\n\t\xff\xc3\x7f\xe2\x80\xae \xc3\xa9\xc2\x9b";
        let expected = "a\\x1b[31m\\r\\n\\t\\xff\\xc3\\x7f\\u{202e} é\\u{9b}";
        assert_eq!(text(Value::Bytes(hostile)), expected);
    }

    #[test]
    fn arguments_read_as_they_were_given() {
        let argv =
            |head, tail, total_bytes| text(Value::Arguments(Arguments { head, tail, total_bytes }));
        assert_eq!(argv(b"sh\0-c\0echo \"hi\"\0\0", b"", 17), r#"sh -c "echo \"hi\"" """#);
        assert_eq!(argv(b"cat\0/very/lo", b"ng\0end\0", 4096), "cat /very/lo … ng end");
        assert_eq!(argv(b"", b"", 0), "");
    }

    #[test]
    fn addresses_ports_devices_and_capabilities_are_written_as_people_know_them() {
        let endpoint = |end: &str| end.parse().map(Value::Endpoint).map(text);
        assert_eq!(endpoint("10.0.0.1:443"), Ok("10.0.0.1:443".into()));
        assert_eq!(endpoint("[::ffff:10.0.0.1]:443"), Ok("10.0.0.1:443".into()));
        assert_eq!(endpoint("[::1]:443"), Ok("[::1]:443".into()));
        assert_eq!(text(Value::Device(8 << 20 | 1)), "8:1");
        assert_eq!(text(Value::Capabilities(3)), "CAP_CHOWN,CAP_DAC_OVERRIDE");
        assert_eq!(text(Value::Capabilities(0)), "none");
        assert_eq!(text(Value::TcpFlags(0x12)), "SYN,ACK");
        assert_eq!(text(Value::TcpFlags(0)), "none");
        assert_eq!(text(Value::OpenFlags(0o1101)), "O_WRONLY|O_CREAT|O_TRUNC");
        assert_eq!(text(Value::Mode(0o644)), "0644");
        assert_eq!(text(Value::HexList(&[0, 0x1f, u64::MAX])), "0x0,0x1f,0xffffffffffffffff");
        assert_eq!(text(Value::Bytes(b"")), "\"\"");
        assert_eq!(text(Value::Absent), "-");
    }

    #[test]
    fn cutting_counts_columns_not_bytes() {
        for (whole, limit, left) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("abc", 1, "…"),
            ("abc", 0, ""),
        ] {
            let mut text = whole.to_owned();
            cut(&mut text, limit);
            assert_eq!(text, left);
        }
    }
}
