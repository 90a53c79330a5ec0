//! The table and its look-ups. None of them allocates.

use std::collections::BTreeSet;

use chandra_event::process::Process;
use chandra_event::time::{Clock, Timestamp};

use super::entry::{Parent, ProcessEntry, ProcessId};
use super::index::Index;
use super::program::Programs;
use super::retire::Place;
use super::slab::{NONE, Slab};
use super::stats::{Limits, Stats};
use super::sweep::Sweep;

/// Processes by (pid, start). See the [module](super) for what always holds.
#[derive(Debug)]
pub struct ProcessTable {
    pub(super) limits: Limits,
    pub(super) entries: Slab<ProcessEntry>,
    /// Pid to the newest process that held it; older ones follow by [`super::lineage::Links`].
    pub(super) newest: Index,
    pub(super) programs: Programs,
    /// Who goes first when room is needed; dead ones in the order of their end.
    pub(super) order: BTreeSet<Place>,
    /// Children of unknown parents: parent's pid, child's start, child's slot.
    pub(super) waiting: BTreeSet<(u32, u64, u32)>,
    pub(super) clock: Clock,
    pub(super) drained_until_ns: u64,
    pub(super) sweep: Option<Sweep>,
    pub(super) serial: u32,
    /// Counts; what is as of now is filled in when asked for, except `dead` and
    /// `dead_with_descendants`.
    pub(super) counts: Stats,
}

impl Default for ProcessTable {
    fn default() -> ProcessTable {
        ProcessTable::new(Limits::default())
    }
}

impl ProcessTable {
    /// An empty table.
    pub fn new(limits: Limits) -> ProcessTable {
        let bytes = limits.bytes.max(1 << 20);
        let limits = Limits {
            processes: limits.processes.clamp(16, bytes >> 10),
            bytes,
            arguments_bytes: limits.arguments_bytes.min(64 << 10),
            ..limits
        };
        ProcessTable {
            limits,
            entries: Slab::new(),
            newest: Index::new(),
            programs: Programs::new(limits.arguments_bytes),
            order: BTreeSet::new(),
            waiting: BTreeSet::new(),
            clock: Clock::default(),
            drained_until_ns: 0,
            sweep: None,
            serial: 0,
            counts: Stats::default(),
        }
    }

    /// The clock by which records got their time; to be told before the first record and again
    /// when it was measured anew. Without it an hour set back would make an hour of records late.
    pub fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    /// The process.
    pub fn get(&self, id: ProcessId) -> Option<&ProcessEntry> {
        self.entries.get(self.slot(id)?)
    }

    /// The live process that holds this pid now. Prefer [`Self::get`]: a pid alone may be stale.
    pub fn by_pid(&self, pid: u32) -> Option<&ProcessEntry> {
        self.entries.get(self.newest_of(pid)?).filter(|entry| entry.is_alive())
    }

    /// Its ancestors by birth, the one who forked it first. It ends where the next one is not in
    /// the table; [`ProcessEntry::original_parent`] of the last may still name it.
    pub fn ancestors(&self, id: ProcessId) -> Ancestors<'_> {
        Ancestors { table: self, of: self.get(id), left: self.len() }
    }

    /// The process on a record, if it is in the table.
    pub fn of(&self, process: &Process) -> Option<&ProcessEntry> {
        self.get(ProcessId::of(process))
    }

    /// The parent of a process as a record of that process named it; `entry` is what is known of the
    /// process itself.
    pub fn parent_of(
        &self,
        process: &Process,
        entry: Option<&ProcessEntry>,
    ) -> Option<&ProcessEntry> {
        let known = entry.into_iter();
        let known = known.flat_map(|entry| [entry.parent(), entry.original_parent()]);
        let named = known.filter(|parent| parent.pid == process.ppid).find_map(Parent::id);
        // Mostly who forked it, to whom a link leads.
        let linked = entry.and_then(|entry| self.linked(entry.links.lineage));
        let linked = linked.map(|(_, parent)| parent).filter(|it| Some(it.id()) == named);
        let found = || named.and_then(|id| self.get(id));
        let holder = || self.entries.get(self.holder(process.ppid, ProcessId::of(process))?);
        linked.or_else(found).or_else(holder)
    }

    /// The moment of a record on the clock of process starts: records carry wall-clock time, which
    /// may be set back; what is compared is boot time.
    pub fn boottime_ns_of(&self, time: Timestamp) -> u64 {
        time.0.wrapping_sub(self.clock.offset_ns)
    }

    /// Start of a process as wall-clock time.
    pub fn start_time(&self, entry: &ProcessEntry) -> Timestamp {
        self.clock.start_time(entry.process.start_boottime_ns)
    }

    /// Whom it forked, dead ones included, the latest known first.
    pub fn children(&self, id: ProcessId) -> Children<'_> {
        let next = self.get(id).map_or(NONE, |entry| entry.links.first_child);
        Children { table: self, next }
    }

    /// Every process, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &ProcessEntry> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let (slot, entry) = self.entries.next_from(next)?;
            next = slot + 1;
            Some(entry)
        })
    }

    /// Processes, dead ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// It holds no process.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its figures.
    pub fn stats(&self) -> Stats {
        Stats {
            live: self.len() as u64 - self.counts.dead,
            unknown_parents: self.waiting.len() as u64,
            programs: self.programs.len() as u64,
            bytes: self.bytes() as u64,
            ..self.counts
        }
    }

    pub(super) fn slot(&self, id: ProcessId) -> Option<u32> {
        let mut slot = self.newest_of(id.pid)?;
        loop {
            let entry = self.entries.get(slot)?;
            if entry.process.start_boottime_ns <= id.start_boottime_ns {
                return (entry.id() == id).then_some(slot);
            }
            slot = entry.links.older;
        }
    }

    pub(super) fn newest_of(&self, pid: u32) -> Option<u32> {
        self.newest.find(pid_hash(pid), |slot| {
            self.entries.get(slot).is_some_and(|entry| entry.process.pid == pid)
        })
    }
}

/// Spreads pids, which come in runs (the finaliser of MurmurHash3, which is a bijection).
pub(super) fn pid_hash(pid: u32) -> u32 {
    let mixed = (pid ^ pid >> 16).wrapping_mul(0x85eb_ca6b);
    let mixed = (mixed ^ mixed >> 13).wrapping_mul(0xc2b2_ae35);
    mixed ^ mixed >> 16
}

/// See [`ProcessTable::ancestors`]. It ends: each is older than the one before, and there are not
/// more of them than processes.
#[derive(Debug, Clone)]
pub struct Ancestors<'a> {
    table: &'a ProcessTable,
    of: Option<&'a ProcessEntry>,
    left: usize,
}

impl<'a> Iterator for Ancestors<'a> {
    type Item = &'a ProcessEntry;

    fn next(&mut self) -> Option<&'a ProcessEntry> {
        self.left = self.left.checked_sub(1)?;
        self.of = self.table.linked(self.of?.links.lineage).map(|(_, parent)| parent);
        self.of
    }
}

/// See [`ProcessTable::children`].
#[derive(Debug, Clone)]
pub struct Children<'a> {
    table: &'a ProcessTable,
    next: u32,
}

impl<'a> Iterator for Children<'a> {
    type Item = &'a ProcessEntry;

    fn next(&mut self) -> Option<&'a ProcessEntry> {
        let child = self.table.entries.get(self.next)?;
        self.next = child.links.next_sibling;
        Some(child)
    }
}
