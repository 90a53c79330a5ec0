//! The modifiers of fields, and what several of them ask for together.

use crate::condition::{Operator, Word};

/// What a modifier does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// Makes other texts of the value.
    Change(Change),
    /// Says how values are compared.
    Compare(Kind),
    /// All values have to hold, and not one.
    All,
    /// The case of letters matters.
    Cased,
    /// The comparison is not to hold.
    Not,
    /// A flag of a regular expression.
    Flag(Flag),
}

/// What is made of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Contains,
    StartsWith,
    EndsWith,
    WinDash,
    Base64,
    Base64Offset,
    Utf16LittleEndian,
    Utf16BigEndian,
    Utf16,
}

/// How values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Regex,
    Cidr,
    Exists,
    Order(Operator),
    FieldRef,
}

/// A flag of a regular expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    IgnoreCase,
    MultiLine,
    DotAll,
}

/// A modifier.
#[derive(Debug, Clone, Copy)]
pub(super) struct Modifier {
    pub name: &'static str,
    pub does: Does,
    pub summary: &'static str,
}

const fn modifier(name: &'static str, does: Does, summary: &'static str) -> Modifier {
    Modifier { name, does, summary }
}

/// All that are supported, in the order of the reference page.
pub(super) const MODIFIERS: &[Modifier] = &[
    modifier("contains", Does::Change(Change::Contains), "The value is somewhere in the field"),
    modifier("startswith", Does::Change(Change::StartsWith), "The field begins with the value"),
    modifier("endswith", Does::Change(Change::EndsWith), "The field ends with the value"),
    modifier("all", Does::All, "All values of the list have to hold, and not one of them"),
    modifier("cased", Does::Cased, "Upper and lower case differ"),
    modifier("neq", Does::Not, "The comparison does not hold; it holds of a field that is missing"),
    modifier(
        "re",
        Does::Compare(Kind::Regex),
        "A regular expression is found in the field; upper and lower case differ",
    ),
    modifier("i", Does::Flag(Flag::IgnoreCase), "With `re`: upper and lower case are the same"),
    modifier("m", Does::Flag(Flag::MultiLine), "With `re`: `^` and `$` stand for lines"),
    modifier("s", Does::Flag(Flag::DotAll), "With `re`: a dot stands for the end of a line, too"),
    modifier("cidr", Does::Compare(Kind::Cidr), "The address is of the network"),
    modifier(
        "exists",
        Does::Compare(Kind::Exists),
        "`true`: there is a value; `false`: there is none",
    ),
    modifier("lt", Does::Compare(Kind::Order(Operator::Less)), "The number is less"),
    modifier(
        "lte",
        Does::Compare(Kind::Order(Operator::LessOrEqual)),
        "The number is less, or the same",
    ),
    modifier("gt", Does::Compare(Kind::Order(Operator::Greater)), "The number is greater"),
    modifier(
        "gte",
        Does::Compare(Kind::Order(Operator::GreaterOrEqual)),
        "The number is greater, or the same",
    ),
    modifier(
        "fieldref",
        Does::Compare(Kind::FieldRef),
        "The value is the name of another field, which is compared with",
    ),
    modifier(
        "windash",
        Does::Change(Change::WinDash),
        "A dash or slash before a word stands for each of `-`, `/`, `–`, `—` and `―`",
    ),
    modifier("base64", Does::Change(Change::Base64), "The value in Base64 (RFC 4648)"),
    modifier(
        "base64offset",
        Does::Change(Change::Base64Offset),
        "The value in Base64 as it reads at each of three offsets within a longer text",
    ),
    modifier(
        "utf16le",
        Does::Change(Change::Utf16LittleEndian),
        "The value in UTF-16, little-endian",
    ),
    modifier("wide", Does::Change(Change::Utf16LittleEndian), "As `utf16le`"),
    modifier("utf16be", Does::Change(Change::Utf16BigEndian), "The value in UTF-16, big-endian"),
    modifier("utf16", Does::Change(Change::Utf16), "As `utf16le`, behind a byte order mark"),
];

