//! From a cgroup's numbers to its path and its container, fed by records and bounded.
//!
//! Invariants:
//! - A cgroup belongs to the container of its own name, else to that of the cgroup that it is in; so
//!   what a container makes below itself stays its own, and names there are within it.
//! - One container has one [`Number`], whatever hierarchies it has cgroups in. A name within another
//!   container is another container than the same name outside: nobody can pose as a neighbour.
//! - A number is given anew only after every cgroup of its container was removed and the records of
//!   that time were drained ([`Cgroups::advance`]).
//! - Where records were lost, a sweep ([`Cgroups::begin_sweep`]) makes up for it: a cgroup that was
//!   made before the walk and that it did not meet is removed.
//! - Neither count nor bytes pass [`Limits`]. Who makes too many cgroups loses their own: first go
//!   removed ones, then those of the outermost container that has the most, and it is counted.
//!
//! A lookup is one probe of a hash table and allocates nothing. There is no lock here: one thread
//! feeds, and readers share however the owner sees fit. Of the changes only a rename (cgroup v1) and
//! an eviction look at more than one cgroup.

use std::collections::{HashSet, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;

use chandra_event::cgroup::{Cgroup as Record, Happened};
use chandra_event::time::Timestamp;

use super::path::{self, Named};
use super::{PodUid, Runtime};
use crate::hashing::HashMap;

/// How much may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Cgroups, removed ones that linger included.
    pub cgroups: usize,
    /// Bytes, as [`Counts::bytes`] counts them.
    pub bytes: usize,
}

impl Default for Limits {
    /// 1,000 containers in three hierarchies, five times over, and no more than 8 MiB.
    fn default() -> Self {
        Self { cgroups: 16_384, bytes: 8 << 20 }
    }
}

/// Bytes of a path that are kept. What a longer one names is still found out.
const LONGEST_PATH: usize = 4096;
/// Containers within containers; what is further in belongs to the innermost of these.
const DEEPEST_NESTING: u8 = 8;
/// Of the names that `path` takes for ids.
const LONGEST_ID: usize = 128;
/// Cgroups in more others than so many are not walked into, so nothing is concluded about them.
const SWEPT_LEVELS: u32 = 256;
/// A full table is relieved of this part of its room at once, so that it is rarely looked through.
const RELIEF: usize = 16;

/// A small number for a container: fit to be a key of a map in the kernel, where 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(NonZeroU32);

impl Number {
    /// As the kernel gets it.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    fn of_slot(slot: usize) -> Option<Self> {
        u32::try_from(slot).ok()?.checked_add(1).and_then(NonZeroU32::new).map(Self)
    }

    /// From 0 on without large gaps: fit to be an index.
    pub fn index(self) -> usize {
        usize::try_from(self.0.get() - 1).unwrap_or(usize::MAX)
    }
}

/// A container, as its cgroups tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its number.
    pub number: Number,
    /// Who made it, as far as the path says.
    pub runtime: Runtime,
    /// The runtime's id of it; of one that comes again it is another one.
    pub id: Arc<str>,
    /// The pod that it belongs to.
    pub pod_uid: Option<PodUid>,
    /// The container that it runs within.
    pub outer: Option<Number>,
    /// The outermost of those; itself if there is none.
    pub outermost: Number,
    /// How many it runs within.
    nesting: u8,
    /// Cgroups that belong to it, and containers that run within it.
    references: u32,
}

/// A cgroup, as a lookup gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cgroup<'a> {
    /// From the root of its hierarchy, the first 4,096 bytes of it.
    pub path: &'a [u8],
    /// The container that it belongs to.
    pub container: Option<&'a Container>,
    /// It is that container's own cgroup rather than one below.
    pub is_own: bool,
    /// It was removed; late records may still be about it.
    pub is_removed: bool,
}

/// What is kept, and what was given up for want of room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Cgroups, removed ones that linger included.
    pub cgroups: usize,
    /// Removed ones that linger.
    pub lingering: usize,
    /// Containers.
    pub containers: usize,
    /// Bytes of all that, tables included.
    pub bytes: usize,
    /// Cgroups that were forgotten while they may still have been asked for.
    pub evicted: u64,
    /// Cgroups that found no room.
    pub refused: u64,
    /// Removals that were not seen: a sweep did not meet the cgroup.
    pub removals_unseen: u64,
}

