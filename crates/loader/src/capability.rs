//! The capabilities that BPF needs, which of them this process lacks, and how those that are not needed any
//! more are given up.

use std::io;

/// Names by number, as far as anything here asks for them or keeps them.
const NAMES: [(u32, &str); 9] = [
    (1, "CAP_DAC_OVERRIDE"),
    (2, "CAP_DAC_READ_SEARCH"),
    (12, "CAP_NET_ADMIN"),
    (19, "CAP_SYS_PTRACE"),
    (21, "CAP_SYS_ADMIN"),
    (24, "CAP_SYS_RESOURCE"),
    (34, "CAP_SYSLOG"),
    (38, "CAP_PERFMON"),
    (39, "CAP_BPF"),
];

const SYS_ADMIN: u32 = 21;
/// What CAP_SYS_ADMIN stands for.
const FINER: [&str; 2] = ["CAP_BPF", "CAP_PERFMON"];

/// The effective capability set of this thread, which is what the kernel asks; 0 when unreadable.
pub fn effective() -> u64 {
    set("CapEff:")
}

/// A set of this thread's by its name in `/proc`.
fn set(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0)
}

/// Gives up, for good, every capability that is not named: of this thread, and of the threads and programs that
/// it starts from now on. Threads that run already keep theirs, because the kernel has capabilities by thread.
/// What is named and not held stays not held.
///
/// # Errors
/// The refusal of capset(2) or prctl(2). Giving up is no matter of rights, so only a filter of system calls does
/// that.
pub fn keep_only(names: &[&str]) -> io::Result<()> {
    let kept = NAMES.iter().filter(|(_, name)| names.contains(name));
    let kept = kept.fold(0, |set, (number, _)| set | 1_u64 << number);
    // Without new privileges no program can bring back what its bounding set still has, not even as root.
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL.cast_unsigned().into())?;
    for number in (0..u64::BITS).filter(|number| kept >> number & 1 == 0) {
        // EPERM without CAP_SETPCAP, EINVAL behind the last capability that this kernel knows.
        if prctl(libc::PR_CAPBSET_DROP, number.into()).is_err() {
            break;
        }
    }
    set_permitted(kept & set("CapPrm:"))
}

fn prctl(option: libc::c_int, argument: libc::c_ulong) -> io::Result<()> {
    let none: libc::c_ulong = 0;
    // SAFETY: the options that are given here take numbers only.
    match unsafe { libc::prctl(option, argument, none, none, none) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Makes this the permitted and the effective set of this thread, and leaves none inheritable.
fn set_permitted(set: u64) -> io::Result<()> {
    /// `_LINUX_CAPABILITY_VERSION_3` (linux/capability.h): sets of 64 bits, in two halves.
    const VERSION: u32 = 0x2008_0522;
    let this_thread = 0;
    let header: [u32; 2] = [VERSION, this_thread];
    // Of each half: effective, permitted, inheritable.
    let half = |shift: u32| (set >> shift) as u32;
    let sets: [u32; 6] = [half(0), half(0), 0, half(32), half(32), 0];
    // SAFETY: both arrays have the layout that this version of the call reads, and live through it.
    match unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Which of `needed` (names) are not in the set `have`. CAP_SYS_ADMIN stands for CAP_BPF and
/// CAP_PERFMON, as it does in the kernel (5.8 and later; before, it is the only one there is).
pub fn missing<'a>(needed: &[&'a str], have: u64) -> Vec<&'a str> {
    let has = |number: u32| have >> number & 1 == 1;
    needed
        .iter()
        .filter(|name| {
            let number = NAMES.iter().find(|(_, known)| known == *name).map(|(number, _)| *number);
            !(number.is_some_and(has) || FINER.contains(name) && has(SYS_ADMIN))
        })
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sys_admin_stands_for_the_finer_ones() {
        let needed = ["CAP_BPF", "CAP_PERFMON"];
        assert_eq!(missing(&needed, 0), needed);
        assert_eq!(missing(&needed, 1 << 39), ["CAP_PERFMON"]);
        assert!(missing(&needed, 1 << 21).is_empty());
    }

    #[test]
    fn sys_admin_stands_for_nothing_else() {
        assert_eq!(missing(&["CAP_SYS_RESOURCE"], 1 << 21), ["CAP_SYS_RESOURCE"]);
        assert!(missing(&["CAP_SYS_RESOURCE"], 1 << 24).is_empty());
    }

    #[test]
    fn what_is_given_up_is_gone_for_this_thread_and_for_what_it_starts() {
        let before = effective();
        let (own, of_child, new_privileges) = std::thread::spawn(|| {
            keep_only(&["CAP_BPF", "CAP_DAC_READ_SEARCH"]).unwrap();
            let of_child = std::process::Command::new("cat").arg("/proc/self/status").output();
            let of_child = String::from_utf8(of_child.unwrap().stdout).unwrap();
            let line =
                |name| of_child.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
            let effective_of_child = u64::from_str_radix(line("CapEff:"), 16).unwrap();
            ((effective(), set("CapPrm:")), effective_of_child, line("NoNewPrivs:").to_owned())
        })
        .join()
        .unwrap();
        let kept = before & (1 << 39 | 1 << 2);
        assert_eq!(own, (kept, kept));
        assert_eq!(of_child & !kept, 0);
        assert_eq!(new_privileges, "1");
        assert_eq!(effective(), before, "other threads keep theirs");
    }
}
