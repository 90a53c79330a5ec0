//! A place in the text of a condition, and what can be read from there.
//!
//! The language has no tokens of its own right: what a word is depends on where it stands (`or` joins two
//! checks, but is a string behind `=`), so the parser reads what it expects.

use super::{Span, Word};

/// What separates words.
pub(super) fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{8}' | '\u{b}' | '\u{c}')
}

/// What a string without quotes may have.
pub(super) fn is_bare(character: char) -> bool {
    !is_blank(character) && !matches!(character, '(' | ')' | ',' | '=' | '"' | '\'')
}

/// What an argument in brackets may have without quotes.
pub(super) fn is_bare_argument(character: char) -> bool {
    !is_blank(character) && !matches!(character, '[' | ']' | '"' | '\'')
}

fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    pub at: usize,
}

impl<'t> Cursor<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    pub fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    pub fn span_from(&self, start: usize) -> Span {
        Span { start, end: self.at }
    }

    /// What stands here up to the next blank, for a message; nothing at the end.
    pub fn here(&self) -> Span {
        let rest = self.rest();
        let first = rest.chars().next();
        let len = match first {
            Some(first) if is_bare(first) => rest.find(|c| !is_bare(c)).unwrap_or(rest.len()),
            first => first.map_or(0, char::len_utf8),
        };
        Span { start: self.at, end: self.at + len }
    }

    pub fn text_of(&self, span: Span) -> &'t str {
        self.text.get(span.range()).unwrap_or_default()
    }

    pub fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.find(|character| !is_blank(character)).unwrap_or(rest.len());
    }

    /// Takes this text, if it stands here.
    pub fn take(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    /// Takes this word, if it stands here and ends there.
    pub fn take_keyword(&mut self, wanted: &str) -> bool {
        let ends = |rest: &str| rest.chars().next().is_none_or(|c| is_blank(c) || c == '(');
        let found = self.rest().strip_prefix(wanted).is_some_and(ends);
        if found {
            self.at += wanted.len();
        }
        found
    }

    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let taken = rest.get(..rest.find(|c| !is_part(c)).unwrap_or(rest.len()));
        let taken = taken.unwrap_or_default();
        self.at += taken.len();
        taken
    }

    /// `[a-zA-Z][a-zA-Z0-9_]*`
    pub fn name(&mut self) -> Option<&'t str> {
        let starts = self.rest().starts_with(|character: char| character.is_ascii_alphabetic());
        starts.then(|| self.take_while(is_of_name))
    }

    /// Names with dots between: of a macro or a transformer, which have none, or of a field.
    pub fn dotted_name(&mut self) -> Option<&'t str> {
        let start = self.at;
        self.name()?;
        let mut end = self.at;
        while self.take(".") && self.name().is_some() {
            end = self.at;
        }
        self.at = end;
        self.text.get(start..end)
    }

    /// A run of lower-case letters: an operator.
    pub fn letters(&mut self) -> &'t str {
        self.take_while(|character| character.is_ascii_lowercase())
    }

    /// A string without quotes, one character at least.
    pub fn bare(&mut self, is_part: fn(char) -> bool) -> Option<Word> {
        let start = self.at;
        let text = self.take_while(is_part);
        (!text.is_empty()).then(|| Word { text: text.to_owned(), span: self.span_from(start) })
    }

    /// A string in quotes; `Err` if it does not end.
    pub fn quoted(&mut self) -> Option<Result<Word, Span>> {
        let start = self.at;
        let mut characters = self.rest().char_indices();
        let (_, quote) = characters.next().filter(|(_, first)| matches!(first, '"' | '\''))?;
        let mut text = String::new();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some((_, escaped)) => unescape(escaped, &mut text),
                    None => text.push('\\'),
                },
                _ if character == quote => {
                    self.at = start + at + character.len_utf8();
                    return Some(Ok(Word { text, span: self.span_from(start) }));
                }
                _ => text.push(character),
            }
        }
        Some(Err(Span { start, end: self.text.len() }))
    }
}

/// What a backslash and a character stand for. One that means nothing stays as it is, so that `\d` of
/// a regular expression needs no second backslash.
fn unescape(escaped: char, text: &mut String) {
    let character = match escaped {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '\\' | '\'' | '"' | ' ' => escaped,
        _ => {
            text.push('\\');
            escaped
        }
    };
    text.push(character);
}
