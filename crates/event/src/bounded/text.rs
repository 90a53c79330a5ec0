//! A text from outside with a ceiling, which says what was cut off.

/// At most [`Text::MAX_BYTES`] of a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Text {
    kept: Box<str>,
    cut_bytes: u64,
}

impl Text {
    /// What is kept of a text; Kubernetes allows names of 253 and label values of 63 bytes.
    pub const MAX_BYTES: usize = 1024;

    /// What `as_str` gives of this text, without copying it. Cut between characters.
    pub fn new(text: &str) -> Self {
        let kept = &text[..text.floor_char_boundary(Self::MAX_BYTES)];
        Self { kept: kept.into(), cut_bytes: (text.len() - kept.len()) as u64 }
    }

    /// A text of which so many bytes were cut off before.
    pub fn cut(kept: &str, cut_bytes: u64) -> Self {
        let text = Self::new(kept);
        Self { cut_bytes: text.cut_bytes + cut_bytes, ..text }
    }

    /// Bytes that should be UTF-8. What is not becomes U+FFFD.
    pub fn lossy(bytes: &[u8]) -> Self {
        // A replaced byte makes three: what is beyond cannot be kept, and need not be copied.
        let head = bytes.get(..Self::MAX_BYTES + 4).unwrap_or(bytes);
        let mut text = Self::new(&String::from_utf8_lossy(head));
        text.cut_bytes += (bytes.len() - head.len()) as u64;
        text
    }

    /// The text, or its beginning.
    pub fn as_str(&self) -> &str {
        &self.kept
    }

    /// Nothing was kept, because there was nothing.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many bytes are missing at the end; 0 for a whole text.
    pub fn cut_bytes(&self) -> u64 {
        self.cut_bytes
    }

    /// Memory on the heap.
    pub fn bytes(&self) -> usize {
        self.kept.len()
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_whole() {
        let text = Text::new("nginx");
        assert_eq!((text.as_str(), text.cut_bytes()), ("nginx", 0));
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_says_so() {
        let long = format!("{}ä{}", "x".repeat(Text::MAX_BYTES - 1), "y".repeat(1 << 20));
        let text = Text::new(&long);
        assert_eq!(text.as_str(), "x".repeat(Text::MAX_BYTES - 1));
        assert_eq!(text.cut_bytes(), 2 + (1 << 20));
        assert_eq!(Text::lossy(long.as_bytes()), text);
        assert_eq!(Text::cut(text.as_str(), text.cut_bytes()), text);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        assert_eq!(Text::lossy(b"a\xffb\x1b").as_str(), "a\u{fffd}b\u{1b}");
        let noise = vec![0xff; 1 << 20];
        assert!(Text::lossy(&noise).bytes() <= Text::MAX_BYTES);
    }
}
