//! Text of YAML scalars that knows where each of its characters was written.
//!
//! A condition is a scalar in one of five styles, or several of them put together by `append`; indents
//! are taken off, lines are folded, escapes are read. What the parser of conditions finds wrong at some
//! byte of the result is led back to the source here, when it is needed and not before.

use std::ops::Range;

use crate::source::{Place, SourceId, Sources};

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes.
    Plain,
    /// `'…'`, where `''` is a quote.
    Single,
    /// `"…"` with escapes.
    Double,
    /// `|` or `>`; it begins with its first character, after the header and the indent.
    Block,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    /// Where it begins in the text.
    at: usize,
    source: SourceId,
    raw: Range<usize>,
    style: Style,
}

/// A text, put together from scalars. Equal to another if it reads the same.
#[derive(Debug, Clone, Eq)]
pub struct Text {
    text: String,
    pieces: Vec<Piece>,
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Text {
    pub(crate) fn new(text: String, place: Place, style: Style) -> Self {
        let piece = Piece { at: 0, source: place.source, raw: place.bytes, style };
        Self { text, pieces: vec![piece] }
    }

    /// The text as it reads.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Puts another behind, with a blank between.
    pub(crate) fn append(&mut self, other: &Text) {
        self.text.push(' ');
        let at = self.text.len();
        self.text.push_str(&other.text);
        let moved = other.pieces.iter().map(|piece| Piece { at: at + piece.at, ..piece.clone() });
        self.pieces.extend(moved);
    }

    /// Where it begins.
    pub fn place(&self) -> Place {
        match self.pieces.first() {
            Some(piece) => Place { source: piece.source, bytes: piece.raw.clone() },
            None => unreachable_place(),
        }
    }

    /// Where some bytes of it were written.
    pub(crate) fn place_of(&self, bytes: Range<usize>, sources: &Sources) -> Place {
        let index = self.pieces.partition_point(|piece| piece.at <= bytes.start);
        let Some(piece) = index.checked_sub(1).and_then(|index| self.pieces.get(index)) else {
            return self.place();
        };
        let next = self.pieces.get(index).map_or(self.text.len(), |next| next.at);
        let text = self.text.get(piece.at..next).unwrap_or_default();
        let source = sources.get(piece.source).map_or("", |source| source.text());
        let raw = source.get(piece.raw.clone()).unwrap_or_default();
        let find = |wanted| piece.raw.start + align(raw, piece.style, text, wanted);
        let start = find(bytes.start - piece.at);
        // The end of the last character, not the start of what follows after blanks.
        let last = (bytes.start.max(bytes.end.saturating_sub(1))) - piece.at;
        let last = find(text.floor_char_boundary(last.min(text.len())));
        let width =
            source.get(last..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let end = if bytes.end > bytes.start { last + width } else { start };
        Place { source: piece.source, bytes: start..end.max(start) }
    }
}

/// A text has a piece by construction; without one it is at the start of the first source.
fn unreachable_place() -> Place {
    let source = Sources::default().add(crate::source::Source::new("", ""));
    Place { source, bytes: 0..0 }
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

/// The byte of `raw` where the byte `wanted` of `text`, which was read from it, is written.
///
/// What is not blank stands in both in the same order; blanks of `raw` that follow each other became
/// fewer. So both are walked together.
fn align(raw: &str, style: Style, text: &str, wanted: usize) -> usize {
    let mut walk = Walk { raw, style, at: opening(raw, style) };
    for (at, character) in text.char_indices() {
        if !is_blank(character) {
            walk.skip_blanks();
        }
        if at >= wanted {
            break;
        }
        walk.skip_one();
    }
    walk.at.min(raw.len())
}

/// Bytes before the first line or character of the text.
fn opening(raw: &str, style: Style) -> usize {
    match style {
        Style::Plain | Style::Block => 0,
        Style::Single | Style::Double => 1.min(raw.len()),
    }
}

struct Walk<'t> {
    raw: &'t str,
    style: Style,
    at: usize,
}

impl Walk<'_> {
    fn rest(&self) -> &str {
        self.raw.get(self.at..).unwrap_or_default()
    }

    /// Blanks, and ends of lines that are escaped away.
    fn skip_blanks(&mut self) {
        while let Some(next) = self.rest().chars().next() {
            let escaped = self.style == Style::Double && self.rest().starts_with("\\\n");
            if !is_blank(next) && !escaped {
                return;
            }
            self.at += if escaped { 2 } else { next.len_utf8() };
        }
    }

    /// What one character of the text was read from.
    fn skip_one(&mut self) {
        let mut rest = self.rest().chars();
        let Some(first) = rest.next() else { return };
        let taken = match (self.style, first, rest.next()) {
            (Style::Single, '\'', Some('\'')) => 2,
            (Style::Double, '\\', Some('x')) => 4,
            (Style::Double, '\\', Some('u')) => 6,
            (Style::Double, '\\', Some('U')) => 10,
            (Style::Double, '\\', Some(escaped)) => 1 + escaped.len_utf8(),
            _ => first.len_utf8(),
        };
        self.at = self.raw.ceil_char_boundary((self.at + taken).min(self.raw.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(raw: &str, style: Style, text: &str, word: &str) -> usize {
        align(raw, style, text, text.find(word).unwrap())
    }

    #[test]
    fn each_style_leads_back_to_where_a_word_is_written() {
        let block = "evt.type = x\n      and\n\n    proc.name = ä and b\n";
        let folded = "evt.type = x\n  and\n\nproc.name = ä and b\n";
        for word in ["evt.type", "proc.name", "ä", "b"] {
            let expected = block.find(word).unwrap();
            assert_eq!(found(block, Style::Block, folded, word), expected, "{word}");
        }
        let plain = "a = b\n   and c = d";
        assert_eq!(found(plain, Style::Plain, "a = b and c = d", "c"), plain.find('c').unwrap());
        let single = "'it''s = a\n   or b'";
        assert_eq!(found(single, Style::Single, "it's = a or b", "or"), single.find("or").unwrap());
        let double = "\"a\\u0041\\\"x \\\n   y\\tz\"";
        assert_eq!(found(double, Style::Double, "aA\"x y\tz", "x"), double.find('x').unwrap());
        assert_eq!(found(double, Style::Double, "aA\"x y\tz", "y"), double.find('y').unwrap());
        assert_eq!(found(double, Style::Double, "aA\"x y\tz", "z"), double.find('z').unwrap());
    }

    #[test]
    fn what_does_not_fit_leads_nowhere_beyond_the_end() {
        for wanted in 0..40 {
            assert!(align("\"\\U0", Style::Double, "something else entirely", wanted) <= 4);
            assert!(align("", Style::Block, "ab", wanted) == 0);
        }
    }
}
