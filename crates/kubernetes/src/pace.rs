//! How long to wait before a server is tried again.
//!
//! All nodes lose the server at the same moment: each waits for a random part of a pause that doubles.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The first pause.
const MIN_PAUSE: Duration = Duration::from_millis(200);

/// Counts what failed in a row.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    failures: u32,
}

impl Pace {
    /// Something went well.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The last try failed, too.
    pub fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// One more failure: the pause before the next try.
    pub fn pause(&mut self, max: Duration) -> Duration {
        let pause = MIN_PAUSE.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        jittered(pause.min(max))
    }
}

/// Between half of this and all of it.
pub(crate) fn jittered(whole: Duration) -> Duration {
    // The standard library's only source of chance; better is not needed here.
    let chance = RandomState::new().hash_one(0u8) as u32;
    let half = whole / 2;
    half + half.mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_ceiling_and_start_again() {
        let mut pace = Pace::default();
        let max = Duration::from_secs(30);
        let pauses: Vec<Duration> = (0..100).map(|_| pace.pause(max)).collect();
        assert!(pauses[0] <= MIN_PAUSE && pauses[0] >= MIN_PAUSE / 2);
        assert!(pauses[20..].iter().all(|pause| *pause <= max && *pause >= max / 2));
        assert!(pauses[20..].iter().any(|pause| *pause != pauses[20]), "no chance in it");
        assert!(pace.has_failed());
        pace.reset();
        assert!(!pace.has_failed() && pace.pause(max) <= MIN_PAUSE);
    }
}
