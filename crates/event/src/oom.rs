//! Records of the `oom_kill` signal: the kernel killed a process for want of memory.

use crate::process::{Comm, Process};
use crate::time::Timestamp;

mod fields;

pub use fields::{OOM_KILL, OomKillFields};

/// `oom_kill`: the kernel chose a process to be killed, because a cgroup or the machine had no memory left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OomKill {
    /// When.
    pub time: Timestamp,
    /// The thread by which the kernel named the victim, mostly the number of its process.
    pub thread_id: u32,
    /// The victim; not known where an old kernel told the number only, of one that was ending already.
    pub victim: Option<Victim>,
    /// The limit that was reached, as far as can be seen: of the cgroups around the victim that with the
    /// least room below its limit. None where no memory is limited.
    pub limit: Option<MemoryLimit>,
    /// The process that asked for memory when there was none.
    pub allocator_pid: u32,
    /// The name of its thread that did.
    pub allocator_comm: Comm,
}

/// Who was killed, and what it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Victim {
    /// The process.
    pub process: Process,
    /// Its address space.
    pub total_bytes: u64,
    /// Its page tables.
    pub page_table_bytes: u64,
    /// What its choice was made more or less likely by: −1000 to 1000.
    pub oom_score_adjustment: i32,
    /// Its memory; not known where the kernel keeps that in a way that cannot be read.
    pub resident: Option<Resident>,
}

/// Memory of a process that is there, by what it is. Since 6.2 some pages for each CPU are not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resident {
    /// Its own.
    pub anonymous_bytes: u64,
    /// Of files.
    pub file_bytes: u64,
    /// Shared memory, tmpfs.
    pub shared_memory_bytes: u64,
}

/// A limit of a cgroup's memory, when somebody was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimit {
    /// The cgroup.
    pub cgroup_id: u64,
    /// Its hierarchy: 0 is the unified (v2) one.
    pub cgroup_hierarchy: u32,
    /// The limit.
    pub bytes: u64,
    /// What was used of it.
    pub usage_bytes: u64,
}
