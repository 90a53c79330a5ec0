//! What an alert says: a text with fields in it.
//!
//! `%proc.name` is a field, `%proc.aname[2]` one with an argument, `%tolower(proc.name)` what a transformer
//! makes of one, `%%` a per cent sign. What is missing is `<NA>`. A star at the start of the text, which
//! once meant that it is to be printed even then, is left out.

use chandra_event::text::escape;

use crate::catalogue;
use crate::compile::Lookup;
use crate::condition::{self, Operand as Written};
use crate::diagnostic::Code;
use crate::evaluate::{Buffers, Facts, Operand, Value, Written as Filled, write_value};
use crate::reporter::Reporter;
use crate::text::Text;

/// What stands for a value that is missing.
pub const MISSING: &str = "<NA>";

/// What older rules have in their outputs for the container, and what it stands for.
const INFO: &str = "container.info";
const INFO_FIELDS: [(&str, &str); 2] =
    [("container_id=", "container.id"), (" container_name=", "container.name")];

#[derive(Debug, Clone)]
enum Piece {
    Text(Box<str>),
    /// By its number among the fields.
    Field(usize),
    /// A field that cannot be answered.
    Missing,
}

/// A field of an output.
#[derive(Debug, Clone)]
pub(crate) struct OutputField {
    /// As it is written: `proc.aname[2]`.
    pub name: Box<str>,
    pub operand: Operand,
}

/// An output, ready to be filled in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Output {
    pieces: Vec<Piece>,
    pub fields: Vec<OutputField>,
    /// Fields that no event answers.
    pub unanswered: Vec<Box<str>>,
}

impl Output {
    pub fn parse(text: &Text, reporter: &mut Reporter<'_>) -> Self {
        let mut output = Self::default();
        let mut plain = String::new();
        let whole = text.as_str().trim_end_matches('\n');
        let mut at = usize::from(whole.starts_with('*'));
        while let Some(rest) = whole.get(at..).filter(|rest| !rest.is_empty()) {
            let until = rest.find('%').unwrap_or(rest.len());
            plain.push_str(rest.get(..until).unwrap_or_default());
            at += until;
            let Some(rest) = whole.get(at + 1..) else { break };
            if rest.starts_with('%') {
                plain.push('%');
                at += 2;
                continue;
            }
            if rest.starts_with(INFO) {
                for (label, name) in INFO_FIELDS {
                    plain.push_str(label);
                    output.push_plain(&mut plain);
                    if let Some((operand, _)) = operand(name) {
                        output.push_operand(&operand, text, at + 1, reporter);
                    }
                }
                at += 1 + INFO.len();
                continue;
            }
            let Some((operand, length)) = operand(rest) else {
                let place = text.place_of(at..at + 1, reporter.sources);
                let warning = reporter.warning(Code::Output, &place, "no field follows this %");
                reporter.put(warning.hint("for a per cent sign: %%"));
                plain.push('%');
                at += 1;
                continue;
            };
            output.push_plain(&mut plain);
            output.push_operand(&operand, text, at + 1, reporter);
            at += 1 + length;
        }
        output.push_plain(&mut plain);
        output
    }

    fn push_plain(&mut self, plain: &mut String) {
        if !plain.is_empty() {
            self.pieces.push(Piece::Text(std::mem::take(plain).into()));
        }
    }

    fn push_operand(
        &mut self,
        operand: &Written,
        text: &Text,
        offset: usize,
        reporter: &mut Reporter<'_>,
    ) {
        let found = Lookup { reporter, text, offset }.operand(operand);
        let typed = match found {
            Ok(typed) => typed,
            Err(error) => return reporter.put(*error),
        };
        let name: Box<str> = operand.to_string().into();
        if typed.answered.is_empty() {
            let range = operand.span().start + offset..operand.span().end + offset;
            let place = text.place_of(range, reporter.sources);
            let message = format!("no event that is captured answers {name}: it reads {MISSING}");
            reporter.put(reporter.warning(Code::UnansweredField, &place, message));
            self.pieces.push(Piece::Missing);
            self.unanswered.push(name);
            return;
        }
        let number = self.fields.iter().position(|field| field.name == name);
        let number = number.unwrap_or_else(|| {
            self.fields.push(OutputField { name, operand: typed.operand });
            self.fields.len() - 1
        });
        self.pieces.push(Piece::Field(number));
    }

    /// Appends the text, filled in. What comes from outside is escaped, so that it stays one line and
    /// harmless on a terminal.
    pub fn write(&self, facts: &dyn Facts, buffers: &mut Buffers, out: &mut String) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(&escape(text.as_bytes())),
                Piece::Missing => out.push_str(MISSING),
                Piece::Field(number) => {
                    if let Some(field) = self.fields.get(*number) {
                        write_operand(&field.operand, facts, buffers, out);
                    }
                }
            }
        }
    }
}

/// The field or call at the start of a text, and how long it is. Of `proc.name.` the dot is no part, and
/// of `fd.name.txt` neither is the last word, because there is no such field.
fn operand(text: &str) -> Option<(Written, usize)> {
    let (operand, length) = condition::parse_operand(text).ok()?;
    let Written::Field(field) = &operand else { return Some((operand, length)) };
    if catalogue::field(&field.name).is_some() || field.argument.is_some() {
        return Some((operand, length));
    }
    let mut shorter = field.name.as_str();
    while let Some((before, _)) = shorter.rsplit_once('.') {
        shorter = before;
        if catalogue::field(shorter).is_some() {
            return condition::parse_operand(shorter).ok();
        }
    }
    Some((operand, length))
}

fn write_operand(operand: &Operand, facts: &dyn Facts, buffers: &mut Buffers, out: &mut String) {
    let mut text = std::mem::take(&mut buffers.names);
    text.clear();
    let shown = operand.first(facts, &mut buffers.left, |value| spell(value, &mut text));
    out.push_str(if shown { escape(&text) } else { MISSING.to_owned() }.as_str());
    buffers.names = text;
}

/// Appends a value as people read it; nothing, and false, if it is missing.
fn spell(value: Value<'_>, text: &mut Vec<u8>) -> bool {
    const LEFT_OUT: &[u8] = " … ".as_bytes();
    match value {
        Value::Cut { head, tail } => {
            text.extend_from_slice(head);
            text.extend_from_slice(LEFT_OUT);
            text.extend_from_slice(tail);
            true
        }
        Value::Words(words) if words.is_cut => {
            words.write_head(text);
            text.extend_from_slice(LEFT_OUT);
            words.write_tail(text);
            true
        }
        value => write_value(value, text) == Filled::Yes,
    }
}

/// Appends a value as JSON has it, of the type that Falco gives it there.
pub(crate) fn json_value(value: Value<'_>) -> serde_json::Value {
    match value {
        Value::Absent | Value::Unknown | Value::NotNegative => serde_json::Value::Null,
        Value::Number(number) => number.into(),
        Value::Time(time, _) => time.0.into(),
        Value::Bool(holds) => holds.into(),
        other => {
            let mut text = Vec::new();
            spell(other, &mut text);
            escape(&text).into()
        }
    }
}
