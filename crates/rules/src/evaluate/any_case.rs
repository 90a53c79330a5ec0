//! Texts that are looked for without regard to the case of ASCII letters, each at some place.
//!
//! Several of them are one test, which holds if one does. Most are not asked one by one: those of one field are
//! found together in one pass over its value (`compile::groups`). What is here is the meaning, and what is
//! asked where the value is not wholly known.

use super::Truth;

/// Where a text has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Position {
    /// It is all there is.
    Whole,
    /// At the beginning.
    Start,
    /// At the end.
    End,
    /// Anywhere.
    Within,
}

/// One of some texts, each at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AnyCase(Box<[(Position, Box<[u8]>)]>);

impl AnyCase {
    pub fn new(texts: Vec<(Position, Box<[u8]>)>) -> Self {
        let lower =
            |(position, text): (Position, Box<[u8]>)| (position, text.to_ascii_lowercase().into());
        Self(texts.into_iter().map(lower).collect())
    }

    /// The texts in lower case.
    pub fn texts(&self) -> &[(Position, Box<[u8]>)] {
        &self.0
    }

    pub fn holds(&self, text: &[u8]) -> bool {
        self.0.iter().any(|(position, wanted)| is_at(*position, wanted, text))
    }

    /// Of a text with nothing known between its head and its tail.
    pub fn holds_of_cut(&self, head: &[u8], tail: &[u8]) -> Truth {
        let each = self.0.iter().map(|(position, wanted)| of_cut(*position, wanted, head, tail));
        each.fold(Truth::False, Truth::or)
    }
}

fn is_at(position: Position, wanted: &[u8], text: &[u8]) -> bool {
    match position {
        Position::Whole => text.eq_ignore_ascii_case(wanted),
        Position::Start => begins_with(text, wanted),
        Position::End => ends_with(text, wanted),
        Position::Within => is_within(wanted, text),
    }
}

fn begins_with(text: &[u8], wanted: &[u8]) -> bool {
    text.get(..wanted.len()).is_some_and(|start| start.eq_ignore_ascii_case(wanted))
}

fn ends_with(text: &[u8], wanted: &[u8]) -> bool {
    let at = text.len().checked_sub(wanted.len());
    at.and_then(|at| text.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(wanted))
}

fn is_within(wanted: &[u8], text: &[u8]) -> bool {
    let Some(first) = wanted.first() else { return true };
    let mut places = memchr::memchr2_iter(*first, first.to_ascii_uppercase(), text);
    places.any(|at| text.get(at..).is_some_and(|rest| begins_with(rest, wanted)))
}

fn of_cut(position: Position, wanted: &[u8], head: &[u8], tail: &[u8]) -> Truth {
    let unless = |impossible: bool| if impossible { Truth::False } else { Truth::Unknown };
    match position {
        Position::Whole => {
            let is_long_enough = wanted.len() >= head.len().max(tail.len());
            unless(!(is_long_enough && begins_with(wanted, head) && ends_with(wanted, tail)))
        }
        Position::Start if head.len() >= wanted.len() => Truth::from(begins_with(head, wanted)),
        Position::Start => unless(!begins_with(wanted, head)),
        Position::End if tail.len() >= wanted.len() => Truth::from(ends_with(tail, wanted)),
        Position::End => unless(!ends_with(wanted, tail)),
        Position::Within if is_within(wanted, head) || is_within(wanted, tail) => Truth::True,
        Position::Within => Truth::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Position::{End, Start, Whole, Within};

    fn one(position: Position, wanted: &str) -> AnyCase {
        AnyCase::new(vec![(position, wanted.as_bytes().into())])
    }

    #[test]
    fn places_are_what_they_say() {
        for (position, wanted, text, expected) in [
            (Whole, "Ab", "aB", true),
            (Whole, "ab", "abc", false),
            (Start, "/ETC", "/etc/x", true),
            (Start, "etc", "/etc", false),
            (End, "/NC", "/bin/nc", true),
            (End, "nc", "c", false),
            (Within, "xY", "aaxXyb", true),
            (Within, "ab", "a", false),
            (Within, "", "", true),
            (End, "é", "caf\u{e9}", true),
        ] {
            assert_eq!(
                one(position, wanted).holds(text.as_bytes()),
                expected,
                "{position:?} {wanted} {text}"
            );
        }
        let several = AnyCase::new(vec![(Whole, b"a"[..].into()), (End, b"/b"[..].into())]);
        assert!(several.holds(b"A") && several.holds(b"x/B") && !several.holds(b"b"));
    }

    /// Whatever stands in the middle, what is said of the two ends is true of the whole.
    #[test]
    fn what_is_said_of_a_cut_text_is_so_of_every_whole() {
        let words = ["", "a", "B", "ab", "Ba", "abA"];
        for position in [Whole, Start, End, Within] {
            for wanted in words {
                let test = one(position, wanted);
                for (head, tail) in words.iter().flat_map(|head| words.map(|tail| (*head, tail))) {
                    let said = test.holds_of_cut(head.as_bytes(), tail.as_bytes());
                    for middle in words {
                        let whole = test.holds([head, middle, tail].concat().as_bytes());
                        let fits = said == Truth::Unknown || said == Truth::from(whole);
                        assert!(fits, "{position:?} {wanted:?}: {head:?}{middle:?}{tail:?}");
                    }
                }
            }
        }
    }
}
