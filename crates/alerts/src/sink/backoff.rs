//! How long to wait before one tries again: twice as long each time, up to a bound, and not all at once
//! where many agents lost the same receiver.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The next wait.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
    failures: u64,
    random: RandomState,
}

impl Backoff {
    /// Waits from `first` to `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first, failures: 0, random: RandomState::new() }
    }

    /// Between half of what is due and all of it.
    pub fn wait(&mut self) -> Duration {
        let due = self.next.min(self.longest);
        self.next = due.saturating_mul(2);
        self.failures += 1;
        let thousandths = self.random.hash_one(self.failures) % 501;
        due / 2 + due.mul_f64(thousandths as f64 / 1000.0)
    }

    /// Begins anew.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound_and_begin_anew() {
        let milliseconds = Duration::from_millis;
        let mut backoff = Backoff::new(milliseconds(100), milliseconds(1000));
        for due in [100, 200, 400, 800, 1000, 1000] {
            let wait = backoff.wait();
            assert!((milliseconds(due / 2)..=milliseconds(due)).contains(&wait), "{due}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.wait() <= milliseconds(100));
    }
}
