//! System calls of a known number, and signals, as an actor makes them.

use crate::launch::checked;

/// Answers to what no other part of the actor knows.
pub(super) fn perform(command: &str, arguments: &[&str]) -> Option<String> {
    let count = || arguments.last().unwrap().parse::<usize>().unwrap();
    match (command, arguments) {
        // SAFETY: takes nothing, and cannot fail.
        ("ask-parent", [_]) => (0..count()).for_each(|_| unsafe {
            libc::syscall(libc::SYS_getppid);
        }),
        // SAFETY: there is no such descriptor.
        ("close-nothing", [_]) => (0..count()).for_each(|_| unsafe {
            assert_eq!(libc::syscall(libc::SYS_close, -1), -1);
        }),
        ("sleep", [milliseconds, _]) => {
            let nanoseconds = milliseconds.parse::<i64>().unwrap() * 1_000_000;
            let time = libc::timespec { tv_sec: 0, tv_nsec: nanoseconds };
            // SAFETY: the time lives through the call, which writes nothing.
            (0..count()).for_each(|_| unsafe {
                libc::syscall(
                    libc::SYS_clock_nanosleep,
                    libc::CLOCK_MONOTONIC,
                    0,
                    &raw const time,
                    std::ptr::null_mut::<libc::timespec>(),
                );
            });
        }
        ("kill", [pid, signal]) => {
            // SAFETY: takes numbers only.
            checked(unsafe { libc::kill(pid.parse().unwrap(), signal.parse().unwrap()) }).unwrap();
        }
        _ => return None,
    }
    Some("done".to_owned())
}
