//! Where all stages of loading put what they find wrong.

use crate::diagnostic::{Code, Diagnostic, Report, Severity};
use crate::source::{Place, Sources};

/// Collects what is wrong, with the sources that it is in.
#[derive(Debug)]
pub(crate) struct Reporter<'s> {
    pub sources: &'s Sources,
    pub report: Report,
    /// What is looked at: `rule "Shell in container"`.
    pub within: Option<String>,
}

impl<'s> Reporter<'s> {
    pub fn new(sources: &'s Sources) -> Self {
        Self { sources, report: Report::default(), within: None }
    }

    /// One thing that is wrong; nothing is done until it is [put](Self::put).
    pub fn error(&self, code: Code, place: &Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.sources, Severity::Error, code, place, message.into())
    }

    /// As [`error`](Self::error), of what does not keep the rules from loading.
    pub fn warning(&self, code: Code, place: &Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.sources, Severity::Warning, code, place, message.into())
    }

    pub fn put(&mut self, mut diagnostic: Diagnostic) {
        diagnostic.within = diagnostic.within.or_else(|| self.within.clone());
        self.report.push(diagnostic);
    }
}
