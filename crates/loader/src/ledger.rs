//! The kernel side of the ledger: what a probe saw and what became of it.
//!
//! Invariant, exactly, once nothing is in flight:
//! `seen = filtered + aggregated + sampled_out + rate_limited + lost + submitted`.

use libbpf_rs::{MapCore, Object};

use crate::abi::Counters;
use crate::per_cpu;

impl Counters {
    /// Seen minus everything that became of it; 0 when the books balance.
    pub fn imbalance(&self) -> i64 {
        let gone = self.filtered
            + self.aggregated
            + self.sampled_out
            + self.rate_limited
            + self.lost
            + self.submitted;
        self.seen.cast_signed().wrapping_sub(gone.cast_signed())
    }

    fn add(&mut self, other: &Self) {
        self.seen += other.seen;
        self.filtered += other.filtered;
        self.aggregated += other.aggregated;
        self.sampled_out += other.sampled_out;
        self.rate_limited += other.rate_limited;
        self.lost += other.lost;
        self.submitted += other.submitted;
        self.flows_added += other.flows_added;
        self.flows_removed += other.flows_removed;
        self.flows_evicted += other.flows_evicted;
        self.flows_refused += other.flows_refused;
    }
}

/// Sums a loaded object's `ledger` map over its CPUs. Zero where it cannot be read.
pub fn read(object: &Object) -> Counters {
    let mut sum = Counters::ZERO;
    let ledger = object.maps().find(|map| map.name() == "ledger");
    let values = ledger.map(|map| per_cpu::values(&map)).unwrap_or_default();
    for counters in values.iter().filter_map(|value| Counters::read(value)) {
        sum.add(&counters);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_by_no_door_is_the_imbalance() {
        let mut sum = Counters::ZERO;
        assert_eq!(sum.imbalance(), 0);
        let one_each = Counters {
            seen: 6,
            filtered: 1,
            aggregated: 1,
            sampled_out: 1,
            rate_limited: 1,
            lost: 1,
            submitted: 1,
            ..Counters::ZERO
        };
        sum.add(&one_each);
        sum.add(&one_each);
        assert_eq!((sum.seen, sum.imbalance()), (12, 0));
        assert_eq!(Counters { seen: 13, ..sum }.imbalance(), 1, "seen, and then forgotten");
        assert_eq!(Counters { lost: 5, ..sum }.imbalance(), -3, "lost more than once");
    }
}
