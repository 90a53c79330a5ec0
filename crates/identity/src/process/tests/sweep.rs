//! After losses: what a walk over the running processes makes good.

use chandra_event::time::Timestamp;

use super::super::{Limits, ProcessTable};
use super::kernel::{Kernel, Told};
use super::{ProcessId, exec, exit, fork, id, process, running};

/// A walk in which these run, and everything of that time taken in.
fn sweep(table: &mut ProcessTable, now: u64, runs: &[(u32, u64, u32, &str)]) {
    table.begin_sweep(now);
    for (pid, start, ppid, path) in runs {
        table.exec(&running(now + 1, process(*pid, *start, *ppid), path));
    }
    table.end_sweep(now + 2);
    while table.advance(now + 2) {}
}

#[test]
fn who_is_not_met_has_ended_and_who_is_new_is_known() {
    let mut table = ProcessTable::default();
    let shell = process(10, 50, 1);
    table.exec(&running(100, process(1, 5, 0), "/sbin/init"));
    table.exec(&running(100, shell, "/bin/sh"));
    table.fork(&fork(process(20, 200, 10), shell));
    table.fork(&fork(process(21, 210, 10), shell));
    // Its exit, the fork of 30 and the exec of 21 were lost.
    sweep(
        &mut table,
        300,
        &[(10, 50, 1, "/bin/sh"), (21, 210, 10, "/bin/cat"), (30, 250, 21, "/bin/ls")],
    );
    let ending = table.get(id(20, 200)).unwrap().ending().copied().unwrap();
    assert_eq!((ending.boottime_ns, ending.time), (302, None));
    let of = |pid| table.by_pid(pid).unwrap();
    assert_eq!(&*of(21).program().unwrap().executable, b"/bin/cat");
    assert_eq!(of(30).parent().id(), Some(id(21, 210)));
    assert!(of(1).is_alive(), "the first process does not end");
    let stats = table.stats();
    assert_eq!((stats.live, stats.dead, stats.exits_unseen), (4, 1, 1));
}

#[test]
fn what_was_told_since_the_walk_began_is_newer() {
    let mut table = ProcessTable::default();
    for pid in [2, 3] {
        table.sight(&process(pid, 10, 1), Timestamp(20));
    }
    table.begin_sweep(100);
    table.exec(&running(101, process(2, 10, 1), "/bin/two"));
    table.end_sweep(110);
    // Records of that time lie in the rings: one makes 4, one shows 3.
    assert!(!table.advance(109));
    assert_eq!(table.stats().live, 3 - 1);
    table.fork(&fork(process(4, 105, 2), process(2, 10, 1)));
    table.sight(&process(3, 10, 1), Timestamp(104));
    while table.advance(110) {}
    assert_eq!((table.stats().live, table.stats().exits_unseen), (3, 0));
    // What comes later than a concluded end shows that there was none.
    sweep(&mut table, 200, &[(4, 105, 2, "/bin/four")]);
    assert_eq!((table.stats().live, table.stats().dead), (1, 2));
    table.sight(&process(3, 10, 1), Timestamp(202));
    assert!(table.by_pid(3).is_none(), "as late as its end at the latest");
    table.sight(&process(3, 10, 1), Timestamp(203));
    assert!(table.by_pid(3).is_some());
    assert_eq!((table.stats().live, table.stats().dead), (2, 1));
    // The exit's own record says more.
    table.exit(&exit(201, process(2, 10, 1)));
    assert_eq!(table.get(id(2, 10)).unwrap().ending().unwrap().exit_code, Some(0));
    assert_eq!((table.stats().live, table.stats().dead), (2, 1));
}

#[test]
fn a_walk_that_met_nobody_says_nothing() {
    let mut table = ProcessTable::default();
    table.sight(&process(2, 10, 1), Timestamp(20));
    sweep(&mut table, 100, &[]);
    assert_eq!((table.stats().live, table.stats().exits_unseen), (1, 0));
}

#[test]
fn a_child_of_an_unseen_parent_leaves_the_one_that_had_its_pid_before() {
    let mut table = ProcessTable::default();
    table.exec(&exec(6, process(1, 5, 0), "/init"));
    table.fork(&fork(process(20, 100, 1), process(1, 5, 0)));
    // The exit of 20 and the fork of the next 20 were lost.
    table.sight(&process(30, 300, 20), Timestamp(310));
    assert_eq!(table.get(id(30, 300)).unwrap().parent().id(), Some(id(20, 100)));
    sweep(&mut table, 400, &[(30, 300, 20, "/bin/child"), (20, 200, 1, "/bin/next")]);
    let child = table.get(id(30, 300)).unwrap();
    assert_eq!(
        (child.parent().id(), child.original_parent().id()),
        (Some(id(20, 200)), Some(id(20, 200)))
    );
    assert_eq!(table.ancestors(id(30, 300)).next().unwrap().id(), id(20, 200));
}

