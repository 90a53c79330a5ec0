//! A condition as text, from which parsing makes the same tree again.

use std::fmt::{self, Display as _};

use super::cursor::{is_bare, is_bare_argument};
use super::{Call, Check, Expression, Field, Modifier, Operand, Right, Word};

impl fmt::Display for Expression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Or(all) => joined(out, all, " or ", |part| matches!(part, Self::Or(_))),
            Self::And(all) => {
                joined(out, all, " and ", |part| matches!(part, Self::Or(_) | Self::And(_)))
            }
            Self::Not(negated) => {
                out.write_str("not ")?;
                let is_open = !matches!(**negated, Self::Macro(_) | Self::Check(_));
                write_part(out, negated, is_open)
            }
            Self::Macro(name) => out.write_str(&name.text),
            Self::Check(check) => check.fmt(out),
        }
    }
}

fn joined(
    out: &mut fmt::Formatter<'_>,
    all: &[Expression],
    separator: &str,
    is_open: impl Fn(&Expression) -> bool,
) -> fmt::Result {
    for (index, part) in all.iter().enumerate() {
        if index > 0 {
            out.write_str(separator)?;
        }
        write_part(out, part, is_open(part))?;
    }
    Ok(())
}

fn write_part(out: &mut fmt::Formatter<'_>, part: &Expression, is_open: bool) -> fmt::Result {
    if is_open { write!(out, "({part})") } else { part.fmt(out) }
}

impl fmt::Display for Check {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.left, self.comparison.operator.word())?;
        if let Some(modifier) = self.comparison.modifier {
            write!(out, " {}", modifier.word())?;
        }
        match &self.right {
            Right::Nothing => Ok(()),
            Right::Value(word) => write!(out, " {}", Quoted(&word.text, is_bare)),
            Right::Field(field) => write!(out, " val({field})"),
            Right::Call(call) => write!(out, " {call}"),
            Right::ListName(name) => write!(out, " {}", name.text),
            Right::List(items, _) => write!(out, " ({})", Items(items)),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => field.fmt(out),
            Self::Call(call) => call.fmt(out),
            Self::Literal(word) => Quoted(&word.text, |_| false).fmt(out),
            Self::List(all, _) => write!(out, "({})", Operands(all)),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}({})", self.transformer.word(), Operands(&self.arguments))?;
        match &self.key {
            Some(key) => write!(out, "[{}]", Quoted(&key.text, is_bare_argument)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)?;
        match &self.argument {
            Some(argument) => write!(out, "[{}]", Quoted(argument, is_bare_argument)),
            None => Ok(()),
        }
    }
}

struct Operands<'t>(&'t [Operand]);

impl fmt::Display for Operands<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, operand) in self.0.iter().enumerate() {
            write!(out, "{}{operand}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

struct Items<'t>(&'t [Word]);

impl fmt::Display for Items<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().enumerate() {
            let separator = if index > 0 { ", " } else { "" };
            write!(out, "{separator}{}", Quoted(&item.text, is_bare))?;
        }
        Ok(())
    }
}

/// A string, in quotes where it would not read as one string without.
struct Quoted<'t>(&'t str, fn(char) -> bool);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text, is_bare) = *self;
        if !text.is_empty() && text.chars().all(is_bare) && Modifier::of_word(text).is_none() {
            return out.write_str(text);
        }
        out.write_str("\"")?;
        for character in text.chars() {
            match character {
                '"' => out.write_str("\\\"")?,
                '\\' => out.write_str("\\\\")?,
                '\n' => out.write_str("\\n")?,
                '\r' => out.write_str("\\r")?,
                '\t' => out.write_str("\\t")?,
                '\u{8}' => out.write_str("\\b")?,
                '\u{c}' => out.write_str("\\f")?,
                _ => write!(out, "{character}")?,
            }
        }
        out.write_str("\"")
    }
}
