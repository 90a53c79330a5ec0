//! Signals that a process sends, with every field of their records, and that of a child's end.

use std::path::Path;

use chandra_tests::actor::Actor;
use chandra_tests::comparison::Comparison;
use chandra_tests::process::{NANOSECONDS_PER_TICK, Process};
use chandra_tests::record::Record;
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock;

use crate::hooks::Hooks;
use crate::new_actor;

/// What a record must say beside who sent it to whom.
struct Sent {
    name: &'static str,
    number: i32,
    code: i32,
    to_process: bool,
    outcome: &'static str,
    by_kernel: bool,
}

/// From one that nobody minds to the end of the target.
pub fn signals(chandra: &Path, hooks: &mut Hooks) {
    let target = new_actor();
    target.wait_until_idle();
    let mut trace = Trace::start_program(chandra, &["signals"]);
    let (own, other) = (Process::own(), Process::of(target.pid()));
    let kill = |number: i32| target.signal(number);
    let thread_kill = |number: i32| {
        let pid = libc::pid_t::try_from(target.pid()).unwrap();
        // SAFETY: takes numbers only; the target was not reaped.
        assert_eq!(unsafe { libc::syscall(libc::SYS_tgkill, pid, pid, number) }, 0);
    };
    let usual = |name, number, outcome| Sent {
        name,
        number,
        code: 0,
        to_process: true,
        outcome,
        by_kernel: false,
    };
    // Stopped, it takes none that comes after, so that the second of a kind finds the first.
    let first = Sent { code: -6, to_process: false, ..usual("SIGWINCH", 28, "ignored") };
    let all: [(Sent, &dyn Fn(i32)); 4] = [
        (first, &thread_kill),
        (usual("SIGSTOP", 19, "delivered"), &kill),
        (usual("SIGTERM", 15, "delivered"), &kill),
        (usual("SIGTERM", 15, "already_pending"), &kill),
    ];
    for (sent, send) in &all {
        let before = wall_clock::now();
        send(sent.number);
        let record = wait_for(&mut trace, &own, other.pid, sent);
        let when = before..=wall_clock::now();
        hooks.compared("signal_generate", compare(&record, when, &own, &other, sent));
        if sent.name == "SIGSTOP" {
            wait_until_stopped(&target);
        }
    }
    kill(libc::SIGCONT);
    target.wait();
    // CLD_KILLED, sent by the child as it ends.
    let end = Sent { code: 2, by_kernel: true, ..usual("SIGCHLD", 17, "ignored") };
    let record = wait_for(&mut trace, &other, own.pid, &end);
    let told = [record.number("code"), record.number("process.pid")];
    let is_right = told == [Some(2), Some(other.pid.into())]
        && record.text("sent_signal") == Some("SIGCHLD")
        && record.at("by_kernel").and_then(serde_json::Value::as_bool) == Some(true);
    hooks.compared("signal_generate", is_right.then_some(()).ok_or(record.0.to_string()));
    hooks.served(&trace.stop());
}

fn wait_until_stopped(actor: &Actor) {
    let stat = format!("/proc/{}/stat", actor.pid());
    chandra_tests::patience::wait_for("a stopped actor", || {
        let stat = std::fs::read_to_string(&stat).unwrap();
        stat.rsplit_once(')').unwrap().1.starts_with(" T").then_some(())
    });
}

fn wait_for(trace: &mut Trace, sender: &Process, target: u32, sent: &Sent) -> Record {
    trace.wait_for(sent.name, |record| {
        record.is("signal_sent", sender.pid)
            && record.number("target.pid") == Some(target.into())
            && record.text("sent_signal") == Some(sent.name)
            && (sent.number == libc::SIGCHLD || record.text("outcome") == Some(sent.outcome))
            && (sent.number != libc::SIGCHLD || record.number("code") == Some(2))
    })
}

fn compare(
    record: &Record,
    when: std::ops::RangeInclusive<u64>,
    sender: &Process,
    target: &Process,
    sent: &Sent,
) -> Result<(), String> {
    let mut fields = Comparison::of(record, "signal_sent", "signal_sent", when);
    sender.compare(&mut fields, "process");
    fields.is("sent_signal", sent.name);
    fields.is("sent_signal_number", sent.number);
    fields.is("target.pid", target.pid);
    fields.is("target.comm", target.comm.as_str());
    fields.is("target.thread_id", target.pid);
    fields.is("target.is_process", sent.to_process);
    let start = target.start_ticks * NANOSECONDS_PER_TICK;
    let start = start..=start + NANOSECONDS_PER_TICK - 1;
    fields.is_within("target.start_boottime_ns", start);
    fields.is_big("target.cgroup_id", target.cgroup_id);
    let hierarchy = Some(target.cgroup_hierarchy).filter(|hierarchy| *hierarchy != 0);
    fields.is_optional("target.cgroup_hierarchy", hierarchy);
    fields.is("outcome", sent.outcome);
    fields.is("by_kernel", sent.by_kernel);
    fields.is("code", sent.code);
    fields.finish()
}
