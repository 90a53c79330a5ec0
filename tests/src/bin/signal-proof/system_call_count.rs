//! System calls of one process that makes a known number of them.

use std::path::Path;
use std::time::Instant;

use chandra_tests::record::Record;
use chandra_tests::trace::{Outcome, Trace};

use crate::hooks::Hooks;
use crate::new_actor;

const ASKED: u64 = 12_345;
const FAILED: u64 = 321;
const SLEEPS: u64 = 5;
const SLEEP_MILLISECONDS: u64 = 20;

/// To the unit, with errors and times.
pub fn counts(chandra: &Path, hooks: &mut Hooks) {
    let mut actor = new_actor();
    actor.wait_until_idle();
    let pid = actor.pid().to_string();
    let trace = Trace::start_program(chandra, &["syscall-counts", "--pid", &pid]);
    let started = Instant::now();
    actor.ask(&format!("ask-parent {ASKED}"));
    actor.ask(&format!("close-nothing {FAILED}"));
    actor.ask(&format!("sleep {SLEEP_MILLISECONDS} {SLEEPS}"));
    actor.wait_until_idle();
    let elapsed = started.elapsed();
    let outcome = trace.stop();
    hooks.served(&outcome);
    let mut problems = Vec::new();
    // It reads a command that began before anybody listened, and two more; each is answered.
    for (call, count, errors) in [
        ("getppid", ASKED, 0),
        ("close", FAILED, FAILED),
        ("clock_nanosleep", SLEEPS, 0),
        ("write", 3, 0),
        ("read", 2, 0),
    ] {
        let of_it = rows(&outcome, call);
        let [row] = of_it[..] else {
            problems.push(format!("{} rows of {call}", of_it.len()));
            continue;
        };
        let found = ["histogram.count", "errors"].map(|path| row.number(path));
        let bad = row.number("error_counts.EBADF").unwrap_or(0);
        if found != [Some(count), Some(errors)] || bad != errors {
            problems.push(format!("{count} calls, {errors} errors, but {}", row.0));
        }
    }
    let slept =
        rows(&outcome, "clock_nanosleep").first().and_then(|row| row.number("histogram.sum_ns"));
    let least = SLEEPS * SLEEP_MILLISECONDS * 1_000_000;
    let most = u64::try_from(elapsed.as_nanos()).unwrap();
    if !slept.is_some_and(|slept| (least..=most).contains(&slept)) {
        problems.push(format!("slept {slept:?} ns, in truth from {least} to {most}"));
    }
    let outcome = if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) };
    hooks.compared("sys_enter", outcome);
}

fn rows<'a>(outcome: &'a Outcome, call: &str) -> Vec<&'a Record> {
    outcome.records.iter().filter(|row| row.text("call") == Some(call)).collect()
}