/// Those that the specification has and that are refused by name.
pub(super) const NOT_SUPPORTED: &[(&str, &str)] = &[
    ("expand", "placeholders have no values here"),
    ("minute", "parts of times are not compared"),
    ("hour", "parts of times are not compared"),
    ("day", "parts of times are not compared"),
    ("week", "parts of times are not compared"),
    ("month", "parts of times are not compared"),
    ("year", "parts of times are not compared"),
];

/// What the modifiers of a key ask for together.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// In the order in which they are written, which matters.
    pub changes: Vec<Change>,
    pub kind: Option<Kind>,
    pub flags: Vec<Flag>,
    pub all: bool,
    pub cased: bool,
    pub negated: bool,
}

/// A modifier that cannot be, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unusable<'w> {
    pub word: &'w Word,
    pub why: String,
}

impl Asked {
    pub fn of(words: &[Word]) -> Result<Self, Unusable<'_>> {
        let mut asked = Self::default();
        for word in words {
            let name = word.text.as_str();
            let unusable = |why: String| Err(Unusable { word, why });
            if let Some((_, why)) = NOT_SUPPORTED.iter().find(|(known, _)| *known == name) {
                return unusable(format!("the modifier {name} is not supported: {why}"));
            }
            let Some(found) = MODIFIERS.iter().find(|one| one.name == name) else {
                return unusable(format!("there is no modifier {name}"));
            };
            match found.does {
                Does::All => asked.all = true,
                Does::Cased => asked.cased = true,
                Does::Not => asked.negated = true,
                Does::Change(change) => asked.changes.push(change),
                Does::Flag(flag) if asked.kind == Some(Kind::Regex) => asked.flags.push(flag),
                Does::Flag(_) => return unusable(format!("{name} goes behind re only")),
                Does::Compare(_) if asked.kind.is_some() => {
                    return unusable(format!("{name} does not go with the comparison before it"));
                }
                Does::Compare(kind) => asked.kind = Some(kind),
            }
            if !asked.goes_together() {
                return unusable(format!("{name} does not go with the modifiers before it"));
            }
        }
        Ok(asked)
    }

    /// A field that is compared with may be somewhere in the other; other comparisons take values as they are.
    fn goes_together(&self) -> bool {
        let is_position = |change: &Change| {
            matches!(change, Change::Contains | Change::StartsWith | Change::EndsWith)
        };
        match self.kind {
            None => true,
            Some(Kind::FieldRef) => self.changes.len() <= 1 && self.changes.iter().all(is_position),
            Some(_) => self.changes.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::Span;

    fn asked(key: &str) -> Result<Asked, String> {
        let words: Vec<Word> = key
            .split('|')
            .map(|word| Word { text: word.to_owned(), span: Span::default() })
            .collect();
        Asked::of(&words).map_err(|unusable| unusable.why)
    }

    #[test]
    fn modifiers_are_taken_in_their_order() {
        let changes = asked("wide|base64offset|contains|all").unwrap();
        let order = [Change::Utf16LittleEndian, Change::Base64Offset, Change::Contains];
        assert_eq!((changes.changes.as_slice(), changes.all), (&order[..], true));
        assert_eq!(asked("re|i|s").unwrap().flags, [Flag::IgnoreCase, Flag::DotAll]);
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (key, why) in [
            ("contain", "there is no modifier contain"),
            ("i", "i goes behind re only"),
            ("re|contains", "contains does not go with"),
            ("contains|re", "re does not go with"),
            ("cidr|re", "re does not go with"),
            ("fieldref|base64", "base64 does not go with"),
            ("expand", "not supported"),
        ] {
            let told = asked(key).unwrap_err();
            assert!(told.contains(why), "{key}: {told}");
        }
        assert!(asked("fieldref|endswith|cased").is_ok());
    }
}
