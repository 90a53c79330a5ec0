//! What of a signal was over budget, by cgroup: how much more since the last look, and what to warn of.
//!
//! Invariant: what is told of cgroups and of [`Owner::Others`] together is what the ledger says, or behind it
//! by what a probe has under way.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chandra_loader::budget::RateLimited;

/// A cgroup is warned of once in this time.
const PAUSE: Duration = Duration::from_secs(60);
/// The flood of a cgroup is over when it grew no more for so long.
const QUIET: Duration = Duration::from_secs(120);

/// Whose records were over budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// Hierarchy and id; of id 0 is what is nobody's.
    Cgroup(u32, u64),
    /// Cgroups that the kernel had no room for.
    Others,
}

/// One signal's.
#[derive(Debug, Default)]
pub struct Account {
    owners: HashMap<Owner, Entry>,
    /// All that was told of cgroups.
    of_cgroups: u64,
    /// What the ledger said last.
    total: u64,
}

#[derive(Debug)]
struct Entry {
    /// What the kernel counted, or the remainder of the ledger.
    counted: u64,
    grown: Instant,
    warned: Option<Instant>,
    not_warned_of: u64,
}

impl Account {
    /// There is nothing to read: the ledger, which is at `total`, has not grown, and nobody is remembered.
    pub fn is_at_rest(&self, total: u64) -> bool {
        total == self.total && self.owners.is_empty()
    }

    /// Takes what the kernel counted; the ledger was at `total` before. How much more each has than before,
    /// where it has.
    pub fn grow(&mut self, total: u64, limited: &[RateLimited], now: Instant) -> Vec<(Owner, u64)> {
        self.total = total;
        let mut growths = Vec::new();
        for cgroup in limited {
            let owner = Owner::Cgroup(cgroup.hierarchy, cgroup.id);
            let growth = self.count(owner, cgroup.records, now);
            self.of_cgroups += growth;
            growths.push((owner, growth));
        }
        let others = total.saturating_sub(self.of_cgroups);
        if others > 0 {
            growths.push((Owner::Others, self.count(Owner::Others, others, now)));
        }
        growths.retain(|(_, growth)| *growth > 0);
        growths
    }

    fn count(&mut self, owner: Owner, counted: u64, now: Instant) -> u64 {
        let entry = self.owners.entry(owner).or_insert(Entry {
            counted: 0,
            grown: now,
            warned: None,
            not_warned_of: 0,
        });
        let growth = counted.saturating_sub(entry.counted);
        if growth > 0 {
            (entry.counted, entry.grown) = (counted, now);
            entry.not_warned_of += growth;
        }
        growth
    }

    /// Those to warn of now, with the records since they were warned of last; the most first.
    pub fn warnings(&mut self, now: Instant) -> Vec<(Owner, u64)> {
        let is_due = |entry: &Entry| {
            let rests = entry.warned.is_some_and(|warned| now.duration_since(warned) < PAUSE);
            entry.not_warned_of > 0 && !rests
        };
        let due = self.owners.iter_mut().filter(|(_, entry)| is_due(entry));
        let mut due: Vec<_> = due
            .map(|(owner, entry)| {
                entry.warned = Some(now);
                (*owner, std::mem::take(&mut entry.not_warned_of))
            })
            .collect();
        due.sort_unstable_by_key(|(owner, records)| (std::cmp::Reverse(*records), *owner));
        due
    }

    /// Forgets the cgroups whose flood is over, and says which: hierarchy and id. The kernel is to forget
    /// them, too, and counts from 0 then.
    pub fn forget_quiet(&mut self, now: Instant) -> Vec<(u32, u64)> {
        let is_over = |owner: &Owner, entry: &mut Entry| {
            let is_quiet = now.duration_since(entry.grown) >= QUIET && entry.not_warned_of == 0;
            is_quiet && *owner != Owner::Others
        };
        let over = self.owners.extract_if(is_over);
        let cgroups = over.filter_map(|(owner, _)| match owner {
            Owner::Cgroup(hierarchy, id) => Some((hierarchy, id)),
            Owner::Others => None,
        });
        cgroups.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: Owner = Owner::Cgroup(0, 7);
    const DB: Owner = Owner::Cgroup(0, 8);

    fn limited(id: u64, records: u64) -> RateLimited {
        RateLimited { hierarchy: 0, id, records }
    }

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn each_cgroup_grows_by_what_is_new_and_the_rest_of_the_ledger_is_of_others() {
        let (mut account, start) = (Account::default(), Instant::now());
        assert!(account.is_at_rest(0) && !account.is_at_rest(1));
        let grown = account.grow(5, &[limited(7, 3), limited(8, 2)], start);
        assert_eq!(grown, [(WEB, 3), (DB, 2)]);
        assert!(!account.is_at_rest(5), "somebody is remembered");
        // Since the ledger was read, one more was counted.
        assert_eq!(account.grow(5, &[limited(7, 4), limited(8, 2)], start), [(WEB, 1)]);
        // For two there was no room.
        let grown = account.grow(9, &[limited(7, 5), limited(8, 2)], start);
        assert_eq!(grown, [(WEB, 1), (Owner::Others, 2)]);
        assert_eq!(account.grow(9, &[limited(7, 5), limited(8, 2)], start), []);
    }

    #[test]
    fn a_cgroup_is_warned_of_once_a_minute_with_what_came_since() {
        let (mut account, start) = (Account::default(), Instant::now());
        account.grow(9, &[limited(7, 3), limited(8, 6)], start);
        assert_eq!(account.warnings(start), [(DB, 6), (WEB, 3)]);
        account.grow(20, &[limited(7, 14), limited(8, 6)], after(start, 1));
        assert_eq!(account.warnings(after(start, 59)), []);
        account.grow(25, &[limited(7, 19), limited(8, 6)], after(start, 59));
        assert_eq!(account.warnings(after(start, 60)), [(WEB, 16)]);
    }

    #[test]
    fn a_cgroup_whose_flood_is_over_is_forgotten_and_may_come_back() {
        let (mut account, start) = (Account::default(), Instant::now());
        account.grow(3, &[limited(7, 3)], start);
        assert_eq!(account.forget_quiet(after(start, 500)), [], "it is to be warned of yet");
        account.warnings(start);
        assert_eq!(account.forget_quiet(after(start, 119)), []);
        assert_eq!(account.forget_quiet(after(start, 120)), [(0, 7)]);
        assert!(account.is_at_rest(3));
        // The kernel begins anew.
        assert_eq!(account.grow(5, &[limited(7, 2)], after(start, 200)), [(WEB, 2)]);
    }
}
