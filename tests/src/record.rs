//! One line of JSON that Chandra printed.

use serde_json::Value;

/// A record; paths are as in docs/reference/events.md: `process.pid`.
#[derive(Debug, Clone)]
pub struct Record(pub Value);

impl Record {
    /// The record in this line.
    ///
    /// # Panics
    /// When the line is not one JSON object.
    pub fn parse(line: &str) -> Self {
        let value: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"));
        assert!(value.is_object(), "not an object: {line}");
        Self(value)
    }

    /// The value at this path.
    pub fn at(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(&self.0, |value, name| value.get(name))
    }

    /// The string at this path.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// The number at this path, also when it is written as a string because it may be large.
    pub fn number(&self, path: &str) -> Option<u64> {
        let value = self.at(path)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    /// The strings at this path.
    pub fn strings(&self, path: &str) -> Option<Vec<&str>> {
        self.at(path)?.as_array()?.iter().map(Value::as_str).collect()
    }

    /// What kind of record it is: `exec`.
    pub fn kind(&self) -> &str {
        self.text("type").unwrap_or_default()
    }

    /// It is of this kind and belongs to this process.
    pub fn is(&self, kind: &str, pid: u32) -> bool {
        self.kind() == kind && self.number("process.pid") == Some(u64::from(pid))
    }
}
