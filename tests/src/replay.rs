//! What Chandra's own rules say of records, by `chandra replay`.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use crate::record::Record;
use crate::scratch::Scratch;
use crate::trace::chandra;

/// The alerts that all of the default rules make of these records.
///
/// # Panics
/// When they cannot be replayed.
#[track_caller]
pub fn default_alerts(records: &[Record]) -> Vec<Record> {
    let scratch = Scratch::new();
    let lines = records.iter().fold(String::new(), |mut lines, record| {
        writeln!(lines, "{}", record.0).unwrap();
        lines
    });
    let events = scratch.at("events.jsonl");
    fs::write(&events, lines).unwrap();
    let mut command = Command::new(chandra());
    command.arg("replay").arg(events).args(["--rules", "default,default-files"]);
    let output = command.args(["--all-matching", "-o", "json"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(Record::parse).collect()
}
