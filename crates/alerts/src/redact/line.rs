//! Secrets in a command line, or in any text: what the text itself tells, and what its words tell.

use std::ops::Range;

use super::spans::Spans;
use super::{text, words};

/// Quotes within quotes are looked into so deep.
const MAX_DEPTH: usize = 3;

/// Adds all that is secret in this text.
pub(crate) fn scan(line: &[u8], spans: &mut Spans) {
    text::scan(line, spans);
    scan_words(line, 0, MAX_DEPTH, spans);
}

/// Adds what is secret in each of these arguments, by its index.
pub(crate) fn scan_arguments(arguments: &[&[u8]], spans: &mut [Spans]) {
    words::scan(arguments, &mut |index, range, kind| {
        if let Some(spans) = spans.get_mut(index) {
            spans.add(range, kind);
        }
    });
    for (argument, spans) in arguments.iter().zip(spans) {
        text::scan(argument, spans);
        if argument.iter().any(u8::is_ascii_whitespace) {
            scan_words(argument, 0, MAX_DEPTH, spans);
        }
    }
}

fn scan_words(line: &[u8], offset: usize, depth: usize, spans: &mut Spans) {
    let ranges = split(line);
    let of = |range: &Range<usize>| line.get(range.clone()).unwrap_or_default();
    let all: Vec<&[u8]> = ranges.iter().map(of).collect();
    words::scan(&all, &mut |index, range, kind| {
        let start = offset + ranges.get(index).map_or(0, |range| range.start);
        spans.add(start + range.start..start + range.end, kind);
    });
    if depth == 0 {
        return;
    }
    for range in &ranges {
        // A script: `sh -c '…'`.
        if of(range).iter().any(u8::is_ascii_whitespace) {
            let is_quote = |byte: &u8| matches!(byte, b'\'' | b'"');
            let before = range.start.checked_sub(1).and_then(|at| line.get(at));
            let quote = of(range).iter().position(is_quote);
            let quote = quote.filter(|_| !before.is_some_and(is_quote));
            let skipped = quote.map_or(0, |at| at + 1);
            let inner = range.start + skipped..range.end;
            scan_words(of(&inner), offset + inner.start, depth - 1, spans);
        }
    }
}

/// The words of a line, as a shell would part them but for what it would make of them. A word that is
/// quoted as a whole is given without its quotes. A quote that is never closed is a letter.
fn split(line: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut never_closed = [false; 2];
    let mut at = 0;
    while let Some(byte) = line.get(at) {
        if byte.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let start = at;
        let mut quoted_to = None;
        while let Some(byte) = line.get(at).filter(|byte| !byte.is_ascii_whitespace()) {
            let quote = [b'\'', b'"'].iter().position(|quote| quote == byte);
            let opens = at == start
                || line.get(at - 1).is_some_and(|before| {
                    matches!(before, b'=' | b':' | b'(' | b'$' | b',' | b'{')
                        || is_letter_flag(line, start, at)
                });
            if let Some(which) = quote.filter(|_| opens)
                && let Some(never) = never_closed.get_mut(which).filter(|never| !**never)
            {
                match close(line, at) {
                    Some(closing) => {
                        quoted_to = (at == start).then_some(closing + 1);
                        at = closing;
                    }
                    None => *never = true,
                }
            }
            at += 1;
        }
        // Operators may stick to the word before them.
        let end = if at > start + 1 && line.get(at - 1) == Some(&b';') { at - 1 } else { at };
        ranges.push(if quoted_to == Some(end) { start + 1..end - 1 } else { start..end });
        if end < at {
            ranges.push(end..at);
        }
    }
    ranges
}

/// `-p'…'`
fn is_letter_flag(line: &[u8], start: usize, at: usize) -> bool {
    at == start + 2 && line.get(start) == Some(&b'-')
}

/// Where the quote is closed that is opened there.
fn close(line: &[u8], opened: usize) -> Option<usize> {
    let quote = line.get(opened)?;
    let mut is_escaped = false;
    for (index, byte) in line.iter().enumerate().skip(opened + 1) {
        if is_escaped {
            is_escaped = false;
        } else if *byte == b'\\' && *quote == b'"' {
            is_escaped = true;
        } else if byte == quote {
            return Some(index);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<&str> {
        split(line.as_bytes()).into_iter().map(|range| &line[range]).collect()
    }

    #[test]
    fn a_line_is_parted_as_a_shell_would() {
        assert_eq!(words("  a  'b c' d=\"e f\" g"), ["a", "b c", "d=\"e f\"", "g"]);
        assert_eq!(words("a -p'b c'; d"), ["a", "-p'b c'", ";", "d"]);
        assert_eq!(words(r#"sh -c "echo \"x y\"" z"#), ["sh", "-c", r#"echo \"x y\""#, "z"]);
    }

    #[test]
    fn a_quote_that_is_never_closed_is_a_letter() {
        assert_eq!(words("don't 'a b"), ["don't", "'a", "b"]);
    }
}
