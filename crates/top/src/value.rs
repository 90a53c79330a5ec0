//! A value of a table: how it is sorted, shown and told as JSON.

use std::cmp::Ordering;

use chandra_event::text::escape;
use chandra_event::unit::{Unit, short};

/// A value.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Not known, or there is none.
    #[default]
    Absent,
    /// A name.
    Text(String),
    /// A number that is a name: a pid, a port.
    Number(u64),
    /// How many.
    Count(u64),
    /// How many bytes.
    Bytes(u64),
    /// A span of time.
    Nanoseconds(u64),
    /// A span of time.
    Microseconds(u64),
    /// Of one CPU, in percent.
    Percent(f64),
}

impl Value {
    /// A name, if there is one.
    pub fn text(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Absent, |text| Self::Text(text.into()))
    }

    /// A value, if there is one.
    pub fn of(value: Option<u64>, make: fn(u64) -> Self) -> Self {
        value.map_or(Self::Absent, make)
    }

    /// Names stand to the left.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// As people read it: two or three digits in a unit that fits, and nothing that a terminal acts on.
    pub fn shown(&self) -> String {
        let scaled = |unit: Unit, value| {
            let mut text = String::new();
            unit.push_scaled(value, &mut text);
            text
        };
        match self {
            Self::Absent => "-".to_owned(),
            Self::Text(text) => escape(text.as_bytes()),
            Self::Number(number) => number.to_string(),
            Self::Count(count) => short(*count),
            Self::Bytes(bytes) => scaled(Unit::Bytes, *bytes),
            Self::Nanoseconds(ns) => scaled(Unit::Nanoseconds, *ns),
            Self::Microseconds(us) => scaled(Unit::Microseconds, *us),
            Self::Percent(percent) => format!("{percent:.2}"),
        }
    }

    /// As JSON has it; absent values are left out there. Bytes may pass 2^53, which not every reader of JSON
    /// takes for a number.
    pub fn json(&self) -> Option<serde_json::Value> {
        Some(match self {
            Self::Absent => return None,
            Self::Text(text) => text.clone().into(),
            Self::Bytes(bytes) => bytes.to_string().into(),
            Self::Number(number)
            | Self::Count(number)
            | Self::Nanoseconds(number)
            | Self::Microseconds(number) => (*number).into(),
            Self::Percent(percent) => ((percent * 1_000.0).round() / 1_000.0).into(),
        })
    }

    /// Small before large, names by the alphabet, what is absent before all.
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::Percent(left), Self::Percent(right)) => left.total_cmp(right),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> Option<u64> {
        match self {
            Self::Absent => None,
            Self::Text(_) | Self::Percent(_) => Some(0),
            Self::Number(number)
            | Self::Count(number)
            | Self::Bytes(number)
            | Self::Nanoseconds(number)
            | Self::Microseconds(number) => Some(*number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_short_for_people_and_exact_for_programs() {
        for (value, shown, json) in [
            (Value::Text("a\x1b[2J".into()), "a\\x1b[2J", "\"a\\u001b[2J\""),
            (Value::Number(1_234_567), "1234567", "1234567"),
            (Value::Count(123_456), "123k", "123456"),
            (Value::Bytes(1_500_000), "1.4MiB", "\"1500000\""),
            (Value::Nanoseconds(1_500), "1.5µs", "1500"),
            (Value::Microseconds(1_500), "1.5ms", "1500"),
            (Value::Percent(1.234_567), "1.23", "1.235"),
        ] {
            assert_eq!(value.shown(), shown);
            assert_eq!(value.json().unwrap().to_string(), json);
        }
        assert_eq!((Value::Absent.shown().as_str(), Value::Absent.json()), ("-", None));
    }

    #[test]
    fn what_is_absent_is_less_than_nothing() {
        let mut values = [Value::Count(2), Value::Absent, Value::Count(0), Value::Count(10)];
        values.sort_by(Value::order);
        assert_eq!(values, [Value::Absent, Value::Count(0), Value::Count(2), Value::Count(10)]);
    }
}
