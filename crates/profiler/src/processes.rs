//! Which process executes what, and where that lies in its memory, at any moment of the near past.
//!
//! Seeded from `/proc`, then told by the kernel as it happens. A sample of a moment finds the program that the
//! process executed then: a shell's child is the shell until it executes something.

use std::collections::HashMap;

use chandra_loader::sideband::{Happened, TaskEvent};

use crate::memory::{Memory, Piece};
use crate::proc_maps;

/// Processes that are known at most.
const MAX_PROCESSES: usize = 1 << 16;
/// An ended process is kept so long for samples that come late.
const LINGER_NS: u64 = 3_000_000_000;
/// Programs that one process executes shortly after another: those before are forgotten.
const MAX_PROGRAMS: usize = 4;

/// A program that a process executes.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// Since when.
    pub began_ns: u64,
    /// Its executable memory.
    pub memory: Memory,
    /// Grows whenever the memory changes.
    pub version: u64,
    /// What the kernel was told of it last.
    pub told: Option<Told>,
}

/// What the kernel was told of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The memory of which version.
    pub version: u64,
    /// The kernel's number of the program.
    pub exec_id: u64,
    /// When its process started.
    pub start_boottime_ns: u64,
}

#[derive(Debug, Default)]
struct Process {
    /// The last one is executed now; never empty.
    programs: Vec<Program>,
    ended_ns: Option<u64>,
    /// Looked at in `/proc` not before.
    next_look_ns: u64,
    /// How long to wait then before the next time.
    wait_ns: u64,
}

/// What to tell the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It knows this process by memory that is not true any more.
    Outdated(u32),
    /// This process is gone.
    Gone(u32),
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Processes {
    by_pid: HashMap<u32, Process>,
    /// Looks into `/proc`.
    pub looks: u64,
    /// Records of the kernel's that were lost.
    pub lost: u64,
    /// Processes that there was no room for, and pieces of memory.
    pub refused: u64,
}

const FIRST_WAIT_NS: u64 = 50_000_000;
const LAST_WAIT_NS: u64 = 5_000_000_000;

impl Processes {
    /// Looks at all processes that run now.
    pub fn seed(&mut self, now_ns: u64) {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        for pid in pids.collect::<Vec<u32>>() {
            self.look(pid, now_ns);
        }
    }

    /// Looks at a process anew, unless that was done a moment ago. False when it was, or could not be.
    pub fn look(&mut self, pid: u32, now_ns: u64) -> bool {
        let wait_ns = match self.by_pid.get(&pid) {
            Some(known) if now_ns < known.next_look_ns => return false,
            Some(known) => (known.wait_ns * 2).clamp(FIRST_WAIT_NS, LAST_WAIT_NS),
            None => FIRST_WAIT_NS,
        };
        self.looks += 1;
        let Ok(pieces) = proc_maps::read(pid) else { return false };
        // A thread of the kernel has no memory, and neither has what has just ended.
        if pieces.is_empty() {
            return false;
        }
        let Some(process) = self.process(pid) else { return false };
        process.next_look_ns = now_ns.saturating_add(wait_ns);
        process.wait_ns = wait_ns;
        if let Some(program) = process.programs.last_mut() {
            program.memory = Memory::of(pieces);
            program.version += 1;
        }
        true
    }

    /// The program that a process executed at a moment; one that is known only since later, if it is the first.
    pub fn program(&mut self, pid: u32, moment_ns: u64) -> Option<&mut Program> {
        let process = self.by_pid.get_mut(&pid)?;
        let begun = process.programs.iter().rposition(|program| program.began_ns <= moment_ns);
        process.programs.get_mut(begun.unwrap_or(0))
    }

    /// The program that a process executes now.
    pub fn last_program(&mut self, pid: u32) -> Option<&mut Program> {
        self.by_pid.get_mut(&pid)?.programs.last_mut()
    }

    /// Takes in what happened, with the piece of memory where one was mapped; `change` hears what the kernel should
    /// know.
    pub fn take(
        &mut self,
        event: &TaskEvent<'_>,
        piece: Option<Piece>,
        change: &mut dyn FnMut(Change),
    ) {
        let now_ns = event.boottime_ns;
        match event.happened {
            Happened::Mapped(mapped) => {
                let Some(piece) = piece else { return };
                if !self.by_pid.contains_key(&mapped.pid) {
                    // Its beginning was not told, or is older than this: what it has is in /proc.
                    self.look(mapped.pid, now_ns);
                }
                let process = self.process(mapped.pid);
                let program = process.and_then(|process| process.programs.last_mut());
                let Some(program) = program else { return };
                let fits = program.memory.map(piece);
                program.version += 1;
                if program.told.is_some() {
                    change(Change::Outdated(mapped.pid));
                }
                self.refused += u64::from(!fits);
            }
            Happened::Executed { pid } => {
                change(Change::Gone(pid));
                if let Some(process) = self.process(pid) {
                    if process.programs.len() >= MAX_PROGRAMS {
                        process.programs.remove(0);
                    }
                    process.programs.push(Program { began_ns: now_ns, ..Program::default() });
                }
            }
            Happened::Forked { pid, parent } => {
                if !self.by_pid.contains_key(&parent) {
                    self.look(parent, now_ns);
                }
                let copied = self.last_program(parent).map(|program| program.memory.clone());
                self.by_pid.remove(&pid);
                change(Change::Gone(pid));
                if let (Some(memory), Some(process)) = (copied, self.process(pid)) {
                    process.programs =
                        vec![Program { began_ns: now_ns, memory, ..Program::default() }];
                }
            }
            Happened::Exited { pid } => {
                if let Some(process) = self.by_pid.get_mut(&pid) {
                    process.ended_ns = Some(now_ns);
                }
            }
            Happened::Lost { records } => {
                self.lost += records;
                // What is known may be wrong from now on: whoever is sampled next is looked at.
                for (pid, process) in &mut self.by_pid {
                    process.next_look_ns = 0;
                    if process.programs.iter().any(|program| program.told.is_some()) {
                        change(Change::Gone(*pid));
                    }
                    process.programs = vec![Program::default()];
                }
            }
        }
    }

