//! The latest flows, as many as fit into some bytes.
//!
//! - Entries have numbers, without a gap, in the order in which they came. The oldest make room for new
//!   ones; what is kept never takes more than the budget, shared parts counted once.
//! - A writer never waits for a reader: readers copy a few references under the lock and look at them
//!   outside, and each reader has its own place, so that a slow one holds up nobody.
//! - A reader that was lapped goes on at the oldest entry and is told once how many it missed.
//! - The newest entry can be read at once. Who waits for it does so by its number ([`Ring::next`]) and
//!   is told by the notice that the ring was made with.

mod parts;
mod rate;
mod segments;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::flow::Flow;
use crate::proto::flow::LostEvent;
use parts::Parts;
use rate::Rate;
use segments::Segments;

/// What a ring takes if nothing else is said.
pub const DEFAULT_BUDGET_BYTES: usize = 64 << 20;

/// So many entries are copied under one lock at most.
pub const BATCH: usize = 64;

/// What is kept.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A flow.
    Flow(Arc<Flow>),
    /// That something was lost before it could become a flow.
    Lost(Arc<LostEvent>),
}

/// The latest flows. Shared by one or more writers and any number of readers.
pub struct Ring {
    budget_bytes: usize,
    next: AtomicU64,
    missed: AtomicU64,
    kept: Mutex<Kept>,
    notice: Option<Notice>,
}

type Notice = Box<dyn Fn() + Send + Sync>;

#[derive(Debug, Default)]
struct Kept {
    entries: Segments,
    parts: Parts,
    rate: Rate,
    /// Of the entries alone.
    entry_bytes: usize,
    flows: u64,
    seen_flows: u64,
}

/// Figures of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stats {
    /// Flows that are kept.
    pub flows: u64,
    /// Flows that would be kept if the budget were full, by the size of those that are.
    pub flows_at_most: u64,
    /// Flows that came, since the start.
    pub seen_flows: u64,
    /// Entries that made room before a reader came to them, summed over readers.
    pub missed: u64,
    /// What is kept takes this many bytes, of the budget.
    pub bytes: usize,
    /// The budget.
    pub budget_bytes: usize,
    /// Flows per second, over the last minute.
    pub flows_per_second: f64,
    /// When the oldest flow came, nanoseconds since 1970.
    pub oldest_time_ns: Option<u64>,
}

impl Ring {
    /// A ring that takes this many bytes at most.
    pub fn new(budget_bytes: usize) -> Self {
        let (next, missed) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { budget_bytes, next, missed, kept: Mutex::default(), notice: None }
    }

    /// The same, which calls back after each entry, in the thread that wrote it: to wake who waits.
    pub fn with_notice(budget_bytes: usize, notice: impl Fn() + Send + Sync + 'static) -> Self {
        Self { notice: Some(Box::new(notice)), ..Self::new(budget_bytes) }
    }

    /// Keeps a flow. Gives its number.
    pub fn push(&self, flow: Flow) -> u64 {
        self.push_entry(Entry::Flow(Arc::new(flow)))
    }

    /// Keeps that something was lost.
    pub fn push_lost(&self, lost: LostEvent) -> u64 {
        self.push_entry(Entry::Lost(Arc::new(lost)))
    }

    fn push_entry(&self, entry: Entry) -> u64 {
        let mut kept = self.lock();
        let number = kept.entries.range().end;
        kept.put(entry);
        let removed = kept.make_room(self.budget_bytes);
        self.next.store(number + 1, Ordering::Release);
        drop(kept);
        // What nobody else holds is freed outside the lock.
        drop(removed);
        if let Some(notice) = &self.notice {
            notice();
        }
        number
    }

