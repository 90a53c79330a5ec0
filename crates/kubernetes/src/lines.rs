//! Lines of a stream that may be cut anywhere, each with a ceiling.
//!
//! Invariant: no more than the ceiling is kept, however long a line is.

/// What is kept for the next line after a long one.
const USUAL_BYTES: usize = 64 << 10;

/// One line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    Whole(&'a [u8]),
    /// It was longer than the ceiling, and is passed over.
    TooLong,
}

/// Puts lines together.
#[derive(Debug)]
pub(crate) struct Lines {
    begun: Vec<u8>,
    is_too_long: bool,
    max_bytes: usize,
}

impl Lines {
    pub fn new(max_bytes: usize) -> Self {
        Self { begun: Vec::new(), is_too_long: false, max_bytes }
    }

    /// Takes in the next bytes and gives each line that ends in them.
    pub fn feed<E>(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, behind) = rest.split_at(end);
            self.extend(line);
            let is_too_long = std::mem::take(&mut self.is_too_long);
            let taken = if is_too_long {
                take(Line::TooLong)
            } else if self.begun.is_empty() {
                Ok(())
            } else {
                take(Line::Whole(&self.begun))
            };
            self.begun.clear();
            self.begun.shrink_to(USUAL_BYTES);
            taken?;
            rest = behind.get(1..).unwrap_or_default();
        }
        self.extend(rest);
        Ok(())
    }

    fn extend(&mut self, bytes: &[u8]) {
        if self.begun.len() + bytes.len() > self.max_bytes {
            self.is_too_long = true;
            self.begun = Vec::new();
        }
        if !self.is_too_long {
            self.begun.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(input: &[u8], step: usize, max_bytes: usize) -> Vec<String> {
        let mut lines = Lines::new(max_bytes);
        let mut out = Vec::new();
        for chunk in input.chunks(step) {
            let taken = lines.feed(chunk, |line| {
                out.push(match line {
                    Line::Whole(line) => String::from_utf8_lossy(line).into_owned(),
                    Line::TooLong => "(too long)".to_owned(),
                });
                Ok::<_, ()>(())
            });
            assert_eq!(taken, Ok(()));
            assert!(lines.begun.len() <= max_bytes);
        }
        out
    }

    #[test]
    fn lines_are_the_same_wherever_the_stream_is_cut() {
        for step in 1..20 {
            let lines = split(b"one\n\ntwo\nfar too long\nthree\nrest", step, 5);
            assert_eq!(lines, ["one", "two", "(too long)", "three"], "{step}");
        }
    }

    #[test]
    fn a_line_without_end_keeps_nothing() {
        let mut lines = Lines::new(100);
        for _ in 0..1000 {
            assert_eq!(lines.feed(&[b'x'; 1000], |_| Err("a line")), Ok(()));
            assert_eq!(lines.begun.capacity(), 0);
        }
    }

    #[test]
    fn nothing_is_given_after_a_line_that_was_not_taken() {
        let mut lines = Lines::new(100);
        let mut given = 0;
        let taken = lines.feed(b"a\nb\n", |_| {
            given += 1;
            Err(())
        });
        assert_eq!((taken, given), (Err(()), 1));
    }
}
