//! The table itself: entries in slots, found by hash, and in one of two queues: those that live, in the
//! order in which they came to be, and those that are over, in the order in which they ended.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::{Change, Translation};
use crate::cidr::mapped;
use crate::process::index::Index;
use crate::process::slab::{NONE, Slab};

/// How much may be kept, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most connections.
    pub connections: usize,
    /// One that is over stays so long, in nanoseconds, for records that are told late.
    pub linger_ns: u64,
}

impl Default for Limits {
    /// 8 MiB at most: an entry takes 100 bytes, and up to 24 in the index.
    fn default() -> Self {
        Self { connections: 65_536, linger_ns: 2_000_000_000 }
    }
}

/// Figures. From `evicted` on they count since the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Connections, those included that are over and linger.
    pub connections: u64,
    /// Bytes on the heap.
    pub bytes: u64,
    /// Connections that left before their end, for room.
    pub evicted: u64,
    /// Times that connection tracking said more than could be taken.
    pub lost: u64,
    /// Messages that were not understood.
    pub malformed: u64,
}

/// An address and a port; IPv4 is `::ffff:a.b.c.d`, as on a socket that speaks both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct End {
    /// Big-endian bytes, which need no alignment.
    ip: [u8; 16],
    port: u16,
}

impl End {
    fn of(address: SocketAddr) -> Self {
        Self { ip: mapped(address.ip()).to_be_bytes(), port: address.port() }
    }

    fn address(self) -> SocketAddr {
        SocketAddr::new(IpAddr::V6(Ipv6Addr::from(self.ip)).to_canonical(), self.port)
    }
}

/// What the opener's socket knows.
type Key = (End, End);

/// One of the two queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Met by the listing of this number, or made since it began.
    Lives { listing: u32 },
    /// It ended at this time, in nanoseconds of CLOCK_BOOTTIME.
    Over { ended_ns: u64 },
}

#[derive(Debug)]
struct Entry {
    key: Key,
    backend: End,
    standing: Standing,
    older: u32,
    newer: u32,
}

/// The ends of a queue.
#[derive(Debug, Clone, Copy)]
struct Queue {
    oldest: u32,
    newest: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self { oldest: NONE, newest: NONE }
    }
}

/// See the [module](super).
#[derive(Debug)]
pub struct Translations {
    limits: Limits,
    entries: Slab<Entry>,
    index: Index,
    keys: RandomState,
    living: Queue,
    over: Queue,
    /// How often all that there is was listed, or began to be.
    listing: u32,
    counts: Stats,
}

