//! What is read of a series for a scrape, whatever format it is told in.

use std::sync::Arc;

/// A number, as exact as it was counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A count.
    Unsigned(u64),
    /// A difference of counts.
    Signed(i64),
    /// Anything else.
    Float(f64),
}

impl Value {
    /// The nearest float.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Unsigned(value) => value as f64,
            Self::Signed(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Unsigned(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Signed(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

/// What a series says.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// Of a counter or gauge.
    Number(Value),
    /// Of a histogram.
    Histogram(HistogramReading),
}

/// What a histogram says.
///
/// Invariant: nothing in it is above `count`, which is the sum over all buckets.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramReading {
    /// Ends of classic buckets, growing; one without an end comes after them.
    pub bounds: Arc<[f64]>,
    /// How many observations were up to each of them.
    pub up_to: Vec<u64>,
    /// How many there were.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The same observations in exponential buckets, where they were counted so.
    pub exponential: Option<Exponential>,
    /// Slow ones, each with the number of its classic bucket, which grows.
    pub exemplars: Vec<(usize, Exemplar)>,
}

impl HistogramReading {
    /// The exemplar of a classic bucket.
    pub fn exemplar(&self, bucket: usize) -> Option<&Exemplar> {
        self.exemplars.iter().find(|(of, _)| *of == bucket).map(|(_, exemplar)| exemplar)
    }
}

/// Exponential buckets: bucket `i` ends at `2^(i / 2^schema)`, and begins where the one before ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Exponential {
    /// How fine they are.
    pub schema: i32,
    /// What is not above it counts as zero.
    pub zero_threshold: f64,
    /// How many that were.
    pub zero_count: u64,
    /// Buckets in which there is something, by growing index.
    pub buckets: Vec<(i32, u64)>,
}

/// One of the observations of a bucket, by which to find what happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar {
    /// What it leads to.
    pub id: ExemplarId,
    /// What was observed.
    pub value: f64,
    /// When, milliseconds since 1970.
    pub unix_ms: u64,
}

/// What an exemplar leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExemplarId {
    /// A connection, by its key: flows and events have the same.
    Connection(u64),
    /// A trace of W3C Trace Context.
    Trace(u128),
}

impl ExemplarId {
    /// The name and the value of the label that tells it.
    pub fn label(self) -> (&'static str, String) {
        match self {
            Self::Connection(key) => ("connection_key", format!("{key:016x}")),
            Self::Trace(id) => ("trace_id", format!("{id:032x}")),
        }
    }
}
