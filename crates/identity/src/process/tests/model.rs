//! The table against the simulated kernel, after every few of many thousand random records.

use std::collections::HashSet;

use super::super::{Limits, ProcessTable};
use super::ProcessId;
use super::kernel::{Kernel, Told};

const LINGER: u64 = 300;

/// Compares everything that can be asked, when every record of the past has been told.
fn compare(kernel: &Kernel, table: &ProcessTable, drained: u64, in_order: bool) {
    let mut needed = HashSet::new();
    for (index, truth) in kernel.all.iter().enumerate() {
        let stays = truth.ended.is_none_or(|ended| ended + LINGER > drained);
        let mut at = stays.then_some(index);
        while let Some(index) = at.filter(|index| needed.insert(*index)) {
            at = kernel.all[index].forked_by;
        }
    }
    assert_eq!(table.len(), needed.len());
    let live = needed.iter().filter(|index| kernel.is_live(**index)).count();
    assert_eq!(table.stats().live, live as u64);
    for index in needed.iter().copied() {
        let truth = &kernel.all[index];
        let entry = table.get(kernel.id(index)).unwrap();
        assert_eq!(entry.ending().map(|ending| ending.boottime_ns), truth.ended);
        assert_eq!(entry.execs(), truth.execs);
        if in_order || truth.execs > 0 {
            let mut programs = truth.programs.iter().rev();
            let program = entry.program().unwrap();
            assert_eq!(*program.executable, *programs.next().unwrap().as_bytes());
            if in_order || truth.execs > 1 {
                let before = entry.program_before().map(|program| program.executable.to_vec());
                assert_eq!(before, programs.next().map(|path| path.clone().into_bytes()));
            }
        }
        assert_eq!(entry.original_parent().id(), truth.forked_by.map(|index| kernel.id(index)));
        assert_eq!(entry.parent().pid, truth.told_ppid);
        let mut ancestors = Vec::new();
        let mut at = truth.forked_by;
        while let Some(index) = at {
            ancestors.push(kernel.id(index));
            at = kernel.all[index].forked_by;
        }
        let told: Vec<ProcessId> = table.ancestors(entry.id()).map(|entry| entry.id()).collect();
        assert_eq!(told, ancestors);
        let mut children: Vec<_> = table.children(entry.id()).map(|entry| entry.id()).collect();
        children.sort_by_key(|child| child.start_boottime_ns);
        let forked = |child: &usize| kernel.all[*child].forked_by == Some(index);
        let mut expected: Vec<_> =
            needed.iter().copied().filter(forked).map(|child| kernel.id(child)).collect();
        expected.sort_by_key(|child| child.start_boottime_ns);
        assert_eq!(children, expected);
        let holder = table.by_pid(truth.process.pid).map(|entry| entry.id());
        let holds = |index: &usize| {
            kernel.is_live(*index) && kernel.all[*index].process.pid == truth.process.pid
        };
        assert_eq!(holder, (0..kernel.all.len()).find(holds).map(|index| kernel.id(index)));
    }
}

fn run(seed: u64, steps: usize, disorder: usize) {
    let mut kernel = Kernel::new(seed, 120);
    let mut table = ProcessTable::new(Limits { linger_ns: LINGER, ..Limits::default() });
    kernel.first().tell(&mut table);
    // Each record waits in one of the rings for as long as the disorder lets it.
    let mut rings: Vec<Told> = Vec::new();
    for step in 0..steps {
        let told = kernel.step();
        rings.push(told);
        while rings.len() > disorder {
            let at = kernel.random.below(rings.len());
            rings.remove(at).tell(&mut table);
        }
        if step % 97 == 96 {
            while !rings.is_empty() {
                let at = kernel.random.below(rings.len());
                rings.remove(at).tell(&mut table);
            }
            while table.advance(kernel.now) {}
            compare(&kernel, &table, kernel.now, disorder == 0);
        }
    }
    rings.iter().for_each(|told| told.tell(&mut table));
    // Everyone is seen once more, so that the last parent has been told; then all end.
    let last = kernel.now + 1;
    for truth in kernel.all.clone().iter().filter(|truth| truth.ended.is_none()) {
        Told::Sighting(last, truth.process).tell(&mut table);
        assert_eq!(
            table.get(ProcessId::of(&truth.process)).unwrap().parent().pid,
            truth.process.ppid
        );
        if truth.process.ppid == 1 {
            let parent = table.get(ProcessId::of(&truth.process)).unwrap().parent();
            assert_eq!(parent.id(), Some(super::id(1, 1)));
        }
        Told::Exit(super::exit(last, truth.process)).tell(&mut table);
    }
    while table.advance(u64::MAX) {}
    assert!(table.is_empty());
    assert_eq!((table.order.len(), table.waiting.len(), table.programs.len()), (0, 0, 0));
    assert_eq!(table.counts.dead + table.counts.dead_with_descendants, 0);
}

#[test]
fn in_order_it_agrees_with_the_kernel() {
    (0..4).for_each(|seed| run(seed, 12_000, 0));
}

#[test]
fn out_of_order_it_comes_to_agree_with_the_kernel() {
    (0..4).for_each(|seed| run(100 + seed, 12_000, 3));
    (0..4).for_each(|seed| run(200 + seed, 12_000, 40));
}
