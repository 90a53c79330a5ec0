//! Whether a difference is more than chance makes.
//!
//! Samples are counted things: taken again, a count of n varies by about the root of n. So two counts are
//! compared with what they would be if nothing had changed, in standard deviations (z). Samples of one stack
//! are not independent of each other, and many frames are looked at together, so the threshold is above the
//! usual two.

/// What is more than chance: |z| of at least this. By chance alone one of 370 frames is beyond it.
pub const MIN_Z: f64 = 3.0;

/// Of fewer samples on both sides together nothing can be said.
pub const MIN_SAMPLES: u64 = 10;

/// z of two shares of two totals (the pooled test of two proportions); none where it is not defined.
pub fn z_of_shares(before: u64, all_before: u64, after: u64, all_after: u64) -> Option<f64> {
    let [x, n, y, m] = [before, all_before, after, all_after].map(|count| count as f64);
    if n <= 0.0 || m <= 0.0 {
        return None;
    }
    let pooled = (x + y) / (n + m);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    // A frame that is on every stack of both has not changed.
    Some(if deviation > 0.0 { (y / m - x / n) / deviation } else { 0.0 })
}

/// z of two counts of which as many are expected on either side (two Poisson variables).
pub fn z_of_counts(before: u64, after: u64) -> Option<f64> {
    let [x, y] = [before, after].map(|count| count as f64);
    (x + y > 0.0).then(|| (y - x) / (x + y).sqrt())
}

#[cfg(test)]
mod tests {
    use super::{z_of_counts, z_of_shares};

    fn close(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!((found - expected).abs() < 1e-3, "{found} is not {expected}");
    }

    /// The expected ones by hand: 30/200 beside 50/200, pooled 0.2, deviation sqrt(.2 * .8 * .01) = 0.04.
    #[test]
    fn shares_are_compared_in_standard_deviations() {
        close(z_of_shares(30, 200, 50, 200), 2.5);
        close(z_of_shares(50, 200, 30, 200), -2.5);
        close(z_of_shares(100, 100, 700, 700), 0.0);
        assert_eq!(z_of_shares(0, 0, 1, 10), None);
    }

    #[test]
    fn counts_are_compared_in_standard_deviations() {
        close(z_of_counts(100, 144), 44.0 / 244.0_f64.sqrt());
        close(z_of_counts(0, 1), 1.0);
        assert_eq!(z_of_counts(0, 0), None);
    }

    /// Two thirds of what is called chance lies within one standard deviation: draws of one distribution
    /// with a generator of fixed seed, to which the test must not object.
    #[test]
    fn what_is_chance_is_called_chance() {
        let mut state = 88_172_645_463_325_252_u64;
        let mut draw = |count: u64, share: f64| {
            (0..count)
                .filter(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    ((state >> 11) as f64) < share * (1_u64 << 53) as f64
                })
                .count() as u64
        };
        let rounds = 2000;
        let mut beyond = [0; 2];
        for _ in 0..rounds {
            let z = z_of_shares(draw(990, 0.1), 990, draw(1980, 0.1), 1980).unwrap().abs();
            for (count, limit) in beyond.iter_mut().zip([1.0, super::MIN_Z]) {
                *count += i32::from(z >= limit);
            }
        }
        // 31.7 % and 0.27 % of a normal distribution.
        assert!((560..=710).contains(&beyond[0]), "{beyond:?}");
        assert!(beyond[1] <= 20, "{beyond:?}");
    }
}