/// Hierarchy and id.
type Key = (u32, u64);

#[derive(Debug)]
struct Entry {
    path: Box<[u8]>,
    parent_id: Option<u64>,
    container: Option<Number>,
    /// Time of the latest record that showed it.
    seen: Timestamp,
    /// A sweep meets it if it is there.
    is_walked: bool,
    /// It is that container's own cgroup rather than one below.
    is_own: bool,
    is_removed: bool,
}

/// What a place in a hash table takes, at the lowest load that growing leaves it with.
const fn place<T>() -> usize {
    (size_of::<T>() + 1) * 16 / 7
}

impl Entry {
    fn bytes(path: &[u8]) -> usize {
        path.len() + place::<(Key, Entry)>()
    }
}

impl Container {
    fn bytes(id: &str) -> usize {
        2 * id.len() + 2 * size_of::<Self>() + place::<(ContainerKey, Number)>()
    }
}

/// Who knows of tasks of containerd by namespace and name, which have cgroups that no name marks.
pub struct Tasks(Box<IsTask>);

/// Whether there is a task in this namespace that has this name.
type IsTask = dyn Fn(&str, &str) -> bool + Send;

impl Tasks {
    /// This one. It is asked when such a cgroup comes to be, so it has to be quick.
    pub fn new(is_task: impl Fn(&str, &str) -> bool + Send + 'static) -> Self {
        Self(Box::new(is_task))
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new(|_, _| false)
    }
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Tasks")
    }
}

type ContainerKey = (Option<Number>, Runtime, Arc<str>);

/// All cgroups, by hierarchy and id.
#[derive(Debug, Default)]
pub struct Cgroups {
    limits: Limits,
    cgroups: HashMap<Key, Entry>,
    /// In the order of their removal; some may have been evicted since.
    removed: VecDeque<(Timestamp, Key)>,
    containers: Vec<Option<Container>>,
    numbers: HashMap<ContainerKey, Number>,
    /// The one that has been free longest is given first.
    free: VecDeque<Number>,
    bytes: usize,
    lingering: usize,
    evicted: u64,
    refused: u64,
    removals_unseen: u64,
    sweep: Option<Sweep>,
    tasks: Tasks,
}

/// A walk over all cgroups.
#[derive(Debug)]
struct Sweep {
    began: Timestamp,
    ended: Option<Timestamp>,
    /// Hierarchies with the path at which the walk began.
    roots: Vec<(u32, Box<[u8]>)>,
}

impl Cgroups {
    /// An empty table.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Tells who knows of tasks whose cgroups are not marked by a name.
    pub fn ask(&mut self, tasks: Tasks) {
        self.tasks = tasks;
    }

