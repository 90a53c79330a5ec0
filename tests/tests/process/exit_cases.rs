//! Every way to end: the record must say what wait(2) says, once for each process.

use std::collections::HashSet;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use chandra_tests::actor::Actor;
use chandra_tests::comparison::Comparison;
use chandra_tests::launch;
use chandra_tests::needs;
use chandra_tests::process::{NANOSECONDS_PER_TICK, Process};
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock;

fn actor() -> Command {
    Command::new(Path::new(env!("CARGO_BIN_EXE_actor")))
}

/// Lets `end` end an actor, and compares the record with wait(2), `/proc` and the clock.
fn prove(command: &mut Command, end: impl FnOnce(Actor) -> ExitStatus) -> ExitStatus {
    let mut trace = Trace::start(&["exit"]);
    let actor = Actor::start(command);
    let truth = Process::of(actor.pid());
    let (before, idle) = (wall_clock::now(), wall_clock::since_boot());
    let status = end(actor);
    let after = wall_clock::now();
    let died = wall_clock::since_boot();
    let record = trace.wait_for("the exit", |record| record.is("exit", truth.pid));
    let earliest_start = truth.start_ticks * NANOSECONDS_PER_TICK;
    let latest_start = earliest_start + NANOSECONDS_PER_TICK;
    let mut fields = Comparison::of(&record, "process", "exit", before..=after);
    truth.compare(&mut fields, "process");
    fields.is_optional("exit_code", status.code());
    fields.is_optional("exit_signal_number", status.signal());
    fields.is_optional("exit_signal", status.signal().and_then(name));
    fields.is("core_dumped", status.core_dumped());
    fields.is_within("duration_ns", idle.saturating_sub(latest_start)..=died - earliest_start);
    assert_eq!(fields.finish(), Ok(()));
    let outcome = trace.stop();
    assert_eq!(outcome.of("exit", truth.pid).count(), 1);
    outcome.summary_without_loss();
    status
}

fn name(signal: i32) -> Option<&'static str> {
    let names =
        [(libc::SIGKILL, "SIGKILL"), (libc::SIGTERM, "SIGTERM"), (libc::SIGABRT, "SIGABRT")];
    names.into_iter().find(|(number, _)| *number == signal).map(|(_, name)| name)
}

#[test]
fn by_a_code() {
    needs!("root");
    for code in [0, 1, 42, 255] {
        let status = prove(&mut actor(), |mut actor| {
            actor.tell(&format!("exit {code}"));
            actor.wait()
        });
        assert_eq!(status.code(), Some(code));
    }
}

#[test]
fn by_a_signal() {
    needs!("root");
    for signal in [libc::SIGKILL, libc::SIGTERM] {
        let status = prove(&mut actor(), |actor| {
            actor.signal(signal);
            actor.wait()
        });
        assert_eq!(status.signal(), Some(signal));
    }
}

#[test]
fn with_and_without_a_core() {
    needs!("root");
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let scratch = Scratch::new();
    for limit in [0, libc::RLIM_INFINITY] {
        let mut command = actor();
        launch::with_core_limit(command.current_dir(scratch.path()), limit);
        let status = prove(&mut command, |actor| {
            // Not SIGQUIT: what runs in the background of a shell may have been started to ignore it.
            actor.signal(libc::SIGABRT);
            actor.wait()
        });
        // A pattern that is a pipe or a path elsewhere may fail: then wait(2) alone knows.
        if limit == 0 || !pattern.starts_with(['|', '/']) {
            assert_eq!(status.core_dumped(), limit != 0 || pattern.starts_with('|'));
        }
    }
}

#[test]
fn a_threads_end_is_not_its_process_s() {
    needs!("root");
    let mut trace = Trace::start(&["exit"]);
    let mut actor = Actor::start(&mut actor());
    actor.ask("threads 8");
    let marker = Command::new("/bin/true").spawn().unwrap().wait_with_output();
    assert!(marker.unwrap().status.success());
    let own = u64::from(std::process::id());
    trace.wait_for("the end of a later process", |record| {
        record.number("process.ppid") == Some(own) && record.text("process.comm") == Some("true")
    });
    let pid = actor.pid();
    assert!(!trace.records().iter().any(|record| record.is("exit", pid)));
    actor.finish();
    trace.wait_for("the end of the process itself", |record| record.is("exit", pid));
    assert_eq!(trace.stop().of("exit", pid).count(), 1);
}

/// Several threads may each find that none is left.
#[test]
fn of_threads_that_all_end_at_once_one_speaks_for_the_process() {
    needs!("root");
    const CROWDS: usize = 1000;
    let mut trace = Trace::start(&["exit", "--comm", "crowds"]);
    let scratch = Scratch::new();
    let program = scratch.at("crowds");
    std::fs::copy(env!("CARGO_BIN_EXE_actor"), &program).unwrap();
    let mut actor = Actor::start(&mut Command::new(&program));
    actor.ask(&format!("crowds {} 1", CROWDS / 2));
    actor.ask(&format!("crowds {} 4", CROWDS / 2));
    let parent = actor.pid();
    actor.finish();
    trace.wait_for("the end of their parent", |record| record.is("exit", parent));
    let outcome = trace.stop();
    outcome.summary_without_loss();
    let identity = |record: &Record| {
        (record.number("process.pid"), record.number("process.start_boottime_ns"))
    };
    let ended: HashSet<_> = outcome.records.iter().map(identity).collect();
    assert_eq!((outcome.records.len(), ended.len()), (CROWDS + 1, CROWDS + 1));
}

#[test]
fn after_its_first_thread_and_by_another() {
    needs!("root");
    let mut trace = Trace::start(&["exit"]);
    let mut actor = Actor::start(&mut actor());
    let pid = actor.pid();
    assert_eq!(actor.ask("leave 7"), "left");
    actor.tell("end");
    assert_eq!(actor.wait().code(), Some(7));
    let record = trace.wait_for("the exit", |record| record.is("exit", pid));
    assert_eq!(record.number("exit_code"), Some(7));
    assert_eq!(record.text("process.comm"), Some("actor"));
    assert_eq!(trace.stop().of("exit", pid).count(), 1);
}

#[test]
fn a_fork_names_the_child_and_its_parent() {
    needs!("root");
    let mut trace = Trace::start(&["exec", "--type", "fork"]);
    let before = wall_clock::now();
    let mut command = actor();
    // With something to do before it executes, the child has its parent's memory and name.
    launch::before_exec(&mut command, || Ok(()));
    let actor = Actor::start(&mut command);
    let after = wall_clock::now();
    let parent = Process::own();
    let mut child = Process::of(actor.pid());
    let record = trace.wait_for("the fork", |record| record.is("fork", child.pid));
    // It begins as a copy of the thread that forked.
    let thread = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
    child.comm = thread.trim_end_matches('\n').to_owned();
    let mut fields = Comparison::of(&record, "process", "fork", before..=after);
    child.compare(&mut fields, "process");
    parent.compare(&mut fields, "parent");
    assert_eq!(fields.finish(), Ok(()));
    trace.stop().summary_without_loss();
}
