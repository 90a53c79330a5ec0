//! The cache itself.

use std::hash::BuildHasher;
use std::net::IpAddr;

use super::Scope;
use super::askers::{Askers, List};
use crate::cidr::mapped;
use crate::description::Text;
use crate::hashing::RandomState;
use crate::intern::Interner;
use crate::process::index::Index;
use crate::process::slab::{NONE, Slab};

/// Bytes that are kept of a name; DNS has none that is longer.
const NAME_BYTES: usize = 255;
/// A full cache is relieved of this part of its entries at once.
const RELIEF: usize = 64;
/// Expired entries that one step of [`DnsNames::advance`] looks for.
const STEP: usize = 64;

/// How much may be kept, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most pairs of asker and address, the node's own included; 64 at least.
    pub entries: usize,
    /// Most addresses that are taken of one answer.
    pub addresses: usize,
    /// A name stays so long at least, in nanoseconds: who resolved it may connect a while later.
    pub least_ttl_ns: u64,
    /// A name stays so long at most.
    pub most_ttl_ns: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let second = 1_000_000_000;
        Self {
            entries: 16_384,
            addresses: 64,
            least_ttl_ns: 60 * second,
            most_ttl_ns: 3600 * second,
        }
    }
}

/// Figures. From `evicted` on they count since the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Pairs of asker and address.
    pub entries: u64,
    /// Different names.
    pub names: u64,
    /// Askers.
    pub scopes: u64,
    /// Bytes on the heap.
    pub bytes: u64,
    /// Names that went before their time, for room.
    pub evicted: u64,
    /// Addresses beyond the ceiling of one answer.
    pub omitted: u64,
    /// Names that were longer than any name may be, or empty.
    pub refused: u64,
}

#[derive(Debug)]
struct Entry {
    ip: [u8; 16],
    scope: Scope,
    name: u32,
    since_ns: u64,
    /// When it was resolved last.
    last_ns: u64,
    until_ns: u64,
    older: u32,
    newer: u32,
}

/// Names by asker and address.
#[derive(Debug)]
pub struct DnsNames {
    limits: Limits,
    entries: Slab<Entry>,
    index: Index,
    names: Interner<Box<str>>,
    askers: Askers,
    keys: RandomState,
    /// Where the search for expired ones goes on.
    cursor: u32,
    end: u32,
    counts: Stats,
}

