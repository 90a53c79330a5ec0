//! Texts that are kept once, and how hostile ones are made harmless to look at.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// A text of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TextId(u32);

impl TextId {
    /// The empty text, which stands for what is not known.
    pub const EMPTY: Self = Self(0);
}

/// Texts, each once, one behind the other in memory.
#[derive(Debug, Clone)]
pub struct Texts {
    all: String,
    /// Where each ends in `all`.
    ends: Vec<u32>,
    numbers: HashTable<u32>,
    hasher: RandomState,
}

impl Default for Texts {
    fn default() -> Self {
        let mut texts = Self {
            all: String::new(),
            ends: Vec::new(),
            numbers: HashTable::new(),
            hasher: RandomState::default(),
        };
        texts.intern("", usize::MAX);
        texts
    }
}

impl Texts {
    /// The number of a text, if it is known or all texts together take no more than `max_bytes` with it.
    pub fn intern(&mut self, text: &str, max_bytes: usize) -> Option<TextId> {
        let hash = self.hasher.hash_one(text);
        let same = |number: &u32| self.at(*number) == text;
        if let Some(number) = self.numbers.find(hash, same) {
            return Some(TextId(*number));
        }
        let end = self.all.len().checked_add(text.len()).filter(|end| *end <= max_bytes)?;
        let end = u32::try_from(end).ok()?;
        let number = u32::try_from(self.ends.len()).ok()?;
        self.all.push_str(text);
        self.ends.push(end);
        let (all, ends, hasher) = (&self.all, &self.ends, &self.hasher);
        self.numbers
            .insert_unique(hash, number, |number| hasher.hash_one(slice(all, ends, *number)));
        Some(TextId(number))
    }

    /// The text of this number.
    pub fn get(&self, id: TextId) -> &str {
        self.at(id.0)
    }

    fn at(&self, number: u32) -> &str {
        slice(&self.all, &self.ends, number)
    }

    /// How many there are, the empty one included.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// There is only the empty one.
    pub fn is_empty(&self) -> bool {
        self.ends.len() <= 1
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.all.capacity()
            + self.ends.capacity() * size_of::<u32>()
            + self.numbers.allocation_size()
    }
}

fn slice<'a>(all: &'a str, ends: &[u32], number: u32) -> &'a str {
    let number = number as usize;
    let end = ends.get(number).copied().unwrap_or(0) as usize;
    let start = number.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    all.get(start as usize..end).unwrap_or_default()
}

/// Appends a text so that it can be looked at: control characters, and those that turn the direction of
/// writing or cannot be seen, become `\u{…}`; what is longer than `max_chars` ends with `…`.
pub fn push_visible(out: &mut String, text: &str, max_chars: usize) {
    for (index, c) in text.chars().enumerate() {
        if index >= max_chars {
            out.push('…');
            return;
        }
        if is_invisible(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
}

/// Neither seen nor left alone by terminals, XML 1.0 and bidirectional text (Unicode Annex 9).
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{61c}')
}

/// Appends a text for XML and HTML, in content and in quoted attributes. It must be visible already.
pub fn push_xml(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TextId, Texts, push_visible, push_xml};

    #[test]
    fn a_text_is_kept_once_and_the_empty_one_is_always_there() {
        let mut texts = Texts::default();
        let main = texts.intern("main", 100);
        assert_eq!(texts.intern("main", 100), main);
        assert_eq!(texts.get(main.unwrap()), "main");
        assert_eq!(texts.intern("", 0), Some(TextId::EMPTY));
        assert_eq!(texts.intern("longer than there is room", 10), None);
        assert_eq!(texts.intern("main", 0), main);
    }

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        let visible = |text| {
            let mut out = String::new();
            push_visible(&mut out, text, 12);
            out
        };
        assert_eq!(visible("a\u{202e}b\n"), "a\\u{202e}b\\u{a}");
        assert_eq!(visible("operator<<äöü"), "operator<<äö…");
    }

    #[test]
    fn nothing_of_xml_survives() {
        let mut out = String::new();
        push_xml(&mut out, "<script>\"&'");
        assert_eq!(out, "&lt;script&gt;&quot;&amp;&#39;");
    }
}
