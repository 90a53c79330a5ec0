//! Forgetting: the dead in time, and whoever is needed least when room is short.
//!
//! The order is by [`Place`]: dead processes without children in the table first, by their end (a
//! dead subtree goes leaf by leaf, each leaf making its parent the next); then dead ones that
//! descendants need, by their end; then live ones without children, by their start. A live process
//! with children has no place, but its children have.
//!
//! Memory is bounded because room is made *before* a record is taken in, for the most that it can
//! add: [`ProcessTable::bytes`] counts the pages of all slabs, filled or not, the cells of all
//! indexes, strings and programs as the allocator rounds them, and an upper bound for the nodes of
//! the two B-trees.

use chandra_event::process::Exec;

use super::entry::{Ending, ProcessEntry};
use super::slab::NONE;
use super::table::ProcessTable;

/// When an entry may go, and who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    rank: Rank,
    boottime_ns: u64,
    slot: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Dead,
    Ancestor,
    Live,
}

/// The most that an entry of 16 bytes takes in a B-tree whose nodes are filled by 5 of 11 at
/// least: (leaf of 208 x 6 + inner node of 304) / 35 keys, and a little for upper levels.
const TREE_ENTRY_BYTES: usize = 48;

/// Forgotten at most in one call of [`ProcessTable::advance`], to hold the lock shortly.
const FORGET_AT_ONCE: usize = 64;

/// Dead ancestors beyond their half of the table that one record evicts.
const ANCESTORS_AT_ONCE: usize = 4;

/// Children that are given to their grandparent when their dead parent is evicted.
const CLOSE_UP: u32 = 8;

impl ProcessTable {
    /// Tells that every record up to this moment (CLOCK_BOOTTIME) has been taken in. Forgets some
    /// of the dead and finds out some that a sweep did not meet; true when there is more to do: call
    /// again, after letting others in.
    pub fn advance(&mut self, drained_until_ns: u64) -> bool {
        self.drained_until_ns = self.drained_until_ns.max(drained_until_ns);
        if self.conclude_sweep() {
            return true;
        }
        let Some(before) = self.drained_until_ns.checked_sub(self.limits.linger_ns) else {
            return false;
        };
        for _ in 0..FORGET_AT_ONCE {
            match self.order.first() {
                Some(place) if place.rank == Rank::Dead && place.boottime_ns <= before => {
                    self.counts.forgotten += 1;
                    self.remove(place.slot);
                }
                _ => return false,
            }
        }
        true
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.entries.bytes()
            + self.newest.bytes()
            + self.programs.bytes()
            + (self.order.len() + self.waiting.len()) * TREE_ENTRY_BYTES
    }

    /// Evicts until `inserts` more entries and this exec fit; `keep` is spared. Dead ancestors may
    /// fill half of the table: a process that forks and ends for ever does not push out the rest.
    pub(super) fn make_room(&mut self, keep: Option<u32>, inserts: usize, exec: Option<&Exec<'_>>) {
        for _ in 0..ANCESTORS_AT_ONCE {
            if self.counts.dead_with_descendants as usize <= self.limits.processes / 2 {
                break;
            }
            let first = Place { rank: Rank::Ancestor, boottime_ns: 0, slot: 0 };
            let Some(place) = self.order.range(first..).next().copied() else { break };
            self.evict(place.slot);
        }
        while !self.has_room(inserts, exec) {
            let spared = |place: &&Place| Some(place.slot) != keep;
            let Some(place) = self.order.iter().find(spared).copied() else { break };
            self.evict(place.slot);
        }
    }

    fn has_room(&self, inserts: usize, exec: Option<&Exec<'_>>) -> bool {
        let growth = self.entries.growth(inserts)
            + self.newest.growth(inserts)
            + (inserts + 1) * 2 * TREE_ENTRY_BYTES
            + exec.map_or(0, |exec| self.programs.growth(exec));
        self.len() + inserts <= self.limits.processes && self.bytes() + growth <= self.limits.bytes
    }