impl Default for DnsNames {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl DnsNames {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits: Limits {
                entries: limits.entries.max(RELIEF),
                most_ttl_ns: limits.most_ttl_ns.max(limits.least_ttl_ns),
                ..limits
            },
            entries: Slab::new(),
            index: Index::new(),
            names: Interner::new(),
            askers: Askers::default(),
            keys: RandomState::default(),
            cursor: 0,
            end: 0,
            counts: Stats::default(),
        }
    }

    /// Somebody resolved this name, which need not be UTF-8, to these addresses for so long.
    pub fn resolved(
        &mut self,
        scope: Scope,
        name: &[u8],
        addresses: impl IntoIterator<Item = IpAddr>,
        ttl_ns: u64,
        time_ns: u64,
    ) {
        let name = name.strip_suffix(b".").unwrap_or(name);
        if name.is_empty() || name.len() > NAME_BYTES {
            self.counts.refused += 1;
            return;
        }
        let name = Text::lossy(name);
        let ttl_ns = ttl_ns.clamp(self.limits.least_ttl_ns, self.limits.most_ttl_ns);
        let until_ns = time_ns.saturating_add(ttl_ns);
        let mut taken = 0;
        for address in addresses {
            if taken == self.limits.addresses {
                self.counts.omitted += 1;
                continue;
            }
            taken += 1;
            let ip = mapped(address).to_be_bytes();
            for scope in
                [scope, Scope::Node].into_iter().take(1 + usize::from(scope != Scope::Node))
            {
                self.put(scope, ip, name.as_str(), time_ns, until_ns);
            }
        }
    }

    /// The name that this asker resolved the address from, last before this time.
    pub fn name(&self, scope: Scope, address: IpAddr, time_ns: u64) -> Option<&str> {
        let ip = mapped(address).to_be_bytes();
        self.name_under(self.hash(ip), scope, ip, time_ns)
    }

    fn name_under(&self, hash: u32, scope: Scope, ip: [u8; 16], time_ns: u64) -> Option<&str> {
        let entry = self.entries.get(self.find(hash, scope, ip)?)?;
        let holds = (entry.since_ns..=entry.until_ns).contains(&time_ns);
        holds.then(|| self.names.get(entry.name).map(|name| &**name))?
    }

    /// The same; if this asker resolved none, that of anybody on this node.
    pub fn name_here(&self, scope: Scope, address: IpAddr, time_ns: u64) -> Option<&str> {
        let ip = mapped(address).to_be_bytes();
        let hash = self.hash(ip);
        self.name_under(hash, scope, ip, time_ns)
            .or_else(|| self.name_under(hash, Scope::Node, ip, time_ns))
    }

    /// Forgets some of what expired before this time. True if the search is not through.
    pub fn advance(&mut self, now_ns: u64) -> bool {
        for slot in (self.cursor..self.end).take(STEP) {
            self.cursor = slot + 1;
            if self.entries.get(slot).is_some_and(|entry| entry.until_ns < now_ns) {
                self.remove(slot);
            }
        }
        let is_through = self.cursor >= self.end;
        if is_through {
            self.cursor = 0;
        }
        !is_through
    }

    /// Forgets what this asker resolved: it has ended.
    pub fn forget(&mut self, scope: Scope) {
        while self.askers.get(scope).len > 0 {
            self.remove(self.askers.get(scope).oldest);
        }
    }

    /// Figures.
    pub fn stats(&self) -> Stats {
        Stats {
            entries: self.entries.len() as u64,
            names: self.names.len() as u64,
            scopes: self.askers.len() as u64,
            bytes: self.bytes() as u64,
            ..self.counts
        }
    }

    /// Memory on the heap.
    pub fn bytes(&self) -> usize {
        self.entries.bytes() + self.index.bytes() + self.names.bytes() + self.askers.bytes()
    }

    fn put(&mut self, scope: Scope, ip: [u8; 16], name: &str, last_ns: u64, until_ns: u64) {
        let hash = self.hash(ip);
        let known = self.find(hash, scope, ip);
        if let Some(entry) = known.and_then(|slot| self.entries.get(slot)) {
            // Told late: the later name stays.
            if entry.last_ns > last_ns {
                return;
            }
        }
        let name = self.names.intern::<_, str>(name).0;
        let since_ns = match known.and_then(|slot| Some((slot, self.entries.get(slot)?))) {
            Some((slot, entry)) => {
                // The same name again: it holds since the first time.
                let since = if entry.name == name { entry.since_ns } else { last_ns };
                self.remove(slot);
                since
            }
            None => last_ns,
        };
        if self.entries.len() >= self.limits.entries {
            self.relieve();
        }
        let list = self.askers.get(scope);
        let entry =
            Entry { ip, scope, name, since_ns, last_ns, until_ns, older: list.newest, newer: NONE };
        let slot = self.entries.insert(entry);
        self.end = self.end.max(slot + 1);
        self.index.insert(scoped(hash, scope), slot);
        if let Some(before) = self.entries.get_mut(list.newest) {
            before.newer = slot;
        }
        let oldest = if list.len == 0 { slot } else { list.oldest };
        self.askers.set(scope, List { oldest, newest: slot, len: list.len + 1 });
    }

    /// Takes from those who have the most: a part at once, because looking for them is long.
    fn relieve(&mut self) {
        for scope in self.askers.richest(RELIEF) {
            let len = self.askers.get(scope).len;
            for _ in 0..(len / 16).clamp(1, RELIEF as u32) {
                self.remove(self.askers.get(scope).oldest);
                self.counts.evicted += 1;
            }
        }
    }

    fn remove(&mut self, slot: u32) {
        let Some(entry) = self.entries.remove(slot) else { return };
        self.index.remove(scoped(self.hash(entry.ip), entry.scope), slot);
        self.names.release(entry.name);
        let mut list = self.askers.get(entry.scope);
        match self.entries.get_mut(entry.older) {
            Some(older) => older.newer = entry.newer,
            None => list.oldest = entry.newer,
        }
        match self.entries.get_mut(entry.newer) {
            Some(newer) => newer.older = entry.older,
            None => list.newest = entry.older,
        }
        list.len = list.len.saturating_sub(1);
        self.askers.set(entry.scope, list);
    }

    fn find(&self, hash: u32, scope: Scope, ip: [u8; 16]) -> Option<u32> {
        self.index.find(scoped(hash, scope), |slot| {
            self.entries.get(slot).is_some_and(|entry| entry.ip == ip && entry.scope == scope)
        })
    }

    fn hash(&self, ip: [u8; 16]) -> u32 {
        self.keys.hash_one(ip) as u32
    }
}

