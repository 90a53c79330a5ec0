//! What watching costs: each signal's programs in the kernel, and what is lost.

use crate::table::{Column, Row};
use crate::value::Value;

/// The columns.
pub const COLUMNS: &[Column] = &[
    Column::name("signal", "SIGNAL", 14, 0),
    Column::name("verdict", "STATE", 11, 1),
    Column::new("seen", "SEEN", 7, 0),
    Column::new("lost", "LOST", 6, 0),
    Column::new("left_out", "LEFT", 6, 2),
    Column::new("runs", "RUNS", 7, 1),
    Column::new("run_time_ns", "TIME", 6, 2),
    Column::new("per_run_ns", "NS/RUN", 6, 3),
    Column::new("per_event_ns", "NS/EVT", 6, 1),
    Column::new("percent_of_one_core", "CORE%", 6, 0),
];

/// A signal in one interval. What is absent was not measured.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Signal {
    /// Its name.
    pub name: String,
    /// `active`, `failed`, …
    pub verdict: String,
    /// What happened.
    pub seen: u64,
    /// Of that, what is missing: no room, or not understood.
    pub lost: u64,
    /// Of that, what was left out by a budget or by sampling.
    pub left_out: u64,
    /// How often its programs ran.
    pub runs: Option<u64>,
    /// How long.
    pub run_time_ns: Option<u64>,
    /// Of one CPU.
    pub percent_of_one_core: Option<f64>,
}

impl Signal {
    /// Its row.
    pub fn row(&self) -> Row {
        let mean = |count: Option<u64>| self.run_time_ns?.checked_div(count?);
        vec![
            Value::Text(self.name.clone()),
            Value::Text(self.verdict.clone()),
            Value::Count(self.seen),
            Value::Count(self.lost),
            Value::Count(self.left_out),
            Value::of(self.runs, Value::Count),
            Value::of(self.run_time_ns, Value::Nanoseconds),
            Value::of(mean(self.runs), Value::Nanoseconds),
            Value::of(mean(Some(self.seen)), Value::Nanoseconds),
            self.percent_of_one_core.map_or(Value::Absent, Value::Percent),
        ]
    }
}
