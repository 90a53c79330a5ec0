//! What each of the rules that Chandra comes with is about, done for real, and a near miss beside it.
//!
//! The program `doer` does all of them, each in a process of its own, on the machine or in a container. Nothing
//! here does harm: programs that would are stood in for by ones that do nothing under the same name, files are
//! made where the test's own container has them, connections go to addresses of its own loopback device.
//!
//! Files: `table` (rules with their deeds), `calls` (deeds that are system calls), `doer` (who does them).

mod calls;
mod doer;
mod table;

pub use doer::{Done, doer, serve, wait_for_done};
pub use table::{CASES, Case, Place};

/// Something that is done by one process.
#[derive(Debug, Clone, Copy)]
pub enum Deed {
    /// A program is run: one of the machine by its path, or a stand-in that does nothing by its name alone.
    Run(&'static str, &'static [&'static str]),
    /// The same with another first argument.
    RunAs(&'static str, &'static str, &'static [&'static str]),
    /// The same on a terminal.
    RunOnTerminal(&'static str, &'static [&'static str]),
    /// A stand-in is run with no argument at all, not even the first.
    RunWithoutArguments(&'static str),
    /// A stand-in is copied to this path, and run from there.
    RunCopy(&'static str),
    /// A stand-in is run from memory.
    RunFromMemory,
    /// A stand-in is copied, deleted, and run.
    RunDeleted,
    /// A server of this name, which has run for more than ten seconds, runs a program.
    RunByServer(&'static str, &'static str, &'static [&'static str]),
    /// A program of this name, which listens for connections, runs a program.
    RunByListener(&'static str, &'static str, &'static [&'static str]),
    /// Something else is done by a program of this name.
    Do(&'static str, fn()),
}
