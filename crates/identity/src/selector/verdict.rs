//! An answer in three values, and how answers join.
//!
//! Invariant: an answer that is not [`Verdict::Unknown`] holds whatever the unknown turns out to be.

/// Whether something is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// That depends on what is not known yet.
    Unknown,
}

impl Verdict {
    /// What a fact says, once it is known.
    pub fn of<T>(known: Option<T>, holds: impl FnOnce(T) -> bool) -> Self {
        known.map_or(Self::Unknown, |fact| holds(fact).into())
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }

    /// At least one.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::No, Self::No) => Self::No,
            _ => Self::Unknown,
        }
    }
}

impl From<bool> for Verdict {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}
