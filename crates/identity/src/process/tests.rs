//! What the table must get right: single cases, floods, and a simulated kernel as the model.

mod cases;
mod kernel;
mod limits;
mod model;
mod storm;
mod sweep;

use chandra_event::process::{Arguments, Comm, Exec, Executable, Exit, Fork, Process};
use chandra_event::time::Timestamp;

use super::ProcessId;

/// SplitMix64.
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

fn process(pid: u32, start: u64, ppid: u32) -> Process {
    Process {
        pid,
        start_boottime_ns: start,
        ppid,
        comm: Comm(*b"test\0\0\0\0\0\0\0\0\0\0\0\0"),
        ..Process::default()
    }
}

fn id(pid: u32, start: u64) -> ProcessId {
    ProcessId { pid, start_boottime_ns: start }
}

fn exec<'a>(time: u64, process: Process, path: &'a str) -> Exec<'a> {
    Exec {
        time: Timestamp(time),
        process,
        filename: path.as_bytes(),
        executable: Executable { path: path.as_bytes(), ..Executable::default() },
        cwd: b"/",
        arguments: Arguments { head: path.as_bytes(), tail: b"", total_bytes: path.len() as u64 },
        ..Exec::default()
    }
}

fn running<'a>(time: u64, process: Process, path: &'a str) -> Exec<'a> {
    Exec { running: true, filename: b"", ..exec(time, process, path) }
}

fn fork(child: Process, parent: Process) -> Fork {
    Fork { time: Timestamp(child.start_boottime_ns), process: child, parent }
}

fn exit(time: u64, process: Process) -> Exit {
    let duration_ns = time - process.start_boottime_ns;
    Exit { time: Timestamp(time), process, exit_code: Some(0), duration_ns, ..Exit::default() }
}
