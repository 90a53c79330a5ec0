//! Exponential buckets as Prometheus's native histograms have them: eight for each doubling.
//!
//! Bucket `i` holds what is above `2^((i-1)/8)` and up to `2^(i/8)` (schema 3), so a bucket is 9 % wide and
//! powers of two are bounds. What is kept goes from about a nanosecond to 35 years in seconds, or to a
//! petabyte in bytes. Chunks of buckets are made when something falls into them: durations lie together.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// `2^SCHEMA` buckets for each doubling.
pub const SCHEMA: i32 = 3;
/// What is not above it is counted as zero: 2^-30.
pub const ZERO_THRESHOLD: f64 = 1.0 / (1 << 30) as f64;

const PER_DOUBLING: i32 = 1 << SCHEMA;
const FIRST: i32 = -30 * PER_DOUBLING + 1;
/// What is above 2^50 is counted in the last bucket.
const LAST: i32 = 50 * PER_DOUBLING;
const CHUNK: usize = 32;
const CHUNKS: usize = (LAST - FIRST + 1) as usize / CHUNK;

/// Where buckets end between one half and one, both of which are ends: `2^(i/8 - 1)`.
const ENDS: [f64; PER_DOUBLING as usize] = [
    0.5,
    0.545_253_866_332_628_8,
    0.594_603_557_501_360_5,
    0.648_419_777_325_504_8,
    std::f64::consts::FRAC_1_SQRT_2,
    0.771_105_412_703_970_4,
    0.840_896_415_253_714_5,
    0.917_004_043_204_671_2,
];

/// The bucket of a number above [`ZERO_THRESHOLD`].
fn index(value: f64) -> i32 {
    const EXPONENT_BITS: u64 = 0x7ff << 52;
    // Split into a fraction from one half up to one, and a power of two; no such number is subnormal.
    let bits = value.to_bits();
    let exponent = ((bits & EXPONENT_BITS) >> 52) as i32 - 1022;
    let fraction = f64::from_bits(bits & !EXPONENT_BITS | 1022 << 52);
    let within = ENDS.partition_point(|end| *end < fraction) as i32;
    (exponent - 1) * PER_DOUBLING + within
}

/// Counts per bucket.
#[derive(Debug, Default)]
pub struct Buckets {
    zero: AtomicU64,
    chunks: [OnceLock<Box<[AtomicU64; CHUNK]>>; CHUNKS],
}

impl Buckets {
    /// Counts a number that is not below zero, so many times.
    pub fn count(&self, value: f64, times: u64) {
        if value <= ZERO_THRESHOLD {
            self.zero.fetch_add(times, Ordering::Relaxed);
            return;
        }
        let place = (index(value).clamp(FIRST, LAST) - FIRST) as usize;
        let Some(chunk) = self.chunks.get(place / CHUNK) else { return };
        let chunk = chunk.get_or_init(|| Box::new([const { AtomicU64::new(0) }; CHUNK]));
        if let Some(bucket) = chunk.get(place % CHUNK) {
            bucket.fetch_add(times, Ordering::Relaxed);
        }
    }

    /// How many were zero.
    pub fn zero(&self) -> u64 {
        self.zero.load(Ordering::Relaxed)
    }

    /// Buckets in which there is something, by growing index.
    pub fn filled(&self) -> Vec<(i32, u64)> {
        let chunks = (FIRST..).step_by(CHUNK).zip(&self.chunks);
        let chunks = chunks.filter_map(|(first, chunk)| Some((first, chunk.get()?)));
        let buckets = chunks.flat_map(|(first, chunk)| (first..).zip(chunk.iter()));
        buckets
            .map(|(index, bucket)| (index, bucket.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_is_up_to_its_end_and_above_the_one_before() {
        for bucket in FIRST..=LAST {
            let end = (f64::from(bucket) / f64::from(PER_DOUBLING)).exp2();
            // Ends that are no power of two are as near as a float is, on either side.
            let (below, above) = (end * (1.0 - 1e-15), end * (1.0 + 1e-15));
            assert_eq!((index(below), index(above)), (bucket, bucket + 1), "{end}");
            if bucket % PER_DOUBLING == 0 {
                assert_eq!(index(end), bucket, "{end}");
            }
        }
    }

    #[test]
    fn every_number_has_a_bucket() {
        assert_eq!((LAST - FIRST + 1) as usize, CHUNKS * CHUNK);
        let buckets = Buckets::default();
        for value in [0.0, ZERO_THRESHOLD, f64::MIN_POSITIVE, 5e-324] {
            buckets.count(value, 1);
        }
        for value in [ZERO_THRESHOLD * 1.01, 1.0, 1.0, 1.01, 1e300, f64::INFINITY] {
            buckets.count(value, 1);
        }
        assert_eq!(buckets.zero(), 4);
        assert_eq!(buckets.filled(), [(FIRST, 1), (0, 2), (1, 1), (LAST, 2)]);
    }
}
