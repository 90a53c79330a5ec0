//! A problem in four parts.

use std::fmt;

use crate::Check;

/// A problem: what failed, why, what to do next, and the check that explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What failed.
    pub what: String,
    /// Why, in the words of whoever refused where there are some.
    pub why: String,
    /// What to do next: a command where one helps.
    pub next: String,
    /// The check that explains it.
    pub check: Check,
    /// The caller's words were wrong, rather than the machine or its state.
    pub is_usage: bool,
}

impl Problem {
    /// A problem of the machine or its state.
    pub fn new(
        check: Check,
        what: impl Into<String>,
        why: impl fmt::Display,
        next: impl Into<String>,
    ) -> Self {
        Self { what: what.into(), why: why.to_string(), next: next.into(), check, is_usage: false }
    }

    /// A problem with what the caller asked.
    pub fn usage(
        check: Check,
        what: impl Into<String>,
        why: impl fmt::Display,
        next: impl Into<String>,
    ) -> Self {
        Self { is_usage: true, ..Self::new(check, what, why, next) }
    }

    /// 2 for wrong usage, 1 for the rest.
    pub fn exit_code(&self) -> u8 {
        if self.is_usage { 2 } else { 1 }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = self.why.replace('\n', "\n        ");
        writeln!(out, "error: {}", self.what)?;
        writeln!(out, "  why:  {why}")?;
        writeln!(out, "  next: {}", self.next)?;
        write!(out, "  see:  docs/troubleshooting.md#{} ({})", self.check.id, self.check.title)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_its_four_parts() {
        let problem = Problem::new(
            Check::BTF,
            "cannot load",
            "no types\nnowhere",
            "chandra trace exec --btf F",
        );
        assert_eq!(
            problem.to_string(),
            "error: cannot load\n  why:  no types\n        nowhere\n  next: chandra trace exec --btf F\n  \
             see:  docs/troubleshooting.md#btf (The kernel's type information, against which probes are fitted to the kernel)"
        );
        assert_eq!(
            (problem.exit_code(), Problem::usage(Check::USAGE, "", "", "").exit_code()),
            (1, 2)
        );
    }

    #[test]
    fn every_check_has_an_anchor_in_the_documents() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/troubleshooting.md");
        let page = std::fs::read_to_string(page).unwrap();
        for check in crate::CHECKS {
            assert!(page.contains(&format!("\n## {}\n", check.id)), "no section for {}", check.id);
        }
    }
}
