//! An alert as a line of text, as Falco prints it: `16:31:56.746609046: Error What happened (user=root)`.

use std::time::{Duration, SystemTime};

use chandra_event::text::escape;

use super::{Alert, Folded, Redacted};

impl Redacted {
    /// The line, without its end. The time is of the day, in UTC. Nothing in it moves or hides anything
    /// on a terminal.
    pub fn text(&self) -> String {
        let Alert { time_ns, priority, output, .. } = self.alert();
        let time = rfc3339(*time_ns);
        let time = time.get("YYYY-MM-DDT".len()..time.len() - 1).unwrap_or_default();
        format!("{time}: {} {}{}", priority.word(), escape(output.as_bytes()), self.more())
    }

    /// What is said of alerts that were folded into this.
    fn more(&self) -> String {
        let Some(Folded { count, first_ns }) = self.folded() else { return String::new() };
        format!(" (folded: {count} times since {})", rfc3339(first_ns))
    }
}

/// `2026-11-26T16:31:56.746609046Z`
pub(super) fn rfc3339(time_ns: u64) -> String {
    let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(time_ns);
    humantime::format_rfc3339_nanos(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_line_is_as_falco_prints_it() {
        let redacted = Redacted::new(sample::alert(), None);
        let expected = "16:31:56.746609046: Error File below a known binary directory opened for writing \
                        (user=root command=touch /bin/hack file=/bin/hack)";
        assert_eq!(redacted.text(), expected);
    }

    #[test]
    fn what_was_folded_is_said_in_the_line() {
        let folded = Folded { count: 41, first_ns: 1_507_566_716_000_000_000 };
        let text = Redacted::new(sample::alert(), Some(folded)).text();
        assert!(text.ends_with("hack) (folded: 41 times since 2017-10-09T16:31:56.000000000Z)"));
    }

    #[test]
    fn a_terminal_is_left_as_it_is() {
        let output = "a\u{1b}[2Jb\nc\u{202e}d".to_owned();
        let text = Redacted::new(Alert { output, ..sample::alert() }, None).text();
        assert!(text.ends_with(r"Error a\x1b[2Jb\nc\u{202e}d"), "{text}");
    }
}
