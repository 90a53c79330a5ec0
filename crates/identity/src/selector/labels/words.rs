//! A label selector as words: signs, and texts between signs and spaces. Whether a text is a key, a
//! value or an operator, its place says.

/// A word of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word<'a> {
    Text(&'a str),
    Comma,
    Open,
    Close,
    Not,
    Is,
    IsNot,
    Less,
    Greater,
    End,
}

/// A text as words.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    text: &'a str,
    at: usize,
}

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];
const SIGNS: [(&str, Word<'_>); 9] = [
    ("==", Word::Is),
    ("=", Word::Is),
    ("!=", Word::IsNot),
    ("!", Word::Not),
    (",", Word::Comma),
    ("(", Word::Open),
    (")", Word::Close),
    ("<", Word::Less),
    (">", Word::Greater),
];

impl<'a> Words<'a> {
    /// From its beginning.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next word and its place.
    pub fn next(&mut self) -> (usize, Word<'a>) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let rest = rest.trim_start_matches(SPACE);
        let at = self.text.len() - rest.len();
        let sign = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign));
        let (length, word) = match sign {
            Some((sign, word)) => (sign.len(), *word),
            None if rest.is_empty() => (0, Word::End),
            None => {
                let ends = |found: char| SPACE.contains(&found) || "=!,()<>".contains(found);
                let text = rest.split(ends).next().unwrap_or(rest);
                (text.len(), Word::Text(text))
            }
        };
        self.at = at + length;
        (at, word)
    }

    /// The same, which stays the next.
    pub fn peek(&self) -> (usize, Word<'a>) {
        let mut ahead = *self;
        ahead.next()
    }
}