    /// Takes an entry away for room, and closes up the lineage of its children if they are few.
    pub(super) fn evict(&mut self, slot: u32) {
        let Some(entry) = self.entries.get(slot) else { return };
        let (lineage, gap) = (entry.links.lineage, entry.links.left_out.saturating_add(1));
        match (entry.ending, entry.links.children) {
            (None, _) => self.counts.evicted_live += 1,
            (Some(_), 0) => self.counts.evicted_dead += 1,
            (Some(_), _) => self.counts.evicted_ancestors += 1,
        }
        if entry.links.children <= CLOSE_UP && self.linked(lineage).is_some() {
            while let Some(child) = self.entries.get(slot).map(|entry| entry.links.first_child)
                && child != NONE
            {
                self.unlink_parent(child);
                self.edit(child, |entry| {
                    entry.links.left_out = entry.links.left_out.saturating_add(gap)
                });
                self.attach(lineage, child);
            }
        }
        self.remove(slot);
    }

    pub(super) fn remove(&mut self, slot: u32) {
        self.unlink_parent(slot);
        self.unlink_holder(slot);
        let Some(entry) = self.entries.remove(slot) else { return };
        self.counts.dead -= u64::from(entry.ending.is_some());
        self.take_place(entry.place, None);
        for ran in [entry.now, entry.before].into_iter().flatten() {
            self.programs.release(&ran.program);
        }
    }

    /// Notes an end. What the exit's record says replaces what was concluded without it.
    pub(super) fn end(&mut self, slot: u32, ending: Ending) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        if entry.ending.is_none() {
            self.counts.dead += 1;
        } else if ending.time.is_none() {
            return;
        }
        entry.ending = Some(ending);
        self.reorder(slot);
    }

    /// Notes that a process has ended by this moment, because its pid has a new holder or because a
    /// sweep did not meet it.
    pub(super) fn end_unseen(&mut self, slot: u32, boottime_ns: u64) {
        if self.entries.get(slot).is_some_and(ProcessEntry::is_alive) {
            self.counts.exits_unseen += 1;
            let (exit_code, exit_signal, core_dumped) = (None, None, false);
            let ending = Ending { boottime_ns, time: None, exit_code, exit_signal, core_dumped };
            self.end(slot, ending);
        }
    }

    /// Takes back an end that was concluded: a later record showed the process, and nobody else holds
    /// its pid.
    pub(super) fn revive(&mut self, slot: u32, boottime_ns: u64) {
        let is_alive = self.entries.get(slot).is_some_and(|entry| {
            let over = entry
                .ending
                .is_some_and(|ending| ending.time.is_none() && ending.boottime_ns < boottime_ns);
            over && entry.links.newer == NONE
        });
        if is_alive {
            self.counts.dead -= 1;
            self.edit(slot, |entry| entry.ending = None);
            self.reorder(slot);
        }
    }

    /// Gives an entry its place anew, after an end or a change of its children.
    pub(super) fn reorder(&mut self, slot: u32) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        let ranked = match (&entry.ending, entry.links.children) {
            (Some(ending), 0) => Some((Rank::Dead, ending.boottime_ns)),
            (Some(ending), _) => Some((Rank::Ancestor, ending.boottime_ns)),
            (None, 0) => Some((Rank::Live, entry.process.start_boottime_ns)),
            (None, _) => None,
        };
        let new = ranked.map(|(rank, boottime_ns)| Place { rank, boottime_ns, slot });
        let old = std::mem::replace(&mut entry.place, new);
        self.take_place(old, new);
    }

    fn take_place(&mut self, old: Option<Place>, new: Option<Place>) {
        if old == new {
            return;
        }
        let is_ancestor = |place: &Place| place.rank == Rank::Ancestor;
        self.counts.dead_with_descendants -= u64::from(old.as_ref().is_some_and(is_ancestor));
        self.counts.dead_with_descendants += u64::from(new.as_ref().is_some_and(is_ancestor));
        if let Some(old) = old {
            self.order.remove(&old);
        }
        if let Some(new) = new {
            self.order.insert(new);
        }
    }
}
