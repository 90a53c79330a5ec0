//! Two profiles beside each other: what grew, what shrank, and what is only chance.
//!
//! Both are put into one tree, whose nodes have four values: before and after, and the samples counted of each.
//! Frames are as wide as both sides together, so that what vanished is seen like what is new.

mod picture;
mod significance;
mod table;

use std::io::{self, Write};

pub use picture::write as write_svg;
pub use significance::{MIN_SAMPLES, MIN_Z};
pub use table::write as write_table;

use crate::folded;
use crate::metadata::ValueType;
use crate::owner::Grouping;
use crate::profile::{Limits, MergeError, Profile};
use crate::tree::Tree;

/// How profiles are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Values as they are, and not as shares of their profiles.
    pub absolute: bool,
    /// A difference counts from so many standard deviations on.
    pub min_z: f64,
    /// Whose stacks are apart.
    pub grouping: Grouping,
    /// The type that is compared; without one, that which the second profile shows.
    pub value: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { absolute: false, min_z: MIN_Z, grouping: Grouping::None, value: None }
    }
}

/// Where the number of samples behind a value is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counting {
    /// The value is one.
    Itself,
    /// Another value of the sample is one.
    Other(usize),
    /// A sample stands for so much.
    Period(u64),
    /// Nobody knows.
    Unknown,
}

impl Counting {
    fn of(profile: &Profile, value: usize) -> Self {
        let types = profile.value_types();
        let is_count = |index: &usize| types.get(*index).is_some_and(ValueType::is_count);
        if is_count(&value) {
            return Self::Itself;
        }
        if let Some(other) = (0..types.len()).find(is_count) {
            return Self::Other(other);
        }
        match &profile.metadata.period {
            Some((of, period)) if types.get(value) == Some(of) && *period > 0 => {
                Self::Period(*period)
            }
            _ => Self::Unknown,
        }
    }

    fn count(self, values: &[u64], value: u64) -> u64 {
        match self {
            Self::Itself => value,
            Self::Other(index) => values.get(index).copied().unwrap_or(0),
            Self::Period(period) => value.saturating_add(period / 2) / period,
            Self::Unknown => 0,
        }
    }
}

/// A frame, a function or everything, before and after.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// The values.
    pub before: u64,
    /// The values.
    pub after: u64,
    /// What they are shares of.
    pub all_before: u64,
    /// What they are shares of.
    pub all_after: u64,
    /// In standard deviations; none where nobody knows how many samples there were.
    pub z: Option<f64>,
    /// More than chance, or nobody knows.
    pub counts: bool,
}

impl Change {
    /// Shares of both sides.
    pub fn shares(&self) -> (f64, f64) {
        let share =
            |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        (share(self.before, self.all_before), share(self.after, self.all_after))
    }

    /// From -1, vanished, to 1, new.
    pub fn relative(&self, absolute: bool) -> f64 {
        let (before, after) =
            if absolute { (self.before as f64, self.after as f64) } else { self.shares() };
        if before + after > 0.0 { (after - before) / (after + before) } else { 0.0 }
    }
}

/// Two profiles in one tree.
#[derive(Debug)]
pub struct Comparison {
    both: Profile,
    tree: Tree,
    value: ValueType,
    options: Options,
    is_counted: bool,
    /// Both sides took as long, or nobody knows.
    lasted_alike: bool,
}

/// Where values are in the tree.
const BEFORE: usize = 0;
const AFTER: usize = 1;
const COUNT_BEFORE: usize = 2;
const COUNT_AFTER: usize = 3;

/// Why profiles cannot be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing that both measure.
    #[error(transparent)]
    Types(#[from] MergeError),
    /// The type that was asked for is not in both.
    #[error("{0:?} is not measured by both; both measure {1}")]
    NoSuchValue(String, String),
}

