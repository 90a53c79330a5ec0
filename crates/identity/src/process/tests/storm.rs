//! Short containers without end: 500 a second for ten minutes, five processes each.

use chandra_event::process::Namespaces;
use chandra_event::time::Timestamp;

use super::super::ProcessTable;
use super::{ProcessId, exec, exit, fork, process};

const SECOND: u64 = 1_000_000_000;
const LIFE: u64 = 50_000_000;

#[test]
fn short_containers_for_ten_minutes_leave_memory_flat() {
    let mut table = ProcessTable::default();
    let shim = process(2, SECOND, 1);
    table.exec(&exec(SECOND, shim, "/usr/bin/containerd-shim"));
    let (mut pid, mut after_a_minute) = (100, 0);
    for container in 0..500 * 600_u64 {
        let start = 10 * SECOND + container * SECOND / 500;
        let path = format!("/run/{container}/entrypoint");
        let mut parent = shim;
        for depth in 0..5_u64 {
            pid = if pid == 32_768 { 100 } else { pid + 1 };
            let child = process(pid, start + depth * 1_000_000, parent.pid);
            let child = chandra_event::process::Process { cgroup_id: container, ..child };
            table.fork(&fork(child, parent));
            let mut record = exec(child.start_boottime_ns + 1000, child, &path);
            record.namespaces = Namespaces { pid: container as u32, ..Namespaces::default() };
            table.exec(&record);
            table.exit(&exit(start + LIFE, child));
            table.sight(&child, Timestamp(start + LIFE - 1));
            parent = child;
        }
        let last = ProcessId::of(&parent);
        assert_eq!(table.get(last).unwrap().process().cgroup_id, container);
        assert_eq!(table.ancestors(last).count(), 5);
        // The rings are drained a tenth of a second late.
        while table.advance(start.saturating_sub(SECOND / 10)) {}
        if container == 500 * 60 {
            after_a_minute = table.stats().bytes;
        }
    }
    let stats = table.stats();
    assert_eq!(stats.bytes.max(after_a_minute) - after_a_minute, 0, "not a byte more");
    assert!(stats.bytes < 8 << 20, "{stats:?}");
    assert_eq!(stats.forgotten + stats.dead, 500 * 600 * 5);
    assert_eq!(stats.evicted_dead + stats.evicted_live + stats.evicted_ancestors, 0);
    assert_eq!((stats.live, stats.reparented), (1, 0));
}
