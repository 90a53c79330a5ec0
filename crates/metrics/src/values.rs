//! The values of a series' labels, made again and again in one buffer.
//!
//! They lie one after the other, each ended by a byte that no text has, so that a series is looked up by
//! one hash and one comparison of bytes, and a series that is known costs no allocation.

use std::fmt;

/// Ends a value: no byte of UTF-8.
const END: u8 = 0xff;

/// Longer values are cut: names of Kubernetes and of DNS end at 253, and memory has to be bounded.
pub const MAX_VALUE_BYTES: usize = 1024;

/// Values of labels, in the order of a family's labels.
///
/// A value is written piece by piece, by [`Values::add`] or `write!`, and then ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    bytes: Vec<u8>,
    /// Where the value that is being written begins.
    begin: usize,
    count: usize,
}

impl Values {
    /// Forgets all, and keeps the memory.
    pub fn clear(&mut self) {
        self.truncate(&Mark::default());
    }

    /// A whole value.
    pub fn push(&mut self, value: &str) {
        self.add(value);
        self.end();
    }

    /// A piece of a value.
    pub fn add(&mut self, piece: &str) {
        self.bytes.extend_from_slice(piece.as_bytes());
    }

    /// The value so far is empty.
    pub fn is_value_empty(&self) -> bool {
        self.bytes.len() == self.begin
    }

    /// Ends a value.
    pub fn end(&mut self) {
        let value = self.bytes.get(self.begin..).unwrap_or_default();
        if value.len() > MAX_VALUE_BYTES {
            let is_inner = |byte: &u8| byte & 0xc0 == 0x80;
            let mut end = MAX_VALUE_BYTES;
            while value.get(end).is_some_and(is_inner) {
                end -= 1;
            }
            self.bytes.truncate(self.begin + end);
        }
        self.bytes.push(END);
        self.begin = self.bytes.len();
        self.count += 1;
    }

    /// How far it is written, to come back to.
    pub fn mark(&self) -> Mark {
        Mark { begin: self.begin, count: self.count }
    }

    /// Forgets all values from there on.
    pub fn truncate(&mut self, mark: &Mark) {
        self.bytes.truncate(mark.begin);
        (self.begin, self.count) = (mark.begin, mark.count);
    }

    /// How many values are ended.
    pub fn len(&self) -> usize {
        self.count
    }

    /// No value is ended.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The values that are ended, as bytes.
    pub(crate) fn key(&self) -> &[u8] {
        self.bytes.get(..self.begin).unwrap_or_default()
    }
}

/// A place in [`Values`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Mark {
    begin: usize,
    count: usize,
}

impl fmt::Write for Values {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.add(piece);
        Ok(())
    }
}

impl<'a> FromIterator<&'a str> for Values {
    fn from_iter<I: IntoIterator<Item = &'a str>>(values: I) -> Self {
        let mut all = Self::default();
        values.into_iter().for_each(|value| all.push(value));
        all
    }
}

/// The values of a key.
pub(crate) fn split(key: &[u8]) -> impl Iterator<Item = &str> {
    let values = key.split_inclusive(|byte| *byte == END);
    values
        .map(|value| std::str::from_utf8(value.strip_suffix(&[END]).unwrap_or(value)))
        // Made from text, so it is text.
        .map(Result::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    fn told(values: &Values) -> Vec<&str> {
        split(values.key()).collect()
    }

    #[test]
    fn values_come_out_as_they_went_in() {
        let mut values = Values::default();
        assert!(values.is_empty() && told(&values).is_empty());
        values.push("");
        let name = "web-0";
        write!(values, "shop/{name}").unwrap();
        assert!(!values.is_value_empty());
        values.end();
        assert!(values.is_value_empty());
        values.push("ÿ\u{0}\n");
        values.push("");
        assert_eq!(told(&values), ["", "shop/web-0", "ÿ\u{0}\n", ""]);
        assert_eq!(values.len(), 4);
    }

    #[test]
    fn what_moves_from_one_value_to_the_next_makes_another_key() {
        let values = |all: &[&str]| all.iter().copied().collect::<Values>();
        assert_ne!(values(&["ab", "c"]).key(), values(&["a", "bc"]).key());
        assert_ne!(values(&["a", ""]).key(), values(&["a"]).key());
    }

    #[test]
    fn values_are_taken_back_to_a_mark() {
        let mut values: Values = ["a"].into_iter().collect();
        let mark = values.mark();
        values.push("b");
        values.add("c");
        values.truncate(&mark);
        values.push("d");
        assert_eq!(told(&values), ["a", "d"]);
        values.clear();
        assert!(values.is_empty() && values.key().is_empty());
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        for (piece, kept) in [("a", MAX_VALUE_BYTES), ("ü", MAX_VALUE_BYTES), ("€", 1023)] {
            let values: Values = [piece.repeat(2000).as_str(), "b"].into_iter().collect();
            let told = told(&values);
            assert_eq!((told[0].len(), told[1]), (kept, "b"));
            assert!(piece.repeat(2000).starts_with(told[0]));
        }
    }
}
