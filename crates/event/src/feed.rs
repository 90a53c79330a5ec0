//! Records of all kinds in one stream for people: what, who, and then only what this record has to
//! say, each value behind the name of its column. Where a table would be mostly empty cells.

use std::fmt::Write;

use crate::record::{Record, Shown};
use crate::text;
use crate::value::{Type, Value};

/// Writes records as lines of a feed.
#[derive(Debug, Default)]
pub struct Feed {
    line: String,
    cell: String,
}

impl Feed {
    /// Appends the line of a record.
    pub fn write_record(&mut self, record: &dyn Record, out: &mut Vec<u8>) {
        let Self { line, cell } = self;
        let (mut pid, mut comm) = (String::new(), String::new());
        line.clear();
        record.visit(&mut |field, value| {
            let shown = matches!(field.shown, Shown::Table | Shown::TableOnly);
            if !shown || value == Value::Absent {
                return;
            }
            cell.clear();
            text::push_value(value, field.unit(), false, cell);
            match (field.path, field.value_type) {
                ("process.pid", _) => pid.clone_from(cell),
                ("process.comm", _) => comm.clone_from(cell),
                ("process.ppid" | "process.uid", _) => {}
                ("connection.local" | "packet.source", _) => line.push_str(cell),
                ("connection.peer" | "packet.destination", _) => {
                    let _ = write!(line, " -> {cell}");
                }
                (_, Type::Arguments) => {
                    let _ = write!(line, " {cell}");
                }
                _ => {
                    let _ = write!(line, "  {} {cell}", field.column.to_lowercase());
                }
            }
        });
        let time = record.time();
        let who = format!("{pid:>7} {comm:<15}");
        let rest = line.trim_start();
        let line = format!("{} {:<18} {who} {rest}", time.time_of_day(), record.kind().name);
        out.extend_from_slice(line.trim_end().as_bytes());
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_says_what_who_and_only_what_there_is_to_say() {
        let mut feed = Feed::default();
        let mut out = Vec::new();
        crate::samples::each(&mut |record| feed.write_record(record, &mut out));
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), crate::KINDS.len());
        let established = text.lines().find(|line| line.contains("tcp_established")).unwrap();
        assert_eq!(
            established,
            "09:10:11.123 tcp_established         99 curl            10.0.0.1:40000 -> 10.0.0.2:443  latency 350µs"
        );
        assert!(!text.chars().any(|character| character.is_control() && character != '\n'));
    }
}
