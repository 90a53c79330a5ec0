//! Conditions with their macros put in, and of which events they can hold.

use std::sync::Arc;

use super::Predicates;
use crate::catalogue::EventTypes;

/// A condition, over predicates by their number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tree {
    Or(Vec<Tree>),
    And(Vec<Tree>),
    Not(Box<Tree>),
    /// A macro's condition.
    Macro(Box<str>, Arc<Tree>),
    Predicate(u32),
    Constant(bool),
}

/// Events of which something may be true, and may be false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct May {
    pub be_true: EventTypes,
    pub be_false: EventTypes,
}

impl May {
    pub const EITHER: May = May { be_true: EventTypes::ALL, be_false: EventTypes::ALL };

    pub fn only_true_of(types: EventTypes) -> Self {
        Self { be_true: types, be_false: EventTypes::ALL }
    }

    pub fn exactly(types: EventTypes) -> Self {
        Self { be_true: types, be_false: types.complement() }
    }

    fn negate(self) -> Self {
        Self { be_true: self.be_false, be_false: self.be_true }
    }

    fn and(self, other: Self) -> Self {
        Self {
            be_true: self.be_true.intersection(other.be_true),
            be_false: self.be_false.union(other.be_false),
        }
    }
}

impl Tree {
    /// Of which events it may hold, when `may` says that of predicates.
    pub fn may(&self, may: &impl Fn(u32) -> May) -> May {
        let none = May::exactly(EventTypes::ALL);
        match self {
            Self::And(parts) => parts.iter().fold(none, |all, part| all.and(part.may(may))),
            Self::Or(parts) => {
                let parts = parts.iter().map(|part| part.may(may).negate());
                parts.fold(none, May::and).negate()
            }
            Self::Not(part) => part.may(may).negate(),
            Self::Macro(_, tree) => tree.may(may),
            Self::Predicate(number) => may(*number),
            Self::Constant(true) => none,
            Self::Constant(false) => none.negate(),
        }
    }

    /// How much work it is, in units of a test of a flag. An `and` mostly ends with its cheapest part,
    /// which is asked first; an `or` mostly asks them all, because most rules do not fire.
    pub fn cost(&self, predicates: &Predicates) -> u32 {
        match self {
            Self::And(parts) => {
                parts.iter().map(|part| part.cost(predicates)).min().unwrap_or_default()
            }
            Self::Or(parts) => {
                parts.iter().fold(0, |sum, part| sum.saturating_add(part.cost(predicates)))
            }
            Self::Not(part) => part.cost(predicates),
            Self::Macro(_, tree) => tree.cost(predicates),
            Self::Predicate(number) => predicates.cost(*number),
            Self::Constant(_) => 0,
        }
    }
}
