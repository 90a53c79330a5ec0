//! A series of a histogram that was counted elsewhere, by powers of two of nanoseconds, and is told in seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cell::Cell;
use crate::reading::{HistogramReading, Reading};
use crate::spec::Kind;

/// How many powers there are.
pub const POWERS: usize = 64;

/// The buckets that are told: from 1 µs to 8.6 s. What is below or above is in the first and in that without a
/// bound.
pub const TOLD: std::ops::RangeInclusive<usize> = 9..=32;

const NANOSECONDS_PER_SECOND: f64 = 1e9;

/// Bucket `i` has values from `2^i` to below `2^(i+1)` nanoseconds, the first one 0, too.
#[derive(Debug)]
pub struct PowersOfTwo {
    bounds: Arc<[f64]>,
    buckets: [AtomicU64; POWERS],
    sum_ns: AtomicU64,
}

/// The end of a bucket, in seconds.
pub fn bound_seconds(bucket: usize) -> f64 {
    (1_u64 << (bucket + 1).min(POWERS - 1)) as f64 / NANOSECONDS_PER_SECOND
}

impl PowersOfTwo {
    /// So many more in each bucket, and their sum.
    pub fn add(&self, buckets: &[u64; POWERS], sum_ns: u64) {
        for (all, more) in self.buckets.iter().zip(buckets).filter(|(_, more)| **more > 0) {
            all.fetch_add(*more, Ordering::Relaxed);
        }
        self.sum_ns.fetch_add(sum_ns, Ordering::Relaxed);
    }
}

impl Cell for PowersOfTwo {
    /// Bounds of what is told, in seconds.
    type Shape = Arc<[f64]>;
    const KIND: Kind = Kind::Histogram;

    fn new(bounds: &Arc<[f64]>) -> Self {
        let buckets = std::array::from_fn(|_| AtomicU64::new(0));
        Self { bounds: Arc::clone(bounds), buckets, sum_ns: AtomicU64::new(0) }
    }

    fn read(&self) -> Reading {
        let mut count = 0;
        let mut up_to = Vec::with_capacity(self.bounds.len());
        for (index, bucket) in self.buckets.iter().enumerate() {
            count += bucket.load(Ordering::Relaxed);
            if TOLD.contains(&index) {
                up_to.push(count);
            }
        }
        Reading::Histogram(HistogramReading {
            bounds: Arc::clone(&self.bounds),
            up_to,
            count,
            sum: self.sum_ns.load(Ordering::Relaxed) as f64 / NANOSECONDS_PER_SECOND,
            exponential: None,
            exemplars: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_told_in_seconds_and_nothing_is_left_out() {
        let series = PowersOfTwo::new(&TOLD.map(bound_seconds).collect());
        let mut buckets = [0; POWERS];
        (buckets[0], buckets[10], buckets[63]) = (2, 3, 4);
        series.add(&buckets, 1_500_000_000);
        series.add(&buckets, 500_000_000);
        let Reading::Histogram(told) = series.read() else { panic!("no histogram") };
        assert_eq!((told.count, told.sum), (18, 2.0));
        assert_eq!(told.bounds.len(), told.up_to.len());
        assert_eq!((told.bounds[0], told.up_to[0]), (0.000_001_024, 4));
        assert_eq!((told.bounds[1], told.up_to[1]), (0.000_002_048, 10));
        assert_eq!(told.up_to.last(), Some(&10));
    }
}
