//! Where a setting is said.

use std::fmt::Display;

use super::Error;
use crate::signal::Signal;

/// A setting, and who said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The option, or the variable.
    pub place: String,
    /// What was said.
    pub value: String,
    /// It was said of one signal alone.
    pub is_of_signal: bool,
}

impl Said {
    /// It cannot be.
    pub fn error(&self, why: impl Display) -> Error {
        Error { place: self.place.clone(), why: why.to_string() }
    }
}

/// The environment.
pub struct LookUp<'a> {
    pub environment: &'a dyn Fn(&str) -> Option<String>,
}

impl LookUp<'_> {
    /// A variable, unless it is empty.
    pub fn variable(&self, name: &str) -> Option<Said> {
        let value = (self.environment)(name)?;
        let value = value.trim();
        let said = Said { place: name.into(), value: value.into(), is_of_signal: false };
        (!value.is_empty()).then_some(said)
    }

    /// That of the signal, or that of all.
    pub fn exporter(&self, signal: Signal, name: &str) -> Option<Said> {
        let own = self.variable(&format!("OTEL_EXPORTER_OTLP_{}_{name}", signal.variable()));
        let own = own.map(|said| Said { is_of_signal: true, ..said });
        own.or_else(|| self.variable(&format!("OTEL_EXPORTER_OTLP_{name}")))
    }

    /// What the option says, or else the environment.
    pub fn said(
        &self,
        option: &str,
        given: Option<&str>,
        environment: impl FnOnce() -> Option<Said>,
    ) -> Option<Said> {
        match given {
            Some(value) => {
                Some(Said { place: option.into(), value: value.into(), is_of_signal: false })
            }
            None => environment(),
        }
    }
}