    /// Forgets processes that ended a while ago.
    pub fn forget_ended(&mut self, now_ns: u64, change: &mut dyn FnMut(Change)) {
        self.by_pid.retain(|pid, process| {
            let is_over = process.ended_ns.is_some_and(|ended| ended + LINGER_NS < now_ns);
            if is_over {
                change(Change::Gone(*pid));
            }
            !is_over
        });
    }

    /// Forgets that the kernel was told of those that have any such piece of memory; `change` hears which.
    pub fn untell(&mut self, has: impl Fn(&Piece) -> bool, change: &mut dyn FnMut(Change)) {
        for (pid, process) in &mut self.by_pid {
            let Some(program) = process.programs.last_mut() else { continue };
            if program.told.is_some() && program.memory.pieces().iter().any(&has) {
                program.told = None;
                change(Change::Gone(*pid));
            }
        }
    }

    /// All that are known, with the memory of what they execute now.
    pub fn all(&self) -> impl Iterator<Item = (u32, &Memory)> {
        self.by_pid.iter().filter_map(|(pid, it)| Some((*pid, &it.programs.last()?.memory)))
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.by_pid.len()
    }

    fn process(&mut self, pid: u32) -> Option<&mut Process> {
        if self.by_pid.len() >= MAX_PROCESSES && !self.by_pid.contains_key(&pid) {
            self.refused += 1;
            return None;
        }
        let new = || Process { programs: vec![Program::default()], ..Process::default() };
        Some(self.by_pid.entry(pid).or_insert_with(new))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use chandra_loader::sideband::Mapped;

    /// Pids that no process has.
    const PARENT: u32 = u32::MAX - 1;
    const CHILD: u32 = u32::MAX - 2;

    fn mapped(pid: u32, start: u64, path: &[u8], boottime_ns: u64) -> TaskEvent<'_> {
        let mapped =
            Mapped { pid, start, bytes: 0x1000, offset: 0, device: (8, 1), inode: start, path };
        TaskEvent { boottime_ns, happened: Happened::Mapped(mapped) }
    }

    fn event(boottime_ns: u64, happened: Happened<'_>) -> TaskEvent<'_> {
        TaskEvent { boottime_ns, happened }
    }

    fn take(processes: &mut Processes, event: &TaskEvent<'_>, change: &mut dyn FnMut(Change)) {
        let piece = match event.happened {
            Happened::Mapped(mapped) => Some(Piece::of(&mapped)),
            _ => None,
        };
        processes.take(event, piece, change);
    }

    fn starts(processes: &mut Processes, pid: u32, moment: u64) -> Vec<u64> {
        let program = processes.program(pid, moment).unwrap();
        program.memory.pieces().iter().map(|piece| piece.start).collect()
    }

    #[test]
    fn a_child_is_its_parent_until_it_executes_something() {
        let mut processes = Processes::default();
        let mut take = |event: TaskEvent<'_>| take(&mut processes, &event, &mut |_| {});
        take(mapped(PARENT, 0x1000, b"/bin/sh", 1));
        take(event(5, Happened::Forked { pid: CHILD, parent: PARENT }));
        take(event(10, Happened::Executed { pid: CHILD }));
        take(mapped(CHILD, 0x7000, b"/bin/true", 11));
        assert_eq!(starts(&mut processes, CHILD, 9), [0x1000]);
        assert_eq!(starts(&mut processes, CHILD, 12), [0x7000]);
        assert_eq!(starts(&mut processes, PARENT, 12), [0x1000]);
    }

    #[test]
    fn an_ended_process_lingers_and_is_gone() {
        let mut processes = Processes::default();
        take(&mut processes, &mapped(CHILD, 0x1000, b"/bin/true", 1), &mut |_| {});
        take(&mut processes, &event(100, Happened::Exited { pid: CHILD }), &mut |_| {});
        processes.forget_ended(100 + LINGER_NS, &mut |_| panic!("not yet"));
        assert_eq!(starts(&mut processes, CHILD, 50), [0x1000]);
        let mut changes = Vec::new();
        processes.forget_ended(101 + LINGER_NS, &mut |change| changes.push(change));
        assert_eq!(changes, [Change::Gone(CHILD)]);
        assert!(processes.program(CHILD, 50).is_none());
    }

    #[test]
    fn losses_make_what_the_kernel_was_told_void() {
        let mut processes = Processes::default();
        take(&mut processes, &mapped(CHILD, 0x1000, b"/bin/true", 1), &mut |_| {});
        let told = Told { version: 1, exec_id: 3, start_boottime_ns: 1 };
        processes.program(CHILD, 1).unwrap().told = Some(told);
        let mut changes = Vec::new();
        let lost = event(2, Happened::Lost { records: 9 });
        take(&mut processes, &lost, &mut |it| changes.push(it));
        assert_eq!((processes.lost, changes), (9, vec![Change::Gone(CHILD)]));
        assert!(starts(&mut processes, CHILD, 3).is_empty());
    }
}
