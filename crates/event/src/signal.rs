//! Records of the `signal_sent` signal: a signal was sent to a process.

use crate::process::{Comm, Process};
use crate::time::Timestamp;

mod fields;

pub use fields::{SIGNAL_SENT, SignalSentFields};

/// What became of a signal when it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It waits for the target, or wakes it.
    Delivered,
    /// The target ignores it.
    Ignored,
    /// One of it waits already, and there is never more than one.
    AlreadyPending,
    /// A real-time signal for which there was no room: it is lost, and the sender knows.
    Overflow,
    /// It waits, but who sent it and why had no room.
    LostInformation,
}

impl Outcome {
    /// Every outcome, in the order of the kernel's numbers.
    pub const ALL: [Self; 5] = [
        Self::Delivered,
        Self::Ignored,
        Self::AlreadyPending,
        Self::Overflow,
        Self::LostInformation,
    ];

    /// As a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Ignored => "ignored",
            Self::AlreadyPending => "already_pending",
            Self::Overflow => "overflow",
            Self::LostInformation => "lost_information",
        }
    }
}

/// `signal_sent`: a signal was sent to a process, or to one of its threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalSent {
    /// When.
    pub time: Timestamp,
    /// Who sent it; none where it was nobody's doing: a timer's, a terminal's.
    pub process: Option<Process>,
    /// Of so many signals this one was told, drawn at random: it stands for all of them. 1: all are told.
    pub sampled_one_in: u32,
    /// Its number, from 1.
    pub signal: u8,
    /// `si_code` of sigaction(2), where the sender gave one.
    pub code: Option<i32>,
    /// The kernel sent it: for a fault, a timer, a terminal, the end of a child.
    pub is_by_kernel: bool,
    /// It is for the process, any thread of which may take it; else for one thread.
    pub is_to_process: bool,
    /// What became of it.
    pub outcome: Outcome,
    /// To whom.
    pub target: Target,
}

/// Whom a signal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The process.
    pub pid: u32,
    /// The thread by which the kernel names it.
    pub thread_id: u32,
    /// Start of the process, nanoseconds of CLOCK_BOOTTIME.
    pub start_boottime_ns: u64,
    /// Its cgroup.
    pub cgroup_id: u64,
    /// That cgroup's hierarchy: 0 is the unified (v2) one.
    pub cgroup_hierarchy: u32,
    /// Its name.
    pub comm: Comm,
}
