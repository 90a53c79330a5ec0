//! A simulated kernel: it knows the truth, and tells of it in records as the real one does.

use chandra_event::process::{Exec, Exit, Fork, Process};
use chandra_event::time::Timestamp;

use super::super::ProcessTable;
use super::{ProcessId, Random, exec, exit, process};

/// What really is.
#[derive(Debug, Clone)]
pub(super) struct Truth {
    pub process: Process,
    pub forked_by: Option<usize>,
    pub programs: Vec<String>,
    pub execs: u32,
    pub ended: Option<u64>,
    /// The parent's pid on its latest record.
    pub told_ppid: u32,
}

#[derive(Debug, Clone)]
pub(super) enum Told {
    Fork(Fork),
    Exec(u64, Process, String),
    Exit(Exit),
    Sighting(u64, Process),
}

impl Told {
    pub(super) fn tell(&self, table: &mut ProcessTable) {
        match self {
            Told::Fork(fork) => table.fork(fork),
            Told::Exec(time, process, path) => {
                let record: Exec<'_> = exec(*time, *process, path);
                table.exec(&record);
            }
            Told::Exit(exit) => table.exit(exit),
            Told::Sighting(time, process) => table.sight(process, Timestamp(*time)),
        }
    }
}

pub(super) struct Kernel {
    pub random: Random,
    pub now: u64,
    pub all: Vec<Truth>,
    live: Vec<usize>,
    pids: u32,
}

impl Kernel {
    /// With so few pids that they are used again all the time.
    pub(super) fn new(seed: u64, pids: u32) -> Kernel {
        let init = Truth {
            process: process(1, 1, 0),
            forked_by: None,
            programs: vec!["/init".into()],
            execs: 1,
            ended: None,
            told_ppid: 0,
        };
        Kernel { random: Random(seed), now: 10, all: vec![init], live: vec![0], pids }
    }

    pub(super) fn first(&self) -> Told {
        Told::Exec(5, self.all[0].process, "/init".into())
    }

    pub(super) fn id(&self, index: usize) -> ProcessId {
        ProcessId::of(&self.all[index].process)
    }

    pub(super) fn is_live(&self, index: usize) -> bool {
        self.all[index].ended.is_none()
    }

    pub(super) fn step(&mut self) -> Told {
        self.now += 1 + self.random.below(20) as u64;
        let chosen = self.live[self.random.below(self.live.len())];
        // Whatever happens to it, its parent is told.
        self.all[chosen].told_ppid = self.all[chosen].process.ppid;
        match self.random.below(10) {
            0..=3 if self.live.len() < self.pids as usize / 2 => self.fork(chosen),
            4..=5 => self.exec(chosen),
            6..=8 if chosen != 0 => self.exit(chosen),
            _ => Told::Sighting(self.now, self.all[chosen].process),
        }
    }

    fn fork(&mut self, parent: usize) -> Told {
        let pid = loop {
            let pid = 2 + self.random.below(self.pids as usize) as u32;
            if !self.live.iter().any(|index| self.all[*index].process.pid == pid) {
                break pid;
            }
        };
        let parent_process = self.all[parent].process;
        let child = process(pid, self.now, parent_process.pid);
        let programs = vec![self.all[parent].programs.last().unwrap().clone()];
        let (execs, ended, forked_by) = (0, None, Some(parent));
        let told_ppid = child.ppid;
        self.all.push(Truth { process: child, forked_by, programs, execs, ended, told_ppid });
        self.live.push(self.all.len() - 1);
        Told::Fork(Fork { time: Timestamp(self.now), process: child, parent: parent_process })
    }

    fn exec(&mut self, index: usize) -> Told {
        let path = format!("/bin/{}", self.random.below(30));
        let truth = &mut self.all[index];
        truth.programs.push(path.clone());
        truth.execs += 1;
        Told::Exec(self.now, truth.process, path)
    }

    fn exit(&mut self, index: usize) -> Told {
        self.live.retain(|live| *live != index);
        self.all[index].ended = Some(self.now);
        let pid = self.all[index].process.pid;
        for child in &self.live {
            if self.all[*child].process.ppid == pid {
                self.all[*child].process.ppid = 1;
            }
        }
        Told::Exit(exit(self.now, self.all[index].process))
    }
}
