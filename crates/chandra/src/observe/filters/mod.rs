//! From flags to the filters that a server is asked with; nothing else is looked at.
//!
//! A flag of one end (`--from-pod`) asks of that end. A flag of either end (`--pod`) makes two filters, of
//! which one must match: the left one asks of the source, the right one of the destination. A flag of no
//! end stands in both. Where both turn out the same, one is sent.
//!
//! `--not` turns the next flag into one of the denylist. All flags behind a `--not` make one denylist, so
//! that what several of them name is left out only where all of them fit.

mod conflicts;
mod flags;
mod namespaces;
#[cfg(test)]
mod tests;
mod values;

use chandra_doctor::{Check, Problem};
use chandra_hubble::proto::flow::FlowFilter;

use flags::{Effect, End, Ends};
pub use flags::{FLAGS, Flag};
use namespaces::Namespaces;

/// The flag that turns the next one around.
pub const NOT: &str = "not";

/// A flag as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Its name, without dashes; [`NOT`] or one of [`FLAGS`].
    pub flag: &'static str,
    /// Its value; empty where it takes none.
    pub value: String,
}

/// What a server is asked with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lists {
    /// One of these must match, if there are any.
    pub allow: Vec<FlowFilter>,
    /// None of these may match.
    pub deny: Vec<FlowFilter>,
}

/// What is wrong with flags.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A value that a flag does not take.
    #[error("{value:?} is {why}")]
    Value {
        /// The flag.
        flag: &'static str,
        /// Its value.
        value: String,
        /// What it is instead.
        why: String,
    },
    /// Two flags that exclude each other.
    #[error("--{0} and --{1} exclude each other")]
    Conflict(&'static str, &'static str),
    /// A namespace that contradicts a name.
    #[error("{0}")]
    Namespace(String),
    /// Nothing to turn around.
    #[error("--not turns the flag behind it around, and {0}")]
    Not(&'static str),
}

impl Error {
    /// As a problem.
    pub fn problem(&self) -> Problem {
        let (what, next) = match self {
            Self::Value { flag, value, .. } => {
                let example = flag_named(flag).map_or("", |flag| flag.example);
                (format!("cannot use --{flag} {value}"), format!("for example: --{flag} {example}"))
            }
            Self::Conflict(..) | Self::Namespace(_) => (
                "cannot filter by that".to_owned(),
                "leave one of them out, or ask twice; --print-raw-filters shows what is asked"
                    .into(),
            ),
            Self::Not(_) => (
                "cannot use --not".to_owned(),
                "for example: chandra observe --not --namespace kube-system".into(),
            ),
        };
        Problem::usage(Check::FILTERS, what, self, next)
    }
}

/// The flag of this name.
pub fn flag_named(name: &str) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.name == name)
}

/// The filters of flags in the order in which they were typed.
///
/// # Errors
/// The first flag that means nothing, or that contradicts one before it.
pub fn build(given: &[Given]) -> Result<Lists, Error> {
    let (mut allow, mut deny) = (Sides::default(), Sides::default());
    let mut is_not = false;
    for Given { flag, value } in given {
        if *flag == NOT {
            if is_not {
                return Err(Error::Not("another --not is behind it"));
            }
            is_not = true;
        } else if let Some(flag) = flag_named(flag) {
            let sides = if std::mem::take(&mut is_not) { &mut deny } else { &mut allow };
            sides.add(flag, value)?;
        }
    }
    if is_not {
        return Err(Error::Not("nothing is behind it"));
    }
    Ok(Lists { allow: allow.filters(), deny: deny.filters() })
}

/// The left and the right filter of one list.
#[derive(Debug, Default)]
struct Sides {
    left: FlowFilter,
    right: FlowFilter,
    namespaces: Namespaces,
    used: Vec<&'static str>,
}

impl Sides {
    fn add(&mut self, flag: &'static Flag, value: &str) -> Result<(), Error> {
        if !self.used.contains(&flag.name) {
            self.used.push(flag.name);
            conflicts::check(&self.used)?;
        }
        let wrong = |why| Error::Value { flag: flag.name, value: value.to_owned(), why };
        match flag.effect {
            Effect::Both(set) => {
                set(&mut self.left, value).map_err(wrong)?;
                set(&mut self.right, value).map_err(wrong)?;
            }
            Effect::Ends(ends, set) => {
                let (left, right) = match ends {
                    Ends::Either => (End::Source, End::Destination),
                    Ends::One(end) => (end, end),
                };
                set(&mut self.left, left, value).map_err(wrong)?;
                set(&mut self.right, right, value).map_err(wrong)?;
            }
            Effect::Namespace(ends) => self.namespaces.add(ends, value),
        }
        self.namespaces.check(&self.left)?;
        self.namespaces.check(&self.right)
    }

    fn filters(mut self) -> Vec<FlowFilter> {
        if self.used.is_empty() {
            return Vec::new();
        }
        self.namespaces.apply(&mut self.left, &mut self.right);
        if self.left == self.right { vec![self.left] } else { vec![self.left, self.right] }
    }
}
