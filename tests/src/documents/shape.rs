//! What a page shows is compared with what comes by its shape: the same words in the same places, whatever the
//! numbers, times and addresses are, and however wide the columns.

/// The lines of `shown` that no line of `printed` has the shape of. What is `…` in a line stands for anything, and
/// a line of it alone for any lines.
pub fn missing(shown: &[String], printed: &str) -> Vec<String> {
    let printed: Vec<_> = printed.lines().map(shape).collect();
    let shown = shown.iter().filter(|line| !["", "…"].contains(&line.trim()));
    let is_missing = |line: &&String| !printed.iter().any(|printed| fits(&shape(line), printed));
    shown.filter(is_missing).cloned().collect()
}

/// A line with single spaces, and `0` for each number with what belongs to it: its unit, further digits of a time,
/// an address or a version.
fn shape(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        let mut shape = String::new();
        let mut characters = word.chars().peekable();
        while let Some(character) = characters.next() {
            if !character.is_ascii_digit() {
                shape.push(character);
                continue;
            }
            while characters
                .next_if(|next| next.is_ascii_alphanumeric() || ".,:µ".contains(*next))
                .is_some()
            {}
            shape.push('0');
        }
        shape
    });
    words.collect::<Vec<_>>().join(" ")
}

fn fits(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(rest) = parts.next().and_then(|first| printed.strip_prefix(first)) else {
        return false;
    };
    let mut rest = Some(rest);
    let mut last = None;
    for part in parts {
        rest = rest.and_then(|rest| rest.find(part).map(|place| &rest[place + part.len()..]));
        last = Some(part);
    }
    match last {
        None => rest == Some(""),
        Some(last) => rest.is_some() && printed.ends_with(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_like(shown: &str, printed: &str) -> bool {
        missing(&[shown.to_owned()], printed).is_empty()
    }

    #[test]
    fn numbers_times_and_addresses_are_all_the_same() {
        assert!(is_like(
            "02:45:41.143 tcp_accept   31641 chandra  127.0.0.1:9965 -> 127.0.0.1:36910  queued 95µs",
            "other\n14:01:00.001 tcp_accept 7 chandra 127.0.0.1:1 -> 127.0.0.1:2 queued 1.2ms\n",
        ));
        assert!(is_like("Flows: 49/92,317 (0.05%)", "Flows: 1/2 (7%)"));
    }

    #[test]
    fn words_are_not() {
        assert!(!is_like("6 signals active", "6 signals failed"));
        assert!(!is_like("6 signals active", "6 signals active, 1 failed"));
        assert!(!is_like("a line", ""));
    }

    #[test]
    fn dots_stand_for_anything() {
        assert!(is_like(
            "signal tcp: active (state by …), ring",
            "signal tcp: active (state by raw_tp), ring"
        ));
        assert!(!is_like("signal tcp: active (state by …), ring", "signal tcp: failed (no), ring"));
        assert!(is_like("…", ""));
    }
}
