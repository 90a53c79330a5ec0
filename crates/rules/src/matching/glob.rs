//! Patterns of a shell: `*` is any bytes, `?` is one, `[a-z]` and `[!a-z]` are some, `\` takes the next
//! as it is. A star also stands for slashes, as in Falco.

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Byte(u8),
    /// Any one byte.
    Any,
    /// Any bytes.
    Star,
    /// One of some, or none of them.
    Class(Box<[(u8, u8)]>, bool),
}

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Glob {
    parts: Box<[Part]>,
    ignores_case: bool,
}

impl Glob {
    pub fn new(pattern: &str, ignores_case: bool) -> Self {
        let mut parts = Vec::new();
        let mut rest = pattern.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            parts.push(match first {
                b'*' if parts.last() == Some(&Part::Star) => continue,
                b'*' => Part::Star,
                b'?' => Part::Any,
                b'[' => match class(after) {
                    Some((part, after)) => {
                        rest = after;
                        part
                    }
                    None => Part::Byte(b'['),
                },
                b'\\' => match after.split_first() {
                    Some((escaped, after)) => {
                        rest = after;
                        Part::Byte(*escaped)
                    }
                    None => Part::Byte(b'\\'),
                },
                byte => Part::Byte(*byte),
            });
        }
        Self { parts: parts.into(), ignores_case }
    }

    /// A pattern that has been taken apart.
    pub fn of_parts(mut parts: Vec<Part>, ignores_case: bool) -> Self {
        parts.dedup_by(|one, before| *one == Part::Star && *before == Part::Star);
        Self { parts: parts.into(), ignores_case }
    }

    /// What each text begins with that it matches.
    pub fn beginning(&self) -> Vec<u8> {
        let bytes = self.parts.iter().map_while(|part| match part {
            // With a letter, texts begin in two ways.
            Part::Byte(byte) if !(self.ignores_case && byte.is_ascii_alphabetic()) => Some(*byte),
            _ => None,
        });
        bytes.collect()
    }

    /// Whether all of a text is as the pattern says.
    ///
    /// The last star that was seen may take more, which never helps an earlier one: at most
    /// `text × pattern` steps.
    pub fn matches(&self, text: &[u8]) -> bool {
        let (mut part, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while let Some(byte) = text.get(at) {
            match self.parts.get(part) {
                Some(Part::Star) => {
                    star = Some((part, at));
                    part += 1;
                }
                Some(wanted) if self.takes(wanted, *byte) => {
                    part += 1;
                    at += 1;
                }
                _ => {
                    let Some((of_star, taken)) = star else { return false };
                    star = Some((of_star, taken + 1));
                    (part, at) = (of_star + 1, taken + 1);
                }
            }
        }
        self.parts.get(part..).unwrap_or_default().iter().all(|part| *part == Part::Star)
    }

    fn takes(&self, part: &Part, byte: u8) -> bool {
        let same =
            |wanted: u8| wanted == byte || self.ignores_case && wanted.eq_ignore_ascii_case(&byte);
        match part {
            Part::Byte(wanted) => same(*wanted),
            Part::Any | Part::Star => true,
            Part::Class(ranges, negated) => {
                let within =
                    |byte: u8| ranges.iter().any(|(from, to)| (*from..=*to).contains(&byte));
                let is_in = within(byte)
                    || self.ignores_case
                        && (within(byte.to_ascii_lowercase()) || within(byte.to_ascii_uppercase()));
                is_in != *negated
            }
        }
    }
}

/// What follows `[`, and what follows that; nothing if it does not end.
fn class(rest: &[u8]) -> Option<(Part, &[u8])> {
    let negated = matches!(rest.first(), Some(b'!' | b'^'));
    let mut rest = if negated { rest.get(1..)? } else { rest };
    let mut ranges = Vec::new();
    loop {
        let (from, after) = rest.split_first()?;
        if *from == b']' && !ranges.is_empty() {
            return Some((Part::Class(ranges.into(), negated), after));
        }
        (rest, ranges) = match after {
            [b'-', to, after @ ..] if *to != b']' => (after, pushed(ranges, (*from, *to))),
            _ => (after, pushed(ranges, (*from, *from))),
        };
    }
}

fn pushed<T>(mut all: Vec<T>, one: T) -> Vec<T> {
    all.push(one);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Glob::new(pattern, false).matches(text.as_bytes())
    }

    #[test]
    fn patterns_match_as_a_shell_does() {
        for (pattern, text) in [
            ("/var/log/*", "/var/log/a/b"),
            ("*.so.?", "libc.so.6"),
            ("a*b*c", "a__b__bc"),
            ("[a-cx]1", "x1"),
            ("[!a-c]1", "d1"),
            ("[]]", "]"),
            ("\\*", "*"),
            ("[", "["),
            ("**", ""),
            ("", ""),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("/var/*/x", "/var/x"),
            ("?", ""),
            ("[!a]", "a"),
            ("\\*", "x"),
            ("a", "A"),
            ("[a-c]", "d"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        assert!(Glob::new("PY[a-z]*", true).matches(b"pYTHON"));
    }

    #[test]
    fn many_stars_do_not_take_forever() {
        let pattern = "*a".repeat(100);
        assert!(!matches(&pattern, &format!("{}b", "a".repeat(20_000))));
    }
}
