//! Taking a pod in, new or changed.

use super::Pods;
use super::addresses::Held;
use crate::cluster::Pod;
use crate::cluster::claims::Key;
use crate::cluster::objects::hash_name;
use crate::cluster::pod_entry::{
    Group, LASTS, MOST_ADDRESSES, PodEntry, Short, Tenure, claimed, flag, pack_uid, shared_bytes,
};
use crate::cluster::stats::Stats;
use crate::description::Text;
use crate::intern::str_bytes;
use crate::numbers::{LabelSet, LabelSets};
use crate::process::slab::NONE;
use crate::workload::Marks;

/// A pod as it is about to be put, with what it shares.
pub(in crate::cluster) struct Incoming<'a> {
    pod: &'a Pod,
    labels: LabelSet,
    kind: &'a str,
    workload: &'a str,
}

impl<'a> Incoming<'a> {
    pub(in crate::cluster) fn new(cluster: &str, pod: &'a Pod) -> Self {
        let labels = LabelSet::new(cluster, pod.name.namespace.as_str(), &pod.labels);
        let owner = pod.owner.as_ref().map(|owner| (owner.kind.as_str(), owner.name.as_str()));
        let label = |key: &str| pod.labels.get(key).map(Text::as_str);
        let (name, created_at_ns) = (pod.name.name.as_str(), pod.created_at_ns);
        let workload = Marks { name, label, owner, created_at_ns }.workload();
        // A pod of its own has its own name: kept once, with the pod.
        let own = workload.kind == "Pod" && workload.name == name;
        Self { pod, labels, kind: workload.kind, workload: if own { "" } else { workload.name } }
    }
}

impl Pods {
    /// Bytes that putting this pod may add.
    pub(in crate::cluster) fn growth(&self, incoming: &Incoming<'_>) -> usize {
        let Pod { name, node, ips, .. } = incoming.pod;
        let texts = [name.name.as_str(), name.namespace.as_str(), node.as_str()];
        let texts = texts.into_iter().chain([incoming.kind, incoming.workload]).map(str_bytes);
        let others = match ips.len().min(MOST_ADDRESSES) {
            0 | 1 => 0,
            several => self.others.growth(several),
        };
        self.entries.growth(1)
            + self.by_name.growth(1)
            + self.by_address.growth(1)
            + others
            + self.groups.growth(1)
            + self.texts.growth(3)
            + self.labels.growth()
            + LabelSets::own_bytes(&incoming.labels)
            + texts.sum::<usize>()
    }

    /// Takes a pod in, new or changed.
    pub(in crate::cluster) fn put(
        &mut self,
        incoming: Incoming<'_>,
        generation: u8,
        now: u64,
        stats: &mut Stats,
    ) {
        let pod = incoming.pod;
        let uid = pack_uid(&self.keys, &pod.uid);
        let known = self.find(pod.name.namespace.as_str(), pod.name.name.as_str());
        let same = known.filter(|slot| self.get(*slot).is_some_and(|entry| entry.has_uid(uid)));
        let slot = match (same, known) {
            (Some(slot), _) => slot,
            (None, known) => {
                if let Some(predecessor) = known {
                    self.unname(predecessor);
                    self.remove(predecessor, now);
                }
                let slot = self.entries.insert(PodEntry::new(uid));
                self.end = self.end.max(slot + 1);
                slot
            }
        };
        self.describe(slot, incoming, generation);
        if same.is_none() {
            let hash =
                hash_name(&self.keys, pod.name.namespace.as_str(), &[pod.name.name.as_str()]);
            self.by_name.insert(hash, slot);
        }
        self.claim_addresses(slot, pod, now, stats);
    }

    /// All that is kept of it but its addresses.
    fn describe(&mut self, slot: u32, incoming: Incoming<'_>, generation: u8) {
        let Incoming { pod, labels, kind, workload } = incoming;
        let name = pod.name.name.as_str();
        let head_bytes = shared_bytes(workload, name);
        let tail = Short::new(name.get(head_bytes.into()..).unwrap_or_default());
        let group = self.use_group(pod.name.namespace.as_str(), labels, kind, workload);
        let node = match pod.node.as_str() {
            "" => NONE,
            node => self.texts.intern::<_, str>(node).0,
        };
        let Some(entry) = self.entries.get_mut(slot) else { return };
        let before = (entry.group, entry.node, entry.tail.heap_bytes());
        self.heap = self.heap + tail.heap_bytes() - before.2;
        entry.tail = tail;
        entry.head_bytes = head_bytes;
        entry.group = group;
        entry.node = node;
        entry.created_at_ns = pod.created_at_ns;
        entry.generation = generation;
        entry.set(flag::HOST_NETWORK, pod.host_network);
        entry.set(flag::ENDED, pod.has_ended);
        entry.set(flag::GONE, false);
        self.release_group(before.0);
        self.release_text(before.1);
    }

    fn claim_addresses(&mut self, slot: u32, pod: &Pod, now: u64, stats: &mut Stats) {
        let wanted = match pod.host_network || pod.has_ended {
            true => Vec::new(),
            false => claimed(&pod.ips),
        };
        stats.omitted += pod.ips.len().saturating_sub(MOST_ADDRESSES) as u64;
        let Some(entry) = self.get(slot) else { return };
        let held: Vec<Held> = self.held_by(slot, entry).collect();
        for one in &held {
            match wanted.contains(&one.ip()) {
                true => self.revive(one.place),
                false => self.end_tenure(one.place, now),
            }
        }
        for ip in wanted.into_iter().filter(|ip| held.iter().all(|held| held.ip() != *ip)) {
            let key = Key::new(&self.keys, ip);
            let holder = self.holder(&key, now);
            let since_ns = match holder.filter(|holder| holder.tenure.until_ns == LASTS) {
                None => now,
                Some(holder) => {
                    stats.taken_over += 1;
                    let newer = self.get(holder.owner).map(|entry| entry.created_at_ns);
                    // Told late: whoever came after it keeps the address.
                    let is_older = newer.is_some_and(|newer| pod.created_at_ns < newer);
                    if is_older { holder.tenure.since_ns.min(now) } else { now }
                }
            };
            self.add_address(slot, &key, Tenure { since_ns, until_ns: LASTS });
        }
    }

    /// It was told, though there was no room for what changed.
    pub(in crate::cluster) fn keep(&mut self, slot: u32, generation: u8) {
        if let Some(entry) = self.entries.get_mut(slot) {
            entry.generation = generation;
        }
    }

    fn use_group(&mut self, namespace: &str, labels: LabelSet, kind: &str, workload: &str) -> u32 {
        let namespace = self.texts.intern::<_, str>(namespace).0;
        let kind = self.texts.intern::<_, str>(kind).0;
        let identity = labels.number();
        let labels = self.labels.intern(labels);
        let group = Group { namespace, labels, kind, identity, workload: Short::new(workload) };
        let (group, is_new) = self.groups.intern::<Group, Group>(group);
        if !is_new {
            // The group uses them once, whoever uses it.
            self.release_text(namespace);
            self.release_text(kind);
            self.labels.release(labels);
        }
        group
    }
}
