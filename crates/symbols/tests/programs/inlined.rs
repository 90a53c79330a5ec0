//! Functions of Rust that are inlined into one another: for comparing with other tools.
use std::collections::{BTreeMap, HashMap};

#[inline(always)]
fn innermost(value: u64) -> u64 {
    value.rotate_left(7) ^ 0x9e37
}

#[inline(always)]
fn middle(value: u64) -> u64 {
    let mut sum = 0;
    for round in 0..value % 9 {
        sum += innermost(value + round);
    }
    sum
}

trait Count {
    fn count(&self, word: &str) -> usize;
}

struct Words(Vec<String>);

impl Count for Words {
    fn count(&self, word: &str) -> usize {
        self.0.iter().filter(|other| other.eq_ignore_ascii_case(word)).count()
    }
}

#[inline(never)]
fn outer<T: AsRef<[u64]>>(values: T) -> u64 {
    values.as_ref().iter().map(|value| middle(*value)).sum()
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let mut sorted: BTreeMap<String, usize> = BTreeMap::new();
    let mut hashed: HashMap<usize, u64> = HashMap::new();
    for (number, word) in words.iter().enumerate() {
        *sorted.entry(word.to_lowercase()).or_default() += number;
        hashed.insert(word.len(), outer(vec![number as u64; word.len()]));
    }
    let mut numbers: Vec<u64> = hashed.values().copied().collect();
    numbers.sort_unstable_by(|one, other| other.cmp(one));
    println!("{sorted:?} {numbers:?} {}", Words(words).count("a"));
}
