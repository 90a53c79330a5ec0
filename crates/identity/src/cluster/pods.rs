//! The pods of a cluster, by name and by address.
//!
//! Invariants:
//! - An address is claimed by each pod that was told with it, from when it was told; of several claims
//!   the latest one that had begun answers. A pod that was created before one that holds the address
//!   never takes it over, however late it is told, and its end takes nothing from the other.
//! - A claim that ended lingers, so that records of its time still find it, and then goes; a pod that
//!   was removed goes with its last claim.
//! - Whatever a pod shares with others is counted as used by it for as long as it is here.
//!
//! Files: `put` (a pod comes or changes), `addresses` (who has one), `linger` (what goes).

mod addresses;
mod linger;
mod put;

use std::collections::VecDeque;

pub(super) use put::Incoming;

use self::addresses::Place;
use super::Pod;
use super::claims::Claims;
use super::objects::hash_name;
use super::pod_entry::{Group, PodEntry, Tenure, pack_uid};
use super::stats::Stats;
use crate::hashing::RandomState;
use crate::intern::Interner;
use crate::numbers::LabelSets;
use crate::process::index::Index;
use crate::process::slab::Slab;

#[derive(Debug)]
pub(super) struct Pods {
    entries: Slab<PodEntry>,
    by_name: Index,
    /// First addresses.
    by_address: Index,
    first_addresses: usize,
    /// All further ones.
    others: Claims<Tenure>,
    groups: Interner<Group>,
    /// Namespaces, nodes and kinds of workloads.
    texts: Interner<Box<str>>,
    labels: LabelSets,
    /// Addresses that pods left, in that order, with the time. One that came back has an item here which
    /// means nothing any more.
    lingering: VecDeque<(u64, Place)>,
    /// How many addresses linger.
    ended: usize,
    keys: RandomState,
    heap: usize,
    end: u32,
}

impl Pods {
    pub(super) fn new(keys: RandomState) -> Self {
        Self {
            entries: Slab::new(),
            by_name: Index::new(),
            by_address: Index::new(),
            first_addresses: 0,
            others: Claims::new(keys.clone()),
            groups: Interner::new(),
            texts: Interner::new(),
            labels: LabelSets::new(),
            lingering: VecDeque::new(),
            ended: 0,
            keys,
            heap: 0,
            end: 0,
        }
    }

    /// The pod of this name; of several, the one that was made last.
    pub(super) fn find(&self, namespace: &str, name: &str) -> Option<u32> {
        let hash = hash_name(&self.keys, namespace, &[name]);
        self.by_name.find(hash, |slot| {
            let entry = self.entries.get(slot);
            entry.is_some_and(|entry| {
                let (head, tail) = self.name(entry);
                name.strip_prefix(head) == Some(tail) && self.namespace(entry) == namespace
            })
        })
    }

    /// The entry of this very pod, not that of another one of its name.
    pub(super) fn find_same(&self, pod: &Pod) -> Option<u32> {
        let slot = self.find(pod.name.namespace.as_str(), pod.name.name.as_str())?;
        let uid = pack_uid(&self.keys, &pod.uid);
        self.get(slot)?.has_uid(uid).then_some(slot)
    }

    pub(super) fn get(&self, slot: u32) -> Option<&PodEntry> {
        self.entries.get(slot)
    }

    pub(super) fn group(&self, entry: &PodEntry) -> Option<&Group> {
        self.groups.get(entry.group)
    }

    pub(super) fn text(&self, number: u32) -> &str {
        self.texts.get(number).map(|text| &**text).unwrap_or_default()
    }

    pub(super) fn labels(&self) -> &LabelSets {
        &self.labels
    }

    pub(super) fn namespace(&self, entry: &PodEntry) -> &str {
        self.group(entry).map(|group| self.text(group.namespace)).unwrap_or_default()
    }

    /// The two pieces of a pod's name.
    pub(super) fn name<'a>(&'a self, entry: &'a PodEntry) -> (&'a str, &'a str) {
        let workload = self.group(entry).map(|group| group.workload.as_str()).unwrap_or_default();
        (workload.get(..entry.head_bytes.into()).unwrap_or_default(), entry.tail.as_str())
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Every filled slot is before it.
    pub(super) fn end(&self) -> u32 {
        self.end
    }

    pub(super) fn count(&self, stats: &mut Stats) {
        stats.pods = self.entries.len() as u64;
        stats.addresses = self.addresses() as u64;
        stats.lingering = self.ended as u64;
        stats.groups = self.groups.len() as u64;
        stats.label_sets = self.labels.len() as u64;
        stats.collided = self.labels.collided();
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.entries.bytes()
            + self.by_name.bytes()
            + self.by_address.bytes()
            + self.others.bytes()
            + self.groups.bytes()
            + self.texts.bytes()
            + self.labels.bytes()
            + self.lingering.capacity() * size_of::<(u64, Place)>()
            + self.heap
    }

    /// Nothing that is shared is left over: for tests.
    #[cfg(test)]
    pub(super) fn is_clean(&self) -> bool {
        self.entries.len() == 0
            && self.addresses() == 0
            && self.groups.len() == 0
            && self.texts.len() == 0
            && self.labels.is_empty()
            && self.ended == 0
            && self.heap == 0
    }
}
