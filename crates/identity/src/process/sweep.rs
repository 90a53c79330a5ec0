//! What runs, looked at anew after records were lost: whoever was not met has ended.
//!
//! A walk over the running processes takes a while, and records of that time come before or after
//! what it tells. So nothing is concluded before every record up to the end of the walk was taken in
//! ([`ProcessTable::advance`]): by then a process that started before the walk and of which nobody
//! told since is one that the walk would have met. What is told of a process later than its
//! concluded end shows that it lives ([`ProcessTable::refresh`]).
//!
//! One thing stays open: of a child that a process forks while the walk is on its way to that one, no
//! more is known to run than was known of its parent.
//!
//! The table is gone through in steps, so that no call takes long however much it holds.

use super::entry::{Parent, ProcessEntry};
use super::table::ProcessTable;

/// Slots that one call of [`ProcessTable::advance`] goes through.
const SLOTS_AT_ONCE: u32 = 1024;

/// It never ends, and the kernels of some sandboxes withhold it from every walk.
const INIT: u32 = 1;

/// A walk over what runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sweep {
    began_ns: u64,
    ended_ns: Option<u64>,
    /// Processes that it met.
    met: u64,
    /// The slot to go on with.
    next: u32,
}

impl ProcessTable {
    /// Tells that a walk over all running processes begins at this moment (CLOCK_BOOTTIME). Feed
    /// what it meets as usual.
    pub fn begin_sweep(&mut self, now_ns: u64) {
        self.sweep = Some(Sweep { began_ns: now_ns, ended_ns: None, met: 0, next: 0 });
    }

    /// Tells that the walk is over. Those that ended without a record are found out by
    /// [`Self::advance`] when it gets to this moment. A walk that met nobody says nothing.
    pub fn end_sweep(&mut self, now_ns: u64) {
        self.sweep = self.sweep.filter(|sweep| sweep.met > 0);
        if let Some(sweep) = &mut self.sweep {
            sweep.ended_ns = Some(now_ns);
        }
    }

    /// The walk met a process.
    pub(super) fn note_met(&mut self) {
        if let Some(sweep) = &mut self.sweep {
            sweep.met += 1;
        }
    }

    /// Something that happened to a process at this time is older than what a walk says of it, and
    /// another that followed may have been lost.
    pub(super) fn is_before_walk(&self, slot: u32, boottime_ns: u64) -> bool {
        self.sweep.is_some_and(|Sweep { began_ns, .. }| {
            let entry = self.entries.get(slot);
            boottime_ns < began_ns && entry.is_some_and(|entry| entry.seen_boottime_ns >= began_ns)
        })
    }

    /// Goes on with what a walk told; true when there is more to do.
    pub(super) fn conclude_sweep(&mut self) -> bool {
        let Some(sweep) = self.sweep else { return false };
        let Some(ended_ns) = sweep.ended_ns.filter(|ended| *ended <= self.drained_until_ns) else {
            return false;
        };
        let end = sweep.next.saturating_add(SLOTS_AT_ONCE);
        let mut at = sweep.next;
        while let Some((slot, entry)) = self.entries.next_from(at)
            && slot < end
        {
            at = slot + 1;
            let was_there = entry.process.start_boottime_ns < sweep.began_ns;
            let is_seen = entry.seen_boottime_ns >= sweep.began_ns || entry.process.pid == INIT;
            match (entry.is_alive(), is_seen) {
                (false, _) => {}
                (true, false) if was_there => self.end_unseen(slot, ended_ns),
                (true, _) => self.correct_parents(slot),
            }
        }
        let is_over = self.entries.next_from(at).is_none();
        self.sweep = (!is_over).then_some(Sweep { next: end, ..sweep });
        !is_over
    }

    /// Looks again for parents that were looked for by pid when their holder was not known yet: who
    /// holds a pid now and is older than the child held it all along.
    fn correct_parents(&mut self, slot: u32) {
        let Some(entry) = self.entries.get(slot) else { return };
        let (id, birth, parent) = (entry.id(), entry.birth, entry.parent);
        let holder = |told: Parent| {
            let holder = self.entries.get(self.holder(told.pid, id)?);
            let holder = holder.filter(|holder| holder.is_alive()).map(ProcessEntry::id);
            holder.filter(|holder| told.id() != Some(*holder)).map(Parent::from)
        };
        let (right_birth, right_parent) = (holder(birth), holder(parent));
        if let Some(right) = right_birth {
            self.unlink_parent(slot);
            self.link_parent(slot, right);
        }
        if let Some(right) = right_parent {
            self.edit(slot, |entry| entry.parent = right);
        }
    }
}
