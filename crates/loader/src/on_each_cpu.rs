//! Events of perf's, one on each CPU that is online.
//!
//! Invariant: a CPU that comes online has one after the next [`OnEachCpu::follow`], also one that was away for a moment
//! only: the kernel detaches the events of a CPU that goes, and does not attach them again.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use crate::cpus;
use crate::periodic::Periodic;

/// CPUs are looked for so often, where nothing else is done at the same time.
const LOOK: Duration = Duration::from_secs(1);

/// What is read of an event that is to be asked whether it [still runs](still_runs).
pub(crate) const READ_FORMAT: u64 = libbpf_sys::PERF_FORMAT_TOTAL_TIME_ENABLED as u64;

/// Events, or what has one each. They end when they are dropped.
#[derive(Debug)]
pub(crate) struct OnEachCpu<E> {
    by_cpu: BTreeMap<u32, Placed<E>>,
}

/// What is on a CPU, and for how long its event had been enabled when that was looked at.
#[derive(Debug)]
struct Placed<E> {
    event: E,
    enabled_ns: u64,
}

/// CPUs that came and went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Moved {
    pub came: u64,
    pub went: u64,
}

impl<E: AsFd> OnEachCpu<E> {
    /// On no CPU yet.
    pub fn new() -> Self {
        Self { by_cpu: BTreeMap::new() }
    }

    /// Opens events where there are none, which have to be read as [`READ_FORMAT`] says, and lets go of those whose CPU
    /// is gone. One that is refused is tried again the next time.
    ///
    /// # Errors
    /// What the kernel says when there is not even one.
    pub fn follow(&mut self, mut open: impl FnMut(u32) -> io::Result<E>) -> io::Result<Moved> {
        let online = cpus::online()?;
        let before = self.by_cpu.len();
        let goes_on = |cpu: &u32, Placed { event, enabled_ns }: &mut Placed<E>| {
            online.contains(cpu) && still_runs(event, enabled_ns)
        };
        self.by_cpu.retain(goes_on);
        let mut moved = Moved { came: 0, went: (before - self.by_cpu.len()) as u64 };
        let mut refused = None;
        for cpu in online {
            if self.by_cpu.contains_key(&cpu) {
                continue;
            }
            match open(cpu) {
                Ok(event) => {
                    self.by_cpu.insert(cpu, Placed { event, enabled_ns: 0 });
                    moved.came += 1;
                }
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if self.by_cpu.is_empty() => Err(error),
            _ => Ok(moved),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.by_cpu.values().map(|placed| &placed.event)
    }
}

/// Events that are kept on each CPU by a thread of their own, until this is dropped.
#[derive(Debug)]
pub(crate) struct Kept {
    _thread: Periodic,
}

impl Kept {
    /// Opens them with `open`, also on CPUs that come online later.
    ///
    /// # Errors
    /// As [`OnEachCpu::follow`] at first, and when there can be no thread of this name.
    pub fn start<E: AsFd + Send + 'static>(
        name: &str,
        mut open: impl FnMut(u32) -> io::Result<E> + Send + 'static,
    ) -> io::Result<Self> {
        let mut events = OnEachCpu::new();
        events.follow(&mut open)?;
        let keep = move || {
            // Those that go on are unharmed.
            let _ = events.follow(&mut open);
            LOOK
        };
        let capabilities = &["CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN"];
        Ok(Self { _thread: Periodic::start(name, capabilities, LOOK, keep)? })
    }
}

/// Whether an event of a CPU has been enabled for longer than when it was looked at last (ns). One that has not was
/// detached, because its CPU went, and is never attached again.
pub(crate) fn still_runs(event: &impl AsFd, enabled_ns: &mut u64) -> bool {
    let mut words = [0_u64; 2];
    let event = event.as_fd().as_raw_fd();
    // SAFETY: an open event, and a buffer that is as long as is said.
    let bytes = unsafe { libc::read(event, words.as_mut_ptr().cast(), size_of_val(&words)) };
    let [_count, now_ns] = words;
    let is_read = usize::try_from(bytes).is_ok_and(|bytes| bytes == size_of_val(&words));
    let before_ns = std::mem::replace(enabled_ns, now_ns);
    is_read && now_ns > before_ns
}
