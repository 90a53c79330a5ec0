//! The clocks that probes have, and the distance of the wall clock from the one that records are stamped with.

/// Wall clock minus CLOCK_BOOTTIME, in nanoseconds.
pub fn wall_minus_boottime_ns() -> u64 {
    // The wall clock is read between two readings of the other, and compared with their middle.
    let before = read(libc::CLOCK_BOOTTIME);
    let wall = read(libc::CLOCK_REALTIME);
    let after = read(libc::CLOCK_BOOTTIME);
    wall.wrapping_sub(before / 2 + after / 2)
}

/// CLOCK_BOOTTIME in nanoseconds.
pub fn boottime_ns() -> u64 {
    read(libc::CLOCK_BOOTTIME)
}

/// CLOCK_MONOTONIC in nanoseconds, as probes have it that measure times.
pub fn monotonic_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// How long a jiffy is, in nanoseconds: what the kernel's coarse clocks advance by.
pub fn jiffy_ns() -> u64 {
    nanoseconds(libc::clock_getres, libc::CLOCK_MONOTONIC_COARSE)
}

fn read(clock: libc::clockid_t) -> u64 {
    nanoseconds(libc::clock_gettime, clock)
}

type Ask = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> libc::c_int;

fn nanoseconds(ask: Ask, clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec; these clocks exist on every kernel since 2.6.39.
    unsafe { ask(clock, &raw mut time) };
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0)
}
