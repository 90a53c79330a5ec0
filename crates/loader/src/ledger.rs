//! The kernel side of the ledger: what a probe saw and what became of it.
//!
//! Invariant, exactly, once nothing is in flight:
//! `seen = filtered + aggregated + sampled_out + rate_limited + lost + submitted`.

use libbpf_rs::{MapCore, MapFlags, Object};

use crate::abi::Counters;

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
    }
}

/// Sums a loaded object's `ledger` map over its CPUs. Zero where it cannot be read.
pub fn read(object: &Object) -> Counters {
    let mut sum = Counters::ZERO;
    let ledger = object.maps().find(|map| map.name() == "ledger");
    let values = ledger
        .and_then(|map| map.lookup_percpu(&0_u32.to_ne_bytes(), MapFlags::ANY).ok().flatten());
    for counters in values.iter().flatten().filter_map(|value| Counters::read(value)) {
        sum.add(&counters);
    }
    sum
}
