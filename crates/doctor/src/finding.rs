//! What was found out about a node, and how grave it is.

use crate::{Check, Problem};

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// As it should be.
    Fine,
    /// Worth knowing; nothing is wrong.
    Note,
    /// Something is missing or may go wrong; the rest works.
    Warning,
    /// Chandra cannot do what it is for.
    Failed,
}

impl Grade {
    /// `ok`, `note`, `warning` or `failed`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The check that explains it.
    pub check: Check,
    /// What was looked at: `kernel`, `signal tcp`.
    pub subject: String,
    /// How grave it is.
    pub grade: Grade,
    /// What was found, with the reason in the kernel's words where there are some.
    pub says: String,
    /// What to do about it; nothing where nothing is to be done.
    pub next: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn fine(check: Check, subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self { check, subject: subject.into(), grade: Grade::Fine, says: says.into(), next: None }
    }

    /// The same, only to be known.
    #[must_use]
    pub fn as_note(self) -> Self {
        Self { grade: Grade::Note, ..self }
    }

    /// Something to do about.
    pub fn new(
        grade: Grade,
        check: Check,
        subject: impl Into<String>,
        says: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        let next = Some(next.into());
        Self { check, subject: subject.into(), grade, says: says.into(), next }
    }

    /// A problem that somebody else met.
    pub fn of_problem(grade: Grade, subject: impl Into<String>, problem: &Problem) -> Self {
        let says = format!("{}: {}", problem.what, problem.why);
        Self::new(grade, problem.check, subject, says, problem.next.clone())
    }
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// In the order in which it is shown.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The gravest of all; fine where there is nothing.
    pub fn worst(&self) -> Grade {
        self.findings.iter().map(|finding| finding.grade).max().unwrap_or(Grade::Fine)
    }

    /// 1 when something failed, else 0: a warning leaves the rest working.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.worst() == Grade::Failed)
    }

    /// How many findings are of this grade.
    pub fn count(&self, grade: Grade) -> usize {
        self.findings.iter().filter(|finding| finding.grade == grade).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_failed_ends_with_an_error() {
        let mut report = Report::default();
        assert_eq!((report.worst(), report.exit_code()), (Grade::Fine, 0));
        report.findings.push(Finding::fine(Check::BTF, "btf", "there").as_note());
        report.findings.push(Finding::new(Grade::Warning, Check::JIT, "jit", "off", "turn it on"));
        assert_eq!((report.worst(), report.exit_code()), (Grade::Warning, 0));
        let problem = Problem::new(Check::BTF, "cannot load", "no types", "--btf FILE");
        let failed = Finding::of_problem(Grade::Failed, "signal tcp", &problem);
        assert_eq!(failed.says, "cannot load: no types");
        report.findings.push(failed);
        assert_eq!((report.worst(), report.exit_code()), (Grade::Failed, 1));
        assert_eq!((report.count(Grade::Note), report.count(Grade::Failed)), (1, 1));
    }
}
