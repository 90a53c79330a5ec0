//! Links between entries: who forked whom, who held a pid before whom, who waits for a parent.
//!
//! Links are slots. A child's link to its parent also has the parent's serial number, so that a
//! parent can be taken away without a visit to its children: their links then lead nowhere.

use super::entry::{Parent, ProcessEntry, ProcessId};
use super::slab::NONE;
use super::table::{ProcessTable, pid_hash};

/// Processes of one pid that are kept at a time. More than a few means that pids are used again
/// faster than records drain; the oldest goes.
const HOLDERS: usize = 16;

/// A slot, and the serial number of the entry that was meant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub slot: u32,
    pub serial: u32,
}

/// An entry's place among the others.
#[derive(Debug)]
pub(super) struct Links {
    pub serial: u32,
    /// The nearest ancestor by birth that is in the table.
    pub lineage: Link,
    /// Ancestors between this and `lineage` that were evicted.
    pub left_out: u32,
    /// It waits in [`ProcessTable::waiting`] for its parent.
    pub waits: bool,
    /// Entries whose `lineage` leads here.
    pub children: u32,
    pub first_child: u32,
    pub next_sibling: u32,
    pub previous_sibling: u32,
    /// The pid's holder before this one, and after.
    pub older: u32,
    pub newer: u32,
}

impl Links {
    pub(super) fn new(serial: u32) -> Links {
        Links {
            serial,
            lineage: Link { slot: NONE, serial: 0 },
            left_out: 0,
            waits: false,
            children: 0,
            first_child: NONE,
            next_sibling: NONE,
            previous_sibling: NONE,
            older: NONE,
            newer: NONE,
        }
    }
}

impl ProcessTable {
    /// The entry that the link means, if it is still there.
    pub(super) fn linked(&self, link: Link) -> Option<(u32, &ProcessEntry)> {
        let entry = self.entries.get(link.slot)?;
        (entry.links.serial == link.serial).then_some((link.slot, entry))
    }

    pub(super) fn edit(&mut self, slot: u32, change: impl FnOnce(&mut ProcessEntry)) {
        if let Some(entry) = self.entries.get_mut(slot) {
            change(entry);
        }
    }

    /// Who held `pid` when `child` started, and so is or was its parent.
    pub(super) fn holder(&self, pid: u32, child: ProcessId) -> Option<u32> {
        let mut slot = self.newest_of(pid)?;
        loop {
            let entry = self.entries.get(slot)?;
            if entry.id().is_before(child) {
                let start = child.start_boottime_ns;
                let over = entry.ending.is_some_and(|ending| ending.boottime_ns < start);
                return (!over).then_some(slot);
            }
            slot = entry.links.older;
        }
    }

    /// Puts an entry among the holders of its pid. A holder that has a successor has ended.
    pub(super) fn link_holder(&mut self, slot: u32) {
        let Some(id) = self.entries.get(slot).map(ProcessEntry::id) else { return };
        let (mut newer, mut older) = (NONE, self.newest_of(id.pid).unwrap_or(NONE));
        while let Some(entry) = self.entries.get(older)
            && entry.process.start_boottime_ns > id.start_boottime_ns
        {
            (newer, older) = (older, entry.links.older);
        }
        self.edit(slot, |entry| (entry.links.newer, entry.links.older) = (newer, older));
        self.edit(older, |entry| entry.links.newer = slot);
        self.edit(newer, |entry| entry.links.older = slot);
        let hash = pid_hash(id.pid);
        match (newer, older) {
            (NONE, NONE) => self.newest.insert(hash, slot),
            (NONE, _) => self.newest.replace(hash, older, slot),
            _ => {
                let start = self.entries.get(newer).map(|entry| entry.process.start_boottime_ns);
                self.end_unseen(slot, start.unwrap_or(id.start_boottime_ns));
            }
        }
        self.end_unseen(older, id.start_boottime_ns);
        self.limit_holders(slot);
    }

    fn limit_holders(&mut self, slot: u32) {
        let next = |slot: u32, step: fn(&ProcessEntry) -> u32| {
            self.entries.get(slot).map(step).filter(|slot| *slot != NONE)
        };
        let older = std::iter::successors(Some(slot), |slot| next(*slot, |e| e.links.older));
        let newer = std::iter::successors(Some(slot), |slot| next(*slot, |e| e.links.newer));
        let (mut count, mut oldest) = (newer.count() - 1, slot);
        for slot in older {
            (count, oldest) = (count + 1, slot);
        }
        if count > HOLDERS {
            self.evict(oldest);
        }
    }

