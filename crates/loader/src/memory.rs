//! Memory the kernel must grant: the locked-memory limit of old kernels, and the size of rings.

use std::io;

/// The running kernel's release, as `uname -r` prints it, and its first two numbers.
pub fn kernel_release() -> (String, (u32, u32)) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim().to_owned();
    let mut numbers = release.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (release, version)
}

/// Raises RLIMIT_MEMLOCK where BPF memory still counts against it (kernels before 5.11; since then
/// it counts against the cgroup). Elsewhere nothing is touched.
///
/// # Errors
/// The refusal of setrlimit(2), on an old kernel. Loading may still succeed: it is for the caller
/// to mention when it does not.
pub fn raise_memlock_limit() -> io::Result<()> {
    // SAFETY: libbpf_set_memlock_rlim only stores a number; 0 turns its own raising off.
    unsafe { libbpf_sys::libbpf_set_memlock_rlim(0) };
    if kernel_release().1 >= (5, 11) {
        return Ok(());
    }
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the pointer is to a live rlimit for the length of the call.
    match unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Files that may be open at once, where the limit can be raised so far.
const FILES: libc::rlim_t = 16_384;

/// Raises how many files may be open to what this process may have, within reason: a shell's 1,024 are soon spent on
/// files, roots and tables that are kept for names and stacks.
///
/// # Errors
/// The refusal of getrlimit(2) or setrlimit(2). Things go on with what there is: what cannot be opened is counted there.
pub fn raise_file_limit() -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live rlimit for the length of the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let wanted = limit.rlim_max.min(FILES);
    if limit.rlim_cur >= wanted {
        return Ok(());
    }
    limit.rlim_cur = wanted;
    // SAFETY: as above.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

const MIB: usize = 1 << 20;

/// Bytes of a ring when none are asked for: half a MiB for each CPU, between 1 and 8 MiB, and no
/// more than a thousandth of memory (but a page). The reader's share of memory is twice this,
/// because a ring is mapped twice in a row.
pub fn default_ring_bytes(cpus: usize, memory_bytes: u64) -> usize {
    let wanted = ring_bytes((cpus * MIB / 2).clamp(MIB, 8 * MIB));
    let affordable = usize::try_from(memory_bytes / 1000).unwrap_or(usize::MAX);
    if wanted <= affordable {
        return wanted;
    }
    affordable.checked_ilog2().map_or(0, |log2| 1 << log2).max(page_bytes())
}

/// The largest ring: its size crosses as a 32-bit number.
const MOST_RING_BYTES: usize = 1 << 31;

/// The nearest size the kernel takes: a power of two of at least one page and at most 2 GiB.
/// Rounds up.
pub fn ring_bytes(wanted: usize) -> usize {
    wanted.clamp(page_bytes(), MOST_RING_BYTES).next_power_of_two()
}

/// Bytes of a page.
pub fn page_bytes() -> usize {
    // SAFETY: sysconf has no preconditions.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// Gives memory that was freed back to the system. glibc keeps what small pieces were in, for each thread's next ones:
/// after large work that is many times what is in use. All of it is gone through: this is for now and then.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it has no preconditions, and touches nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Has large pieces of memory given back as soon as they are freed. glibc would come to keep pieces as large as those
/// that were freed, for the next ones, in each thread's part of memory. To be called before work that takes much for
/// a moment.
pub fn keep_no_large_pieces() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it has no preconditions; what is in use stays as it is.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_PIECE_BYTES);
    }
}

/// Smaller ones are often asked for and given back.
#[cfg(target_env = "gnu")]
const LARGE_PIECE_BYTES: i32 = 512 << 10;

/// CPUs that may ever be online, and bytes of memory.
pub fn machine() -> (usize, u64) {
    let cpus = libbpf_rs::num_possible_cpus().unwrap_or(1);
    // SAFETY: sysconf has no preconditions.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    let memory = u64::try_from(pages).unwrap_or(0) * page_bytes() as u64;
    (cpus, memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_grow_with_cpus_within_bounds_and_memory() {
        let gib = 1 << 30;
        assert_eq!(default_ring_bytes(1, 16 * gib), MIB);
        assert_eq!(default_ring_bytes(8, 16 * gib), 4 * MIB);
        assert_eq!(default_ring_bytes(256, 512 * gib), 8 * MIB);
        assert_eq!(default_ring_bytes(8, gib / 2), MIB / 2, "no more than a thousandth");
        assert_eq!(default_ring_bytes(8, 0), page_bytes());
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn what_small_pieces_were_in_is_given_back() {
        let resident_pages = || {
            let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
            text.split(' ').nth(1).and_then(|word| word.parse::<usize>().ok()).unwrap_or(0)
        };
        let pieces = 100_000;
        let mut all: Vec<_> = (0..pieces).map(|_| Box::new([1_u8; 1000])).collect();
        // The last one stays: so the heap cannot just become shorter.
        let last = all.pop();
        drop(all);
        let before = resident_pages();
        give_back();
        let given = before.saturating_sub(resident_pages());
        assert!(given * page_bytes() > pieces * 1000 / 2, "{given} of {before} pages");
        drop(last);
    }

    #[test]
    fn a_ring_is_a_power_of_two_of_pages() {
        assert_eq!(ring_bytes(1), page_bytes());
        assert_eq!(ring_bytes(3 * page_bytes()), 4 * page_bytes());
    }

    #[test]
    fn no_ring_is_asked_for_that_its_size_cannot_name() {
        assert_eq!(ring_bytes(MOST_RING_BYTES), MOST_RING_BYTES);
        assert_eq!(ring_bytes(MOST_RING_BYTES + 1), MOST_RING_BYTES);
        assert_eq!(ring_bytes(usize::MAX), MOST_RING_BYTES);
    }
}
