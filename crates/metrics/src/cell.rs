//! What one series holds. Written by one thread while others read, so each number is an atomic.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::spec::Kind;
use crate::text::SampleWriter;

/// What the series of a family hold.
pub trait Cell: fmt::Debug + Send + Sync + 'static {
    /// What all series of a family have alike.
    type Shape: fmt::Debug + Clone + Send + Sync;
    /// What it counts or shows.
    const KIND: Kind;

    /// Empty.
    fn new(shape: &Self::Shape) -> Self;

    /// Writes its samples.
    fn write(&self, samples: &mut SampleWriter<'_>);
}

/// Only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many in all.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Cell for Counter {
    type Shape = ();
    const KIND: Kind = Kind::Counter;

    fn new(&(): &()) -> Self {
        Self::default()
    }

    fn write(&self, samples: &mut SampleWriter<'_>) {
        samples.sample("_total", None, self.get());
    }
}

/// Goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// It is so much now.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// How much it is.
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

impl Cell for Gauge {
    type Shape = ();
    const KIND: Kind = Kind::Gauge;

    fn new(&(): &()) -> Self {
        Self::default()
    }

    fn write(&self, samples: &mut SampleWriter<'_>) {
        samples.sample("", None, self.get());
    }
}

/// How many observations were up to each bound.
#[derive(Debug)]
pub struct Histogram {
    bounds: Arc<[f64]>,
    /// Not cumulated; one more than there are bounds.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// Counts an observation. What is not a number is not counted: it would leave no sum.
    pub fn observe(&self, value: f64) {
        if value.is_nan() {
            return;
        }
        let index = self.bounds.partition_point(|bound| *bound < value);
        let Some(bucket) = self.buckets.get(index) else { return };
        bucket.fetch_add(1, Ordering::Relaxed);
        let add = |sum| Some((f64::from_bits(sum) + value).to_bits());
        let _ = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

impl Cell for Histogram {
    type Shape = Arc<[f64]>;
    const KIND: Kind = Kind::Histogram;

    fn new(bounds: &Arc<[f64]>) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds: Arc::clone(bounds), buckets, sum: AtomicU64::new(0) }
    }

    fn write(&self, samples: &mut SampleWriter<'_>) {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let mut count = 0;
        for (bound, bucket) in bounds.zip(&self.buckets) {
            count += bucket.load(Ordering::Relaxed);
            samples.sample("_bucket", Some(bound), count);
        }
        samples.sample("_sum", None, f64::from_bits(self.sum.load(Ordering::Relaxed)));
        // Not a number of its own, so that it is never another than that of the last bucket.
        samples.sample("_count", None, count);
    }
}
