//! What is wrong with a filter, in the kind of words that Hubble has for it.

use std::fmt;

/// What is wrong with a filter, and in which field of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {field} filter: {why}{}", Quoted(value))]
pub struct Error {
    /// The field, as in the message: `source_ip`.
    pub field: &'static str,
    /// The value, cut; empty where the error is of no single value.
    pub value: String,
    /// What is wrong.
    pub why: Why,
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Not an address.
    #[error("not an IP address")]
    Address,
    /// Not a range.
    #[error("not a CIDR")]
    Cidr,
    /// Not a port.
    #[error("not a port from 0 to 65535")]
    Port,
    /// No such protocol.
    #[error("unknown protocol")]
    Protocol,
    /// An empty name.
    #[error("must be [namespace/][name]")]
    Name,
    /// A pattern of names means nothing.
    #[error("invalid pattern, {0}")]
    Pattern(&'static str),
    /// Not a status.
    #[error("invalid status code prefix, must be like 404, 40+ or 4+")]
    StatusCode,
    /// A selector of labels means nothing.
    #[error("invalid label selector at byte {at}: {why}")]
    Label {
        /// Where.
        at: usize,
        /// Why.
        why: String,
    },
    /// A regular expression means nothing, or is too large.
    #[error("failed to compile regexp, {0}")]
    Regex(String),
    /// An expression of CEL means nothing.
    #[error("error compiling CEL expression, {0}")]
    Cel(String),
    /// What is asked can never be.
    #[error("requires the event type filter to match l7 events")]
    NeedsL7,
    /// More than the limits allow.
    #[error("too many {what}, at most {most}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many may be.
        most: usize,
    },
    /// Longer than the limits allow.
    #[error("too long, at most {most} bytes")]
    TooLong {
        /// How many bytes may be.
        most: usize,
    },
}

/// So much of a value is told.
const MOST_TOLD_CHARACTERS: usize = 80;

impl Error {
    pub(super) fn new(field: &'static str, value: &str, why: Why) -> Self {
        let cut = value.char_indices().nth(MOST_TOLD_CHARACTERS).map_or(value.len(), |(at, _)| at);
        let mut told = value.get(..cut).unwrap_or_default().to_owned();
        if cut < value.len() {
            told.push('…');
        }
        Self { field, value: told, why }
    }
}

/// `: "value"`, or nothing.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {:?}", self.0) }
    }
}
