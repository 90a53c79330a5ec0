//! Texts with wildcards, and what modifiers make of them.
//!
//! In a value `*` stands for any bytes and `?` for one. A backslash before one of these, or before another
//! backslash, takes away what it means; before anything else it stands for itself.

use super::modifier::Change;
use crate::evaluate::{AnyCase, Position};
use crate::matching::{Glob, GlobPart};

/// Texts that one value may become.
const MAX_TEXTS: usize = 1000;
/// What stands for a dash at the beginning of an option.
const DASHES: [char; 5] = ['-', '/', '–', '—', '―'];

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Character(char),
    /// A byte that is no character, of UTF-16.
    Byte(u8),
    /// Any one byte.
    One,
    /// Any bytes.
    Any,
}

/// A text with wildcards.
pub(super) type Pattern = Vec<Piece>;

/// A pattern, as it is tested for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// A text at some place.
    Text(Position, Box<[u8]>),
    /// More than that.
    Glob(Vec<GlobPart>),
}

/// A value as it is written.
pub(super) fn parse(text: &str) -> Pattern {
    let mut pattern = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        pattern.push(match (character, characters.peek()) {
            ('\\', Some(next @ ('*' | '?' | '\\'))) => {
                let escaped = Piece::Character(*next);
                characters.next();
                escaped
            }
            ('*', _) => Piece::Any,
            ('?', _) => Piece::One,
            _ => Piece::Character(character),
        });
    }
    pattern
}

/// What a change makes of some patterns; or why it cannot.
pub(super) fn changed(patterns: Vec<Pattern>, change: Change) -> Result<Vec<Pattern>, String> {
    let each = |make: &dyn Fn(Pattern) -> Pattern| Ok(patterns.iter().cloned().map(make).collect());
    let any = || vec![Piece::Any];
    match change {
        Change::Contains => each(&|pattern| [any(), pattern, any()].concat()),
        Change::StartsWith => each(&|pattern| [pattern, any()].concat()),
        Change::EndsWith => each(&|pattern| [any(), pattern].concat()),
        Change::WinDash => {
            let mut all = Vec::new();
            for pattern in &patterns {
                all.extend(dashed(pattern, MAX_TEXTS - all.len())?);
            }
            Ok(all)
        }
        Change::Base64 => {
            let encoded = patterns.iter().map(|pattern| Ok(letters(&base64(&bytes(pattern)?))));
            encoded.collect()
        }
        Change::Base64Offset => {
            let mut all = Vec::new();
            for pattern in &patterns {
                let bytes = bytes(pattern)?;
                all.extend((0..3).map(|offset| letters(&base64_within(&bytes, offset))));
            }
            Ok(all)
        }
        Change::Utf16LittleEndian => utf16(&patterns, &[], u16::to_le_bytes),
        Change::Utf16BigEndian => utf16(&patterns, &[], u16::to_be_bytes),
        Change::Utf16 => utf16(&patterns, &[0xff, 0xfe], u16::to_le_bytes),
    }
}

/// Each dash that begins a word, replaced by each of those that may stand for it.
fn dashed(pattern: &Pattern, most: usize) -> Result<Vec<Pattern>, String> {
    let is_of_word = |piece: Option<&Piece>| matches!(piece, Some(Piece::Character(one)) if one.is_alphanumeric() || *one == '_');
    let begins_word = |at: usize| {
        matches!(pattern.get(at), Some(Piece::Character('-' | '/')))
            && !is_of_word(at.checked_sub(1).and_then(|before| pattern.get(before)))
            && is_of_word(pattern.get(at + 1))
    };
    let mut all = vec![Pattern::new()];
    for (at, piece) in pattern.iter().enumerate() {
        if !begins_word(at) {
            all.iter_mut().for_each(|one| one.push(*piece));
            continue;
        }
        let with = |dash: char| {
            all.iter().map(move |one| [one.as_slice(), &[Piece::Character(dash)]].concat())
        };
        all = DASHES.into_iter().flat_map(with).collect();
        if all.len() > most {
            return Err(format!("windash makes more than {MAX_TEXTS} texts of it"));
        }
    }
    Ok(all)
}

