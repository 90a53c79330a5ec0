//! How urgent an alert is: said by rules, told by alerts.

use std::fmt;

/// Priorities, those of syslog (RFC 5424), the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum Priority {
    Emergency,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Informational,
    Debug,
}

impl Priority {
    /// All of them, the most urgent first.
    pub const ALL: [Priority; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Informational,
        Self::Debug,
    ];

    /// Its word in every output, as Falco writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Emergency => "Emergency",
            Self::Alert => "Alert",
            Self::Critical => "Critical",
            Self::Error => "Error",
            Self::Warning => "Warning",
            Self::Notice => "Notice",
            Self::Informational => "Informational",
            Self::Debug => "Debug",
        }
    }

    /// 0 to 7, as syslog has it.
    pub fn severity(self) -> u8 {
        self as u8
    }

    /// What is written so, in any case; `info` is `Informational`.
    pub fn of_word(word: &str) -> Option<Self> {
        if word.eq_ignore_ascii_case("info") {
            return Some(Self::Informational);
        }
        Self::ALL.into_iter().find(|priority| priority.word().eq_ignore_ascii_case(word))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_matter_and_info_is_short_for_informational() {
        assert_eq!(Priority::of_word("WARNING"), Some(Priority::Warning));
        assert_eq!(Priority::of_word("Info"), Some(Priority::Informational));
        assert_eq!(Priority::of_word("fatal"), None);
        assert!(Priority::Emergency < Priority::Debug);
    }
}
