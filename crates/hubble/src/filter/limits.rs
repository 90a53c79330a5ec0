//! What filters may cost.

use super::{Error, Why};

/// The most that one request may ask for. The defaults are far above what people and user interfaces ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Filters of both lists.
    pub filters: usize,
    /// Values of all fields of all filters.
    pub values: usize,
    /// Bytes of one value.
    pub value_bytes: usize,
    /// Regular expressions.
    pub regexes: usize,
    /// Bytes of one regular expression when it is compiled.
    pub regex_compiled_bytes: usize,
    /// Expressions of CEL.
    pub cel_expressions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            filters: 256,
            values: 4096,
            value_bytes: 4096,
            regexes: 64,
            regex_compiled_bytes: 256 << 10,
            cel_expressions: 8,
        }
    }
}

impl Limits {
    /// What is left of the limits, with this many filters.
    pub(super) fn budget(&self, filters: usize) -> Result<Budget<'_>, Error> {
        if filters > self.filters {
            let why = Why::TooMany { what: "filters", most: self.filters };
            return Err(Error::new("whitelist and blacklist", "", why));
        }
        let Limits { values, regexes, cel_expressions, .. } = *self;
        Ok(Budget { limits: self, values, regexes, cel_expressions })
    }
}

/// What is left of the limits.
#[derive(Debug)]
pub(super) struct Budget<'a> {
    pub limits: &'a Limits,
    values: usize,
    regexes: usize,
    cel_expressions: usize,
}

impl Budget<'_> {
    /// Takes values of a field.
    pub fn values(&mut self, field: &'static str, count: usize) -> Result<(), Error> {
        take(&mut self.values, count, field, "values", self.limits.values)
    }

    /// Takes a regular expression of a field.
    pub fn regex(&mut self, field: &'static str) -> Result<(), Error> {
        take(&mut self.regexes, 1, field, "regular expressions", self.limits.regexes)
    }

    /// Takes an expression of CEL.
    pub fn cel(&mut self, field: &'static str) -> Result<(), Error> {
        let most = self.limits.cel_expressions;
        take(&mut self.cel_expressions, 1, field, "CEL expressions", most)
    }

    /// Checks the length of a value.
    pub fn length(&self, field: &'static str, value: &str) -> Result<(), Error> {
        let most = self.limits.value_bytes;
        let is_fine = value.len() <= most;
        is_fine.then_some(()).ok_or_else(|| Error::new(field, value, Why::TooLong { most }))
    }
}

fn take(
    left: &mut usize,
    count: usize,
    field: &'static str,
    what: &'static str,
    most: usize,
) -> Result<(), Error> {
    let rest = left.checked_sub(count);
    *left = rest.ok_or_else(|| Error::new(field, "", Why::TooMany { what, most }))?;
    Ok(())
}
