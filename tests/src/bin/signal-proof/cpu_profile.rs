//! What runs: a process that computes for a time that is known, and its stack from there to where it began.

use std::path::Path;

use chandra_tests::profiling::Profiling;
use chandra_tests::record::Record;
use chandra_tests::trace::Trace;

use crate::hooks::Hooks;
use crate::new_actor;

const SPIN_MS: u64 = 700;
/// So often it computes while its unwind tables are built, which takes an emulated machine seconds.
const SPINS: u32 = 8;

/// A process that computes, and does nothing else.
pub fn samples(chandra: &Path, hooks: &mut Hooks) {
    let mut actor = new_actor();
    actor.wait_until_idle();
    let pid = actor.pid();
    let trace = Trace::start_program(chandra, &["cpu", "--pid", &pid.to_string()]);
    actor.ask(&format!("spin {SPIN_MS}"));
    actor.wait_until_idle();
    let outcome = trace.stop();
    hooks.served(&outcome);
    let records: Vec<_> = outcome.of("cpu_sample", pid).collect();
    hooks.compared("tick", are_its(&records, pid));

    let profiling = Profiling::start_program(
        chandra,
        &["--identity", "off", "--pid", &pid.to_string(), "--by", "none"],
    );
    for _ in 0..SPINS {
        actor.ask(&format!("spin {SPIN_MS}"));
        actor.wait_until_idle();
    }
    let profiled = profiling.stop();
    // From the outermost frame, which is no function of Rust's, to the one that computes, whatever the compiler
    // made of those between. Frame pointers there are none.
    let is_whole = |frames: &[String]| {
        let has = |name: &str| frames.iter().any(|frame| frame.contains(name));
        frames.first().is_some_and(|first| first.starts_with("_start")) && has("actor::")
    };
    // Its stack is deeper than what the first samples bring along, before its tables are there: those say so.
    let is_cut = |frames: &[String]| frames.iter().any(|it| it == "[stack ends: unreadable]");
    let (whole, all) = (profiled.samples_of(is_whole), profiled.samples());
    let cut = profiled.samples_of(is_cut);
    let is_right = whole > 30 && whole + cut == all && profiled.summary.contains(" 0 lost");
    let why = || format!("{whole} whole of {all}: {:?} {}", profiled.stacks, profiled.summary);
    hooks.compared("tick", if is_right { Ok(()) } else { Err(why()) });
}

fn are_its(records: &[&Record], pid: u32) -> Result<(), String> {
    let number = |record: &Record, path| record.number(path).unwrap_or_default();
    for record in records {
        let is_right = number(record, "thread_id") == u64::from(pid)
            && number(record, "process.pid") == u64::from(pid)
            // Nobody tells the probe of mappings here: registers and stack came along.
            && record.text("user_end") == Some("unknown_process")
            && number(record, "stack_bytes") > 0
            && (record.text("mode") == Some("user")) == (number(record, "kernel_frames") == 0);
        if !is_right {
            return Err(record.0.to_string());
        }
    }
    // A sample stands for the time since the tick before. An emulated clock may be late, but loses no time.
    let weight_ms =
        records.iter().map(|record| number(record, "weight_ns")).sum::<u64>() / 1_000_000;
    let of_all = || format!("{} samples stand for {weight_ms} of {SPIN_MS} ms", records.len());
    let is_right = records.len() > 10 && (SPIN_MS * 7 / 10..SPIN_MS * 13 / 10).contains(&weight_ms);
    if is_right { Ok(()) } else { Err(of_all()) }
}
