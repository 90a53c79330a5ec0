//! Requests to a block device that nobody else uses, against the kernel's own account of them.

use std::path::Path;
use std::time::Instant;

use chandra_tests::disk::Disk;
use chandra_tests::record::Record;
use chandra_tests::trace::Trace;

use crate::hooks::Hooks;

/// Every operation that a device has, in numbers of its own.
pub fn latency(chandra: &Path, hooks: &mut Hooks) {
    let disk = Disk::new().expect("neither loop devices nor a guest's disk");
    let trace = Trace::start_program(chandra, &["block-latency", "--by", "device"]);
    let (before, started) = (disk.done(), Instant::now());
    disk.write(40);
    disk.read(30);
    disk.flush();
    disk.discard(20);
    let (done, elapsed) = (disk.done().since(before), started.elapsed());
    let outcome = trace.stop();
    hooks.served(&outcome);
    for (operation, requests, _) in done.operations {
        let is_its = |record: &&Record| {
            record.text("operation") == Some(operation)
                && record.text("device") == Some(disk.name())
        };
        let found: Vec<_> = outcome.records.iter().filter(is_its).collect();
        let outcome = match found[..] {
            [record] => {
                let number = |name: &str| record.number(&format!("histogram.{name}")).unwrap();
                let (count, sum_ns) = (number("count"), number("sum_ns"));
                // One after the other: all of them took no longer than the test did.
                let is_right = requests > 0
                    && count == requests
                    && sum_ns > 0
                    && u128::from(sum_ns) < elapsed.as_nanos();
                let why = || format!("{requests} requests in {elapsed:?}, but: {}", record.0);
                if is_right { Ok(()) } else { Err(why()) }
            }
            _ => Err(format!("{} histograms of {operation}, of {done:?}", found.len())),
        };
        hooks.compared("block_rq_complete", outcome);
    }
}
