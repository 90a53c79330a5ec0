//! What the table knows of one process.

use chandra_event::process::{Process, Standing};
use chandra_event::time::Timestamp;

use super::lineage::Links;
use super::pool::Handle;
use super::program::Program;
use super::retire::Place;

/// Identity of a process. Parents order before their children: by start, then by pid, since the
/// first tasks of a booting kernel share a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProcessId {
    /// Thread-group id in the initial pid namespace.
    pub pid: u32,
    /// Start, nanoseconds of CLOCK_BOOTTIME.
    pub start_boottime_ns: u64,
}

impl ProcessId {
    /// The identity on a record.
    pub fn of(process: &Process) -> ProcessId {
        ProcessId { pid: process.pid, start_boottime_ns: process.start_boottime_ns }
    }

    /// It can have forked `child`.
    pub(super) fn is_before(self, child: ProcessId) -> bool {
        (self.start_boottime_ns, self.pid) < (child.start_boottime_ns, child.pid)
    }
}

/// A parent. Its start is absent while nobody told of the process that held its pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parent {
    /// Its pid; 0 for a process without a parent.
    pub pid: u32,
    /// Its start.
    pub start_boottime_ns: Option<u64>,
}

impl Parent {
    /// Its identity, when known.
    pub fn id(self) -> Option<ProcessId> {
        let pid = self.pid;
        self.start_boottime_ns.map(|start_boottime_ns| ProcessId { pid, start_boottime_ns })
    }
}

impl From<ProcessId> for Parent {
    fn from(id: ProcessId) -> Parent {
        Parent { pid: id.pid, start_boottime_ns: Some(id.start_boottime_ns) }
    }
}

/// How well a process is known; the better one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// It stood on a record; what it runs is not known.
    Sighted,
    /// Its fork was seen; it runs what its parent ran.
    Forked,
    /// It already ran at start.
    Running,
    /// Its last exec was seen.
    Executed,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// When, on the clock of process starts; the latest it can have been when the exit was not seen.
    pub boottime_ns: u64,
    /// When, as its record says; absent when the exit was not seen but concluded: the pid had a new
    /// holder, or a sweep did not meet the process.
    pub time: Option<Timestamp>,
    /// Exit code, when it exited by itself.
    pub exit_code: Option<u8>,
    /// Signal that ended it.
    pub exit_signal: Option<u8>,
    /// It left a core dump.
    pub core_dumped: bool,
}

/// A program and since when.
#[derive(Debug)]
pub(super) struct Ran {
    pub program: Handle<Program>,
    pub since_boottime_ns: u64,
}

/// One process.
#[derive(Debug)]
pub struct ProcessEntry {
    /// As on its latest record.
    pub(super) process: Process,
    /// Time of that record.
    pub(super) seen_boottime_ns: u64,
    pub(super) source: Source,
    pub(super) execs: u32,
    pub(super) now: Option<Ran>,
    pub(super) before: Option<Ran>,
    pub(super) standing: Option<Standing>,
    pub(super) birth: Parent,
    pub(super) parent: Parent,
    pub(super) ending: Option<Ending>,
    pub(super) links: Links,
    pub(super) place: Option<Place>,
}

impl ProcessEntry {
    /// Identity.
    pub fn id(&self) -> ProcessId {
        ProcessId::of(&self.process)
    }

    /// Pid, start, uid, gid, name and cgroup, as on the latest record.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// How well it is known.
    pub fn source(&self) -> Source {
        self.source
    }

    /// What it runs. After a fork without an exec that is what its parent ran.
    pub fn program(&self) -> Option<&Handle<Program>> {
        self.now.as_ref().map(|ran| &ran.program)
    }

    /// What it ran at this moment (CLOCK_BOOTTIME), as far back as the exec before the last one.
    pub fn program_at(&self, boottime_ns: u64) -> Option<&Handle<Program>> {
        let ran = self.now.iter().chain(&self.before);
        let newest = ran.clone().next();
        let at = ran.clone().find(|ran| ran.since_boottime_ns <= boottime_ns);
        at.or_else(|| ran.last()).or(newest).map(|ran| &ran.program)
    }

    /// What it was before its last exec.
    pub fn program_before(&self) -> Option<&Handle<Program>> {
        self.before.as_ref().map(|ran| &ran.program)
    }

    /// Where it stood among others when it was last executed, or forked.
    pub fn standing(&self) -> Option<&Standing> {
        self.standing.as_ref()
    }

    /// Execs seen.
    pub fn execs(&self) -> u32 {
        self.execs
    }

    /// Who forked it; for a process whose fork was not seen, its first known parent.
    pub fn original_parent(&self) -> Parent {
        self.birth
    }

    /// Its parent as the kernel last said: a reaper when the original one ended first.
    pub fn parent(&self) -> Parent {
        self.parent
    }

    /// How it ended.
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// It has not ended, as far as is known.
    pub fn is_alive(&self) -> bool {
        self.ending.is_none()
    }

    /// Ancestors between it and the next one of [`super::ProcessTable::ancestors`] that were
    /// evicted for room.
    pub fn ancestors_left_out(&self) -> u32 {
        self.links.left_out
    }
}
