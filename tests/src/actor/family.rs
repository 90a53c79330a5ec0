//! What an actor does to have descendants: each is directed by itself, over a socket that its parent
//! opened to the test before it came to be.

use std::ffi::{CString, OsStr};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;

use crate::launch::checked;

use super::from_hex;

/// Answers to what no other part of the actor knows.
pub(super) fn perform(command: &str, arguments: &[&str]) -> Option<String> {
    match (command, arguments) {
        ("fork", [test]) => Some(fork(test, None)),
        ("fork-as", [pid, test]) => Some(fork(test, Some(pid.parse().unwrap()))),
        ("spawn", [program, test]) => Some(spawn(program, test)),
        ("reap", [pid]) => Some(reap(pid.parse().unwrap())),
        ("adopt-orphans", []) => {
            // SAFETY: takes numbers only.
            checked(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) }).unwrap();
            Some("done".to_owned())
        }
        ("rename", [digits]) => {
            let name = CString::new(from_hex(digits)).unwrap();
            // SAFETY: the name ends with NUL.
            checked(unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) }).unwrap();
            Some("done".to_owned())
        }
        _ => None,
    }
}

/// A copy of this process, with this id if one is given, that does what the test says. Answers with
/// its id.
fn fork(test: &str, pid: Option<libc::pid_t>) -> String {
    let stream = UnixStream::connect(test).unwrap();
    let child = match pid {
        // SAFETY: this process has one thread, so the child may do what it likes.
        None => checked(unsafe { libc::fork() }).unwrap().into(),
        Some(pid) => fork_as(pid),
    };
    if child != 0 {
        return child.to_string();
    }
    for descriptor in [0, 1] {
        // SAFETY: takes numbers only.
        checked(unsafe { libc::dup2(stream.as_raw_fd(), descriptor) }).unwrap();
    }
    drop(stream);
    super::play();
    std::process::exit(0)
}

/// fork(2) with the id that the child is to have, which nobody may have at the time.
fn fork_as(pid: libc::pid_t) -> i64 {
    /// As clone3(2) has it, up to what is needed here.
    #[repr(C)]
    #[derive(Default)]
    struct CloneArguments {
        before: [u64; 4],
        exit_signal: u64,
        stack: [u64; 3],
        set_tid: u64,
        set_tid_size: u64,
    }
    let arguments = CloneArguments {
        exit_signal: u64::try_from(libc::SIGCHLD).unwrap(),
        set_tid: std::ptr::from_ref(&pid) as u64,
        set_tid_size: 1,
        ..CloneArguments::default()
    };
    let size = size_of::<CloneArguments>();
    // SAFETY: both structures live during the call; without flags it is fork(2), and this process has
    // one thread.
    let child = unsafe { libc::syscall(libc::SYS_clone3, std::ptr::from_ref(&arguments), size) };
    checked(child).unwrap()
}

/// Starts a program, which must be an actor too, by posix_spawn(3): the child shares this process's
/// memory until it executes. Answers with its id.
fn spawn(program: &str, test: &str) -> String {
    let stream = UnixStream::connect(test).unwrap();
    let name = CString::new(OsStr::new(program).as_bytes()).unwrap();
    let arguments = [name.as_ptr().cast_mut(), std::ptr::null_mut()];
    let mut child = 0;
    // SAFETY: everything that is pointed to lives during the calls; both lists end with null.
    let failed = unsafe {
        let mut actions = std::mem::zeroed::<libc::posix_spawn_file_actions_t>();
        assert_eq!(libc::posix_spawn_file_actions_init(&raw mut actions), 0);
        for descriptor in [0, 1] {
            let from = stream.as_raw_fd();
            let added = libc::posix_spawn_file_actions_adddup2(&raw mut actions, from, descriptor);
            assert_eq!(added, 0);
        }
        let failed = libc::posix_spawn(
            &raw mut child,
            name.as_ptr(),
            &raw const actions,
            std::ptr::null(),
            arguments.as_ptr(),
            [std::ptr::null_mut()].as_ptr(),
        );
        libc::posix_spawn_file_actions_destroy(&raw mut actions);
        failed
    };
    assert_eq!(failed, 0);
    child.to_string()
}

/// Waits for the end of a child, so that its id is free. Answers with its exit code.
fn reap(pid: libc::pid_t) -> String {
    let mut status = 0;
    // SAFETY: `status` is written during the call.
    checked(unsafe { libc::waitpid(pid, &raw mut status, 0) }).unwrap();
    libc::WEXITSTATUS(status).to_string()
}
