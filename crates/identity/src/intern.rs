//! Interning by a number of 32 bits: what many entries have alike is kept once.
//!
//! Beside [`crate::process`]'s pool, whose handles can be read without it: here a user is one of
//! hundreds of thousands, and four bytes are all that it has to spare. Whoever counts a use ends it.
//! Hashes are keyed, because what is kept was written by strangers.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};

use crate::hashing::RandomState;
use crate::process::index::Index;
use crate::process::slab::{Slab, allocation};

/// Bytes on the heap beyond the value itself, as the allocator rounds them.
pub(crate) trait Heap {
    fn heap_bytes(&self) -> usize;
}

impl Heap for Box<str> {
    fn heap_bytes(&self) -> usize {
        str_bytes(self)
    }
}

/// What a boxed text takes on the heap.
pub(crate) fn str_bytes(text: &str) -> usize {
    if text.is_empty() { 0 } else { allocation(text.len()) }
}

#[derive(Debug)]
struct Kept<T> {
    value: T,
    uses: u32,
    hash: u32,
}

#[derive(Debug)]
pub(crate) struct Interner<T> {
    slots: Slab<Kept<T>>,
    index: Index,
    keys: RandomState,
    heap: usize,
}

impl<T: Hash + Eq + Heap> Interner<T> {
    pub(crate) fn new() -> Self {
        Self { slots: Slab::new(), index: Index::new(), keys: RandomState::default(), heap: 0 }
    }

    /// Counts a use of this value. The second is true when it was not there before.
    pub(crate) fn intern<V, Q>(&mut self, value: V) -> (u32, bool)
    where
        T: Borrow<Q>,
        V: Borrow<Q> + Into<T>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.keys.hash_one(value.borrow()) as u32;
        let slot = self.slot(hash, value.borrow());
        if let Some((slot, kept)) = slot.and_then(|slot| Some((slot, self.slots.get_mut(slot)?))) {
            kept.uses += 1;
            return (slot, false);
        }
        let value = value.into();
        self.heap += value.heap_bytes();
        let slot = self.slots.insert(Kept { value, uses: 1, hash });
        self.index.insert(hash, slot);
        (slot, true)
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        self.slots.get(slot).map(|kept| &kept.value)
    }

    /// Ends a use. Gives the value if that was the last: it has left.
    pub(crate) fn release(&mut self, slot: u32) -> Option<T> {
        let kept = self.slots.get_mut(slot)?;
        kept.uses -= 1;
        if kept.uses > 0 {
            return None;
        }
        let kept = self.slots.remove(slot)?;
        self.index.remove(kept.hash, slot);
        self.heap -= kept.value.heap_bytes();
        Some(kept.value)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.bytes() + self.index.bytes() + self.heap
    }

    /// Bytes that `count` new values may add beside their own.
    pub(crate) fn growth(&self, count: usize) -> usize {
        self.slots.growth(count) + self.index.growth(count)
    }

    fn slot<Q: Hash + Eq + ?Sized>(&self, hash: u32, value: &Q) -> Option<u32>
    where
        T: Borrow<Q>,
    {
        let is_it = |slot| self.get(slot).is_some_and(|kept| kept.borrow() == value);
        self.index.find(hash, is_it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_once_and_leaves_with_its_last_use() {
        let mut names: Interner<Box<str>> = Interner::new();
        let before = names.bytes();
        let (first, is_new) = names.intern::<_, str>("default");
        let (second, again) = names.intern::<_, str>("default");
        assert!(is_new && !again && first == second);
        assert_eq!(names.get(first).map(|name| &**name), Some("default"));
        assert_eq!(names.release(first), None);
        assert_eq!(names.release(first).as_deref(), Some("default"));
        assert_eq!((names.len(), names.heap), (0, 0));
        assert_eq!(names.release(first), None);
        assert!(names.bytes() <= before + names.growth(0) + names.slots.bytes());
    }
}
