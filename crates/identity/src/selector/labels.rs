//! Label selectors, in the syntax that Kubernetes has for them:
//!
//! ```text
//! selector    = [ requirement { "," requirement } ]
//! requirement = key | "!" key
//!             | key ( "=" | "==" | "!=" ) [ value ]
//!             | key ( "in" | "notin" ) "(" [ value ] { "," [ value ] } ")"
//!             | key ( "<" | ">" ) number
//! ```
//!
//! As there, `!=` and `notin` also hold where the key is absent, a value may be empty, and `in` and
//! `notin` are only words of the language between a key and a parenthesis.

mod grammar;
mod words;

use std::fmt;

use super::{Verdict, Why};
use crate::description::Pairs;

/// Requirements that must all hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelSelector(Vec<Requirement>);

/// What must hold for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: Box<str>,
    /// What must hold.
    pub operator: Operator,
}

/// What must hold for a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// It is there with one of these values: `=`, `==`, `in`. Sorted, each once.
    In(Vec<Box<str>>),
    /// It is not there, or with another value: `!=`, `notin`. Sorted, each once.
    NotIn(Vec<Box<str>>),
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
    /// It is there with a larger number.
    Greater(i64),
    /// It is there with a smaller number.
    Less(i64),
}

impl LabelSelector {
    /// What was typed.
    ///
    /// # Errors
    /// Where it means nothing, and why.
    pub fn parse(text: &str) -> Result<Self, (usize, Why)> {
        grammar::requirements(text).map(Self)
    }

    /// It asks for nothing, so that everything matches.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its requirements.
    pub fn requirements(&self) -> &[Requirement] {
        &self.0
    }

    /// Whether these labels are as it asks; `None` where they are not known.
    pub fn matches(&self, labels: Option<&Pairs>) -> Verdict {
        let each = self.0.iter().map(|requirement| requirement.matches(labels));
        each.fold(Verdict::Yes, Verdict::and)
    }
}

impl Requirement {
    fn matches(&self, labels: Option<&Pairs>) -> Verdict {
        let Some(labels) = labels else { return Verdict::Unknown };
        let value = labels.get(&self.key).map(|value| value.as_str());
        // It may be among those for which there was no room.
        if value.is_none() && labels.omitted() > 0 {
            return Verdict::Unknown;
        }
        let is_one_of = |values: &[Box<str>]| {
            value.is_some_and(|value| values.binary_search_by(|one| (**one).cmp(value)).is_ok())
        };
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        Verdict::from(match &self.operator {
            Operator::In(values) => is_one_of(values),
            Operator::NotIn(values) => !is_one_of(values),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Greater(least) => number().is_some_and(|number| number > *least),
            Operator::Less(most) => number().is_some_and(|number| number < *most),
        })
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, requirement) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(out, "{comma}{requirement}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match &self.operator {
            Operator::In(values) => match &values[..] {
                [value] => write!(out, "{key}={value}"),
                values => write!(out, "{key} in ({})", values.join(",")),
            },
            Operator::NotIn(values) => match &values[..] {
                [value] => write!(out, "{key}!={value}"),
                values => write!(out, "{key} notin ({})", values.join(",")),
            },
            Operator::Exists => write!(out, "{key}"),
            Operator::DoesNotExist => write!(out, "!{key}"),
            Operator::Greater(least) => write!(out, "{key}>{least}"),
            Operator::Less(most) => write!(out, "{key}<{most}"),
        }
    }
}