/// The hash of an address for one asker, whose number nobody chooses.
fn scoped(hash: u32, scope: Scope) -> u32 {
    let number = match scope {
        Scope::Node => 0,
        Scope::Container(number) => number.wrapping_mul(2).wrapping_add(1),
        Scope::Process(number) => number.wrapping_mul(2).wrapping_add(2),
    };
    hash ^ number.wrapping_mul(0x9e37_79b1)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn ip(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(0xc633_6400 + number).into()
    }

    fn with(entries: usize) -> DnsNames {
        DnsNames::new(Limits { entries, ..Limits::default() })
    }

    #[test]
    fn each_asker_has_its_own_name_for_an_address() {
        let mut names = with(100);
        let (one, other, third) = (Scope::Container(1), Scope::Container(2), Scope::Process(1));
        names.resolved(one, b"a.example.", [ip(1)], 60 * SECOND, SECOND);
        names.resolved(other, b"b.example", [ip(1), ip(2)], 60 * SECOND, 2 * SECOND);
        let at = 3 * SECOND;
        assert_eq!(names.name(one, ip(1), at), Some("a.example"));
        assert_eq!(names.name(other, ip(1), at), Some("b.example"));
        assert_eq!(names.name(third, ip(1), at), None);
        assert_eq!(names.name_here(third, ip(1), at), Some("b.example"), "the last one here");
        assert_eq!(names.name_here(one, ip(2), at), Some("b.example"));
        assert_eq!(names.name_here(one, ip(3), at), None);
        names.forget(other);
        assert_eq!(names.name(other, ip(1), at), None);
    }

    #[test]
    fn a_name_holds_from_when_it_was_resolved_for_its_clamped_time() {
        let mut names = with(100);
        let scope = Scope::Node;
        names.resolved(scope, b"short", [ip(1)], 0, 10 * SECOND);
        names.resolved(scope, b"long", [ip(2)], u64::MAX, 10 * SECOND);
        assert_eq!(names.name(scope, ip(1), 10 * SECOND - 1), None);
        assert_eq!(names.name(scope, ip(1), 70 * SECOND), Some("short"));
        assert_eq!(names.name(scope, ip(1), 70 * SECOND + 1), None);
        assert_eq!(names.name(scope, ip(2), 3610 * SECOND), Some("long"));
        assert_eq!(names.name(scope, ip(2), 3611 * SECOND), None);
        names.advance(71 * SECOND);
        assert_eq!(names.stats().entries, 1);
    }

    #[test]
    fn the_same_name_again_holds_longer_and_a_late_one_changes_nothing() {
        let mut names = with(100);
        let scope = Scope::Container(1);
        names.resolved(scope, b"a", [ip(1)], 60 * SECOND, SECOND);
        names.resolved(scope, b"a", [ip(1)], 60 * SECOND, 50 * SECOND);
        assert_eq!(names.name(scope, ip(1), SECOND), Some("a"));
        assert_eq!(names.name(scope, ip(1), 100 * SECOND), Some("a"));
        names.resolved(scope, b"late", [ip(1)], 60 * SECOND, 40 * SECOND);
        assert_eq!(names.name(scope, ip(1), 100 * SECOND), Some("a"));
    }

    #[test]
    fn who_resolves_too_much_loses_their_own() {
        let mut names = with(1000);
        for number in 0..50 {
            names.resolved(Scope::Container(1), b"mine", [ip(number)], 0, SECOND);
        }
        for number in 0..100_000 {
            let name = format!("{number}.hostile");
            names.resolved(Scope::Container(2), name.as_bytes(), [ip(number)], 0, SECOND);
        }
        let kept = (0..50)
            .filter(|number| names.name(Scope::Container(1), ip(*number), SECOND) == Some("mine"));
        assert_eq!(kept.count(), 50);
        let stats = names.stats();
        assert!(stats.entries <= 1000 && stats.names <= 1000 && stats.bytes < 400_000, "{stats:?}");
        assert!(stats.evicted > 100_000);
    }

    #[test]
    fn as_many_askers_as_there_are_entries_stay_under_the_ceiling() {
        let mut names = with(256);
        for number in 0..20_000 {
            names.resolved(Scope::Process(number), b"n", [ip(number)], 0, u64::from(number));
        }
        assert!(names.stats().entries <= 256 && names.stats().scopes <= 256);
        names.advance(u64::MAX);
        while names.advance(u64::MAX) {}
        assert_eq!((names.stats().entries, names.stats().names, names.stats().scopes), (0, 0, 0));
    }

    #[test]
    fn hostile_names_and_answers_are_bounded() {
        let mut names = with(10_000);
        let scope = Scope::Node;
        names.resolved(scope, &[b'x'; 256], [ip(1)], 0, 0);
        names.resolved(scope, b".", [ip(1)], 0, 0);
        names.resolved(scope, b"", [ip(1)], 0, 0);
        assert_eq!((names.stats().refused, names.stats().entries), (3, 0));
        names.resolved(scope, &[0xff; 255], (0..5000).map(ip), 0, 0);
        assert_eq!((names.stats().omitted, names.stats().entries), (5000 - 64, 64));
        assert_eq!(names.name(scope, ip(1), 0).map(|name| name.chars().count()), Some(255));
        names.resolved(scope, b"a\x1b[2J\n\0", ["::ffff:198.51.100.1".parse().unwrap()], 0, 0);
        assert_eq!(names.name(scope, ip(1), 0), Some("a\x1b[2J\n\0"));
    }
}
