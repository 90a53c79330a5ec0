//! Page faults of one process, against the kernel's own account of them.

use std::path::Path;

use chandra_tests::disk::{BLOCK_BYTES, Disk};
use chandra_tests::faults::Faults;
use chandra_tests::trace::Trace;

use crate::hooks::Hooks;
use crate::new_actor;

const PAGES: usize = 500;
const PAGES_OF_DISK: usize = 64;
const PAGE_BYTES: usize = 4096;

/// Pages that were nowhere, and pages that were on a disk.
pub fn faults(chandra: &Path, hooks: &mut Hooks) {
    let disk = Disk::new().expect("neither loop devices nor a guest's disk");
    disk.write(PAGES_OF_DISK * PAGE_BYTES / BLOCK_BYTES);
    let mut actor = new_actor();
    actor.wait_until_idle();
    let pid = actor.pid();
    let asked = ["page-faults", "--pid", &pid.to_string(), "--by", "pid,fault"];
    let trace = Trace::start_program(chandra, &asked);
    let before = Faults::of(pid);
    actor.ask(&format!("fill {}", PAGES * PAGE_BYTES));
    actor.ask(&format!("read-mapped /dev/{} {}", disk.name(), PAGES_OF_DISK * PAGE_BYTES));
    actor.wait_until_idle();
    let truth = Faults::of(pid).since(before);
    let outcome = trace.stop();
    hooks.served(&outcome);
    let counted = |fault: &str| {
        let of_it = outcome.records.iter().filter(|record| record.text("fault") == Some(fault));
        let its = of_it.filter(|record| record.number("pid") == Some(pid.into()));
        its.map(|record| record.number("count").unwrap()).sum::<u64>()
    };
    let counted = Faults { minor: counted("minor"), major: counted("major") };
    let is_enough = truth.minor >= PAGES as u64 && truth.major >= PAGES_OF_DISK as u64;
    let outcome = match is_enough && counted == truth {
        true => Ok(()),
        false => Err(format!("the kernel says {truth:?}, counted was {counted:?}")),
    };
    hooks.compared("page_fault", outcome);
}
