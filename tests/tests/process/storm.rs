//! More processes than anybody can look at: none is lost, or it is known exactly how many were.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::storm;
use chandra_tests::trace::{Outcome, Trace};

const EXECS: u32 = 20_000;

fn tiny_program() -> &'static Path {
    Path::new("/bin/true")
}

/// Traces what this user executes; `--type` and further options are the caller's.
fn trace(user: u32, options: &[&str]) -> Trace {
    Trace::start(&[&["exec", "--uid", &user.to_string()], options].concat())
}

fn processes(outcome: &Outcome, kind: &str) -> HashSet<(u64, u64)> {
    let identity = |record: &Record| {
        (record.number("process.pid").unwrap(), record.number("process.start_boottime_ns").unwrap())
    };
    outcome.records.iter().filter(|record| record.kind() == kind).map(identity).collect()
}

#[test]
fn every_exec_and_every_exit_comes_through() {
    needs!("root");
    let user = storm::user();
    let trace_started = Instant::now();
    let mut trace = trace(user, &["--type", "exec,exit"]);
    storm::execute_many(tiny_program(), EXECS, user);
    let took = trace_started.elapsed();
    trace.wait_for_lines(2 * EXECS as usize);
    let outcome = trace.stop();
    let summary = outcome.summary_without_loss();
    assert_eq!(summary.number("shown"), Some(2 * u64::from(EXECS)));
    let (executed, ended) = (processes(&outcome, "exec"), processes(&outcome, "exit"));
    assert_eq!(executed.len(), EXECS as usize);
    assert_eq!(executed, ended);
    println!("{EXECS} execs in {took:?}");
}

/// Stops the reader for half of the storm, so that records must be lost, and compares the books.
fn losses_are_counted(ring: &str) {
    let user = storm::user();
    let trace = trace(user, &["--ring", ring, "--ring-size", "4096"]);
    storm::execute_many(tiny_program(), EXECS / 2, user);
    trace.signal(libc::SIGSTOP);
    storm::execute_many(tiny_program(), EXECS / 2, user);
    trace.signal(libc::SIGCONT);
    // What lies in the ring is still read when it is asked to end.
    let outcome = trace.stop();
    let summary = outcome.summary();
    let [shown, lost] = ["shown", "lost"].map(|name| summary.number(name).unwrap());
    assert_eq!(shown + lost, u64::from(EXECS), "{summary:?}");
    assert!(shown > 0 && lost > u64::from(EXECS / 4), "{summary:?}");
    assert_eq!(processes(&outcome, "exec").len() as u64, shown);
    println!("ring {ring}: {shown} shown, {lost} lost");
}

#[test]
fn a_ring_of_one_page_counts_its_losses() {
    needs!("root");
    losses_are_counted("ring");
}

#[test]
fn a_perf_buffer_of_one_page_counts_its_losses() {
    needs!("root");
    losses_are_counted("perf");
}

#[test]
fn a_perf_buffer_of_the_usual_size_loses_nothing() {
    needs!("root");
    let user = storm::user();
    let mut trace = trace(user, &["--ring", "perf"]);
    storm::execute_many(tiny_program(), EXECS / 4, user);
    trace.wait_for_lines(EXECS as usize / 4);
    let outcome = trace.stop();
    assert_eq!(outcome.summary_without_loss().number("shown"), Some(u64::from(EXECS / 4)));
}