/// The bytes of a pattern without wildcards.
fn bytes(pattern: &Pattern) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for piece in pattern {
        match piece {
            Piece::Character(one) => {
                bytes.extend_from_slice(one.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Piece::Byte(byte) => bytes.push(*byte),
            Piece::One | Piece::Any => {
                return Err("a text with wildcards cannot be in Base64".to_owned());
            }
        }
    }
    Ok(bytes)
}

fn letters(text: &str) -> Pattern {
    text.chars().map(Piece::Character).collect()
}

fn utf16(
    patterns: &[Pattern],
    mark: &[u8],
    spell: fn(u16) -> [u8; 2],
) -> Result<Vec<Pattern>, String> {
    let encode = |pattern: &Pattern| {
        let mut encoded: Pattern = mark.iter().map(|byte| Piece::Byte(*byte)).collect();
        for piece in pattern {
            match piece {
                Piece::Character(one) => {
                    let units = one.encode_utf16(&mut [0; 2]).to_vec();
                    encoded.extend(units.into_iter().flat_map(spell).map(Piece::Byte));
                }
                other => encoded.push(*other),
            }
        }
        encoded
    };
    Ok(patterns.iter().map(encode).collect())
}

/// Base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |bits: u32| LETTERS.get(bits as usize & 63).map_or('=', |one| char::from(*one));
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits =
            (0..3).fold(0, |bits, at| bits << 8 | group.get(at).map_or(0, |byte| u32::from(*byte)));
        for place in 0..4 {
            let is_padding = place > group.len();
            text.push(if is_padding { '=' } else { letter(bits >> (18 - 6 * place)) });
        }
    }
    text
}

/// What is always there of the Base64 of a longer text in which the bytes begin at this offset modulo 3: the
/// letters that depend on nothing before and behind them.
fn base64_within(bytes: &[u8], offset: usize) -> String {
    let whole = base64(&[&vec![b' '; offset], bytes].concat());
    // 6 bits a letter: those that have a bit of what stands before, and of what stands behind.
    let first = (offset * 8).div_ceil(6);
    let behind = (offset + bytes.len()) * 8 / 6;
    whole.get(first..behind.max(first)).unwrap_or_default().to_owned()
}

/// How a pattern is tested for.
pub(super) fn shape(pattern: &[Piece]) -> Shape {
    let is_any = |piece: Option<&Piece>| piece == Some(&Piece::Any);
    let start = pattern.iter().take_while(|piece| **piece == Piece::Any).count();
    let inner = pattern.get(start..).unwrap_or_default();
    let stars = inner.iter().rev().take_while(|piece| **piece == Piece::Any).count();
    let inner = inner.get(..inner.len() - stars).unwrap_or_default();
    let position = match (start > 0, is_any(pattern.last())) {
        (false, false) => Position::Whole,
        (false, true) => Position::Start,
        (true, false) => Position::End,
        (true, true) => Position::Within,
    };
    if let Ok(text) = bytes(&inner.to_vec()) {
        return Shape::Text(position, text.into());
    }
    let mut parts = Vec::new();
    for piece in pattern {
        match piece {
            Piece::Any => parts.push(GlobPart::Star),
            Piece::One => parts.push(GlobPart::Any),
            Piece::Byte(byte) => parts.push(GlobPart::Byte(*byte)),
            Piece::Character(one) => {
                let mut memory = [0; 4];
                parts.extend(one.encode_utf8(&mut memory).bytes().map(GlobPart::Byte));
            }
        }
    }
    Shape::Glob(parts)
}

/// It has wildcards.
pub(super) fn has_wildcards(pattern: &[Piece]) -> bool {
    pattern.iter().any(|piece| matches!(piece, Piece::Any | Piece::One))
}

