//! Programs that start and end.

use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use chandra_tests::comparison::Comparison;
use chandra_tests::process::{Caller, Execution, NANOSECONDS_PER_TICK, Process};
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock;

use crate::hooks::Hooks;
use crate::new_actor;

/// A fork, an exec and an exit of one process.
pub fn exec(chandra: &Path, hooks: &mut Hooks) {
    let mut trace = Trace::start_program(chandra, &["exec", "--type", "exec,fork,exit"]);
    let before = wall_clock::now();
    // The parent of the actor is a server.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let actor = new_actor();
    let when = before..=wall_clock::now();
    let (truth, parent) = (Execution::of(actor.pid()), Process::own());

    let record = trace.wait_for("the exec", |record| record.is("exec", actor.pid()));
    let caller = Caller::naming("/proc/self/exe");
    hooks.compared("exec", truth.compare(&record, when.clone(), &caller));

    let record = trace.wait_for("the fork", |record| record.is("fork", actor.pid()));
    let mut fields = Comparison::of(&record, "process", "fork", when);
    // Until it executes it has the name of what forked.
    let child = Process { comm: parent.comm.clone(), ..truth.process.clone() };
    child.compare(&mut fields, "process");
    parent.compare(&mut fields, "parent");
    hooks.compared("fork", fields.finish());

    drop(listener);
    actor.finish();
    trace.wait_for("the exit", |record| record.is("exit", truth.process.pid));
    let outcome = trace.stop();
    hooks.served(&outcome);
    for kind in ["exec", "fork", "exit"] {
        let count = outcome.of(kind, truth.process.pid).count();
        let once = if count == 1 { Ok(()) } else { Err(format!("{count} records of one {kind}")) };
        hooks.compared(kind, once);
    }
}

/// One process that ends with a code, one that a signal ends.
pub fn exit(chandra: &Path, hooks: &mut Hooks) {
    let mut trace = Trace::start_program(chandra, &["exit"]);
    for signal in [None, Some(libc::SIGKILL)] {
        let mut actor = new_actor();
        let truth = Process::of(actor.pid());
        let (before, alive) = (wall_clock::now(), wall_clock::since_boot());
        match signal {
            None => actor.tell("exit 42"),
            Some(signal) => actor.signal(signal),
        }
        let status = actor.wait();
        let (after, dead) = (wall_clock::now(), wall_clock::since_boot());
        let start = truth.start_ticks * NANOSECONDS_PER_TICK;
        let shortest = alive.saturating_sub(start + NANOSECONDS_PER_TICK);

        let record = trace.wait_for("the exit", |record| record.is("exit", truth.pid));
        let mut fields = Comparison::of(&record, "process", "exit", before..=after);
        truth.compare(&mut fields, "process");
        fields.is_optional("exit_code", status.code());
        fields.is_optional("exit_signal_number", status.signal());
        fields.is_optional("exit_signal", status.signal().map(|_| "SIGKILL"));
        fields.is("core_dumped", status.core_dumped());
        fields.is_within("duration_ns", shortest..=dead - start);
        hooks.compared("exit", fields.finish());
    }
    hooks.served(&trace.stop());
}

/// A process that began before the trace, this one, and the first of all, which some sandboxes'
/// kernels withhold from root.
pub fn running(chandra: &Path, hooks: &mut Hooks) {
    let actor = new_actor();
    actor.wait_until_idle();
    let truth = Execution::of(actor.pid());
    let before = wall_clock::now();
    let options = ["exec", "--type", "process_running", "--duration", "1ms"];
    let outcome = Trace::run_program(chandra, &options);
    let when = before..=wall_clock::now();
    hooks.served(&outcome);
    let caller = Caller::default();
    let mut pids = vec![actor.pid(), std::process::id()];
    pids.extend(std::fs::read_link("/proc/1/cwd").is_ok().then_some(1));
    for pid in pids {
        let found: Vec<_> = outcome.of("process_running", pid).collect();
        let compared = match found[..] {
            [record] if pid == actor.pid() => truth.compare_running(record, when.clone(), &caller),
            [_] => Ok(()),
            _ => Err(format!("{} records of one process", found.len())),
        };
        hooks.compared("running", compared);
    }
    actor.finish();
}
