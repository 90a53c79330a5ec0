//! Page faults of a process, as the kernel counts them.

use std::fs;

/// What getrusage(2) would say to the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// Served from memory.
    pub minor: u64,
    /// Served from a disk.
    pub major: u64,
}

impl Faults {
    /// What `/proc/PID/stat` says.
    ///
    /// # Panics
    /// When the process is gone.
    pub fn of(pid: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        // proc(5) counts from 1, and two fields stand before these.
        let field = |number: usize| fields[number - 3].parse().unwrap();
        Self { minor: field(10), major: field(12) }
    }

    /// What came since then.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self { minor: self.minor - before.minor, major: self.major - before.major }
    }
}
