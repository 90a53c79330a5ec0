//! Values of JSON as YAML 1.2, keys sorted as kubectl has them. A text is plain where nothing could take it for something else, and
//! otherwise quoted as in JSON, which YAML reads alike.

use std::fmt::Write;

use serde_json::Value;

/// A value as a document.
pub(super) fn document(value: &Value) -> String {
    let mut out = String::new();
    push(value, 0, &mut out);
    out
}

fn push(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                let _ = write!(out, "{indent}{}:", text(key));
                push_below(value, depth + 1, out);
            }
        }
        Value::Array(values) if !values.is_empty() => {
            for value in values {
                let mut item = String::new();
                push(value, depth + 1, &mut item);
                // The first line of an item stands behind its dash.
                let _ = write!(out, "{indent}- {}", item.trim_start_matches(' '));
            }
        }
        value => {
            let _ = writeln!(out, "{indent}{}", scalar(value));
        }
    }
}

fn push_below(value: &Value, depth: usize, out: &mut String) {
    let is_block = match value {
        Value::Object(entries) => !entries.is_empty(),
        Value::Array(values) => !values.is_empty(),
        _ => false,
    };
    if is_block {
        out.push('\n');
        push(value, depth, out);
    } else {
        let _ = writeln!(out, " {}", scalar(value));
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(string) => text(string),
        other => other.to_string(),
    }
}

/// Letters, digits and some signs that mean nothing inside; not what is a number, a date or a word of
/// the language.
fn text(string: &str) -> String {
    let is_plain_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    let begins = string.as_bytes().first().is_some_and(|byte| byte.is_ascii_alphabetic());
    let is_word = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
        .iter()
        .any(|word| string.eq_ignore_ascii_case(word));
    if begins && !is_word && string.bytes().all(is_plain_byte) {
        return string.to_owned();
    }
    let quoted = Value::from(string).to_string();
    let mut out = String::with_capacity(quoted.len());
    for character in quoted.chars() {
        // Line ends of YAML, and what a terminal would not show.
        let is_hidden =
            character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}');
        let _ = if is_hidden {
            write!(out, "\\u{:04x}", u32::from(character))
        } else {
            write!(out, "{character}")
        };
    }
    out
}
