//! A wait that is known, and that its thread was looked at in its own memory when it was over.

use std::path::Path;
use std::time::{Duration, Instant};

use chandra_tests::record::Record;
use chandra_tests::trace::Trace;

use crate::hooks::Hooks;
use crate::new_actor;

const WAIT: Duration = Duration::from_millis(300);

/// A process that waits for its next command.
pub fn waits(chandra: &Path, hooks: &mut Hooks) {
    let mut actor = new_actor();
    actor.wait_until_idle();
    let pid = actor.pid();
    let trace = Trace::start_program(chandra, &["off-cpu", "--pid", &pid.to_string()]);
    // The wait that it is in began before the trace.
    let begun = Instant::now();
    actor.ask("spin 1");
    actor.wait_until_idle();
    std::thread::sleep(WAIT);
    actor.ask("spin 1");
    let longest = begun.elapsed();
    actor.wait_until_idle();
    let outcome = trace.stop();
    hooks.served(&outcome);
    let waited = |record: &&Record| record.number("waited_ns").unwrap_or_default();
    let Some(record) = outcome.of("off_cpu", pid).max_by_key(waited) else {
        hooks.compared("switch", Err(format!("no wait of {pid}")));
        return;
    };
    let (waited_ns, number) = (waited(&record), |path| record.number(path).unwrap_or_default());
    let is_right = (WAIT.as_nanos()..=longest.as_nanos()).contains(&u128::from(waited_ns))
        && number("runnable_ns") < waited_ns / 2
        && number("thread_id") == u64::from(pid)
        && record.text("wait_reason") == Some("interruptible")
        && number("kernel_frames") > 0
        // Nobody tells the probe of mappings here: so what the interrupt found, registers and stack, came along.
        && record.text("user_end") == Some("unknown_process")
        && number("stack_bytes") > 0;
    hooks.compared("switch", if is_right { Ok(()) } else { Err(record.0.to_string()) });
}
