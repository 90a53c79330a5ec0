//! A series of a histogram: the same observations in exponential buckets and in classic ones.
//!
//! Exponential buckets are what native histograms are made of, exactly. Classic bounds are those that
//! dashboards ask for by their text (`le="0.005"`), which no exponential bucket ends at, so they are counted
//! beside and not guessed from the others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, TryLockError};

use crate::buckets::{Buckets, SCHEMA, ZERO_THRESHOLD};
use crate::cell::Cell;
use crate::reading::{Exemplar, Exponential, HistogramReading, Reading};
use crate::spec::Kind;

/// How many observations were of which size.
#[derive(Debug)]
pub struct Histogram {
    bounds: Arc<[f64]>,
    /// Not cumulated; one for each bound. What is above all of them is the rest.
    classic: Box<[AtomicU64]>,
    exponential: Buckets,
    sum: AtomicU64,
    /// Of the slower half of the classic buckets, the latest each.
    exemplars: Mutex<Box<[Option<Exemplar>]>>,
}

impl Histogram {
    /// Counts an observation. What is not a number or is below zero is not counted: it is no duration and
    /// no size, and would leave no sum that grows.
    pub fn observe(&self, value: f64) {
        self.observe_with(value, 1, None);
    }

    /// The same, of one that stands for so many, with what leads to it, which is kept where it is slow. A scrape that
    /// reads them just then costs the exemplar, never a wait.
    pub fn observe_with(&self, value: f64, times: u64, exemplar: Option<Exemplar>) {
        if value.is_nan() || value < 0.0 {
            return;
        }
        // In this order, so that who reads the other way round finds nothing above the count.
        self.exponential.count(value, times);
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.classic.get(bucket) {
            bucket.fetch_add(times, Ordering::Release);
        }
        let add = |sum| Some((f64::from_bits(sum) + value * times as f64).to_bits());
        let _ = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        if let (Some(exemplar), Some(slow)) = (exemplar, bucket.checked_sub(self.first_slow())) {
            let mut kept = match self.exemplars.try_lock() {
                Ok(kept) => kept,
                Err(TryLockError::Poisoned(kept)) => kept.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            if kept.is_empty() {
                *kept = vec![None; self.bounds.len() + 1 - self.first_slow()].into();
            }
            if let Some(place) = kept.get_mut(slow) {
                *place = Some(exemplar);
            }
        }
    }

    /// The first classic bucket whose observations are slow.
    fn first_slow(&self) -> usize {
        self.bounds.len() / 2
    }

    fn reading(&self) -> HistogramReading {
        let mut sum = 0;
        let cumulated = self.classic.iter().map(|bucket| {
            sum += bucket.load(Ordering::Acquire);
            sum
        });
        let mut up_to: Vec<u64> = cumulated.collect();
        let (zero_count, buckets) = (self.exponential.zero(), self.exponential.filled());
        let count = zero_count + buckets.iter().map(|(_, count)| count).sum::<u64>();
        up_to.iter_mut().for_each(|up_to| *up_to = count.min(*up_to));
        let exemplars = self.exemplars.lock().map(|kept| kept.to_vec()).unwrap_or_default();
        let exemplars = (self.first_slow()..).zip(exemplars);
        HistogramReading {
            bounds: Arc::clone(&self.bounds),
            up_to,
            count,
            sum: f64::from_bits(self.sum.load(Ordering::Relaxed)),
            exponential: Some(Exponential {
                schema: SCHEMA,
                zero_threshold: ZERO_THRESHOLD,
                zero_count,
                buckets,
            }),
            exemplars: exemplars.filter_map(|(bucket, kept)| Some((bucket, kept?))).collect(),
        }
    }
}

impl Cell for Histogram {
    type Shape = Arc<[f64]>;
    const KIND: Kind = Kind::Histogram;

    fn new(bounds: &Arc<[f64]>) -> Self {
        Self {
            bounds: Arc::clone(bounds),
            classic: bounds.iter().map(|_| AtomicU64::new(0)).collect(),
            exponential: Buckets::default(),
            sum: AtomicU64::new(0),
            exemplars: Mutex::default(),
        }
    }

    fn read(&self) -> Reading {
        Reading::Histogram(self.reading())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::ExemplarId;

    #[test]
    fn exemplars_are_of_the_slower_buckets_and_the_latest() {
        let histogram = Histogram::new(&[1.0, 2.0, 4.0, 8.0].into());
        for (key, value) in (1..).zip([0.5, 1.5, 3.0, 3.5, 100.0, -1.0, f64::NAN]) {
            let exemplar = Exemplar { id: ExemplarId::Connection(key), value, unix_ms: 7 };
            histogram.observe_with(value, 1, Some(exemplar));
        }
        let reading = histogram.reading();
        let kept = reading.exemplars.iter().map(|(bucket, exemplar)| (*bucket, exemplar.value));
        assert_eq!(kept.collect::<Vec<_>>(), [(2, 3.5), (4, 100.0)]);
        assert_eq!((reading.up_to, reading.count, reading.sum), (vec![1, 2, 4, 4], 5, 108.5));
    }

    #[test]
    fn a_reading_while_it_is_written_agrees_with_itself() {
        let histogram = Histogram::new(&[0.001, 0.01, 0.1].into());
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| {
                for number in 0..400_000_u32 {
                    histogram.observe(f64::from(number % 200) / 1000.0);
                }
            });
            while !writing.is_finished() {
                let reading = histogram.reading();
                assert!(reading.up_to.is_sorted() && reading.up_to[2] <= reading.count);
            }
        });
        assert_eq!(histogram.reading().count, 400_000);
        assert_eq!(histogram.reading().up_to, [4000, 22_000, 202_000]);
    }
}
