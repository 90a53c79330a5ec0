//! What is wrong with a word, and where in it.

use std::fmt;

/// Kinds of what can be selected by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Namespaces.
    Namespace,
    /// Pods.
    Pod,
    /// Label selectors.
    Label,
    /// Workloads.
    Workload,
    /// Containers.
    Container,
    /// Nodes.
    Node,
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Namespace => "namespace",
            Self::Pod => "pod",
            Self::Label => "label selector",
            Self::Workload => "workload",
            Self::Container => "container",
            Self::Node => "node",
        })
    }
}

/// Why a word means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Something else must stand here.
    Expected(&'static str),
    /// A character that has no place here.
    Character {
        /// The character.
        found: char,
        /// Those that have.
        allowed: &'static str,
    },
    /// A part that is longer than anything of its kind.
    TooLong {
        /// Bytes that it may have.
        most: usize,
    },
    /// `in` or `notin` without values.
    NoValues,
    /// `<` and `>` compare whole numbers.
    NotANumber,
}

impl fmt::Display for Why {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expected(what) => write!(out, "expected {what}"),
            Self::Character { found, allowed } => {
                write!(out, "{found:?} has no place here: {allowed}")
            }
            Self::TooLong { most } => write!(out, "longer than {most} bytes"),
            Self::NoValues => out.write_str("no values between ( and )"),
            Self::NotANumber => out.write_str("expected a whole number to compare with"),
        }
    }
}

/// A word that means nothing. It is shown with a line that points at the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorError {
    /// What it was to be.
    pub kind: Kind,
    /// The word.
    pub text: String,
    /// The byte in it that is wrong, or its length.
    pub at: usize,
    /// What is wrong with it.
    pub why: Why,
}

/// Characters that are shown on either side of the place.
const AROUND: usize = 60;

impl fmt::Display for SelectorError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = self.text.split_at(self.text.floor_char_boundary(self.at));
        let count = before.chars().count();
        let before: String = before.chars().skip(count.saturating_sub(AROUND)).map(seen).collect();
        let after: String = after.chars().take(AROUND).map(seen).collect();
        let width = before.chars().count();
        writeln!(out, "{} at byte {}: {}", self.kind, self.at, self.why)?;
        writeln!(out, "  {before}{after}")?;
        write!(out, "  {:width$}^", "")
    }
}

/// As it is shown: a terminal must not be told anything, and a line must stay one.
fn seen(character: char) -> char {
    if character.is_control() { char::REPLACEMENT_CHARACTER } else { character }
}

impl std::error::Error for SelectorError {}
