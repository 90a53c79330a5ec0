//! What the table may hold, and what it holds and did.

/// How much a table may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most processes, dead ones included; 16 at least, and one for each KiB of `bytes` at most,
    /// so that there is room for what they run.
    pub processes: usize,
    /// Most bytes on the heap; 1 MiB at least.
    pub bytes: usize,
    /// Bytes of arguments that are kept of a program.
    pub arguments_bytes: usize,
    /// Shortest stay of a dead process after its end, in the time that drained.
    pub linger_ns: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            processes: 65_536,
            bytes: 64 << 20,
            arguments_bytes: 2048,
            linger_ns: 2_000_000_000,
        }
    }
}

/// Figures of a table. The first six are as of now, the others count since its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Processes that have not ended.
    pub live: u64,
    /// Processes that ended: late records may come, or descendants are there.
    pub dead: u64,
    /// Dead processes that stay for their descendants.
    pub dead_with_descendants: u64,
    /// Processes whose parent nobody told of.
    pub unknown_parents: u64,
    /// Distinct programs.
    pub programs: u64,
    /// Bytes on the heap: pages of entries, tables and strings as the allocator rounds them.
    pub bytes: u64,
    /// Dead processes that were forgotten in time.
    pub forgotten: u64,
    /// Evicted for room: dead, without descendants.
    pub evicted_dead: u64,
    /// Evicted for room: dead, with descendants, which keep the rest of their lineage if it can be
    /// closed up.
    pub evicted_ancestors: u64,
    /// Evicted for room: live, without children.
    pub evicted_live: u64,
    /// Processes first known by a mere sighting.
    pub sighted: u64,
    /// Processes that a record showed under another parent than before.
    pub reparented: u64,
    /// Execs of a process that had executed before.
    pub execs_without_fork: u64,
    /// Ends that were not seen: the pid had a new holder, or a sweep did not meet the process.
    pub exits_unseen: u64,
}
