//! Versions that rules files ask for.

use std::fmt;

/// A version of three numbers (Semantic Versioning 2.0.0); what follows them is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// `1.2.3`, or `1.2` for `1.2.0`.
    pub fn parse(text: &str) -> Option<Self> {
        let numbers = text.split(['-', '+']).next()?;
        let mut numbers = numbers.split('.').map(|number| number.parse::<u32>().ok());
        let (major, minor) = (numbers.next()??, numbers.next()??);
        let patch = numbers.next().unwrap_or(Some(0))?;
        numbers.next().is_none().then_some(Self(major, minor, patch))
    }

    /// What `required_engine_version` says: a version, or `N` for `0.N.0`.
    pub fn parse_engine(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(minor) => Some(Self(0, minor, 0)),
            Err(_) => Self::parse(text),
        }
    }

    /// It does all that `other` does: a later one that breaks nothing.
    pub fn satisfies(self, other: Version) -> bool {
        self >= other && (self.0 == other.0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The version of Falco's rule engine whose language this is.
pub const ENGINE: Version = Version(0, 63, 0);

/// Falco's plugins whose fields are built in.
pub const PLUGINS: [(&str, Version); 1] = [("container", Version(0, 7, 1))];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_alone_is_the_engine_s_minor_version() {
        assert_eq!(Version::parse_engine("13"), Some(Version(0, 13, 0)));
        assert_eq!(Version::parse_engine("0.57.0"), Some(Version(0, 57, 0)));
        assert_eq!(Version::parse("1.2"), Some(Version(1, 2, 0)));
        for wrong in ["", "1", "a.b.c", "1.2.3.4", "-1.2.3"] {
            assert_eq!(Version::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_later_version_satisfies_an_earlier_one_of_the_same_major() {
        assert!(Version(0, 7, 1).satisfies(Version(0, 4, 0)));
        assert!(!Version(0, 3, 9).satisfies(Version(0, 4, 0)));
        assert!(!Version(1, 0, 0).satisfies(Version(0, 4, 0)));
    }
}
