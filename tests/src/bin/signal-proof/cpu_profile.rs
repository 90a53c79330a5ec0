//! A process that does nothing but work: one tick of it, field by field, and a profile of it with the functions
//! that it is in, to which there are no frame pointers.

use std::path::Path;

use chandra_tests::comparison::Comparison;
use chandra_tests::process::Process;
use chandra_tests::profiling::Profiling;
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock::now;

use crate::hooks::Hooks;
use crate::new_actor;

/// CPU time that the actor works for.
const WORK: &str = "burn 4000";

pub fn ticks(chandra: &Path, hooks: &mut Hooks) {
    let mut actor = new_actor();
    let pid = actor.pid();
    let process = Process::of(pid);
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    let mut trace = Trace::start_program(chandra, &["cpu", "--pid", &pid.to_string()]);
    let before = now();
    actor.tell(WORK);
    let record = trace.wait_for("a tick", |record| {
        record.is("cpu_sample", pid) && record.text("mode") == Some("user")
    });
    let mut fields = Comparison::of(&record, "cpu_profile", "cpu_sample", before..=now());
    process.compare(&mut fields, "process");
    fields.is("thread_id", pid);
    fields.is("mode", "user");
    fields.is("kernel_frames", 0);
    let cpus = std::thread::available_parallelism().unwrap().get() as u64;
    fields.is_within("cpu", 0..=cpus - 1);
    // A machine that is emulated may miss many.
    fields.is_within("weight_ns", 1..=60_000_000_000);
    // Nobody told the kernel of its memory: so its stack came along.
    fields.is("user_end", "unknown_process");
    fields.is("user_frames", 0);
    fields.is_within("stack_bytes", 1024..=16_384);
    fields.is("thread_comm", name.trim_end());
    fields.is("kernel_truncated", false);
    hooks.compared("tick", fields.finish());
    assert_eq!(actor.hear(), "done");
    hooks.served(&trace.stop());

    let options = ["--pid", &pid.to_string(), "--identity", "off", "--by", "none"];
    let profiling = Profiling::start_program(chandra, &options);
    actor.tell(WORK);
    assert_eq!(actor.hear(), "done");
    let profiled = profiling.stop();
    let is_burning = |frame: &String| frame.contains("burn_inner");
    let burning = profiled.samples_of(|frames| frames.iter().any(is_burning));
    let from_main = profiled.samples_of(|frames| {
        let mut rest = frames.iter();
        frames[0] == "_start"
            && rest.any(|frame| frame == "main")
            && rest.any(|frame| frame.contains("burn_outer"))
            && rest.any(is_burning)
    });
    // Until its tables are built, which takes an emulated machine seconds, a stack deeper than what comes along
    // of it is cut off, and says so.
    let cut = profiled.samples_of(|frames| {
        frames[0] == "[stack ends: unreadable]" && frames.iter().any(is_burning)
    });
    let summary = profiled.summary;
    let is_right = from_main > 20 && (from_main + cut) * 100 >= burning * 95;
    let outcome = is_right.then_some(());
    let words = format!("{from_main} of {burning}, {cut} cut off: {summary}");
    hooks.compared("tick", outcome.ok_or(words));
}
