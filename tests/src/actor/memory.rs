//! What an actor does with memory.

use std::fs::File;
use std::os::fd::AsRawFd;

use crate::launch::checked;

/// Answers to what no other part of the actor knows.
pub(super) fn perform(command: &str, arguments: &[&str]) -> Option<String> {
    match (command, arguments) {
        ("fill", [bytes]) => fill(bytes.parse().unwrap()),
        ("read-mapped", [path, bytes]) => read_mapped(path, bytes.parse().unwrap()),
        _ => return None,
    }
    Some("done".to_owned())
}

fn page_bytes() -> usize {
    // SAFETY: takes a number only.
    usize::try_from(checked(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap()).unwrap()
}

/// Takes so much memory, writes to each page of it, and keeps it.
fn fill(bytes: usize) {
    // SAFETY: nothing else knows of this mapping, and all that is written lies within it.
    unsafe {
        let start = libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        assert_ne!(start, libc::MAP_FAILED);
        // One fault for each page, whatever the machine's setting is.
        libc::madvise(start, bytes, libc::MADV_NOHUGEPAGE);
        for offset in (0..bytes).step_by(page_bytes()) {
            start.cast::<u8>().add(offset).write_volatile(1);
        }
    }
}

/// Reads each page of a file that nobody has in memory, through a mapping.
fn read_mapped(path: &str, bytes: usize) {
    let file = File::open(path).unwrap();
    let length = libc::off_t::try_from(bytes).unwrap();
    // SAFETY: nothing else knows of this mapping, all that is read lies within it, and the file is as long.
    unsafe {
        libc::posix_fadvise(file.as_raw_fd(), 0, length, libc::POSIX_FADV_DONTNEED);
        let start = libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        );
        assert_ne!(start, libc::MAP_FAILED);
        // No page is read ahead of its turn.
        libc::madvise(start, bytes, libc::MADV_RANDOM);
        for offset in (0..bytes).step_by(page_bytes()) {
            start.cast::<u8>().add(offset).read_volatile();
        }
        libc::munmap(start, bytes);
    }
}
