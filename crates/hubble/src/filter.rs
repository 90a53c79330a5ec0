//! Which flows are asked for.
//!
//! A [`FlowFilter`] asks in its fields: a flow must be as each field says, and is so if one of the
//! field's values fits. Of some filters one must match (the whitelist; an empty one lets all pass), of
//! others none (the blacklist).
//!
//! Filters come from whoever may ask, so that what they cost is bounded: [`Limits`]. What is wrong is an
//! [`Error`] that names the field. Matching allocates nothing, save for percent signs in URLs and CEL.

mod address;
mod cel;
mod compile;
mod condition;
mod error;
mod glob;
mod http;
mod label;
mod limits;
mod name;
mod protocol;
mod re2;
mod subject;
#[cfg(test)]
mod tests;

use crate::proto::flow::FlowFilter;
use condition::Condition;

pub use error::{Error, Why};
pub use limits::Limits;
pub use subject::{End, Subject};

/// A whitelist and a blacklist.
#[derive(Debug, Default)]
pub struct Filters {
    allow: Vec<Filter>,
    deny: Vec<Filter>,
}

impl Filters {
    /// From what was asked.
    ///
    /// # Errors
    /// What of it means nothing, or is more than the limits allow.
    pub fn compile(
        whitelist: &[FlowFilter],
        blacklist: &[FlowFilter],
        limits: &Limits,
    ) -> Result<Self, Error> {
        let mut budget = limits.budget(whitelist.len() + blacklist.len())?;
        let mut all = |filters: &[FlowFilter]| {
            filters
                .iter()
                .map(|filter| compile::filter(filter, &mut budget))
                .collect::<Result<_, _>>()
        };
        Ok(Self { allow: all(whitelist)?, deny: all(blacklist)? })
    }

    /// Nothing is asked: all flows match.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }

    /// Whether a flow is asked for.
    pub fn matches<'a>(&self, subject: impl Into<Subject<'a>>) -> bool {
        let subject = subject.into();
        let is_allowed =
            self.allow.is_empty() || self.allow.iter().any(|filter| filter.matches(subject));
        is_allowed && !self.deny.iter().any(|filter| filter.matches(subject))
    }
}

/// One filter: all conditions must hold.
#[derive(Debug)]
struct Filter(Vec<Condition>);

impl Filter {
    fn matches(&self, subject: Subject<'_>) -> bool {
        self.0.iter().all(|condition| condition.holds(subject))
    }
}