#[test]
fn a_full_table_is_gone_through_in_steps() {
    let mut table = ProcessTable::default();
    for pid in 2..=65_536 {
        table.sight(&process(pid, u64::from(pid), 1), Timestamp(70_000));
    }
    table.begin_sweep(80_000);
    table.exec(&running(80_001, process(2, 2, 1), "/bin/two"));
    table.end_sweep(80_002);
    let (mut steps, mut unseen) = (0, 0);
    while table.advance(80_002) {
        steps += 1;
        let now = table.stats().exits_unseen;
        assert!(now - unseen <= 1024, "{steps}");
        unseen = now;
    }
    assert_eq!((table.stats().live, table.stats().exits_unseen), (1, 65_534));
    assert!((60..70).contains(&steps), "{steps}");
}

/// Whatever was lost before a walk, the table knows afterwards what runs, and whose child it is.
fn survives(seed: u64, percent_lost: usize, disorder: usize) {
    let mut kernel = Kernel::new(seed, 120);
    let mut table = ProcessTable::new(Limits { linger_ns: 300, ..Limits::default() });
    kernel.first().tell(&mut table);
    let mut rings: Vec<Told> = Vec::new();
    let drain =
        |kernel: &mut Kernel, rings: &mut Vec<Told>, table: &mut ProcessTable, left: usize| {
            while rings.len() > left {
                let at = kernel.random.below(rings.len());
                rings.remove(at).tell(table);
            }
        };
    for step in 0..20_000 {
        let told = kernel.step();
        if kernel.random.below(100) >= percent_lost {
            rings.push(told);
        }
        drain(&mut kernel, &mut rings, &mut table, disorder);
        if step % 211 != 210 {
            table.advance(kernel.now.saturating_sub(1000));
            continue;
        }
        // The walk goes by pid while more happens, of which nothing is lost.
        kernel.now += 1;
        let began = kernel.now;
        table.begin_sweep(began);
        for pid in 1..=121 {
            if pid % 10 == 0 {
                let told = kernel.step();
                rings.push(told);
            }
            kernel.now += 1;
            let runs = (0..kernel.all.len())
                .find(|index| kernel.is_live(*index) && kernel.all[*index].process.pid == pid);
            if let Some(index) = runs {
                let truth = &mut kernel.all[index];
                truth.told_ppid = truth.process.ppid;
                let path = truth.programs.last().unwrap().clone();
                table.exec(&running(kernel.now, truth.process, &path));
            }
            drain(&mut kernel, &mut rings, &mut table, disorder);
        }
        table.end_sweep(kernel.now);
        drain(&mut kernel, &mut rings, &mut table, 0);
        while table.advance(kernel.now) {}
        compare(&kernel, &table, began);
    }
    assert!(table.stats().exits_unseen > 0);
}

/// `began` is when the last walk did.
fn compare(kernel: &Kernel, table: &ProcessTable, began: u64) {
    let live: Vec<_> = (0..kernel.all.len()).filter(|index| kernel.is_live(*index)).collect();
    assert_eq!(table.stats().live, live.len() as u64);
    assert_eq!(table.iter().filter(|entry| entry.is_alive()).count(), live.len());
    for truth in live.iter().map(|index| &kernel.all[*index]) {
        let entry = table.get(ProcessId::of(&truth.process)).unwrap();
        assert!(entry.is_alive());
        if truth.process.start_boottime_ns < began {
            let path = truth.programs.last().unwrap();
            assert_eq!(&*entry.program().unwrap().executable, path.as_bytes());
        }
        assert_eq!(entry.parent().pid, truth.told_ppid);
        if truth.told_ppid == truth.process.ppid && truth.told_ppid != 0 {
            let holds = |index: &&usize| kernel.all[**index].process.pid == truth.told_ppid;
            let parent = live.iter().find(holds).map(|index| kernel.id(*index));
            assert_eq!(entry.parent().id(), parent);
            assert_eq!(
                table.parent_of(entry.process(), Some(entry)).map(|parent| parent.id()),
                parent
            );
        }
    }
}

#[test]
fn after_random_losses_a_sweep_makes_the_table_what_runs() {
    (0..4).for_each(|seed| survives(seed, 10, 0));
    (0..4).for_each(|seed| survives(100 + seed, 50, 0));
    (0..4).for_each(|seed| survives(200 + seed, 90, 5));
    (0..4).for_each(|seed| survives(300 + seed, 40, 40));
}
