//! Values that are kept once and known by number from then on.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Values, each once, numbered from 0 in the order in which they came.
#[derive(Debug, Clone)]
pub struct Interner<T> {
    items: Vec<T>,
    numbers: HashTable<u32>,
    hasher: RandomState,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { items: Vec::new(), numbers: HashTable::new(), hasher: RandomState::default() }
    }
}

impl<T: Copy + Eq + Hash> Interner<T> {
    /// The number of a value, if there are fewer than `max`, or it is known already.
    pub fn intern(&mut self, item: T, max: usize) -> Option<u32> {
        let hash = self.hasher.hash_one(item);
        if let Some(number) = self.find(hash, &item) {
            return Some(number);
        }
        let number = u32::try_from(self.items.len()).ok().filter(|_| self.items.len() < max)?;
        self.items.push(item);
        let (items, hasher) = (&self.items, &self.hasher);
        self.numbers.insert_unique(hash, number, |number| {
            items.get(*number as usize).map_or(0, |item| hasher.hash_one(item))
        });
        Some(number)
    }

    fn find(&self, hash: u64, item: &T) -> Option<u32> {
        let same = |number: &u32| self.items.get(*number as usize) == Some(item);
        self.numbers.find(hash, same).copied()
    }

    /// The value of this number.
    pub fn get(&self, number: u32) -> Option<T> {
        self.items.get(number as usize).copied()
    }

    /// All of them by number.
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.items.capacity() * size_of::<T>() + self.numbers.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::Interner;

    #[test]
    fn a_value_is_kept_once() {
        let mut values = Interner::default();
        let numbers: Vec<_> = (0..5000).map(|value| values.intern(value % 1000, 4096)).collect();
        assert_eq!(values.len(), 1000);
        assert!(numbers.iter().zip(0..).all(|(number, value)| *number == Some(value % 1000)));
        assert_eq!(values.get(7), Some(7));
    }

    #[test]
    fn no_more_are_taken_than_wanted_and_known_ones_still_are() {
        let mut values = Interner::default();
        assert_eq!(values.intern("a", 1), Some(0));
        assert_eq!(values.intern("b", 1), None);
        assert_eq!(values.intern("a", 1), Some(0));
    }
}
