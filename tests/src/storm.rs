//! Many short processes, as fast as the kernel makes them.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::launch::checked;
use crate::scratch::unique;

/// A user that nothing else on the machine runs as, so that a filter can tell its processes apart.
pub fn user() -> u32 {
    1_000_000_000 + unique()
}

/// Executes `program` `count` times as this user, by two workers that share memory with their
/// children until these execute, as vfork(2) does. Every child is reaped.
///
/// # Panics
/// When a program cannot be executed or does not exit with 0.
pub fn execute_many(program: &Path, count: u32, user: u32) {
    let begun = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                become_user(user);
                while begun.fetch_add(1, Ordering::Relaxed) < count {
                    execute(program);
                }
            });
        }
    });
}

/// Changes the user of this thread alone, which is what the system call does by itself.
fn become_user(user: u32) {
    // SAFETY: takes numbers only.
    checked(unsafe { libc::syscall(libc::SYS_setresuid, user, user, user) }).unwrap();
}

fn execute(program: &Path) {
    let path = std::ffi::CString::new(program.to_str().unwrap()).unwrap();
    let arguments = [path.as_ptr().cast_mut(), std::ptr::null_mut()];
    let environment = [std::ptr::null_mut()];
    let (mut pid, mut status) = (0, 0);
    // SAFETY: the path ends with NUL, the lists with a null pointer; the numbers outlive the calls.
    unsafe {
        let failed = libc::posix_spawn(
            &raw mut pid,
            path.as_ptr(),
            std::ptr::null(),
            std::ptr::null(),
            arguments.as_ptr(),
            environment.as_ptr(),
        );
        assert_eq!(failed, 0, "posix_spawn of {}", program.display());
        checked(libc::waitpid(pid, &raw mut status, 0)).unwrap();
    }
    assert_eq!(status, 0, "{} failed", program.display());
}
