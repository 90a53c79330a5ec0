//! Who claims an address: entries by address, several per address, each in its owner's list.
//!
//! Pods, nodes, services and backends all claim addresses, and more than one of a kind may claim the
//! same: a pod's successor, two services of one load balancer, a backend of two services.
//!
//! Invariants: an owner's claims are linked from the head that it keeps ([`NONE`] if it has none), so
//! that they can be taken away without a search; IPv4 is kept as `::ffff:a.b.c.d`.

use std::cell::RefCell;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::num::NonZeroU32;

use crate::cidr::mapped;
use crate::hashing::RandomState;
use crate::process::index::Index;
use crate::process::slab::{NONE, Slab};

/// An address with its hash, which is computed once for all kinds of claims.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(super) ip: [u8; 16],
    pub(super) hash: u32,
}

impl Key {
    pub(super) fn new(keys: &RandomState, ip: IpAddr) -> Self {
        let ip = mapped(ip).to_be_bytes();
        Self { ip, hash: keys.hash_one(ip) as u32 }
    }

    /// The address as 128 bits.
    pub(super) fn bits(&self) -> u128 {
        u128::from_be_bytes(self.ip)
    }
}

#[derive(Debug)]
pub(super) struct Claim<T> {
    pub(super) ip: [u8; 16],
    /// The owner's slot and one, which leaves a value for an empty place.
    owner: NonZeroU32,
    next: u32,
    pub(super) extra: T,
}

impl<T> Claim<T> {
    pub(super) fn owner(&self) -> u32 {
        self.owner.get() - 1
    }

    pub(super) fn is_at(&self, key: &Key) -> bool {
        self.ip == key.ip
    }
}

#[derive(Debug)]
pub(super) struct Claims<T> {
    slots: Slab<Claim<T>>,
    index: Index,
    keys: RandomState,
}

impl<T> Claims<T> {
    pub(super) fn new(keys: RandomState) -> Self {
        Self { slots: Slab::new(), index: Index::new(), keys }
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Claim<T>> {
        self.slots.get(slot)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Claim<T>> {
        self.slots.get_mut(slot)
    }

    pub(super) fn add(&mut self, key: &Key, owner: u32, head: &mut u32, extra: T) -> u32 {
        let owner = NonZeroU32::MIN.saturating_add(owner);
        let slot = self.slots.insert(Claim { ip: key.ip, owner, next: *head, extra });
        self.index.insert(key.hash, slot);
        *head = slot;
        slot
    }

    /// Takes one away.
    pub(super) fn remove(&mut self, slot: u32, head: &mut u32) {
        let Some(claim) = self.slots.remove(slot) else { return };
        self.index.remove(self.keys.hash_one(claim.ip) as u32, slot);
        if *head == slot {
            *head = claim.next;
            return;
        }
        let mut before = *head;
        while let Some(other) = self.slots.get_mut(before) {
            if other.next == slot {
                other.next = claim.next;
                return;
            }
            before = other.next;
        }
    }

    /// Takes all of an owner's away.
    pub(super) fn clear(&mut self, head: &mut u32) {
        while *head != NONE && self.slots.get(*head).is_some() {
            self.remove(*head, head);
        }
        *head = NONE;
    }

    /// An owner's claims.
    pub(super) fn owned(&self, head: u32) -> impl Iterator<Item = (u32, &Claim<T>)> {
        let of = |slot| self.slots.get(slot).map(|claim| (slot, claim));
        std::iter::successors(of(head), move |(_, claim)| of(claim.next))
    }

    /// The first claim at an address that `is_it` accepts.
    pub(super) fn find(&self, key: &Key, is_it: impl Fn(&Claim<T>) -> bool) -> Option<&Claim<T>> {
        let accept = |slot| self.get(slot).is_some_and(|claim| claim.is_at(key) && is_it(claim));
        self.slots.get(self.index.find(key.hash, accept)?)
    }

    /// All claims at an address.
    pub(super) fn each<'a>(&'a self, key: &Key, each: impl FnMut(&'a Claim<T>)) {
        let each = RefCell::new(each);
        self.index.find(key.hash, |slot| {
            if let Some(claim) = self.get(slot).filter(|claim| claim.is_at(key)) {
                (each.borrow_mut())(claim);
            }
            false
        });
    }

    /// The claim at an address that is better than the others there.
    pub(super) fn best(
        &self,
        key: &Key,
        is_better: impl Fn(&Claim<T>, &Claim<T>) -> bool,
    ) -> Option<&Claim<T>> {
        let mut best: Option<&Claim<T>> = None;
        self.each(key, |claim| {
            if best.is_none_or(|known| is_better(claim, known)) {
                best = Some(claim);
            }
        });
        best
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.slots.bytes() + self.index.bytes()
    }

    /// Bytes that `count` more may add.
    pub(super) fn growth(&self, count: usize) -> usize {
        let pages = (0..count.div_ceil(256)).map(|_| self.slots.growth(count.min(256)));
        // Each doubling is twice the one before: four times the last one covers a thousand more.
        let doubling = self.index.growth(count);
        pages.sum::<usize>() + if count > 1 { 2 * doubling } else { doubling }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_found_by_address_and_taken_away_by_owner() {
        let keys = RandomState::default();
        let mut claims: Claims<u8> = Claims::new(keys.clone());
        let key = |text: &str| Key::new(&keys, text.parse().unwrap());
        let (mut first, mut second) = (NONE, NONE);
        let slot = claims.add(&key("10.0.0.1"), 0, &mut first, 1);
        claims.add(&key("10.0.0.2"), 0, &mut first, 2);
        claims.add(&key("fd00::1"), 0, &mut first, 3);
        claims.add(&key("::ffff:10.0.0.1"), 1, &mut second, 4);
        let best = claims.best(&key("10.0.0.1"), |new, known| new.extra > known.extra).unwrap();
        assert_eq!(best.owner(), 1);
        assert_eq!(claims.find(&key("10.0.0.1"), |claim| claim.extra == 1).unwrap().owner(), 0);
        claims.remove(slot, &mut first);
        let left: Vec<u8> = claims.owned(first).map(|(_, claim)| claim.extra).collect();
        assert_eq!(left, [3, 2]);
        claims.clear(&mut first);
        assert_eq!((first, claims.len()), (NONE, 1));
        assert!(claims.find(&key("fd00::1"), |_| true).is_none());
        assert!(claims.find(&key("10.0.0.1"), |_| true).is_some());
    }
}