    pub(super) fn unlink_holder(&mut self, slot: u32) {
        let Some(entry) = self.entries.get(slot) else { return };
        let (older, newer, hash) =
            (entry.links.older, entry.links.newer, pid_hash(entry.process.pid));
        self.edit(older, |entry| entry.links.newer = newer);
        self.edit(newer, |entry| entry.links.older = older);
        match (newer, older) {
            (NONE, NONE) => self.newest.remove(hash, slot),
            (NONE, _) => self.newest.replace(hash, slot, older),
            _ => {}
        }
    }

    /// Links an entry that has no parent yet to `parent`, or lets it wait for that one.
    pub(super) fn link_parent(&mut self, slot: u32, parent: Parent) {
        let Some(id) = self.entries.get(slot).map(ProcessEntry::id) else { return };
        self.edit(slot, |entry| entry.birth = parent);
        if parent.pid == 0 {
            return;
        }
        let found = match parent.id() {
            Some(parent) => self.slot(parent).filter(|_| parent.is_before(id)),
            None => self.holder(parent.pid, id),
        };
        match found {
            Some(found) => self.adopt(found, slot),
            None if parent.start_boottime_ns.is_none() => {
                self.edit(slot, |entry| entry.links.waits = true);
                self.waiting.insert((parent.pid, id.start_boottime_ns, slot));
            }
            None => {}
        }
    }

    fn adopt(&mut self, parent: u32, child: u32) {
        let Some(entry) = self.entries.get(parent) else { return };
        let (id, link) = (entry.id(), Link { slot: parent, serial: entry.links.serial });
        self.edit(child, |entry| {
            entry.birth = id.into();
            if entry.parent.pid == id.pid && entry.parent.start_boottime_ns.is_none() {
                entry.parent = id.into();
            }
        });
        self.attach(link, child);
    }

    /// Makes an entry the first of a parent's children.
    pub(super) fn attach(&mut self, parent: Link, child: u32) {
        let Some((_, entry)) = self.linked(parent) else { return };
        let first = entry.links.first_child;
        self.edit(first, |entry| entry.links.previous_sibling = child);
        self.edit(child, |entry| {
            entry.links.lineage = parent;
            entry.links.next_sibling = first;
            entry.links.previous_sibling = NONE;
        });
        self.edit(parent.slot, |entry| {
            entry.links.first_child = child;
            entry.links.children += 1;
        });
        self.reorder(parent.slot);
    }

    /// Takes an entry from its parent's children, or from those who wait.
    pub(super) fn unlink_parent(&mut self, slot: u32) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        let links = &mut entry.links;
        let lineage = std::mem::replace(&mut links.lineage, Link { slot: NONE, serial: 0 });
        let next = std::mem::replace(&mut links.next_sibling, NONE);
        let previous = std::mem::replace(&mut links.previous_sibling, NONE);
        if std::mem::take(&mut links.waits) {
            let key = (entry.birth.pid, entry.process.start_boottime_ns, slot);
            self.waiting.remove(&key);
        }
        self.edit(next, |entry| entry.links.previous_sibling = previous);
        self.edit(previous, |entry| entry.links.next_sibling = next);
        if let Some((parent, _)) = self.linked(lineage) {
            self.edit(parent, |entry| {
                entry.links.children -= 1;
                if previous == NONE {
                    entry.links.first_child = next;
                }
            });
            self.reorder(parent);
        }
    }

    /// Gives an entry that came late the children that wait for it: those that started while it
    /// held its pid. Each is visited once in its life.
    pub(super) fn adopt_waiting(&mut self, slot: u32) {
        let Some(entry) = self.entries.get(slot) else { return };
        let (id, ending) = (entry.id(), entry.ending);
        let last = ending.map_or(u64::MAX, |ending| ending.boottime_ns);
        let mut from = (id.pid, id.start_boottime_ns, 0);
        while let Some(key) = self.waiting.range(from..=(id.pid, last, NONE)).next().copied() {
            from = (key.0, key.1, key.2.saturating_add(1));
            let child = key.2;
            if self.entries.get(child).is_some_and(|child| id.is_before(child.id())) {
                self.waiting.remove(&key);
                self.edit(child, |entry| entry.links.waits = false);
                self.adopt(slot, child);
            }
        }
    }
}
