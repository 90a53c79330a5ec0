//! What is kept within a budget of bytes: the oldest goes first, and is counted.
//!
//! Two generations instead of a list by age: what is found in the old one moves to the young one; when the young
//! one is full, the old one goes as a whole. No order is kept for each entry, and what is used stays.

use std::collections::HashMap;
use std::hash::Hash;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    young_bytes: usize,
    old_bytes: usize,
    budget_bytes: usize,
    /// Entries that had to go.
    pub evicted: u64,
}

impl<K: Hash + Eq + Clone, V> Cache<K, V> {
    /// What an entry takes beside what it holds.
    const ENTRY_BYTES: usize = size_of::<(K, V, usize)>() * 2;

    pub fn new(budget_bytes: usize) -> Self {
        let (young, old) = (HashMap::new(), HashMap::new());
        Self { young, old, young_bytes: 0, old_bytes: 0, budget_bytes, evicted: 0 }
    }

    pub fn get(&mut self, key: &K) -> Option<&V> {
        if !self.young.contains_key(key) {
            let (value, bytes) = self.old.remove(key)?;
            self.old_bytes -= bytes;
            self.put(key.clone(), value, bytes);
        }
        self.young.get(key).map(|(value, _)| value)
    }

    /// Keeps a value of so many bytes beside the entry. One that the budget is too small for is not kept.
    pub fn insert(&mut self, key: K, value: V, bytes: usize) {
        let bytes = bytes + Self::ENTRY_BYTES;
        self.remove(&key);
        if bytes > self.budget_bytes {
            self.evicted += 1;
        } else {
            self.put(key, value, bytes);
        }
    }

    pub fn remove(&mut self, key: &K) {
        if let Some((_, bytes)) = self.young.remove(key) {
            self.young_bytes -= bytes;
        }
        if let Some((_, bytes)) = self.old.remove(key) {
            self.old_bytes -= bytes;
        }
    }

    fn put(&mut self, key: K, value: V, bytes: usize) {
        if self.young_bytes + bytes > self.budget_bytes / 2 && !self.young.is_empty() {
            self.evicted += self.old.len() as u64;
            self.old = std::mem::take(&mut self.young);
            self.old_bytes = std::mem::take(&mut self.young_bytes);
        }
        if self.old_bytes + bytes > self.budget_bytes {
            self.evicted += self.old.len() as u64;
            self.old.clear();
            self.old_bytes = 0;
        }
        self.young_bytes += bytes;
        self.young.insert(key, (value, bytes));
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Never more than the budget.
    pub fn bytes(&self) -> usize {
        self.young_bytes + self.old_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_budget_holds() {
        let entry = Cache::<u32, u32>::ENTRY_BYTES + 100;
        let mut cache = Cache::new(10 * entry);
        let mut state = 3_u32;
        for number in 0..10_000_u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            cache.insert(number, number, (state >> 24) as usize % 100);
            assert!(cache.bytes() <= 10 * entry);
            assert_eq!(cache.get(&0), Some(&0), "used each time");
        }
        assert_eq!(cache.evicted + cache.len() as u64, 10_000);
        assert!(cache.get(&5).is_none());
    }

    #[test]
    fn what_is_larger_than_the_budget_is_not_kept() {
        let mut cache = Cache::new(1000);
        cache.insert(1, 1, 1000);
        assert_eq!(cache.get(&1), None);
        assert_eq!((cache.evicted, cache.bytes()), (1, 0));
        let half = 600;
        cache.insert(1, 1, half);
        cache.insert(1, 2, half);
        assert_eq!(cache.get(&1), Some(&2));
        assert_eq!(cache.len(), 1);
        cache.insert(2, 2, half);
        assert!(cache.bytes() <= 1000);
        assert_eq!(cache.len(), 1);
    }
}
