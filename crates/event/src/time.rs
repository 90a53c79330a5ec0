//! Wall-clock moments, and how the kernel's boot-time clock becomes them.

/// Nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

/// Turns the kernel's boot-time nanoseconds (CLOCK_BOOTTIME) into wall-clock time.
///
/// `start_offset_ns` never changes during a run, so that a process's start time is the same on
/// every record; `offset_ns` may be measured again when the wall clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Wall clock minus boot time when the run began, in nanoseconds.
    pub start_offset_ns: u64,
    /// Wall clock minus boot time as last measured, in nanoseconds.
    pub offset_ns: u64,
}

impl Clock {
    /// The moment of an event.
    pub fn event_time(&self, boottime_ns: u64) -> Timestamp {
        Timestamp(self.offset_ns.wrapping_add(boottime_ns))
    }

    /// The start of a process: stable for the whole run.
    pub fn start_time(&self, boottime_ns: u64) -> Timestamp {
        Timestamp(self.start_offset_ns.wrapping_add(boottime_ns))
    }
}
