//! Objects of one kind by namespace and name: services, endpoint slices, nodes.
//!
//! There are hundreds or thousands of them, so each keeps its own name; pods, of which there are a
//! hundred times more, are in [`super::pods`].

use std::hash::{BuildHasher, Hasher};

use super::ObjectName;
use crate::hashing::RandomState;
use crate::intern::{Heap, str_bytes};
use crate::process::index::Index;
use crate::process::slab::Slab;

#[derive(Debug)]
pub(super) struct Object<T> {
    /// Namespace and name, one behind the other.
    text: Box<str>,
    namespace_bytes: u16,
    /// When it was told of last, in lists.
    pub(super) generation: u8,
    pub(super) value: T,
}

impl<T> Object<T> {
    pub(super) fn namespace(&self) -> &str {
        self.text.get(..self.namespace_bytes.into()).unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        self.text.get(self.namespace_bytes.into()..).unwrap_or_default()
    }

    fn heap_bytes(&self) -> usize
    where
        T: Heap,
    {
        str_bytes(&self.text) + self.value.heap_bytes()
    }
}

#[derive(Debug)]
pub(super) struct Objects<T> {
    slots: Slab<Object<T>>,
    index: Index,
    keys: RandomState,
    heap: usize,
    /// No filled slot is at or behind it.
    end: u32,
}

/// The hash of a name that may lie in pieces.
pub(super) fn hash_name(keys: &RandomState, namespace: &str, pieces: &[&str]) -> u32 {
    let mut hasher = keys.build_hasher();
    hasher.write_usize(namespace.len());
    // Byte by byte, because a hasher may tell one write from two.
    let name = pieces.iter().flat_map(|piece| piece.bytes());
    namespace.bytes().chain(name).for_each(|byte| hasher.write_u8(byte));
    hasher.finish() as u32
}

impl<T: Heap> Objects<T> {
    pub(super) fn new(keys: RandomState) -> Self {
        Self { slots: Slab::new(), index: Index::new(), keys, heap: 0, end: 0 }
    }

    pub(super) fn find(&self, namespace: &str, name: &str) -> Option<u32> {
        let hash = hash_name(&self.keys, namespace, &[name]);
        self.index.find(hash, |slot| {
            let object = self.slots.get(slot);
            object.is_some_and(|known| known.namespace() == namespace && known.name() == name)
        })
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Object<T>> {
        self.slots.get(slot)
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Object<T>> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let (slot, object) = self.slots.next_from(next)?;
            next = slot + 1;
            Some(object)
        })
    }

    /// Changes an object's value, whose size is counted again.
    pub(super) fn change<R>(
        &mut self,
        slot: u32,
        how: impl FnOnce(&mut Object<T>) -> R,
    ) -> Option<R> {
        let object = self.slots.get_mut(slot)?;
        self.heap -= object.heap_bytes();
        let result = how(object);
        self.heap += object.heap_bytes();
        Some(result)
    }

    /// Adds one that is not there yet.
    pub(super) fn add(&mut self, name: &ObjectName, generation: u8, value: T) -> u32 {
        let (namespace, name) = (name.namespace.as_str(), name.name.as_str());
        let object = Object {
            text: [namespace, name].concat().into(),
            namespace_bytes: u16::try_from(namespace.len()).unwrap_or(u16::MAX),
            generation,
            value,
        };
        self.heap += object.heap_bytes();
        let slot = self.slots.insert(object);
        self.index.insert(hash_name(&self.keys, namespace, &[name]), slot);
        self.end = self.end.max(slot + 1);
        slot
    }

    pub(super) fn remove(&mut self, slot: u32) -> Option<T> {
        let object = self.slots.remove(slot)?;
        let hash = hash_name(&self.keys, object.namespace(), &[object.name()]);
        self.index.remove(hash, slot);
        self.heap -= object.heap_bytes();
        Some(object.value)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Every filled slot is before it.
    pub(super) fn end(&self) -> u32 {
        self.end
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.slots.bytes() + self.index.bytes() + self.heap
    }

    /// Bytes that one more of this name may add beside its value's own.
    pub(super) fn growth(&self, name: &ObjectName) -> usize {
        let text = name.namespace.bytes() + name.name.bytes();
        self.slots.growth(1) + self.index.growth(1) + crate::process::slab::allocation(text)
    }
}
