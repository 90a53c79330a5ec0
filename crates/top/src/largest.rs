//! Figures by key, of which the largest are kept. What falls out is not lost: it is summed up.

use std::collections::HashMap;
use std::hash::Hash;

/// What is summed up.
pub trait Figures: Default {
    /// How much it matters that it is kept.
    fn weight(&self) -> u64;
    /// Adds what was found for another key.
    fn add(&mut self, other: &Self);
}

/// See the [module](self). Holds twice as many as it keeps before it makes room, so that making room costs
/// little per entry.
#[derive(Debug)]
pub struct Largest<K, F> {
    kept: HashMap<K, F>,
    most: usize,
    others: F,
    others_count: u64,
}

impl<K: Eq + Hash + Ord + Clone, F: Figures> Largest<K, F> {
    /// Keeps so many.
    pub fn new(most: usize) -> Self {
        Self { kept: HashMap::new(), most: most.max(1), others: F::default(), others_count: 0 }
    }

    /// Those of a key, which has some from now on.
    pub fn of(&mut self, key: K) -> &mut F {
        if self.kept.len() >= self.most.saturating_mul(2) && !self.kept.contains_key(&key) {
            self.make_room();
        }
        self.kept.entry(key).or_default()
    }

    /// Those of a key, if it has some.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut F> {
        self.kept.get_mut(key)
    }

    /// The largest, with the largest first, once all was added.
    pub fn rows(&mut self) -> Vec<(&K, &F)> {
        self.make_room();
        let mut rows: Vec<_> = self.kept.iter().collect();
        rows.sort_by(|left, right| {
            right.1.weight().cmp(&left.1.weight()).then_with(|| left.0.cmp(right.0))
        });
        rows
    }

    /// What fell out, and how many times one did; a key that came back after it fell out may fall out again.
    pub fn others(&self) -> Option<(&F, u64)> {
        (self.others_count > 0).then_some((&self.others, self.others_count))
    }

    fn make_room(&mut self) {
        let surplus = self.kept.len().saturating_sub(self.most);
        if surplus == 0 {
            return;
        }
        let mut order: Vec<_> =
            self.kept.iter().map(|(key, figures)| (figures.weight(), key.clone())).collect();
        order.sort_unstable();
        for (_, key) in order.into_iter().take(surplus) {
            if let Some(figures) = self.kept.remove(&key) {
                self.others.add(&figures);
                self.others_count += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq)]
    struct Count(u64);

    impl Figures for Count {
        fn weight(&self) -> u64 {
            self.0
        }

        fn add(&mut self, other: &Self) {
            self.0 += other.0;
        }
    }

    #[test]
    fn the_largest_are_kept_and_nothing_is_lost() {
        let mut largest = Largest::<_, Count>::new(3);
        for round in 1..=100_u64 {
            largest.of(round).0 += round;
            assert!(largest.kept.len() <= 6);
        }
        let rows: Vec<_> = largest.rows().into_iter().map(|(key, count)| (*key, count.0)).collect();
        assert_eq!(rows, [(100, 100), (99, 99), (98, 98)]);
        let (others, fell_out) = largest.others().unwrap();
        assert_eq!((others.0 + 100 + 99 + 98, fell_out), (5050, 97));
    }

    #[test]
    fn where_all_fit_there_are_no_others() {
        let mut largest = Largest::<_, Count>::new(2);
        largest.of("b").0 += 1;
        largest.of("a").0 += 1;
        assert_eq!(largest.rows(), [(&"a", &Count(1)), (&"b", &Count(1))]);
        assert_eq!(largest.others(), None);
    }
}
