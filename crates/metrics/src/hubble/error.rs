//! What is wrong with the text of options, and where.

use std::fmt;

/// Options that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {character}: {problem}")]
pub struct OptionsError {
    /// Where in the text, from 1.
    pub character: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A word that is not known there.
    Unknown {
        /// What it was taken for.
        what: What,
        /// The word.
        word: String,
        /// The known word that is like it, where one is.
        nearest: Option<&'static str>,
        /// All that are known.
        known: Vec<&'static str>,
    },
    /// A metric or an option comes a second time.
    Twice(String),
    /// An option without the value that it needs.
    NoValue(&'static str),
    /// An option that is on or off has another value.
    NoSwitch {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
    },
    /// Metrics that count under the same names.
    Exclusive(&'static str, &'static str),
    /// What Hubble has, and is not made here.
    NotHere(&'static str),
}

/// What a word was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The name of a metric.
    Metric,
    /// An option of a metric.
    Option,
    /// What a source or destination is called by.
    Context,
    /// A label of `labelsContext`.
    Label,
}

impl fmt::Display for What {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Metric => "metric",
            Self::Option => "option",
            Self::Context => "context",
            Self::Label => "label",
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { what, word, nearest, known } => {
                write!(out, "there is no {what} {word:?}; ")?;
                if let Some(nearest) = nearest {
                    write!(out, "perhaps you meant {nearest:?}; ")?;
                }
                write!(out, "there are: {}", known.join(", "))
            }
            Self::Twice(word) => write!(out, "{word:?} comes twice"),
            Self::NoValue(option) => write!(out, "{option:?} needs a value: {option}=…"),
            Self::NoSwitch { option, value } => {
                write!(out, "{option:?} is on or off, not {value:?}: {option} or {option}=false")
            }
            Self::Exclusive(one, other) => {
                write!(out, "{one:?} and {other:?} count under the same names; take one of them")
            }
            Self::NotHere(what) => write!(out, "{what} are not supported"),
        }
    }
}

impl Problem {
    /// A word that is not one of these.
    pub(super) fn unknown(what: What, word: &str, known: Vec<&'static str>) -> Self {
        let distance =
            |known: &str| strsim::damerau_levenshtein(&word.to_lowercase(), &known.to_lowercase());
        let nearest = known.iter().copied().min_by_key(|known| distance(known));
        // Half of the word may be wrong, not more.
        let nearest = nearest.filter(|nearest| distance(nearest) * 2 <= nearest.len());
        let word = word.chars().take(100).collect();
        Self::Unknown { what, word, nearest, known }
    }
}
