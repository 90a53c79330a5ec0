//! Single cases, each named after what it shows.

use chandra_event::process::{Arguments, Exec, Executable};
use chandra_event::time::{Clock, Timestamp};

use super::super::{ProcessTable, Source};
use super::{exec, exit, fork, id, process, running};

fn pids(table: &ProcessTable, of: super::ProcessId) -> Vec<u32> {
    table.ancestors(of).map(|entry| entry.process().pid).collect()
}

fn path(table: &ProcessTable, of: super::ProcessId) -> String {
    let program = table.get(of).and_then(|entry| entry.program());
    program.map_or(String::new(), |program| String::from_utf8_lossy(&program.executable).into())
}

/// init (1) and a shell (10) that ran before.
fn seeded() -> ProcessTable {
    let mut table = ProcessTable::default();
    table.exec(&running(1000, process(10, 50, 1), "/bin/sh"));
    table.exec(&running(1000, process(1, 5, 0), "/sbin/init"));
    table
}

#[test]
fn seeding_links_children_that_came_before_their_parents() {
    let table = seeded();
    assert_eq!(pids(&table, id(10, 50)), [1]);
    assert_eq!(table.get(id(10, 50)).unwrap().original_parent().id(), Some(id(1, 5)));
    assert_eq!(table.get(id(10, 50)).unwrap().parent().id(), Some(id(1, 5)));
    assert_eq!(table.children(id(1, 5)).count(), 1);
    assert_eq!(table.stats().unknown_parents, 0);
}

#[test]
fn a_pid_that_is_used_again_is_another_process() {
    let mut table = seeded();
    table.fork(&fork(process(20, 2000, 10), process(10, 50, 1)));
    table.fork(&fork(process(20, 3000, 1), process(1, 5, 0)));
    // The old one's exit comes late and must not end the new one.
    table.exit(&exit(2500, process(20, 2000, 10)));
    assert_eq!(table.by_pid(20).unwrap().id(), id(20, 3000));
    assert_eq!(table.get(id(20, 2000)).unwrap().ending().unwrap().exit_code, Some(0));
    assert_eq!(pids(&table, id(20, 2000)), [10, 1]);
    assert_eq!(pids(&table, id(20, 3000)), [1]);
    assert_eq!(table.stats().exits_unseen, 1);
    // A child of the old one that is told late is not given to the new one, nor the reverse.
    table.sight(&process(21, 2400, 20), Timestamp(2600));
    table.sight(&process(22, 3400, 20), Timestamp(3600));
    assert_eq!(pids(&table, id(21, 2400)), [20, 10, 1]);
    assert_eq!(pids(&table, id(22, 3400)), [20, 1]);
    // Nobody known held the pid between the two.
    table.sight(&process(23, 2700, 20), Timestamp(2800));
    assert_eq!(pids(&table, id(23, 2700)), [] as [u32; 0]);
}

#[test]
fn an_exec_without_a_fork_keeps_the_process() {
    let mut table = seeded();
    table.fork(&fork(process(20, 2000, 10), process(10, 50, 1)));
    assert_eq!(path(&table, id(20, 2000)), "/bin/sh");
    assert_eq!(table.get(id(20, 2000)).unwrap().source(), Source::Forked);
    table.exec(&exec(2100, process(20, 2000, 10), "/bin/env"));
    assert_eq!(table.stats().execs_without_fork, 0);
    table.exec(&exec(2200, process(20, 2000, 10), "/bin/true"));
    let entry = table.get(id(20, 2000)).unwrap();
    assert_eq!((entry.execs(), entry.source()), (2, Source::Executed));
    assert_eq!(&*entry.program_before().unwrap().executable, b"/bin/env");
    assert_eq!(path(&table, id(20, 2000)), "/bin/true");
    assert_eq!(table.stats().execs_without_fork, 1);
    assert_eq!(pids(&table, id(20, 2000)), [10, 1]);
}

#[test]
fn a_thread_that_execs_is_its_process() {
    // The kernel gives the thread the leader's pid and start (de_thread in fs/exec.c).
    let mut table = seeded();
    table.fork(&fork(process(20, 2000, 10), process(10, 50, 1)));
    let by_thread = Exec { old_pid: Some(23), ..exec(2100, process(20, 2000, 10), "/bin/java") };
    table.exec(&by_thread);
    assert_eq!(path(&table, id(20, 2000)), "/bin/java");
    assert!(table.by_pid(23).is_none());
    assert_eq!(table.len(), 3);
}

