//! A range of time, both ends in it.

use super::DISORDER_NS;

#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub since_ns: Option<u64>,
    pub until_ns: Option<u64>,
}

impl Window {
    pub fn contains(self, time_ns: u64) -> bool {
        self.since_ns.is_none_or(|since| since <= time_ns)
            && self.until_ns.is_none_or(|until| time_ns <= until)
    }

    /// So long before it that nothing earlier in the ring is in it.
    pub fn is_long_before(self, time_ns: u64) -> bool {
        self.since_ns.is_some_and(|since| time_ns < since.saturating_sub(DISORDER_NS))
    }

    /// So long after it that nothing later in the ring is in it.
    pub fn is_long_after(self, time_ns: u64) -> bool {
        self.until_ns.is_some_and(|until| until.saturating_add(DISORDER_NS) < time_ns)
    }
}
