//! What a family of metrics is called, and what names may be.

use std::fmt;

/// What a family counts or shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from when its series began.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How many observations were up to each bound.
    Histogram,
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

/// A family: its name, and the names of its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Its name; that of a counter without `_total`, which is written after it.
    pub name: &'static str,
    /// What it is, in a line.
    pub help: &'static str,
    /// The base unit, with which the name ends: `seconds`, `bytes`; empty where it has none.
    pub unit: &'static str,
    /// Names of labels, each once.
    pub labels: Vec<&'static str>,
}

/// A family that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Not `[a-zA-Z_:][a-zA-Z0-9_:]*`, or with an end that is written after it.
    #[error("{0:?} is no name of a family of metrics")]
    Name(&'static str),
    /// Not `[a-zA-Z_][a-zA-Z0-9_]*`, reserved, or `le` of a histogram.
    #[error("{label:?} is no name of a label of {family}")]
    Label {
        /// Of which family.
        family: &'static str,
        /// The name.
        label: &'static str,
    },
    /// A label twice.
    #[error("{family} has the label {label:?} twice")]
    LabelTwice {
        /// Of which family.
        family: &'static str,
        /// The name.
        label: &'static str,
    },
    /// The name does not end with its unit.
    #[error("{family} does not end with its unit {unit:?}")]
    Unit {
        /// The family.
        family: &'static str,
        /// Its unit.
        unit: &'static str,
    },
    /// There is a family of this name, or one whose samples are called so.
    #[error("{0:?} names two families of metrics")]
    NameTwice(&'static str),
    /// Not finite and growing, or none.
    #[error("the bounds of {0} are not finite, growing numbers")]
    Bounds(&'static str),
}

/// Ends that are written after a family's name, by which its samples are told from each other.
const ENDS: [&str; 5] = ["_total", "_created", "_bucket", "_count", "_sum"];

impl Spec {
    /// Checks the names.
    pub(crate) fn check(&self, kind: Kind) -> Result<(), SpecError> {
        let family = self.name;
        if !is_name(family, ":") || ENDS.iter().any(|end| family.ends_with(end)) {
            return Err(SpecError::Name(family));
        }
        let unit = self.unit;
        let ends_with_unit = family.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'));
        if !unit.is_empty() && !ends_with_unit {
            return Err(SpecError::Unit { family, unit });
        }
        for (index, label) in self.labels.iter().copied().enumerate() {
            let is_reserved = label.starts_with("__") || kind == Kind::Histogram && label == "le";
            if !is_name(label, "") || is_reserved {
                return Err(SpecError::Label { family, label });
            }
            if self.labels.iter().take(index).any(|before| *before == label) {
                return Err(SpecError::LabelTwice { family, label });
            }
        }
        Ok(())
    }

    /// Samples of both could be called the same.
    pub(crate) fn collides(&self, other: &Self) -> bool {
        let extends = |long: &str, short: &str| {
            long.strip_prefix(short).is_some_and(|end| end.is_empty() || ENDS.contains(&end))
        };
        extends(self.name, other.name) || extends(other.name, self.name)
    }
}

fn is_name(name: &str, beside: &str) -> bool {
    let is_of = |c: char| c.is_ascii_alphanumeric() || c == '_' || beside.contains(c);
    name.chars().all(is_of) && name.chars().next().is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &'static str, unit: &'static str, labels: &[&'static str]) -> Spec {
        Spec { name, help: "", unit, labels: labels.to_vec() }
    }

    #[test]
    fn names_that_every_parser_takes_pass() {
        for (name, unit, labels) in [
            ("hubble_drop", "", &["reason", "protocol"][..]),
            ("a:b_c9", "", &["_a", "a_"]),
            ("request_duration_seconds", "seconds", &[]),
            ("le", "", &["le"]),
        ] {
            assert_eq!(spec(name, unit, labels).check(Kind::Counter), Ok(()), "{name}");
        }
    }

    #[test]
    fn what_parsers_would_refuse_or_mistake_does_not_pass() {
        for name in ["", "9a", "a-b", "ä", "a b", "x_total", "x_count", "x_created", "x_bucket"] {
            let checked = spec(name, "", &[]).check(Kind::Counter);
            assert_eq!(checked, Err(SpecError::Name(name)));
        }
        for label in ["", "9", "a:b", "__name__", "ü", "a-b", "le"] {
            let checked = spec("f", "", &["ok", label]).check(Kind::Histogram);
            assert_eq!(checked, Err(SpecError::Label { family: "f", label }));
        }
        let twice = spec("f", "", &["a", "b", "a"]).check(Kind::Gauge);
        assert_eq!(twice, Err(SpecError::LabelTwice { family: "f", label: "a" }));
        for (family, unit) in [("seconds", "seconds"), ("f_bytes", "seconds"), ("fbytes", "bytes")]
        {
            let checked = spec(family, unit, &[]).check(Kind::Gauge);
            assert_eq!(checked, Err(SpecError::Unit { family, unit }));
        }
    }

    #[test]
    fn families_collide_where_their_samples_would() {
        let collide = |one, other| spec(one, "", &[]).collides(&spec(other, "", &[]));
        assert!(collide("a", "a"));
        assert!(!collide("a", "a_b") && !collide("a_b", "a") && !collide("a", "b"));
    }
}