#[test]
fn a_parent_that_dies_first_stays_in_the_lineage() {
    let mut table = seeded();
    table.fork(&fork(process(20, 2000, 10), process(10, 50, 1)));
    table.exec(&exec(2001, process(20, 2000, 10), "/usr/bin/launcher"));
    table.fork(&fork(process(21, 2100, 20), process(20, 2000, 10)));
    table.exit(&exit(2200, process(20, 2000, 10)));
    table.sight(&process(21, 2100, 1), Timestamp(2300));
    let child = table.get(id(21, 2100)).unwrap();
    assert_eq!(child.parent().id(), Some(id(1, 5)));
    assert_eq!(child.original_parent().id(), Some(id(20, 2000)));
    assert_eq!(table.stats().reparented, 1);
    while table.advance(u64::MAX) {}
    assert_eq!(pids(&table, id(21, 2100)), [20, 10, 1]);
    assert_eq!((table.stats().dead, table.stats().dead_with_descendants), (1, 1));
    // With the child goes what only it needed.
    table.exit(&exit(2400, process(21, 2100, 1)));
    while table.advance(u64::MAX) {}
    assert_eq!((table.len(), table.stats().forgotten), (2, 2));
}

#[test]
fn a_double_fork_keeps_who_began_it() {
    let mut table = seeded();
    table.fork(&fork(process(20, 2000, 10), process(10, 50, 1)));
    table.fork(&fork(process(21, 2100, 20), process(20, 2000, 10)));
    table.exit(&exit(2150, process(20, 2000, 10)));
    table.fork(&fork(process(22, 2200, 21), process(21, 2100, 1)));
    table.exit(&exit(2250, process(21, 2100, 1)));
    table.exec(&exec(2300, process(22, 2200, 1), "/usr/sbin/daemon"));
    while table.advance(u64::MAX) {}
    assert_eq!(pids(&table, id(22, 2200)), [21, 20, 10, 1]);
    assert_eq!(table.get(id(22, 2200)).unwrap().parent().pid, 1);
}

#[test]
fn records_out_of_order_come_to_the_same() {
    let shell = process(10, 50, 1);
    let (first, second) = (process(20, 2000, 10), process(20, 2000, 10));
    let records: [&dyn Fn(&mut ProcessTable); 4] = [
        &|table| table.fork(&fork(first, shell)),
        &|table| table.exec(&exec(2100, first, "/bin/env")),
        &|table| table.exec(&exec(2200, second, "/bin/true")),
        &|table| table.exit(&exit(2300, second)),
    ];
    for order in 0..24 {
        let mut table = seeded();
        let (mut rest, mut number) = ((0..4).collect::<Vec<usize>>(), order);
        for left in (1..=4).rev() {
            records[rest.remove(number % left)](&mut table);
            number /= left;
        }
        let entry = table.get(id(20, 2000)).unwrap();
        assert_eq!(path(&table, id(20, 2000)), "/bin/true", "{order}");
        assert_eq!(&*entry.program_before().unwrap().executable, b"/bin/env");
        assert_eq!((entry.execs(), entry.source()), (2, Source::Executed));
        assert_eq!(entry.ending().unwrap().boottime_ns, 2300);
        assert_eq!(pids(&table, id(20, 2000)), [10, 1]);
        assert!(table.by_pid(20).is_none());
    }
}

#[test]
fn a_dead_process_stays_until_its_late_records_have_drained() {
    let mut table = seeded();
    table.fork(&fork(process(20, 2000, 10), process(10, 50, 1)));
    table.exit(&exit(2300, process(20, 2000, 10)));
    let linger = table.limits.linger_ns;
    assert!(!table.advance(2299 + linger));
    table.sight(&process(20, 2000, 10), Timestamp(2250));
    assert!(!table.get(id(20, 2000)).unwrap().is_alive(), "a late record does not revive it");
    table.advance(2300 + linger);
    assert!(table.get(id(20, 2000)).is_none());
}

#[test]
fn a_fork_that_comes_late_corrects_the_parent_that_was_assumed() {
    let mut table = seeded();
    // First seen when its parent had died and init had taken it.
    table.sight(&process(21, 2100, 1), Timestamp(2300));
    assert_eq!(pids(&table, id(21, 2100)), [1]);
    table.fork(&fork(process(21, 2100, 20), process(20, 2000, 10)));
    assert_eq!(pids(&table, id(21, 2100)), [20, 10, 1]);
    assert_eq!(table.get(id(21, 2100)).unwrap().parent().id(), Some(id(1, 5)));
    assert_eq!(table.children(id(1, 5)).count(), 1);
}

