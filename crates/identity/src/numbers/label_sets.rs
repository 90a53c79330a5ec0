//! The label sets that are in use, and which of them have the same number.

use super::LabelSet;
use crate::intern::{Heap, Interner};
use crate::process::index::Index;

/// Collisions that are kept to be told of; more are counted.
const MOST_COLLISIONS: usize = 64;
/// Most labels of each side that are told.
const MOST_LABELS: usize = 16;

/// Two label sets with the same number: whoever goes by numbers alone takes one for the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    /// The number of both.
    pub number: u32,
    /// Labels of the one that was there.
    pub first: String,
    /// Labels of the one that came.
    pub second: String,
}

/// Label sets by number, each kept once and as long as it is in use.
///
/// As many as their users: whoever uses them has a ceiling, and asks for [`LabelSets::bytes`].
#[derive(Debug)]
pub struct LabelSets {
    sets: Interner<LabelSet>,
    by_number: Index,
    collisions: Vec<Collision>,
    collided: u64,
}

impl Default for LabelSets {
    fn default() -> Self {
        Self::new()
    }
}

impl LabelSets {
    /// An empty one.
    pub fn new() -> Self {
        Self { sets: Interner::new(), by_number: Index::new(), collisions: Vec::new(), collided: 0 }
    }

    /// Counts a use of this set, and gives the key to it.
    pub fn intern(&mut self, set: LabelSet) -> u32 {
        let number = set.number();
        let (key, is_new) = self.sets.intern::<LabelSet, LabelSet>(set);
        if is_new {
            self.report_collision(number, key);
            self.by_number.insert(number, key);
        }
        key
    }

    /// The set behind a key.
    pub fn get(&self, key: u32) -> Option<&LabelSet> {
        self.sets.get(key)
    }

    /// The set with this number; of two, either.
    pub fn by_number(&self, number: u32) -> Option<&LabelSet> {
        let has_it = |key| self.sets.get(key).is_some_and(|set| set.number() == number);
        self.sets.get(self.by_number.find(number, has_it)?)
    }

    /// Ends a use.
    pub fn release(&mut self, key: u32) {
        if let Some(set) = self.sets.release(key) {
            self.by_number.remove(set.number(), key);
        }
    }

    /// How many sets there are.
    pub fn len(&self) -> usize {
        self.sets.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many numbers were found to be those of two sets. A number is counted once, unless 64
    /// others were before it.
    pub fn collided(&self) -> u64 {
        self.collided
    }

    /// The first of them.
    pub fn collisions(&self) -> &[Collision] {
        &self.collisions
    }

    /// Memory on the heap.
    pub fn bytes(&self) -> usize {
        self.sets.bytes() + self.by_number.bytes()
    }

    /// Bytes that one more set may add beside its own.
    pub(crate) fn growth(&self) -> usize {
        self.sets.growth(1) + self.by_number.growth(1)
    }

    /// Bytes of its own that a set would add.
    pub(crate) fn own_bytes(set: &LabelSet) -> usize {
        set.heap_bytes()
    }

    fn report_collision(&mut self, number: u32, key: u32) {
        let known = self.collisions.iter().any(|collision| collision.number == number);
        let (Some(first), false) = (self.by_number(number), known) else { return };
        let Some(second) = self.sets.get(key) else { return };
        let collision = Collision { number, first: text(first), second: text(second) };
        self.collided += 1;
        if self.collisions.len() < MOST_COLLISIONS {
            self.collisions.push(collision);
        }
    }
}

fn text(set: &LabelSet) -> String {
    let labels: Vec<String> = set.iter().take(MOST_LABELS).map(|label| label.to_string()).collect();
    labels.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::Pairs;

    fn set(namespace: &str, app: &str) -> LabelSet {
        LabelSet::new("", namespace, &Pairs::collect([(b"app".as_slice(), app.as_bytes())]))
    }

    #[test]
    fn a_set_is_kept_once_while_it_is_used() {
        let mut sets = LabelSets::new();
        let key = sets.intern(set("shop", "web"));
        assert_eq!(sets.intern(set("shop", "web")), key);
        let number = set("shop", "web").number();
        assert_eq!(sets.by_number(number), Some(&set("shop", "web")));
        sets.release(key);
        assert_eq!(sets.get(key), Some(&set("shop", "web")));
        sets.release(key);
        assert_eq!((sets.len(), sets.get(key), sets.by_number(number)), (0, None, None));
        assert_eq!(sets.collided(), 0);
    }

    #[test]
    fn two_sets_with_one_number_are_reported_once_and_both_work() {
        // Found by trying: these two have the same number.
        let (one, other) = (set("shop", COLLIDING.0), set("shop", COLLIDING.1));
        assert_eq!(one.number(), other.number());
        let mut sets = LabelSets::new();
        let first = sets.intern(one.clone());
        for _ in 0..3 {
            let second = sets.intern(other.clone());
            assert_eq!((sets.get(first), sets.get(second)), (Some(&one), Some(&other)));
            sets.release(second);
        }
        assert_eq!(sets.by_number(one.number()), Some(&one));
        let [collision] = sets.collisions() else { panic!("{:?}", sets.collisions()) };
        assert_eq!((sets.collided(), collision.number), (1, one.number()));
        let text = |app| format!("k8s:app={app},k8s:io.kubernetes.pod.namespace=shop");
        assert_eq!((&collision.first, &collision.second), (&text(COLLIDING.0), &text(COLLIDING.1)));
    }

    const COLLIDING: (&str, &str) = ("109137", "187391");
}
