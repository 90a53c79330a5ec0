//! Starts to the clock tick: what `/proc` says of a process where there is no task iterator.
//!
//! Probes say the same start to the nanosecond. Without care a seeded process and its own first
//! record would be two processes of one pid, and the seeded one would seem to have ended.

use chandra_event::process::Process;

use super::entry::{ProcessEntry, ProcessId, Source};
use super::slab::NONE;
use super::table::ProcessTable;

/// The kernel shows times to user space in units of 1/100 s (USER_HZ), rounded down.
const TICK_NS: u64 = 10_000_000;

fn is_coarse(start_boottime_ns: u64) -> bool {
    start_boottime_ns.is_multiple_of(TICK_NS)
}

/// `coarse` may be what `/proc` says of a process with this exact start.
fn is_within(coarse: u64, exact: u64) -> bool {
    is_coarse(coarse) && exact.checked_sub(coarse).is_some_and(|rest| rest < TICK_NS)
}

impl ProcessTable {
    /// The process found running, with its exact start if that is already known.
    pub(super) fn exact(&self, running: &Process) -> Process {
        let newest = self.newest_of(running.pid).and_then(|slot| self.entries.get(slot));
        let exact = newest.map(|entry| entry.process.start_boottime_ns);
        let exact = exact.filter(|exact| is_within(running.start_boottime_ns, *exact));
        Process { start_boottime_ns: exact.unwrap_or(running.start_boottime_ns), ..*running }
    }

    /// The process of this exact identity. One that was seeded to the tick gets its exact start.
    pub(super) fn refined_slot(&mut self, id: ProcessId) -> Option<u32> {
        self.slot(id).or_else(|| {
            let slot = self.newest_of(id.pid)?;
            let entry = self.entries.get(slot)?;
            let is_it = entry.source == Source::Running
                && is_within(entry.process.start_boottime_ns, id.start_boottime_ns);
            is_it.then(|| self.refine(slot, id.start_boottime_ns)).map(|()| slot)
        })
    }

    /// Once in the life of a seeded process; the links stay, but what is ordered by start or
    /// names it moves along.
    fn refine(&mut self, slot: u32, start_boottime_ns: u64) {
        let Some(entry) = self.entries.get(slot) else { return };
        let (waits, birth, mut child) = (entry.links.waits, entry.birth, entry.links.first_child);
        let old = entry.id();
        let new = ProcessId { start_boottime_ns, ..old };
        if waits {
            self.unlink_parent(slot);
        }
        self.edit(slot, |entry| entry.process.start_boottime_ns = start_boottime_ns);
        self.reorder(slot);
        if waits {
            self.link_parent(slot, birth);
        }
        while let Some(next) = self.entries.get(child).map(|child| child.links.next_sibling) {
            self.edit(child, |child: &mut ProcessEntry| {
                for parent in [&mut child.birth, &mut child.parent] {
                    if parent.id() == Some(old) {
                        *parent = new.into();
                    }
                }
            });
            child = if next == child { NONE } else { next };
        }
    }
}