#[test]
fn a_child_inherits_what_its_parent_ran_when_it_forked() {
    let mut table = seeded();
    table.exec(&exec(2500, process(10, 50, 1), "/bin/later"));
    table.fork(&fork(process(20, 2000, 10), process(10, 50, 1)));
    assert_eq!(path(&table, id(20, 2000)), "/bin/sh");
}

#[test]
fn what_was_seen_to_execute_says_more_than_what_was_found_running() {
    let mut table = seeded();
    table.exec(&exec(2000, process(10, 50, 1), "/bin/new"));
    table.exec(&running(1500, process(10, 50, 1), "/bin/sh"));
    assert_eq!(path(&table, id(10, 50)), "/bin/new");
    table.exec(&running(2500, process(10, 50, 1), "/bin/new"));
    let filename =
        |table: &ProcessTable| table.get(id(10, 50)).unwrap().program().unwrap().filename.to_vec();
    assert_eq!(filename(&table), b"/bin/new");
    // Another program: an exec was missed.
    table.exec(&running(3000, process(10, 50, 1), "/bin/missed"));
    assert_eq!(path(&table, id(10, 50)), "/bin/missed");
}

#[test]
fn a_wall_clock_that_is_set_back_does_not_make_records_late() {
    let mut table = ProcessTable::default();
    table.set_clock(Clock { start_offset_ns: 9000, offset_ns: 9000 });
    table.exec(&exec(9100, process(10, 50, 1), "/bin/one"));
    table.set_clock(Clock { start_offset_ns: 9000, offset_ns: 2000 });
    table.exec(&exec(2200, process(10, 50, 7), "/bin/two"));
    assert_eq!(path(&table, id(10, 50)), "/bin/two");
    assert_eq!(table.get(id(10, 50)).unwrap().parent().pid, 7);
}

#[test]
fn a_process_seeded_to_the_clock_tick_is_the_one_that_probes_tell_of() {
    const TICK: u64 = 10_000_000;
    let mut table = ProcessTable::default();
    table.exec(&running(9 * TICK, process(10, 2 * TICK, 1), "/bin/sh"));
    table.exec(&running(9 * TICK, process(11, 3 * TICK, 10), "/bin/child"));
    table.exec(&running(9 * TICK, process(1, TICK, 0), "/sbin/init"));
    let exact = process(10, 2 * TICK + 77, 1);
    table.fork(&fork(process(20, 10 * TICK + 1, 10), exact));
    assert_eq!(table.len(), 4);
    assert_eq!(pids(&table, id(20, 10 * TICK + 1)), [10, 1]);
    assert_eq!(path(&table, super::ProcessId::of(&exact)), "/bin/sh");
    let child = table.get(id(11, 3 * TICK)).unwrap();
    assert_eq!(child.original_parent().id(), Some(super::ProcessId::of(&exact)));
    // Seeding again tells of the process by its tick.
    table.exec(&running(11 * TICK, process(10, 2 * TICK, 1), "/bin/sh"));
    assert_eq!((table.len(), table.stats().exits_unseen), (4, 0));
}

#[test]
fn hostile_sizes_and_bytes_are_kept_within_bounds_as_they_are() {
    let mut table = ProcessTable::default();
    let (arguments, long) = (vec![b'\xff'; 64 << 10], vec![b'\xfe'; 20_000]);
    let hostile = Exec {
        filename: &long,
        cwd: &long,
        interpreter: &long,
        executable: Executable { path: &long, ..Executable::default() },
        arguments: Arguments { head: &arguments, tail: b"", total_bytes: 1 << 40 },
        ..exec(100, process(7, 50, 1), "")
    };
    table.exec(&hostile);
    let entry = table.get(id(7, 50)).unwrap();
    let program = entry.program().unwrap();
    assert_eq!(*program.arguments_head, vec![b'\xff'; 2048]);
    assert_eq!((program.arguments_bytes, program.arguments_are_cut()), (1 << 40, true));
    assert_eq!((program.executable.len(), program.file.path_truncated), (4096, true));
    assert_eq!((program.filename.len(), program.cwd.len()), (4096, 4096));
}

#[test]
fn no_order_of_nonsense_makes_a_cycle() {
    let mut table = ProcessTable::default();
    for round in 0..50 {
        for pid in 1..10 {
            table.sight(
                &process(pid, u64::from(pid % 3), (pid * 7 + round) % 11),
                Timestamp(u64::from(round)),
            );
            table.fork(&fork(
                process(pid, u64::from(pid % 4), 1),
                process((pid + round) % 10, u64::from(round % 5), pid),
            ));
        }
    }
    for entry in table.iter() {
        assert!(table.ancestors(entry.id()).count() < table.len());
    }
}