impl Comparison {
    /// Compares a second profile with a first.
    ///
    /// # Errors
    /// When they have no type of value in common, or not the one that is asked for.
    pub fn new(before: &Profile, after: &Profile, options: Options) -> Result<Self, Error> {
        let (own, others) = (before.value_types(), after.value_types());
        let shared: Vec<&ValueType> = others.iter().filter(|it| own.contains(it)).collect();
        let shown = others.get(after.default_value());
        let value = match &options.value {
            Some(name) => shared.iter().find(|it| it.name == *name).ok_or_else(|| {
                let names: Vec<_> = shared.iter().map(|it| it.name.as_str()).collect();
                Error::NoSuchValue(name.clone(), names.join(", "))
            })?,
            None => shared
                .iter()
                .find(|it| Some(**it) == shown)
                .or(shared.first())
                .ok_or_else(|| MergeError::new(own, others))?,
        };
        let value = (*value).clone();
        let names = ["before", "after"];
        let columns = names.map(|name| ValueType::new(name, &value.unit));
        let counts = names.map(|name| ValueType::new(&format!("samples_{name}"), "count"));
        let columns: Vec<_> = columns.into_iter().chain(counts).collect();
        let mut both = Profile::new(columns, Limits::default());
        let mut is_counted = true;
        for (side, profile) in [before, after].into_iter().enumerate() {
            let index = profile.value_types().iter().position(|it| *it == value).unwrap_or(0);
            let counting = Counting::of(profile, index);
            is_counted &= counting != Counting::Unknown;
            both.take(profile, None, |sample, out| {
                let amount = sample.values.get(index).copied().unwrap_or(0);
                out.resize(4, 0);
                let count = counting.count(sample.values, amount);
                for (place, number) in [(BEFORE, amount), (COUNT_BEFORE, count)] {
                    if let Some(place) = out.get_mut(place + side) {
                        *place = number;
                    }
                }
            });
        }
        let tree = Tree::new(&both, options.grouping, &[BEFORE, AFTER, COUNT_BEFORE, COUNT_AFTER]);
        let lasted_alike = match (before.metadata.duration_ns, after.metadata.duration_ns) {
            (Some(one), Some(other)) => one.abs_diff(other) as f64 <= 0.05 * one.max(other) as f64,
            _ => true,
        };
        Ok(Self { both, tree, value, options, is_counted, lasted_alike })
    }

    /// What is compared.
    pub fn value(&self) -> &ValueType {
        &self.value
    }

    /// Stacks with both values, parted by a space.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_folded(&self, out: &mut dyn Write) -> io::Result<()> {
        folded::write_tree(&Tree::new(&self.both, self.options.grouping, &[BEFORE, AFTER]), out)
    }

    /// How everything changed.
    pub fn whole(&self) -> Change {
        self.change(self.tree.total(0))
    }

    /// By the four values of a frame or function.
    fn change(&self, values: &[u64]) -> Change {
        let value = |index: usize| values.get(index).copied().unwrap_or(0);
        let all = |index: usize| self.tree.total(0).get(index).copied().unwrap_or(0);
        let (before, after) = (value(COUNT_BEFORE), value(COUNT_AFTER));
        let z = if !self.is_counted {
            None
        } else if self.options.absolute {
            significance::z_of_counts(before, after)
        } else {
            significance::z_of_shares(before, all(COUNT_BEFORE), after, all(COUNT_AFTER))
        };
        let is_enough = before.saturating_add(after) >= MIN_SAMPLES;
        let counts = match z {
            Some(z) => is_enough && z.abs() >= self.options.min_z,
            None => !self.is_counted,
        };
        Change {
            before: value(BEFORE),
            after: value(AFTER),
            all_before: all(BEFORE),
            all_after: all(AFTER),
            z,
            counts,
        }
    }

    /// How it was compared, in a line.
    pub fn how(&self) -> String {
        let mut how = if self.options.absolute {
            "values as they are".to_owned()
        } else {
            "shares of each side's total".to_owned()
        };
        if self.is_counted {
            how.push_str(&format!(
                "; grey: not significant (|z| < {} standard deviations, or fewer than {MIN_SAMPLES} samples)",
                self.options.min_z
            ));
        } else {
            how.push_str(
                "; significance not tested: nobody knows how many samples these values are of",
            );
        }
        if self.options.absolute && !self.lasted_alike {
            how.push_str("; the two did not last equally long");
        }
        how
    }
}

#[cfg(test)]
mod tests;