    /// The cgroup of this id in this hierarchy.
    pub fn get(&self, hierarchy: u32, id: u64) -> Option<Cgroup<'_>> {
        let entry = self.cgroups.get(&(hierarchy, id))?;
        let container = entry.container.and_then(|number| self.by_number(number));
        let Entry { path, is_own, is_removed, .. } = entry;
        Some(Cgroup { path, container, is_own: *is_own, is_removed: *is_removed })
    }

    /// The container that this cgroup belongs to.
    pub fn container(&self, hierarchy: u32, id: u64) -> Option<&Container> {
        self.get(hierarchy, id)?.container
    }

    /// The container of this number.
    pub fn by_number(&self, number: Number) -> Option<&Container> {
        self.containers.get(number.index())?.as_ref()
    }

    /// All containers, by number.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().flatten()
    }

    /// Calls `each` for every cgroup that is there with a container of its own: hierarchy, id, and the
    /// container.
    pub fn each_own(&self, mut each: impl FnMut(u32, u64, Number)) {
        for ((hierarchy, id), entry) in &self.cgroups {
            if let Some(number) = entry.container.filter(|_| entry.is_own && !entry.is_removed) {
                each(*hierarchy, *id, number);
            }
        }
    }

    /// Calls `each` for every service of the host (systemd's) that has nothing below it: hierarchy
    /// and id. No container can be in one unless it is made there later.
    pub fn each_host_service(&self, mut each: impl FnMut(u32, u64)) {
        let parents: HashSet<Key> = self
            .cgroups
            .iter()
            .filter_map(|((hierarchy, _), entry)| Some((*hierarchy, entry.parent_id?)))
            .collect();
        for (key, entry) in &self.cgroups {
            let is_service =
                entry.container.is_none() && !entry.is_removed && entry.path.ends_with(b".service");
            if is_service && !parents.contains(key) {
                each(key.0, key.1);
            }
        }
    }

    /// What is kept, and what was given up.
    pub fn counts(&self) -> Counts {
        Counts {
            cgroups: self.cgroups.len(),
            lingering: self.lingering,
            containers: self.numbers.len(),
            bytes: self.bytes,
            evicted: self.evicted,
            refused: self.refused,
            removals_unseen: self.removals_unseen,
        }
    }

    /// Takes a record. One that says what is known already changes nothing.
    pub fn apply(&mut self, record: &Record<'_>) {
        match record.happened {
            Happened::Mkdir | Happened::Running => self.add(record),
            Happened::Rename => self.rename(record),
            Happened::Rmdir | Happened::Release => self.remove(record),
        }
    }

    /// A walk over all hierarchies begins. Feed what it meets as usual.
    pub fn begin_sweep(&mut self, now: Timestamp) {
        self.sweep = Some(Sweep { began: now, ended: None, roots: Vec::new() });
    }

    /// The walk is over. What it did not meet is found out by [`Self::advance`] when that gets to
    /// this moment, and only below where a walk began: a hierarchy that could not be walked stays.
    pub fn end_sweep(&mut self, now: Timestamp) {
        self.sweep = self.sweep.take().filter(|sweep| !sweep.roots.is_empty());
        if let Some(sweep) = &mut self.sweep {
            sweep.ended = Some(now);
        }
    }

    /// Every record up to this time has been looked up: what was removed before is forgotten, and
    /// the numbers of containers that are gone are free.
    pub fn advance(&mut self, drained_until: Timestamp) {
        self.conclude_sweep(drained_until);
        while let Some((time, key)) = self.removed.front().copied()
            && time <= drained_until
        {
            self.removed.pop_front();
            self.forget(key);
        }
    }

    fn conclude_sweep(&mut self, drained_until: Timestamp) {
        let is_due = |sweep: &mut Sweep| sweep.ended.is_some_and(|ended| ended <= drained_until);
        let Some(sweep) = self.sweep.take_if(is_due) else { return };
        let Some(ended) = sweep.ended else { return };
        for (key, entry) in &mut self.cgroups {
            let is_there = entry.seen >= sweep.began || entry.is_removed || !entry.is_walked;
            let is_under = |(hierarchy, root): &(u32, Box<[u8]>)| {
                let rest = if **root == *b"/" {
                    Some(&*entry.path)
                } else {
                    entry.path.strip_prefix(&**root)
                };
                *hierarchy == key.0
                    && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
            };
            if !is_there && sweep.roots.iter().any(is_under) {
                entry.is_removed = true;
                self.lingering += 1;
                self.removals_unseen += 1;
                self.removed.push_back((ended, *key));
            }
        }
    }

    fn add(&mut self, record: &Record<'_>) {
        let key = (record.hierarchy, record.id);
        if let Some(sweep) = &mut self.sweep
            && record.happened == Happened::Running
            && record.parent_id.is_none()
        {
            sweep.roots.push((record.hierarchy, record.path.into()));
        }
        if let Some(known) = self.cgroups.get_mut(&key) {
            known.seen = known.seen.max(record.time);
        }
        match self.cgroups.get(&key) {
            // It was removed meanwhile: who looked for it at start was slower than the record.
            Some(known) if known.is_removed => return,
            Some(known) if *known.path == *cut(record.path) => return,
            Some(_) => self.forget(key),
            None => {}
        }
        if !self.make_room(Entry::bytes(cut(record.path))) {
            self.refused += 1;
            return;
        }
        let path = (record.path, record.path_truncated);
        let (container, is_own) = self.resolve(record.hierarchy, record.parent_id, path);
        if let Some(number) = container {
            self.refer(number);
        }
        let path: Box<[u8]> = cut(record.path).into();
        self.bytes += Entry::bytes(&path);
        self.cgroups.insert(
            key,
            Entry {
                path,
                parent_id: record.parent_id,
                container,
                seen: record.time,
                is_walked: record.level <= SWEPT_LEVELS,
                is_own,
                is_removed: false,
            },
        );
    }

    /// The new path is that of everything below, too, of which the kernel says nothing.
    fn rename(&mut self, record: &Record<'_>) {
        let key = (record.hierarchy, record.id);
        let Some(old) = self.cgroups.get(&key).map(|entry| entry.path.clone()) else {
            return self.add(record);
        };
        if let Some(entry) = self.cgroups.get_mut(&key) {
            entry.seen = entry.seen.max(record.time);
        }
        let is_below =
            |path: &[u8]| path.strip_prefix(&*old).is_some_and(|rest| rest.starts_with(b"/"));
        let below = self.cgroups.iter().filter(|((hierarchy, _), entry)| {
            *hierarchy == record.hierarchy && is_below(&entry.path)
        });
        let mut below: Vec<(Vec<u8>, Key)> = below
            .map(|(key, entry)| {
                let rest = entry.path.get(old.len()..).unwrap_or_default();
                ([record.path, rest].concat(), *key)
            })
            .collect();
        // What is above decides about what is below.
        below.sort_unstable();
        self.move_to(key, record.path, record.path_truncated);
        for (path, key) in below {
            self.move_to(key, &path, record.path_truncated);
        }
        // Longer names may have made it too large.
        self.make_room(0);
    }

    fn move_to(&mut self, key: Key, path: &[u8], is_cut: bool) {
        let Some(entry) = self.cgroups.get(&key) else { return };
        let (before, length, parent_id) = (entry.container, entry.path.len(), entry.parent_id);
        let (container, is_own) = self.resolve(key.0, parent_id, (path, is_cut));
        if let Some(number) = container {
            self.refer(number);
        }
        if let Some(number) = before {
            self.release(number);
        }
        let path: Box<[u8]> = cut(path).into();
        self.bytes = (self.bytes + path.len()).saturating_sub(length);
        if let Some(entry) = self.cgroups.get_mut(&key) {
            (entry.path, entry.container, entry.is_own) = (path, container, is_own);
        }
    }

    fn remove(&mut self, record: &Record<'_>) {
        let key = (record.hierarchy, record.id);
        let Some(entry) = self.cgroups.get_mut(&key).filter(|entry| !entry.is_removed) else {
            return;
        };
        entry.is_removed = true;
        self.lingering += 1;
        self.removed.push_back((record.time, key));
    }

    /// The container that a cgroup of this parent and path belongs to, and whether it is its own.
    /// A path that is cut has lost its last name, perhaps more.
    fn resolve(
        &mut self,
        hierarchy: u32,
        parent_id: Option<u64>,
        (path, is_cut): (&[u8], bool),
    ) -> (Option<Number>, bool) {
        let parent = parent_id.and_then(|id| self.cgroups.get(&(hierarchy, id)));
        if let Some(parent) = parent {
            let around = parent.container;
            if is_cut {
                return (around, false);
            }
            let named = path::leaf(path, around.is_some());
            return match self.task_or(named, path, around.is_some()) {
                Some(named) => self.intern(around, named),
                None => (around, false),
            };
        }
        let end =
            if is_cut { path.iter().rposition(|byte| *byte == b'/') } else { Some(path.len()) };
        let whole = path.get(..end.unwrap_or(0)).unwrap_or_default();
        let mut innermost = (None, false);
        path::each(whole, &mut |part, named| {
            let (number, is_own) = self.intern(innermost.0, named);
            innermost = (number, is_own && part.len() == path.len());
        });
        if innermost.0.is_none()
            && let Some(part) = path::first_two(whole)
            && let Some(named) = self.task_or(None, part, false)
        {
            let (number, is_own) = self.intern(None, named);
            return (number, is_own && part.len() == path.len());
        }
        innermost
    }

    /// A task of containerd that its cgroup's path names, where nothing better is known of that: as `ctr` and
    /// others that follow it have them, `/NAMESPACE/NAME`.
    fn task_or<'p>(
        &self,
        named: Option<Named<'p>>,
        path: &'p [u8],
        is_within_another: bool,
    ) -> Option<Named<'p>> {
        let is_marked = named.is_some_and(|(runtime, ..)| runtime != Runtime::Unknown);
        if is_marked || is_within_another {
            return named;
        }
        let task = path::task(path).filter(|(namespace, id)| (self.tasks.0)(namespace, id));
        task.map(|(_, id)| (Runtime::Containerd, id, None)).or(named)
    }

    /// The container of this name within `outer`, now known if it was not, and whether it is that
    /// one rather than `outer`.
    fn intern(&mut self, outer: Option<Number>, named: Named<'_>) -> (Option<Number>, bool) {
        let (runtime, id, pod_uid) = named;
        let id: Arc<str> = id.into();
        let key = (outer, runtime, Arc::clone(&id));
        if let Some(number) = self.numbers.get(&key) {
            return (Some(*number), true);
        }
        let around = outer.and_then(|outer| self.by_number(outer));
        let nesting = around.map_or(0, |around| around.nesting + 1);
        let outermost = around.map(|around| around.outermost);
        if nesting >= DEEPEST_NESTING {
            return (outer, false);
        }
        let number = self.free.pop_front().or_else(|| {
            let number = Number::of_slot(self.containers.len())?;
            self.containers.push(None);
            Some(number)
        });
        let Some(number) = number else { return (outer, false) };
        if let Some(outer) = outer {
            self.refer(outer);
        }
        let outermost = outermost.unwrap_or(number);
        let container = Container {
            number,
            runtime,
            id: Arc::clone(&id),
            pod_uid,
            outer,
            outermost,
            nesting,
            references: 0,
        };
        self.bytes += Container::bytes(&id);
        if let Some(slot) = self.containers.get_mut(number.index()) {
            *slot = Some(container);
        }
        self.numbers.insert(key, number);
        (Some(number), true)
    }

    fn refer(&mut self, number: Number) {
        if let Some(Some(container)) = self.containers.get_mut(number.index()) {
            container.references += 1;
        }
    }

    /// One cgroup or inner container fewer; with the last one the container is gone.
    fn release(&mut self, number: Number) {
        let Some(slot) = self.containers.get_mut(number.index()) else { return };
        let Some(container) = slot else { return };
        container.references = container.references.saturating_sub(1);
        if container.references > 0 {
            return;
        }
        if let Some(container) = slot.take() {
            self.bytes = self.bytes.saturating_sub(Container::bytes(&container.id));
            self.numbers.remove(&(container.outer, container.runtime, container.id));
            self.free.push_back(number);
            if let Some(outer) = container.outer {
                self.release(outer);
            }
        }
    }

    fn forget(&mut self, key: Key) {
        let Some(entry) = self.cgroups.remove(&key) else { return };
        self.bytes = self.bytes.saturating_sub(Entry::bytes(&entry.path));
        self.lingering -= usize::from(entry.is_removed);
        if let Some(number) = entry.container {
            self.release(number);
        }
    }

    /// Room for one more cgroup of so many bytes and for the containers that its path may name; no,
    /// if there is none.
    fn make_room(&mut self, bytes: usize) -> bool {
        let bytes = bytes + usize::from(DEEPEST_NESTING) * (Container::bytes("") + 2 * LONGEST_ID);
        let fits = |this: &Self| {
            this.cgroups.len() < this.limits.cgroups && this.bytes + bytes <= this.limits.bytes
        };
        while !fits(self)
            && let Some((_, key)) = self.removed.pop_front()
        {
            self.evicted += u64::from(self.cgroups.contains_key(&key));
            self.forget(key);
        }
        if !fits(self) {
            self.relieve();
        }
        fits(self)
    }

    /// Forgets some cgroups of whoever has the most.
    fn relieve(&mut self) {
        let group = |entry: &Entry| {
            entry.container.and_then(|number| self.by_number(number)).map(|found| found.outermost)
        };
        let is_dear = |entry: &Entry| entry.is_own && entry.container == group(entry);
        let mut sizes: HashMap<Option<Number>, usize> = HashMap::default();
        for entry in self.cgroups.values().filter(|entry| !is_dear(entry)) {
            *sizes.entry(group(entry)).or_default() += Entry::bytes(&entry.path);
        }
        let Some((largest, _)) = sizes.into_iter().max_by_key(|(_, bytes)| *bytes) else { return };
        let some = (self.limits.cgroups / RELIEF).max(1);
        let them = self.cgroups.iter();
        let them = them.filter(|(_, entry)| group(entry) == largest && !is_dear(entry));
        let them: Vec<Key> = them.take(some).map(|(key, _)| *key).collect();
        self.evicted += them.len() as u64;
        them.into_iter().for_each(|key| self.forget(key));
    }
}

fn cut(path: &[u8]) -> &[u8] {
    path.get(..LONGEST_PATH).unwrap_or(path)
}