impl Default for Translations {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Translations {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits: Limits { connections: limits.connections.max(1), ..limits },
            entries: Slab::new(),
            index: Index::new(),
            keys: RandomState::new(),
            living: Queue::default(),
            over: Queue::default(),
            listing: 0,
            counts: Stats::default(),
        }
    }

    /// Takes in what connection tracking said, at this time of CLOCK_BOOTTIME.
    pub fn apply(&mut self, change: Change, now_ns: u64) {
        match change {
            Change::Made(translation) => self.put(&translation),
            Change::Found(translation) => self.find_listed(&translation),
            Change::Gone(translation) => self.end_tracking(&translation, now_ns),
            Change::Listing => self.listing = self.listing.wrapping_add(1),
            Change::Listed => self.end_unlisted(now_ns),
            Change::Lost => self.counts.lost += 1,
            Change::Malformed => self.counts.malformed += 1,
        }
    }

    /// Where the connection went that this end opened to what it dialled, if that was translated.
    pub fn backend(&self, client: SocketAddr, dialled: SocketAddr) -> Option<SocketAddr> {
        if self.entries.len() == 0 {
            return None;
        }
        let slot = self.slot(&(End::of(client), End::of(dialled)))?;
        self.entries.get(slot).map(|entry| entry.backend.address())
    }

    /// The connection was told to be closed. The kernel goes on to track it for minutes.
    pub fn close(&mut self, client: SocketAddr, dialled: SocketAddr, now_ns: u64) {
        if let Some(slot) = self.slot(&(End::of(client), End::of(dialled))) {
            self.end(slot, now_ns);
        }
    }

    /// Forgets what was over long before this time.
    pub fn advance(&mut self, now_ns: u64) {
        while let Some(entry) = self.entries.get(self.over.oldest)
            && let Standing::Over { ended_ns } = entry.standing
            && ended_ns.saturating_add(self.limits.linger_ns) < now_ns
        {
            self.remove(self.over.oldest);
        }
    }

    /// Figures.
    pub fn stats(&self) -> Stats {
        let (connections, bytes) = (self.entries.len() as u64, self.bytes() as u64);
        Stats { connections, bytes, ..self.counts }
    }

    /// Memory on the heap.
    pub fn bytes(&self) -> usize {
        self.entries.bytes() + self.index.bytes()
    }

    /// A port that is used again begins anew.
    fn put(&mut self, translation: &Translation) {
        let key = key_of(translation);
        if let Some(slot) = self.slot(&key) {
            self.remove(slot);
        }
        self.make_room();
        let standing = Standing::Lives { listing: self.listing };
        let backend = End::of(translation.backend);
        let entry = Entry { key, backend, standing, older: NONE, newer: NONE };
        let slot = self.entries.insert(entry);
        self.index.insert(self.hash(&key), slot);
        self.append(slot);
    }

    /// What is listed was so a moment ago: what was said since then holds.
    fn find_listed(&mut self, translation: &Translation) {
        let listing = self.listing;
        let known = self.slot(&key_of(translation));
        match known.and_then(|slot| self.entries.get_mut(slot)).map(|entry| &mut entry.standing) {
            Some(Standing::Lives { listing: met }) => *met = listing,
            Some(Standing::Over { .. }) => {}
            None => self.put(translation),
        }
    }

    /// What is not known is kept as over: a listing that is on may still bring it.
    fn end_tracking(&mut self, translation: &Translation, now_ns: u64) {
        let key = key_of(translation);
        if self.slot(&key).is_none() {
            self.put(translation);
        }
        if let Some(slot) = self.slot(&key) {
            self.end(slot, now_ns);
        }
    }

    fn end_unlisted(&mut self, now_ns: u64) {
        let mut slot = self.living.oldest;
        while let Some(entry) = self.entries.get(slot) {
            let next = entry.newer;
            if entry.standing != (Standing::Lives { listing: self.listing }) {
                self.end(slot, now_ns);
            }
            slot = next;
        }
    }

    fn end(&mut self, slot: u32, now_ns: u64) {
        let standing = self.entries.get(slot).map(|entry| entry.standing);
        if !matches!(standing, Some(Standing::Lives { .. })) {
            return;
        }
        self.unlink(slot);
        if let Some(entry) = self.entries.get_mut(slot) {
            entry.standing = Standing::Over { ended_ns: now_ns };
        }
        self.append(slot);
    }

    fn make_room(&mut self) {
        if self.entries.len() < self.limits.connections {
            return;
        }
        if self.over.oldest == NONE {
            self.counts.evicted += 1;
            self.remove(self.living.oldest);
        } else {
            self.remove(self.over.oldest);
        }
    }

    fn remove(&mut self, slot: u32) {
        self.unlink(slot);
        if let Some(entry) = self.entries.remove(slot) {
            self.index.remove(self.hash(&entry.key), slot);
        }
    }

    fn queue(&mut self, standing: Standing) -> &mut Queue {
        match standing {
            Standing::Lives { .. } => &mut self.living,
            Standing::Over { .. } => &mut self.over,
        }
    }

    /// Makes an entry that is in no queue the newest of its own.
    fn append(&mut self, slot: u32) {
        let Some(standing) = self.entries.get(slot).map(|entry| entry.standing) else { return };
        let queue = self.queue(standing);
        let before = std::mem::replace(&mut queue.newest, slot);
        if before == NONE {
            queue.oldest = slot;
        }
        if let Some(entry) = self.entries.get_mut(before) {
            entry.newer = slot;
        }
        if let Some(entry) = self.entries.get_mut(slot) {
            (entry.older, entry.newer) = (before, NONE);
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Some(entry) = self.entries.get(slot) else { return };
        let (standing, older, newer) = (entry.standing, entry.older, entry.newer);
        match self.entries.get_mut(older) {
            Some(entry) => entry.newer = newer,
            None => self.queue(standing).oldest = newer,
        }
        match self.entries.get_mut(newer) {
            Some(entry) => entry.older = older,
            None => self.queue(standing).newest = older,
        }
    }

    fn slot(&self, key: &Key) -> Option<u32> {
        let is_it = |slot| self.entries.get(slot).is_some_and(|entry| entry.key == *key);
        self.index.find(self.hash(key), is_it)
    }

    fn hash(&self, key: &Key) -> u32 {
        self.keys.hash_one(key) as u32
    }
}

fn key_of(translation: &Translation) -> Key {
    (End::of(translation.client), End::of(translation.dialled))
}

#[cfg(test)]
mod tests;
