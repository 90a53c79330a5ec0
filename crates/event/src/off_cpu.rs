//! Records of the `off_cpu` signal: a thread came back to a CPU after a wait.

use crate::cpu_sample::CpuSample;

mod fields;

pub use fields::{OFF_CPU, OffCpuFields};

/// Why a thread left its CPU, by its state then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WaitReason {
    /// It could have gone on: another one was preferred, or it gave way.
    Preempted,
    /// Asleep, so that a signal wakes it (S).
    Interruptible,
    /// Asleep, so that only what it waits for wakes it (D).
    Uninterruptible,
    /// Stopped by a signal, or by who traces it (T, t).
    Stopped,
    /// A thread of the kernel without work, or one that is parked (I, P).
    Idle,
    /// Away in a state that is none of these.
    Other,
}

impl WaitReason {
    /// Every reason, in the order of the probe's numbers.
    pub const ALL: [Self; 6] = [
        Self::Preempted,
        Self::Interruptible,
        Self::Uninterruptible,
        Self::Stopped,
        Self::Idle,
        Self::Other,
    ];

    /// As a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Preempted => "preempted",
            Self::Interruptible => "interruptible",
            Self::Uninterruptible => "uninterruptible",
            Self::Stopped => "stopped",
            Self::Idle => "idle",
            Self::Other => "other",
        }
    }
}

/// `off_cpu`: a thread came back to a CPU after a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffCpu<'a> {
    /// The thread when it came back, with the stacks that it waited in: `weight_ns` is the whole wait, `cpu` the
    /// one that it came to.
    pub sample: CpuSample<'a>,
    /// Why it left.
    pub reason: WaitReason,
    /// Of the wait: it could have run, and no CPU took it.
    pub runnable_ns: u64,
    /// The scheduler counted it as waiting for a disk.
    pub is_io_wait: bool,
}

impl OffCpu<'_> {
    /// Of the wait: it could not have run.
    pub fn blocked_ns(&self) -> u64 {
        self.sample.weight_ns.saturating_sub(self.runnable_ns)
    }
}