/// Tests for patterns: texts without regard to case are one, each other pattern another.
pub(super) fn without_case(shapes: Vec<Shape>) -> (Option<AnyCase>, Vec<Glob>) {
    let (mut texts, mut globs) = (Vec::new(), Vec::new());
    for shape in shapes {
        match shape {
            Shape::Text(position, text) => texts.push((position, text)),
            Shape::Glob(parts) => globs.push(Glob::of_parts(parts, true)),
        }
    }
    ((!texts.is_empty()).then(|| AnyCase::new(texts)), globs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pattern: &[Piece]) -> String {
        let spell = |piece: &Piece| match piece {
            Piece::Character(one) => one.to_string(),
            Piece::Byte(byte) => format!("<{byte:02x}>"),
            Piece::One => "<one>".to_owned(),
            Piece::Any => "<any>".to_owned(),
        };
        pattern.iter().map(spell).collect()
    }

    fn made(value: &str, changes: &[Change]) -> Vec<String> {
        let mut changes = changes.iter();
        let patterns =
            changes.try_fold(vec![parse(value)], |patterns, change| changed(patterns, *change));
        match patterns {
            Ok(patterns) => patterns.iter().map(|pattern| text(pattern)).collect(),
            Err(why) => vec![why],
        }
    }

    /// The examples of the specification.
    #[test]
    fn backslashes_take_away_what_wildcards_mean() {
        for (value, expected) in [
            ("a*b?c", "a<any>b<one>c"),
            (r"\*", "*"),
            (r"\\*", r"\<any>"),
            (r"\\\*", r"\*"),
            (r"C:\Windows", r"C:\Windows"),
            (r"\\server", r"\server"),
            (r"end\", r"end\"),
        ] {
            assert_eq!(text(&parse(value)), expected, "{value}");
        }
    }

    /// Compared with what `base64` of coreutils makes of longer texts.
    #[test]
    fn base64_is_that_of_the_standard_at_each_offset() {
        assert_eq!(made("f", &[Change::Base64]), ["Zg=="]);
        assert_eq!(made("foob", &[Change::Base64]), ["Zm9vYg=="]);
        assert_eq!(made("/bin/bash", &[Change::Base64]), ["L2Jpbi9iYXNo"]);
        // Of "/bin/bash", "x/bin/bash", "xx/bin/bash", with anything behind.
        let expected = ["L2Jpbi9iYXNo", "9iaW4vYmFza", "vYmluL2Jhc2"];
        assert_eq!(made("/bin/bash", &[Change::Base64Offset]), expected);
        assert_eq!(made("a*", &[Change::Base64]), ["a text with wildcards cannot be in Base64"]);
        assert_eq!(
            made("ab", &[Change::Utf16LittleEndian, Change::Base64]),
            ["YQBiAA=="],
            "printf ab | iconv -t utf-16le | base64"
        );
        assert_eq!(made("a", &[Change::Utf16]), ["<ff><fe><61><00>"]);
        assert_eq!(made("a", &[Change::Utf16BigEndian]), ["<00><61>"]);
    }

    #[test]
    fn windash_replaces_what_begins_a_word() {
        assert_eq!(made("-f", &[Change::WinDash]), ["-f", "/f", "–f", "—f", "―f"]);
        assert_eq!(made("a-b", &[Change::WinDash]), ["a-b"]);
        assert_eq!(made("--", &[Change::WinDash]), ["--"]);
        assert_eq!(made("-a /b", &[Change::WinDash]).len(), 25);
        assert!(made("-a -b -c -d -e", &[Change::WinDash])[0].contains("more than"));
    }

    #[test]
    fn stars_at_the_ends_are_places() {
        let of = |value: &str| shape(&parse(value));
        let text = |position, text: &str| Shape::Text(position, text.as_bytes().into());
        assert_eq!(of("a"), text(Position::Whole, "a"));
        assert_eq!(of("a*"), text(Position::Start, "a"));
        assert_eq!(of("**a"), text(Position::End, "a"));
        assert_eq!(of("*a*"), text(Position::Within, "a"));
        assert_eq!(of("*"), text(Position::Within, ""));
        assert_eq!(of(""), text(Position::Whole, ""));
        assert!(matches!(of("a*b"), Shape::Glob(_)) && matches!(of("?"), Shape::Glob(_)));
    }
}
