//! When records that identity lives from were lost, or over the budget of their cgroup, so that what is there has to be looked at anew.

use chandra_loader::ledger;

use super::{Part, Seeding};

/// A sweep looks at every process and every cgroup, so there is not more than one in this time.
const PAUSE_NS: u64 = 5_000_000_000;

/// What the kernel's ledgers said of losses, up to the last sweep.
#[derive(Debug, Default)]
pub struct Losses {
    /// By part.
    heeded: Vec<u64>,
    swept_ns: u64,
}

impl Losses {
    /// The parts whose seeds should run again now: all that identity begins with, if records were lost
    /// since the last sweep, because who is not met counts as gone. What is lost from here on is for the
    /// next one.
    pub fn due_for_sweep<'a>(&mut self, parts: &'a [Part<'a>], now_ns: u64) -> Vec<&'a Part<'a>> {
        if now_ns.saturating_sub(self.swept_ns) < PAUSE_NS {
            return Vec::new();
        }
        let lost = |part: &Part<'_>| {
            let matters = part.learns && !part.signal.identity.is_empty();
            let loaded = part.loaded.read().ok().filter(|_| matters);
            let ledger = loaded.map(|loaded| ledger::read(loaded.object()));
            ledger.map_or(0, |ledger| ledger.lost + ledger.rate_limited)
        };
        let lost: Vec<u64> = parts.iter().map(lost).collect();
        self.heeded.resize(parts.len(), 0);
        if lost.iter().zip(&self.heeded).all(|(now, before)| now <= before) {
            return Vec::new();
        }
        (self.heeded, self.swept_ns) = (lost, now_ns);
        parts.iter().filter(|part| part.seeding == Some(Seeding::Learn)).collect()
    }
}
