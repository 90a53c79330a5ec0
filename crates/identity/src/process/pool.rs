//! Interning: each distinct value is kept once, however many processes have it.
//!
//! Uses are counted by the pool, not by the `Arc`s, so that a reader may keep what it got without
//! keeping it in the pool. Whoever holds a [`Handle`] gives it back with [`Pool::release`]; the
//! hash is keyed, since paths and arguments are chosen by whoever runs programs.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use super::index::Index;
use super::slab::{Slab, allocation};
use crate::hashing::RandomState;

/// A value that is kept once. Reads as the value.
#[derive(Debug)]
pub struct Handle<T: ?Sized> {
    value: Arc<T>,
    slot: u32,
    hash: u32,
}

impl<T: ?Sized> Handle<T> {
    /// The value, to keep beyond the table's lock.
    pub fn share(&self) -> Arc<T> {
        Arc::clone(&self.value)
    }
}

impl<T: ?Sized> Deref for Handle<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized + Eq> PartialEq for Handle<T> {
    fn eq(&self, other: &Handle<T>) -> bool {
        Arc::ptr_eq(&self.value, &other.value) || *self.value == *other.value
    }
}

impl<T: ?Sized + Eq> Eq for Handle<T> {}

impl<T: ?Sized> Hash for Handle<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

#[derive(Debug)]
struct Slot<T: ?Sized> {
    value: Arc<T>,
    uses: u32,
}

#[derive(Debug)]
pub(super) struct Pool<T: ?Sized> {
    slots: Slab<Slot<T>>,
    index: Index,
    keys: RandomState,
    /// Bytes of the values.
    heap: usize,
}

/// Bytes on the heap of a value behind an `Arc`, with its two counts.
fn heap_bytes<T: ?Sized>(value: &T) -> usize {
    allocation(size_of_val(value) + 2 * size_of::<usize>())
}

impl<T: ?Sized + Eq + Hash> Pool<T> {
    pub(super) fn new() -> Pool<T> {
        Pool { slots: Slab::new(), index: Index::new(), keys: RandomState::default(), heap: 0 }
    }

    /// Counts a use of this value. The second is true when it was not there before.
    pub(super) fn intern<V: Borrow<T> + Into<Arc<T>>>(&mut self, value: V) -> (Handle<T>, bool) {
        let hash = self.keys.hash_one(value.borrow()) as u32;
        let found = self.index.find(hash, |slot| {
            self.slots.get(slot).is_some_and(|kept| *kept.value == *value.borrow())
        });
        if let Some((slot, kept)) = found.and_then(|slot| Some((slot, self.slots.get_mut(slot)?))) {
            kept.uses += 1;
            return (Handle { value: Arc::clone(&kept.value), slot, hash }, false);
        }
        let value: Arc<T> = value.into();
        self.heap += heap_bytes(&*value);
        let slot = self.slots.insert(Slot { value: Arc::clone(&value), uses: 1 });
        self.index.insert(hash, slot);
        (Handle { value, slot, hash }, true)
    }

    /// Counts one more use of a value that is there.
    pub(super) fn again(&mut self, handle: &Handle<T>) -> Handle<T> {
        if let Some(kept) = self.slots.get_mut(handle.slot) {
            kept.uses += 1;
        }
        Handle { value: Arc::clone(&handle.value), slot: handle.slot, hash: handle.hash }
    }

    /// Ends a use. True when it was the last: the value has left the pool.
    pub(super) fn release(&mut self, handle: &Handle<T>) -> bool {
        let Some(kept) = self.slots.get_mut(handle.slot) else { return false };
        kept.uses -= 1;
        if kept.uses > 0 {
            return false;
        }
        self.heap -= heap_bytes(&*kept.value);
        self.slots.remove(handle.slot);
        self.index.remove(handle.hash, handle.slot);
        true
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.slots.bytes() + self.index.bytes() + self.heap
    }

    /// Bytes that `count` new values may add beside their own.
    pub(super) fn growth(&self, count: usize) -> usize {
        self.slots.growth(count) + self.index.growth(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_once_and_leaves_with_its_last_use() {
        let mut pool: Pool<[u8]> = Pool::new();
        let (first, new) = pool.intern(&b"/usr/bin/sh"[..]);
        let (second, again) = pool.intern(&b"/usr/bin/sh"[..]);
        let third = pool.again(&second);
        assert!(new && !again && first == third && pool.len() == 1);
        let kept = first.share();
        assert!(!pool.release(&first));
        assert!(!pool.release(&second));
        assert!(pool.release(&third));
        assert_eq!((pool.len(), pool.heap), (0, 0));
        assert_eq!(*kept, b"/usr/bin/sh"[..], "a reader keeps what it got");
    }

    #[test]
    fn its_bytes_do_not_pass_what_was_foretold() {
        let mut pool: Pool<[u8]> = Pool::new();
        for number in 0..50_000_u32 {
            let at_most = pool.bytes() + pool.growth(1) + heap_bytes(&number);
            pool.intern(&number.to_ne_bytes()[..]);
            assert!(pool.bytes() <= at_most);
        }
        assert_eq!(pool.len(), 50_000);
    }
}