    /// The number that the next entry will have. A reader that has read up to it has read all.
    pub fn next(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// The numbers of what is kept.
    pub fn range(&self) -> Range<u64> {
        self.lock().entries.range()
    }

    /// Copies entries from a number on, before `end`, at most [`BATCH`]. Gives how many were gone before
    /// they could be read; `cursor` moves behind all of these.
    pub fn read(&self, cursor: &mut u64, end: u64, entries: &mut Vec<Entry>) -> u64 {
        entries.clear();
        entries.reserve(BATCH);
        let kept = self.lock();
        let range = kept.entries.range();
        let end = end.min(range.end);
        let from = (*cursor).max(range.start).min(end.max(*cursor));
        let lost = from - *cursor;
        let to = end.min(from.saturating_add(BATCH as u64)).max(from);
        entries.extend((from..to).map_while(|number| kept.entries.get(number).cloned()));
        *cursor = to;
        drop(kept);
        if lost > 0 {
            self.missed.fetch_add(lost, Ordering::Relaxed);
        }
        lost
    }

    /// Copies entries before a number, at most [`BATCH`], oldest first. Gives the number of the first;
    /// it is `end` if there are none left.
    pub fn read_back(&self, end: u64, entries: &mut Vec<Entry>) -> u64 {
        entries.clear();
        entries.reserve(BATCH);
        let kept = self.lock();
        let range = kept.entries.range();
        let end = end.min(range.end);
        let from = end.saturating_sub(BATCH as u64).max(range.start).min(end);
        entries.extend((from..end).map_while(|number| kept.entries.get(number).cloned()));
        from
    }

    /// Its figures at a time, nanoseconds since 1970.
    pub fn stats(&self, now_ns: u64) -> Stats {
        let kept = self.lock();
        let bytes = kept.bytes();
        let at_most = |flows: u64| {
            let whole = u128::from(flows) * self.budget_bytes as u128 / (bytes.max(1) as u128);
            u64::try_from(whole).unwrap_or(u64::MAX)
        };
        Stats {
            flows: kept.flows,
            flows_at_most: at_most(kept.flows).max(kept.flows),
            seen_flows: kept.seen_flows,
            missed: self.missed.load(Ordering::Relaxed),
            bytes,
            budget_bytes: self.budget_bytes,
            flows_per_second: kept.rate.per_second(now_ns),
            oldest_time_ns: kept.entries.first().and_then(Entry::time_ns),
        }
    }

    /// A writer that panicked between two lines leaves nothing that is wrong enough to stop for.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let next = self.next();
        let budget_bytes = self.budget_bytes;
        f.debug_struct("Ring").field("budget_bytes", &budget_bytes).field("next", &next).finish()
    }
}

impl Entry {
    /// When it happened, if that is known.
    pub fn time_ns(&self) -> Option<u64> {
        match self {
            Entry::Flow(flow) => Some(flow.time_ns),
            Entry::Lost(_) => None,
        }
    }

    fn own_bytes(&self) -> usize {
        match self {
            Entry::Flow(flow) => flow.own_bytes(),
            Entry::Lost(_) => 64 + size_of::<LostEvent>(),
        }
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        self.entry_bytes + self.parts.bytes() + self.entries.bytes()
    }

    fn put(&mut self, entry: Entry) {
        if let Entry::Flow(flow) = &entry {
            self.flows += 1;
            self.seen_flows += 1;
            self.rate.count(flow.time_ns);
            flow.each_part(|place, bytes| self.parts.hold(place, bytes));
        }
        self.entry_bytes += entry.own_bytes();
        self.entries.push(entry);
    }

    /// Removes the oldest until the rest fits; the newest always stays.
    fn make_room(&mut self, budget_bytes: usize) -> [Option<Entry>; 4] {
        let mut removed = [const { None }; 4];
        let mut place = 0;
        while self.bytes() > budget_bytes && self.entries.len() > 1 {
            let Some(entry) = self.entries.pop() else { break };
            self.entry_bytes -= entry.own_bytes();
            if let Entry::Flow(flow) = &entry {
                self.flows -= 1;
                flow.each_part(|place, _| self.parts.release(place));
            }
            // Mostly one goes for one that comes; of more, the rest is freed here.
            removed[place % 4] = Some(entry);
            place += 1;
        }
        removed
    }
}
