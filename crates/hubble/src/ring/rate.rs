//! How many flows came in the last minute, by the second.

const SECONDS: usize = 64;
const WINDOW_SECONDS: u64 = 60;
const NS_PER_SECOND: u64 = 1_000_000_000;

/// A count for each of the last seconds.
#[derive(Debug)]
pub(super) struct Rate {
    counts: [(u64, u64); SECONDS],
    first_second: Option<u64>,
}

impl Default for Rate {
    fn default() -> Self {
        Self { counts: [(0, 0); SECONDS], first_second: None }
    }
}

impl Rate {
    /// A flow came.
    pub fn count(&mut self, time_ns: u64) {
        let second = time_ns / NS_PER_SECOND;
        let first = self.first_second.get_or_insert(second);
        *first = (*first).min(second);
        let Some(slot) = self.counts.get_mut((second % SECONDS as u64) as usize) else { return };
        if slot.0 != second {
            // A straggler of another minute must not wipe out this one.
            if slot.0 > second {
                return;
            }
            *slot = (second, 0);
        }
        slot.1 += 1;
    }

    /// Flows per second, over the last minute or since the first flow.
    pub fn per_second(&self, now_ns: u64) -> f64 {
        let now = now_ns / NS_PER_SECOND;
        let Some(first) = self.first_second else { return 0.0 };
        let window = (now.saturating_sub(first) + 1).clamp(1, WINDOW_SECONDS);
        let is_of_window = |second: u64| second <= now && second + window > now;
        let recent = self.counts.iter().filter(|(second, _)| is_of_window(*second));
        recent.map(|(_, count)| *count as f64).sum::<f64>() / window as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_the_last_minute_or_since_the_first_flow() {
        let mut rate = Rate::default();
        assert_eq!(rate.per_second(5 * NS_PER_SECOND), 0.0);
        for second in 1000..1200_u64 {
            for _ in 0..10 {
                rate.count(second * NS_PER_SECOND);
            }
            assert_eq!(rate.per_second(second * NS_PER_SECOND), 10.0);
        }
        assert_eq!(rate.per_second(1229 * NS_PER_SECOND), 5.0);
        assert_eq!(rate.per_second(2000 * NS_PER_SECOND), 0.0);
        rate.count(1100 * NS_PER_SECOND);
        assert_eq!(rate.per_second(1199 * NS_PER_SECOND), 10.0, "a straggler changes nothing");
    }
}
