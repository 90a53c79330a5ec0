//! Labels and annotations: pairs of texts with a ceiling on their number and on their sum.
//!
//! Invariants: sorted by key, each key once; a key is never cut, because a cut key is another key: a
//! pair whose key is too long is left out and counted.

use super::Text;

/// Sorted pairs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pairs {
    list: Vec<(Box<str>, Text)>,
    omitted: u32,
}

impl Pairs {
    /// How many pairs are kept.
    pub const MAX_PAIRS: usize = 128;
    /// How many bytes of keys and values are kept in sum.
    pub const MAX_BYTES: usize = 16 * 1024;
    /// The longest key; Kubernetes allows 253 + 1 + 63 bytes.
    pub const MAX_KEY_BYTES: usize = 320;

    /// The first of them in the order of keys, as many as are allowed.
    pub fn collect<'a>(pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut all: Vec<(&[u8], &[u8])> = pairs.into_iter().collect();
        // Stable, so that of equal keys the last one given wins, as in a map that was sent.
        all.sort_by_key(|(key, _)| *key);
        let total = all.len();
        let mut list: Vec<(Box<str>, Text)> = Vec::new();
        let (mut bytes, mut replaced) = (0, 0);
        for (key, value) in all {
            let Ok(key) = std::str::from_utf8(key) else { continue };
            let value = Text::lossy(value);
            let repeated = list.last().is_some_and(|(last, _)| **last == *key);
            if repeated && let Some((_, old)) = list.pop() {
                bytes -= key.len() + old.bytes();
                replaced += 1;
            }
            let grown = bytes + key.len() + value.bytes();
            let fits = key.len() <= Self::MAX_KEY_BYTES
                && list.len() < Self::MAX_PAIRS
                && grown <= Self::MAX_BYTES;
            if fits {
                bytes = grown;
                list.push((key.into(), value));
            }
        }
        let omitted = u32::try_from(total - replaced - list.len()).unwrap_or(u32::MAX);
        list.shrink_to_fit();
        Self { list, omitted }
    }

    /// What [`collect`](Self::collect) kept of some before, of which it omitted so many.
    pub fn kept<'a>(pairs: impl IntoIterator<Item = (&'a str, Text)>, omitted: u32) -> Self {
        let all: Vec<(&str, Text)> = pairs.into_iter().collect();
        let bytes = all.iter().map(|(key, value)| (key.as_bytes(), value.as_str().as_bytes()));
        let mut kept = Self::collect(bytes);
        for (key, value) in &mut kept.list {
            if let Some((_, given)) = all.iter().find(|(given, _)| *given == &**key) {
                *value = given.clone();
            }
        }
        Self { omitted: kept.omitted.saturating_add(omitted), ..kept }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Text> {
        let place = self.list.binary_search_by(|(known, _)| (**known).cmp(key)).ok()?;
        self.list.get(place).map(|(_, value)| value)
    }

    /// All that is kept, in the order of keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Text)> {
        self.list.iter().map(|(key, value)| (&**key, value))
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// None is kept.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there were beyond those: too many, too long, or with a key that is not UTF-8.
    pub fn omitted(&self) -> u32 {
        self.omitted
    }

    /// Memory on the heap.
    pub fn bytes(&self) -> usize {
        let texts = self.list.iter().map(|(key, value)| key.len() + value.bytes());
        self.list.len() * size_of::<(Box<str>, Text)>() + texts.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Pairs {
        Pairs::collect(list.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes())))
    }

    #[test]
    fn they_are_found_by_key_and_the_last_of_a_key_wins() {
        let pairs = pairs(&[("b", "2"), ("a", "1"), ("b", "3")]);
        assert_eq!(pairs.get("a").unwrap().as_str(), "1");
        assert_eq!(pairs.get("b").unwrap().as_str(), "3");
        assert_eq!(pairs.get("c"), None);
        assert_eq!((pairs.len(), pairs.omitted()), (2, 0));
    }

    #[test]
    fn a_value_of_a_megabyte_is_cut_and_a_key_of_one_left_out() {
        let long = "x".repeat(1 << 20);
        let pairs = pairs(&[("short", &long), (&long, "value")]);
        assert_eq!(pairs.get("short").unwrap().cut_bytes(), (1 << 20) - Text::MAX_BYTES as u64);
        assert_eq!((pairs.len(), pairs.omitted()), (1, 1));
    }

    #[test]
    fn ten_thousand_stay_under_the_ceiling() {
        let value = "v".repeat(Text::MAX_BYTES);
        let keys: Vec<String> = (0..10_000).map(|number| format!("key-{number:05}")).collect();
        let pairs = Pairs::collect(keys.iter().map(|key| (key.as_bytes(), value.as_bytes())));
        let kept = Pairs::MAX_BYTES / (value.len() + keys[0].len());
        assert_eq!((pairs.len(), pairs.omitted()), (kept, 10_000 - kept as u32));
    }

    #[test]
    fn hostile_values_are_kept_as_they_are() {
        let pairs = Pairs::collect([
            (b"k\x1b[2J".as_slice(), b"\x00\n".as_slice()),
            (b"\xff\xfe", b"x"),
            ("schlüssel".as_bytes(), b"\xff"),
        ]);
        assert_eq!(pairs.get("k\x1b[2J").unwrap().as_str(), "\0\n");
        assert_eq!(pairs.get("schlüssel").unwrap().as_str(), "\u{fffd}");
        assert_eq!((pairs.len(), pairs.omitted()), (2, 1));
    }
}
