//! Two processes that want the same processor, and how long the kernel says that one of them waited.

use std::fs;

use crate::actor::Actor;
use crate::launch::checked;

/// What one of the two computes, the other being busy for longer.
const SPIN_MILLISECONDS: u64 = 200;
const OTHER_SPIN_MILLISECONDS: u64 = 300;

/// How often a thread was switched to, and how long it had waited for that in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// How often.
    pub count: u64,
    /// How long.
    pub nanoseconds: u64,
}

impl Waits {
    /// What `/proc/PID/task/PID/schedstat` says: time on a processor, time of waiting, times it ran.
    ///
    /// # Panics
    /// When the kernel keeps no such account.
    pub fn of(pid: u32) -> Self {
        let line = fs::read_to_string(format!("/proc/{pid}/task/{pid}/schedstat")).unwrap();
        let numbers: Vec<u64> =
            line.split_whitespace().map(|number| number.parse().unwrap()).collect();
        let [_, nanoseconds, count] = numbers[..] else { panic!("schedstat says {line}") };
        Self { count, nanoseconds }
    }

    /// What was counted is that, but for what lies between two clocks and two places in the scheduler.
    ///
    /// # Errors
    /// In words.
    pub fn compare(self, counted: Self) -> Result<(), String> {
        let tolerance = self.nanoseconds / 10;
        let is_right = self.count.abs_diff(counted.count) <= 1 + self.count / 100
            && self.nanoseconds.abs_diff(counted.nanoseconds) <= tolerance;
        let why = || format!("the kernel says {self:?}, counted was {counted:?}");
        if is_right { Ok(()) } else { Err(why()) }
    }
}

/// The actors, which have one thread each, contend for one processor. How long the first one waited,
/// meanwhile; it sleeps afterwards as it did before.
///
/// # Panics
/// When they cannot be bound to it, or did not contend.
pub fn contend(first: &mut Actor, second: &mut Actor) -> Waits {
    for actor in [&*first, &*second] {
        bind_to_a_processor(actor.pid());
        actor.wait_until_idle();
    }
    let before = Waits::of(first.pid());
    second.tell(&format!("spin {OTHER_SPIN_MILLISECONDS}"));
    first.ask(&format!("spin {SPIN_MILLISECONDS}"));
    first.wait_until_idle();
    second.hear();
    let after = Waits::of(first.pid());
    let count = after.count - before.count;
    let nanoseconds = after.nanoseconds - before.nanoseconds;
    assert!(nanoseconds > SPIN_MILLISECONDS * 1_000_000 / 2, "{nanoseconds} ns of waiting");
    Waits { count, nanoseconds }
}

/// To the first that it may run on.
fn bind_to_a_processor(pid: u32) {
    let id = libc::pid_t::try_from(pid).unwrap();
    let size = size_of::<libc::cpu_set_t>();
    // SAFETY: the set is of this size and lives during the call; the macro stays within it.
    let first = unsafe {
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        checked(libc::sched_getaffinity(id, size, &raw mut allowed)).unwrap();
        (0..libc::CPU_SETSIZE as usize).find(|cpu| libc::CPU_ISSET(*cpu, &allowed))
    };
    bind_to(pid, first.unwrap());
}

/// Lets a process run on this processor only.
///
/// # Panics
/// When it may not.
pub fn bind_to(pid: u32, processor: usize) {
    let pid = libc::pid_t::try_from(pid).unwrap();
    let size = size_of::<libc::cpu_set_t>();
    // SAFETY: the set is of this size and lives during the call; the macro stays within it.
    unsafe {
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor, &mut one);
        checked(libc::sched_setaffinity(pid, size, &raw const one)).unwrap();
    }
}
