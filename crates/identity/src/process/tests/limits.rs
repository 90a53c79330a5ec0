//! When room is short: who goes, and that the ceiling holds.

use chandra_event::process::{Arguments, Exec};
use chandra_event::time::Timestamp;

use super::super::{Limits, ProcessTable};
use super::kernel::Kernel;
use super::{exec, exit, fork, id, process};

fn small(processes: usize) -> ProcessTable {
    ProcessTable::new(Limits { processes, ..Limits::default() })
}

#[test]
fn the_dead_go_first_then_dead_ancestors_then_the_oldest_live_leaves() {
    let mut table = small(16);
    let init = process(1, 1, 0);
    table.exec(&exec(2, init, "/init"));
    // An ancestor (2) dead with a live child (3), a dead subtree (4, 5), and live ones (6 to 15).
    table.fork(&fork(process(2, 20, 1), init));
    table.fork(&fork(process(3, 30, 2), process(2, 20, 1)));
    table.exit(&exit(35, process(2, 20, 1)));
    table.fork(&fork(process(4, 40, 1), init));
    table.fork(&fork(process(5, 50, 4), process(4, 40, 1)));
    table.exit(&exit(55, process(4, 40, 1)));
    table.exit(&exit(56, process(5, 50, 1)));
    for pid in 6..=16 {
        table.fork(&fork(process(pid, u64::from(pid) * 100, 1), init));
    }
    let gone = |table: &ProcessTable| {
        let starts = [(2, 20), (3, 30), (4, 40), (5, 50), (6, 600), (7, 700)];
        let gone = starts.iter().filter(|(pid, start)| table.get(id(*pid, *start)).is_none());
        gone.map(|(pid, _)| *pid).collect::<Vec<u32>>()
    };
    assert_eq!((table.len(), gone(&table)), (16, vec![]));
    for (pid, expected) in [(17, vec![5]), (18, vec![4, 5]), (19, vec![2, 4, 5])] {
        table.fork(&fork(process(pid, u64::from(pid) * 100, 1), init));
        assert_eq!(gone(&table), expected);
    }
    // Its child keeps the rest of its lineage, and says that one is missing.
    let child = table.get(id(3, 30)).unwrap();
    assert_eq!(child.original_parent().id(), Some(id(2, 20)));
    assert_eq!(child.ancestors_left_out(), 1);
    assert_eq!(table.ancestors(id(3, 30)).map(|entry| entry.process().pid).next(), Some(1));
    for (pid, expected) in [(20, vec![2, 3, 4, 5]), (21, vec![2, 3, 4, 5, 6])] {
        table.fork(&fork(process(pid, u64::from(pid) * 100, 1), init));
        assert_eq!(gone(&table), expected);
    }
    let stats = table.stats();
    assert_eq!((stats.evicted_dead, stats.evicted_ancestors, stats.evicted_live), (2, 1, 2));
    assert_eq!((stats.live, stats.dead), (16, 0));
}

#[test]
fn a_process_that_forks_and_ends_for_ever_does_not_push_out_the_others() {
    let mut table = small(200);
    let mut parent = process(1, 1, 0);
    table.exec(&exec(2, parent, "/init"));
    for pid in 10..60 {
        table.fork(&fork(process(pid, 5, 1), process(1, 1, 0)));
    }
    for step in 1..5_000 {
        let child = process(100 + step, 10 + u64::from(step) * 10, parent.pid);
        table.fork(&fork(child, parent));
        if parent.pid != 1 {
            table.exit(&exit(child.start_boottime_ns + 1, parent));
        }
        parent = child;
    }
    let of = super::ProcessId::of(&parent);
    assert!((10..60).all(|pid| table.get(id(pid, 5)).is_some()));
    assert_eq!(table.ancestors(of).last().unwrap().process().pid, 1, "who began it is known");
    let left_out: u32 = table.ancestors(of).map(|entry| entry.ancestors_left_out()).sum();
    assert_eq!(u64::from(left_out), table.stats().evicted_ancestors);
    assert_eq!(table.ancestors(of).count() as u64 + table.stats().evicted_ancestors, 4_999);
}

#[test]
fn the_ceiling_on_bytes_holds_after_every_record() {
    let mut table = ProcessTable::new(Limits { bytes: 1 << 20, ..Limits::default() });
    let mut most = 0;
    for number in 0..20_000_u32 {
        let text = format!("{number:0>1500}");
        let arguments =
            Arguments { head: text.as_bytes(), tail: b"", total_bytes: text.len() as u64 };
        let start = u64::from(number) * 10;
        let process = process(1 + number, start, number / 2);
        table.exec(&Exec { arguments, ..exec(start + 1, process, &text) });
        assert!(table.get(id(1 + number, start)).is_some(), "the newest is there");
        most = most.max(table.stats().bytes);
    }
    assert!((900_000..=1 << 20).contains(&most), "{most}");
    assert!(table.stats().evicted_live > 19_000);
}

#[test]
fn a_storm_of_forks_leaves_room_for_what_runs_afterwards() {
    let mut table = ProcessTable::new(Limits { bytes: 1 << 20, ..Limits::default() });
    let init = process(1, 1, 0);
    table.exec(&exec(2, init, "/init"));
    for pid in 2..50_000 {
        table.fork(&fork(process(pid, u64::from(pid), 1), init));
    }
    for pid in 2..50_000 {
        table.exit(&exit(60_000, process(pid, u64::from(pid), 1)));
    }
    while table.advance(u64::MAX) {}
    let alive = |table: &ProcessTable| table.iter().filter(|entry| entry.is_alive()).count();
    assert_eq!(alive(&table), 1);
    for pid in 100_000..100_100 {
        let text = format!("{pid:0>1500}");
        let process = process(pid, u64::from(pid), 1);
        table.exec(&exec(200_000, process, &text));
    }
    assert_eq!(alive(&table), 101);
    assert!(table.stats().bytes <= 1 << 20);
}

#[test]
fn the_smallest_table_survives_the_random_kernel() {
    for seed in 0..4 {
        let (mut kernel, mut table) = (Kernel::new(seed, 300), small(16));
        for step in 0..30_000 {
            kernel.step().tell(&mut table);
            assert!(table.len() <= 16);
            if step % 50 == 0 {
                table.advance(kernel.now);
                for entry in table.iter() {
                    assert!(table.ancestors(entry.id()).count() < 16);
                    assert!(table.get(entry.id()).is_some());
                }
            }
        }
    }
}

#[test]
fn a_pid_with_very_many_holders_keeps_the_newest() {
    let mut table = ProcessTable::default();
    for start in 1..1_000 {
        table.sight(&process(7, start, 1), Timestamp(start));
        table.exit(&exit(2_000, process(8, 1_000 - start, 7)));
    }
    assert_eq!(table.by_pid(7).unwrap().id(), id(7, 999));
    assert_eq!(table.len(), 32);
    let stats = table.stats();
    assert_eq!(stats.evicted_dead + stats.evicted_ancestors, 2 * 983);
}
