//! What a cluster's table may hold, and what it holds and did.

/// How much a cluster's table may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most objects: pods with those that linger, services, endpoint slices and nodes.
    pub entries: usize,
    /// Most bytes on the heap; 1 MiB at least.
    pub bytes: usize,
    /// How long a pod is found at its address after it left it, in nanoseconds of event time.
    pub linger_ns: u64,
}

impl Default for Limits {
    /// 100,000 pods in half of it, with their services.
    fn default() -> Self {
        Self { entries: 250_000, bytes: 64 << 20, linger_ns: 30_000_000_000 }
    }
}

/// Figures of a cluster's table. The first ones are as of now, from `evicted` on they count since the
/// beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Pods, with those that linger.
    pub pods: u64,
    /// Addresses of pods, with those that linger.
    pub addresses: u64,
    /// Addresses that linger.
    pub lingering: u64,
    /// Services.
    pub services: u64,
    /// Endpoint slices.
    pub endpoint_slices: u64,
    /// Backends in them.
    pub backends: u64,
    /// Nodes.
    pub nodes: u64,
    /// Different workloads, a version of one with other labels counted as another.
    pub groups: u64,
    /// Different label sets.
    pub label_sets: u64,
    /// Bytes on the heap: pages of entries, tables and texts as the allocator rounds them.
    pub bytes: u64,
    /// Lingering addresses that were forgotten before their time, for room.
    pub evicted: u64,
    /// Changes that were not taken, because there was no room.
    pub refused: u64,
    /// Addresses, ports and backends beyond what is kept of one object.
    pub omitted: u64,
    /// Objects that were gone when everything was listed again.
    pub swept: u64,
    /// Addresses that a pod came to while another was still there.
    pub taken_over: u64,
    /// Numbers that turned out to be those of two label sets.
    pub collided: u64,
    /// How often the source turned out to tell of another cluster, and all was forgotten.
    pub replaced: u64,
}
