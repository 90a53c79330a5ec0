//! What many flows have alike, made once and shared as long as it stays the same.
//!
//! Invariant: it is bounded. When it is full it is emptied, which costs what was in it once more and
//! forgets nothing that flows already have.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::quality::RandomState;

/// How many of each are kept at most.
const MOST: usize = 32_768;

/// Values by what they are of. Each flow looks some up, so it hashes quickly, and with keys of this process's own, so
/// that who chooses addresses cannot choose what collides.
#[derive(Debug)]
pub struct Cache<K, V>(HashMap<K, Arc<V>, RandomState>);

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Eq + Hash, V> Cache<K, V> {
    /// The value of this key, made anew where there is none or it is not the same any more.
    pub fn get(
        &mut self,
        key: K,
        is_same: impl FnOnce(&V) -> bool,
        make: impl FnOnce() -> V,
    ) -> Arc<V> {
        if let Some(value) = self.0.get(&key)
            && is_same(value)
        {
            return Arc::clone(value);
        }
        if self.0.len() >= MOST {
            self.0.clear();
        }
        let value = Arc::new(make());
        self.0.insert(key, Arc::clone(&value));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shared_until_it_changes() {
        let mut cache = Cache::default();
        let first = cache.get(1, |_| true, || "one".to_owned());
        let again = cache.get(1, |kept| kept == "one", || "two".to_owned());
        assert!(Arc::ptr_eq(&first, &again));
        let changed = cache.get(1, |kept| kept == "two", || "two".to_owned());
        assert_eq!((first.as_str(), changed.as_str()), ("one", "two"));
    }

    #[test]
    fn it_never_holds_more_than_its_bound() {
        let mut cache = Cache::default();
        for key in 0..3 * MOST {
            cache.get(key, |_| true, || ());
            assert!(cache.0.len() <= MOST);
        }
    }
}
