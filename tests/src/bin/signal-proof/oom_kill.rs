//! A process that takes more memory than its cgroup has, against the kernel's log and account of it.

use std::path::Path;

use chandra_tests::comparison::Comparison;
use chandra_tests::oom::{self, Limited};
use chandra_tests::process::Process;
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock;
use serde_json::Value;

use crate::hooks::Hooks;
use crate::new_actor;

const LIMIT_BYTES: u64 = 16 << 20;

/// How far the kernel's counts of a process's pages, kept apart on each CPU, are off what it logs.
const PAGES_PER_CPU: u64 = 64;
const PAGE_BYTES: u64 = 4096;

/// Every field of its record.
pub fn kill(chandra: &Path, hooks: &mut Hooks) {
    let Some(limited) = Limited::new(LIMIT_BYTES) else {
        hooks.compared("mark_victim", Err("there is no memory controller".to_owned()));
        return;
    };
    let mut actor = new_actor();
    let pid = actor.pid();
    limited.cgroup().adopt(pid);
    std::fs::write(format!("/proc/{pid}/oom_score_adj"), "321").unwrap();
    let victim = Process::of(pid);
    let mut trace = Trace::start_program(chandra, &["oom", "--pid", &pid.to_string()]);
    let before = wall_clock::now();
    actor.tell(&format!("fill {}", LIMIT_BYTES * 4));
    let record = trace.wait_for("the kill", |record| record.is("oom_kill", pid));
    let logged = oom::logged(pid);
    actor.wait();
    let when = before..=wall_clock::now();
    let mut fields = Comparison::of(&record, "oom_kill", "oom_kill", when);
    victim.compare(&mut fields, "process");
    fields.is("thread_id", pid);
    let cpus = std::thread::available_parallelism().unwrap().get() as u64;
    let off = cpus * PAGES_PER_CPU * PAGE_BYTES;
    for (name, bytes) in [
        ("anonymous_bytes", logged.anonymous_bytes),
        ("file_bytes", logged.file_bytes),
        ("shared_memory_bytes", logged.shared_memory_bytes),
    ] {
        fields.is_within(&format!("victim.{name}"), bytes.saturating_sub(off)..=bytes + off);
    }
    fields.is_big("victim.total_bytes", logged.total_bytes);
    fields.is("victim.page_table_bytes", logged.page_table_bytes);
    fields.is("victim.oom_score_adjustment", logged.oom_score_adjustment);
    if logged.oom_score_adjustment != 321 || logged.comm != victim.comm {
        fields.problem(format!("the kernel logged {logged:?}"));
    }
    fields.is("memory_limit.bytes", LIMIT_BYTES);
    fields.is_within("memory_limit.usage_bytes", LIMIT_BYTES - (1 << 20)..=LIMIT_BYTES);
    fields.is_big("memory_limit.cgroup_id", limited.cgroup().id());
    let hierarchy = Some(limited.hierarchy()).filter(|number| *number != 0);
    fields.is_optional("memory_limit.cgroup_hierarchy", hierarchy);
    // It asked for the memory itself.
    fields.is("allocator.pid", pid);
    fields.is("allocator.comm", victim.comm.as_str());
    let (told, kills) = (trace.stop(), limited.kills());
    let counted = told.summary().at("seen").and_then(Value::as_u64);
    if kills != 1 || counted < Some(kills) {
        fields.problem(format!("the cgroup had {kills} kills, seen were {counted:?}"));
    }
    hooks.served(&told);
    hooks.compared("mark_victim", fields.finish());
}
