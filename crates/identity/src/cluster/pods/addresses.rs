//! Who has an address, and when: a pod's first address is kept with the pod, further ones apart.
//!
//! A look-up of most addresses so touches one entry; pods with addresses of both families pay for two.

use std::cell::Cell;
use std::cmp::Ordering;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};

use super::Pods;
use crate::cluster::claims::{Claim, Key};
use crate::cluster::pod_entry::{PodEntry, Tenure, flag};

/// An address that a pod has or had.
#[derive(Debug, Clone, Copy)]
pub(in crate::cluster) struct Held {
    pub(in crate::cluster) owner: u32,
    ip: [u8; 16],
    pub(in crate::cluster) tenure: Tenure,
    pub(super) place: Place,
}

impl Held {
    pub(in crate::cluster) fn ip(&self) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from(self.ip)).to_canonical()
    }
}

/// Where it is kept: a pod's slot, or that of a claim with the highest bit set.
pub(super) type Place = u32;
const OTHER: Place = 1 << 31;

impl Pods {
    /// Who holds this address at this time.
    pub(in crate::cluster) fn holder(&self, key: &Key, time_ns: u64) -> Option<Held> {
        let best: Cell<Option<Held>> = Cell::new(None);
        let consider = |held: Held| {
            if best.get().is_none_or(|known| self.is_better(&held, &known, time_ns)) {
                best.set(Some(held));
            }
        };
        self.by_address.find(key.hash, |slot| {
            let first = self.get(slot).and_then(|entry| first_of(slot, entry));
            first.filter(|held| held.ip == key.ip).into_iter().for_each(consider);
            false
        });
        if self.others.len() > 0 {
            self.others.each(key, |claim| consider(other(0, claim)));
        }
        best.get()
    }

    pub(super) fn is_better(&self, new: &Held, known: &Held, time_ns: u64) -> bool {
        // Of those that had begun the latest; if none had, the one that began first.
        let rank = |held: &Held| match held.tenure.since_ns {
            since if since <= time_ns => (true, since),
            since => (false, u64::MAX - since),
        };
        let created = |held: &Held| self.get(held.owner).map(|entry| entry.created_at_ns);
        match rank(new).cmp(&rank(known)) {
            Ordering::Equal => created(new) > created(known),
            order => order.is_gt(),
        }
    }

    /// The addresses of the pod in this slot.
    pub(in crate::cluster) fn held_by(
        &self,
        slot: u32,
        entry: &PodEntry,
    ) -> impl Iterator<Item = Held> {
        let others = self.others.owned(entry.claims).map(|(claim, held)| other(claim, held));
        first_of(slot, entry).into_iter().chain(others)
    }

    pub(super) fn tenure_mut(&mut self, place: Place) -> Option<&mut Tenure> {
        if place & OTHER != 0 {
            return self.others.get_mut(place ^ OTHER).map(|claim| &mut claim.extra);
        }
        let entry = self.entries.get_mut(place)?;
        entry.has(flag::ADDRESS).then_some(&mut entry.tenure)
    }

    pub(super) fn add_address(&mut self, slot: u32, key: &Key, tenure: Tenure) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        if entry.has(flag::ADDRESS) {
            self.others.add(key, slot, &mut entry.claims, tenure);
            return;
        }
        (entry.ip, entry.tenure) = (key.ip, tenure);
        entry.set(flag::ADDRESS, true);
        self.by_address.insert(key.hash, slot);
        self.first_addresses += 1;
    }

    /// Takes an address away, and gives the pod that had it.
    pub(super) fn remove_address(&mut self, place: Place) -> Option<u32> {
        if place & OTHER != 0 {
            let owner = self.others.get(place ^ OTHER)?.owner();
            let entry = self.entries.get_mut(owner)?;
            self.others.remove(place ^ OTHER, &mut entry.claims);
            return Some(owner);
        }
        let entry = self.entries.get_mut(place)?;
        entry.set(flag::ADDRESS, false);
        self.by_address.remove(self.keys.hash_one(entry.ip) as u32, place);
        self.first_addresses -= 1;
        Some(place)
    }

    pub(super) fn addresses(&self) -> usize {
        self.first_addresses + self.others.len()
    }
}

fn first_of(slot: u32, entry: &PodEntry) -> Option<Held> {
    let (ip, tenure) = (entry.ip, entry.tenure);
    entry.has(flag::ADDRESS).then_some(Held { owner: slot, ip, tenure, place: slot })
}

fn other(slot: u32, claim: &Claim<Tenure>) -> Held {
    let (owner, ip, tenure) = (claim.owner(), claim.ip, claim.extra);
    Held { owner, ip, tenure, place: OTHER | slot }
}
