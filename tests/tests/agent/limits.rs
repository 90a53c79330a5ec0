//! A trace ends by itself when it was told when to, and counts in the kernel what it was told to.

use std::path::Path;
use std::time::{Duration, Instant};

use chandra_tests::needs;
use chandra_tests::storm;
use chandra_tests::trace::Trace;

#[test]
fn after_a_number_of_records() {
    needs!("root");
    let user = storm::user();
    let trace = Trace::start(&["exec", "--uid", &user.to_string(), "--count", "7"]);
    storm::execute_many(Path::new("/bin/true"), 50, user);
    let outcome = trace.end();
    assert_eq!(outcome.records.len(), 7);
    outcome.summary_without_loss();
}

#[test]
fn after_a_time() {
    needs!("root");
    let user = storm::user();
    let started = Instant::now();
    let trace = Trace::start(&["exec", "--uid", &user.to_string(), "--duration", "500ms"]);
    storm::execute_many(Path::new("/bin/true"), 5, user);
    let outcome = trace.end();
    assert!(started.elapsed() >= Duration::from_millis(500));
    assert_eq!(outcome.summary_without_loss().number("shown"), Some(5));
}

#[test]
fn by_a_request_to_terminate() {
    needs!("root");
    let trace = Trace::start(&["exec"]);
    trace.signal(libc::SIGTERM);
    trace.end().summary();
}

#[test]
fn counts_by_fields_add_up() {
    needs!("root");
    let users = [storm::user(), storm::user()];
    let option = format!("{},{}", users[0], users[1]);
    let trace =
        Trace::start(&["exec", "--type", "exec,exit", "--uid", &option, "--by", "type,uid,comm"]);
    storm::execute_many(Path::new("/bin/true"), 300, users[0]);
    storm::execute_many(Path::new("/bin/true"), 200, users[1]);
    let outcome = trace.stop();
    let summary = outcome.summary_without_loss();
    assert_eq!(summary.number("aggregated"), Some(1000));
    let mut rows: Vec<_> = outcome
        .records
        .iter()
        .map(|row| {
            let uid = u32::try_from(row.number("uid").unwrap()).unwrap();
            assert_eq!(row.text("comm"), Some("true"));
            assert!(row.at("count").unwrap().is_string());
            (row.kind().to_owned(), uid, row.number("count").unwrap())
        })
        .collect();
    rows.sort();
    let mut truth = vec![];
    for kind in ["exec", "exit"] {
        truth.extend([(kind.to_owned(), users[0], 300), (kind.to_owned(), users[1], 200)]);
    }
    truth.sort();
    assert_eq!(rows, truth);
}
