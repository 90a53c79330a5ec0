//! Waits for a processor, against the kernel's own account of them.

use std::path::Path;

use chandra_tests::contest::{Waits, contend};
use chandra_tests::trace::Trace;

use crate::hooks::Hooks;
use crate::new_actor;

/// One of two processes that want the same processor.
pub fn latency(chandra: &Path, hooks: &mut Hooks) {
    let (mut first, mut second) = (new_actor(), new_actor());
    first.wait_until_idle();
    let pid = first.pid().to_string();
    let asked = ["run-queue-latency", "--pid", &pid, "--by", "pid"];
    let trace = Trace::start_program(chandra, &asked);
    let truth = contend(&mut first, &mut second);
    let outcome = trace.stop();
    hooks.served(&outcome);
    let compared = match &outcome.records[..] {
        [record] => {
            let number = |path: &str| record.number(path).unwrap_or_default();
            let (count, sum) = (number("histogram.count"), number("histogram.sum_ns"));
            let counted = Waits { count, nanoseconds: sum };
            let is_its =
                record.text("operation") == Some("wait") && number("pid").to_string() == pid;
            truth.compare(counted).and_then(|()| match is_its {
                true => Ok(()),
                false => Err(format!("of {pid}: {}", record.0)),
            })
        }
        records => Err(format!("{} histograms of one process", records.len())),
    };
    hooks.compared("sched_switch", compared);
}
