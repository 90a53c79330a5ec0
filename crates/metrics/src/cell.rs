//! What one series holds. Written by one thread while others read, so each number is an atomic.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::reading::Reading;
use crate::spec::Kind;

/// What the series of a family hold.
pub trait Cell: fmt::Debug + Send + Sync + 'static {
    /// What all series of a family have alike.
    type Shape: fmt::Debug + Clone + Send + Sync;
    /// What it counts or shows.
    const KIND: Kind;

    /// Empty.
    fn new(shape: &Self::Shape) -> Self;

    /// What it says now.
    fn read(&self) -> Reading;
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

    fn read(&self) -> Reading {
        Reading::Number(self.get().into())
    }
}

/// Only grows: a time, counted in nanoseconds and told in seconds.
#[derive(Debug, Default)]
pub struct Seconds(Counter);

impl Seconds {
    /// So many nanoseconds more.
    pub fn add_ns(&self, nanoseconds: u64) {
        self.0.add(nanoseconds);
    }
}

impl Cell for Seconds {
    type Shape = ();
    const KIND: Kind = Kind::Counter;

    fn new(&(): &()) -> Self {
        Self::default()
    }

    fn read(&self) -> Reading {
        Reading::Number((self.0.get() as f64 / 1e9).into())
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

    fn read(&self) -> Reading {
        Reading::Number(self.get().into())
    }
}
