//! Reads and writes, counted by how long they take.

use std::path::Path;

use chandra_tests::record::Record;
use chandra_tests::trace::Trace;

use crate::hooks::Hooks;
use crate::new_actor;

const READS: u64 = 1000;
const WRITES: u64 = 500;
const SLOW_MILLISECONDS: u64 = 100;

/// A process of which every system call is known: a command is one read, its answer one write.
pub fn latency(chandra: &Path, hooks: &mut Hooks) {
    let mut actor = new_actor();
    actor.wait_until_idle();
    let pid = actor.pid().to_string();
    let trace = Trace::start_program(chandra, &["vfs-latency", "--pid", &pid, "--by", "pid,comm"]);
    actor.ask(&format!("read {READS}"));
    actor.ask(&format!("write {WRITES}"));
    actor.ask(&format!("read-slowly {SLOW_MILLISECONDS}"));
    actor.wait_until_idle();
    let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    let outcome = trace.stop();
    hooks.served(&outcome);
    // The read of the first command began before the trace, that of the next one has not ended.
    for (operation, calls) in [("read", READS + 1 + 2), ("write", WRITES + 3)] {
        let of = |record: &&Record| record.text("operation") == Some(operation);
        let found: Vec<_> = outcome.records.iter().filter(of).collect();
        let outcome = match found[..] {
            [record] => compare(record, calls, operation, &pid, comm.trim_end()),
            _ => Err(format!("{} histograms of one operation", found.len())),
        };
        hooks.compared(operation, outcome);
    }
}

fn compare(
    record: &Record,
    calls: u64,
    operation: &str,
    pid: &str,
    comm: &str,
) -> Result<(), String> {
    let buckets = record.at("histogram.buckets").and_then(|value| value.as_array());
    let buckets = buckets.ok_or_else(|| format!("no buckets in {}", record.0))?;
    let bucket = |bucket: &serde_json::Value| {
        let number = |name: &str| bucket.get(name)?.as_u64();
        Some((number("lower_ns")?, number("upper_ns")?, number("count")?))
    };
    let buckets: Option<Vec<_>> = buckets.iter().map(bucket).collect();
    let buckets = buckets.ok_or_else(|| format!("strange buckets in {}", record.0))?;
    let in_order = buckets.iter().all(|(lower, upper, _)| *upper == (lower * 2).max(2));
    let counted: u64 = buckets.iter().map(|(.., count)| count).sum();
    // Who writes after that time may have begun to wait before the read did.
    let slow_ns = if operation == "read" { SLOW_MILLISECONDS * 1_000_000 / 2 } else { 0 };
    let slow = buckets.iter().any(|(_, upper, count)| *upper > slow_ns && *count > 0);
    // A value is at least its bucket's lower bound and below its upper bound.
    let sum = |bound: fn(&(u64, u64, u64)) -> u64| buckets.iter().map(bound).sum::<u64>();
    let sums = sum(|(lower, _, count)| lower * count)..=sum(|(_, upper, count)| upper * count);
    let number = |path: &str| record.number(path);
    let half = number("histogram.p50_at_most_ns").unwrap_or_default();
    let below: u64 =
        buckets.iter().filter(|(_, upper, _)| *upper <= half + 1).map(|(.., count)| count).sum();
    let is_right = in_order
        && slow
        && [Some(counted), number("histogram.count")] == [Some(calls); 2]
        && number("histogram.sum_ns").is_some_and(|sum| sum >= slow_ns && sums.contains(&sum))
        && below * 2 >= calls
        && number("pid") == pid.parse().ok()
        && record.text("comm") == Some(comm);
    let why = || format!("{calls} calls by {pid}, {comm}, but: {}", record.0);
    if is_right { Ok(()) } else { Err(why()) }
}
