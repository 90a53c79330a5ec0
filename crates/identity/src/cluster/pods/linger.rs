//! Letting pods go: first their addresses linger, then they are forgotten with all that they shared.

use super::Pods;
use super::addresses::Place;
use crate::cluster::objects::hash_name;
use crate::cluster::pod_entry::{LASTS, flag};
use crate::process::slab::NONE;

impl Pods {
    pub(super) fn revive(&mut self, place: Place) {
        let Some(tenure) = self.tenure_mut(place) else { return };
        let lingered = std::mem::replace(&mut tenure.until_ns, LASTS) != LASTS;
        self.ended -= usize::from(lingered);
    }

    pub(super) fn end_tenure(&mut self, place: Place, now: u64) {
        let Some(tenure) = self.tenure_mut(place).filter(|tenure| tenure.until_ns == LASTS) else {
            return;
        };
        tenure.until_ns = now;
        self.ended += 1;
        // Those that came and went many times leave items without meaning: never more than addresses.
        if self.lingering.len() > 2 * self.addresses() + 64 {
            let mut lingering = std::mem::take(&mut self.lingering);
            lingering.retain(|(at, place)| self.lingers(*place, *at));
            self.lingering = lingering;
        }
        self.lingering.push_back((now, place));
    }

    pub(super) fn lingers(&mut self, place: Place, since_ns: u64) -> bool {
        self.tenure_mut(place).is_some_and(|tenure| tenure.until_ns == since_ns)
    }

    /// The pod was removed: it stays for as long as its addresses linger.
    pub(in crate::cluster) fn remove(&mut self, slot: u32, now: u64) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        entry.set(flag::GONE, true);
        let Some(entry) = self.get(slot) else { return };
        let places: Vec<Place> = self.held_by(slot, entry).map(|held| held.place).collect();
        if places.is_empty() {
            self.forget(slot);
        }
        places.into_iter().for_each(|place| self.end_tenure(place, now));
    }

    /// Forgets the address that ended first, if it did at this time or before. The first is false if
    /// there is none, the second if it had come back.
    pub(in crate::cluster) fn forget_lingering(&mut self, until_ns: u64) -> (bool, bool) {
        let Some((at, place)) = self.lingering.front().copied() else { return (false, false) };
        if at > until_ns {
            return (false, false);
        }
        self.lingering.pop_front();
        if !self.lingers(place, at) {
            return (true, false);
        }
        self.ended -= 1;
        if let Some(owner) = self.remove_address(place)
            && let Some(entry) = self.get(owner)
            && entry.has(flag::GONE)
            && !entry.has(flag::ADDRESS)
            && entry.claims == NONE
        {
            self.forget(owner);
        }
        (true, true)
    }

    /// It was told of in an earlier list, and was not removed since.
    pub(in crate::cluster) fn is_older(&self, slot: u32, generation: u8) -> bool {
        let entry = self.get(slot);
        entry.is_some_and(|entry| !entry.has(flag::GONE) && entry.generation != generation)
    }

    /// No look-up by name finds it any more.
    pub(super) fn unname(&mut self, slot: u32) {
        let Some(entry) = self.entries.get(slot) else { return };
        let (head, tail) = self.name(entry);
        let hash = hash_name(&self.keys, self.namespace(entry), &[head, tail]);
        self.by_name.remove(hash, slot);
    }

    /// It has no address any more.
    pub(super) fn forget(&mut self, slot: u32) {
        self.unname(slot);
        let Some(entry) = self.entries.remove(slot) else { return };
        self.heap -= entry.tail.heap_bytes();
        self.release_group(entry.group);
        self.release_text(entry.node);
    }

    pub(super) fn release_group(&mut self, group: u32) {
        if let Some(group) = self.groups.release(group) {
            self.release_text(group.namespace);
            self.release_text(group.kind);
            self.labels.release(group.labels);
        }
    }

    pub(super) fn release_text(&mut self, text: u32) {
        self.texts.release(text);
    }

    /// Bytes that one more lingering address may add.
    pub(in crate::cluster) fn lingering_growth(&self) -> usize {
        let is_full = self.lingering.len() == self.lingering.capacity();
        if is_full { self.lingering.capacity().max(4) * 2 * size_of::<(u64, Place)>() } else { 0 }
    }
}
