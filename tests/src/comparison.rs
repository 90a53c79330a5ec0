//! A record against the truth, field by field, none left out.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::Value;

use crate::record::Record;
use crate::wall_clock;

/// What of a record was not compared yet, and what was wrong so far.
#[derive(Debug)]
pub struct Comparison {
    left: BTreeMap<String, Value>,
    problems: Vec<String>,
    kind: String,
    line: String,
}

impl Comparison {
    /// Begins with a record of this signal and kind that was made within these times.
    pub fn of(record: &Record, signal: &str, kind: &str, when: RangeInclusive<u64>) -> Self {
        let mut left = BTreeMap::new();
        flatten(&record.0, String::new(), &mut left);
        let mut this =
            Self { left, problems: Vec::new(), kind: kind.to_owned(), line: record.0.to_string() };
        this.is("signal", signal);
        this.is("type", kind);
        this.is_time("time", when);
        this
    }

    /// The record's kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The field is there and equals this.
    pub fn is(&mut self, path: &str, expected: impl Into<Value>) {
        let (expected, found) = (expected.into(), self.left.remove(path));
        if found.as_ref() != Some(&expected) {
            self.differs(path, found.as_ref(), &expected);
        }
    }

    /// The field is there and is this large number, written as a string.
    pub fn is_big(&mut self, path: &str, expected: u64) {
        self.is(path, expected.to_string());
    }

    /// The field is there and is a number, plain or written as a string, within these.
    pub fn is_within(&mut self, path: &str, expected: RangeInclusive<u64>) {
        let found = self.left.remove(path);
        let number = found.as_ref().and_then(|value| {
            value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
        });
        if !number.is_some_and(|number| expected.contains(&number)) {
            self.differs(path, found.as_ref(), &format!("{expected:?}").into());
        }
    }

    /// The field is there and is a time within these nanoseconds since 1970.
    pub fn is_time(&mut self, path: &str, expected: RangeInclusive<u64>) {
        let found = self.left.remove(path);
        let time = found.as_ref().and_then(Value::as_str).and_then(wall_clock::parse);
        if !time.is_some_and(|time| expected.contains(&time)) {
            self.differs(path, found.as_ref(), &format!("{expected:?}").into());
        }
    }

    /// The field is absent.
    pub fn is_absent(&mut self, path: &str) {
        if let Some(found) = self.left.remove(path) {
            self.differs(path, Some(&found), &"absent".into());
        }
    }

    /// The field equals this, or is absent where this is none.
    pub fn is_optional(&mut self, path: &str, expected: Option<impl Into<Value>>) {
        match expected {
            Some(expected) => self.is(path, expected),
            None => self.is_absent(path),
        }
    }

    /// The value of a field that the caller compares by itself.
    pub fn take(&mut self, path: &str) -> Option<Value> {
        self.left.remove(path)
    }

    /// Notes what the caller found wrong.
    pub fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    fn differs(&mut self, path: &str, found: Option<&Value>, expected: &Value) {
        let found = found.map_or("absent".to_owned(), Value::to_string);
        self.problem(format!("{path} is {found}, in truth {expected}"));
    }

    /// All that is wrong; a field that nobody compared is, too.
    ///
    /// # Errors
    /// The differences and the record itself, in words.
    pub fn finish(mut self) -> Result<(), String> {
        let left: Vec<String> = std::mem::take(&mut self.left).into_keys().collect();
        for path in left {
            self.problem(format!("{path} was compared with nothing"));
        }
        if self.problems.is_empty() {
            return Ok(());
        }
        let line: String = self.line.chars().take(LINE_SHOWN).collect();
        Err(format!("{}; in {line}", self.problems.join("; ")))
    }
}

/// Characters of a record that are shown with what is wrong with it: some are very long.
const LINE_SHOWN: usize = 2000;

/// An object's fields by path; an array is one value.
fn flatten(value: &Value, path: String, into: &mut BTreeMap<String, Value>) {
    let Value::Object(fields) = value else {
        into.insert(path, value.clone());
        return;
    };
    for (name, field) in fields {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        flatten(field, path, into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(check: impl FnOnce(&mut Comparison)) -> Result<(), String> {
        let record = Record::parse(
            r#"{"time":"1970-01-01T00:00:00.000000005Z","signal":"s","type":"k","a":{"b":1,"c":"2"}}"#,
        );
        let mut comparison = Comparison::of(&record, "s", "k", 5..=5);
        check(&mut comparison);
        comparison.finish()
    }

    #[test]
    fn what_equals_the_truth_passes() {
        let outcome = compare(|record| {
            record.is("a.b", 1);
            record.is_big("a.c", 2);
            record.is_absent("a.d");
        });
        assert_eq!(outcome, Ok(()));
    }

    #[test]
    fn differences_and_what_was_left_out_are_found() {
        let outcome = compare(|record| record.is("a.b", 2)).unwrap_err();
        assert!(outcome.starts_with("a.b is 1, in truth 2; a.c was compared with nothing; in {"));
        let outcome = compare(|record| {
            record.is_within("a.b", 2..=3);
            record.is_absent("a.c");
        });
        assert!(outcome.unwrap_err().starts_with("a.b is 1, in truth \"2..=3\"; a.c is \"2\""));
    }
}
