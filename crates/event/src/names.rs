//! Names of numbers: the kernel's signals, errors, capabilities and devices, and TCP's flags. Numbers are those of
//! `include/uapi/asm-generic`, which x86-64, arm64 and riscv64 use as they are. A number
//! without a name is shown as a number, never dropped.

use std::fmt;

/// Signals 1 to 31.
#[rustfmt::skip]
const SIGNALS: [&str; 31] = [
    "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE",
    "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT",
    "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU",
    "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
];

/// The first real-time signal that programs may use: glibc keeps the kernel's 32 and 33.
const SIGRTMIN: u8 = 34;
const SIGRTMAX: u8 = 64;

/// A signal's name as `kill -l` counts: `SIGKILL`, `SIGRTMIN+3`; `SIG33` where there is none.
pub fn signal(number: u8) -> impl fmt::Display {
    let index = usize::from(number).checked_sub(1);
    let name = index.and_then(|index| SIGNALS.get(index));
    fmt::from_fn(move |f| match (name, number) {
        (Some(name), _) => f.write_str(name),
        (None, SIGRTMIN) => f.write_str("SIGRTMIN"),
        (None, SIGRTMIN..=SIGRTMAX) => write!(f, "SIGRTMIN+{}", number - SIGRTMIN),
        (None, _) => write!(f, "SIG{number}"),
    })
}

/// The same as text.
pub fn signal_name(number: u8) -> String {
    signal(number).to_string()
}

/// Errors from 1 on; two numbers were never given a name.
#[rustfmt::skip]
const ERRNOS: [&str; 133] = [
    "EPERM", "ENOENT", "ESRCH", "EINTR", "EIO", "ENXIO", "E2BIG", "ENOEXEC", "EBADF", "ECHILD",
    "EAGAIN", "ENOMEM", "EACCES", "EFAULT", "ENOTBLK", "EBUSY", "EEXIST", "EXDEV", "ENODEV",
    "ENOTDIR", "EISDIR", "EINVAL", "ENFILE", "EMFILE", "ENOTTY", "ETXTBSY", "EFBIG", "ENOSPC",
    "ESPIPE", "EROFS", "EMLINK", "EPIPE", "EDOM", "ERANGE", "EDEADLK", "ENAMETOOLONG", "ENOLCK",
    "ENOSYS", "ENOTEMPTY", "ELOOP", "", "ENOMSG", "EIDRM", "ECHRNG", "EL2NSYNC", "EL3HLT",
    "EL3RST", "ELNRNG", "EUNATCH", "ENOCSI", "EL2HLT", "EBADE", "EBADR", "EXFULL", "ENOANO",
    "EBADRQC", "EBADSLT", "", "EBFONT", "ENOSTR", "ENODATA", "ETIME", "ENOSR", "ENONET",
    "ENOPKG", "EREMOTE", "ENOLINK", "EADV", "ESRMNT", "ECOMM", "EPROTO", "EMULTIHOP", "EDOTDOT",
    "EBADMSG", "EOVERFLOW", "ENOTUNIQ", "EBADFD", "EREMCHG", "ELIBACC", "ELIBBAD", "ELIBSCN",
    "ELIBMAX", "ELIBEXEC", "EILSEQ", "ERESTART", "ESTRPIPE", "EUSERS", "ENOTSOCK",
    "EDESTADDRREQ", "EMSGSIZE", "EPROTOTYPE", "ENOPROTOOPT", "EPROTONOSUPPORT",
    "ESOCKTNOSUPPORT", "EOPNOTSUPP", "EPFNOSUPPORT", "EAFNOSUPPORT", "EADDRINUSE",
    "EADDRNOTAVAIL", "ENETDOWN", "ENETUNREACH", "ENETRESET", "ECONNABORTED", "ECONNRESET",
    "ENOBUFS", "EISCONN", "ENOTCONN", "ESHUTDOWN", "ETOOMANYREFS", "ETIMEDOUT", "ECONNREFUSED",
    "EHOSTDOWN", "EHOSTUNREACH", "EALREADY", "EINPROGRESS", "ESTALE", "EUCLEAN", "ENOTNAM",
    "ENAVAIL", "EISNAM", "EREMOTEIO", "EDQUOT", "ENOMEDIUM", "EMEDIUMTYPE", "ECANCELED",
    "ENOKEY", "EKEYEXPIRED", "EKEYREVOKED", "EKEYREJECTED", "EOWNERDEAD", "ENOTRECOVERABLE",
    "ERFKILL", "EHWPOISON",
];

/// An error's name, if it has one: `ECONNREFUSED`.
pub fn errno_name(number: u32) -> Option<&'static str> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    ERRNOS.get(index).copied().filter(|name| !name.is_empty())
}

/// An error's name: `ECONNREFUSED`; `ERRNO_4095` where there is none.
pub(crate) fn errno(number: u32) -> impl fmt::Display {
    let name = errno_name(number);
    fmt::from_fn(move |f| match name {
        Some(name) => f.write_str(name),
        None => write!(f, "ERRNO_{number}"),
    })
}

/// Capabilities from bit 0 on, without `CAP_`.
#[rustfmt::skip]
const CAPABILITIES: [&str; 41] = [
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
    "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
    "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
];

/// A capability's name: `CAP_NET_ADMIN`; `CAP_41` where there is none yet.
pub(crate) fn capability(bit: u32) -> impl fmt::Display {
    let name = usize::try_from(bit).ok().and_then(|bit| CAPABILITIES.get(bit));
    fmt::from_fn(move |f| match name {
        Some(name) => write!(f, "CAP_{name}"),
        None => write!(f, "CAP_{bit}"),
    })
}

/// The names in a capability set, lowest bit first.
pub fn capabilities(set: u64) -> impl Iterator<Item = impl fmt::Display> {
    (0..u64::BITS).filter(move |bit| set >> bit & 1 == 1).map(capability)
}

/// Flags of a TCP header from bit 0 on (RFC 9293, RFC 3168).
const TCP_FLAGS: [&str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];

/// The names of the flags that are set, lowest bit first.
pub(crate) fn tcp_flags(flags: u8) -> impl Iterator<Item = &'static str> {
    TCP_FLAGS
        .into_iter()
        .enumerate()
        .filter(move |(bit, _)| flags >> bit & 1 == 1)
        .map(|(_, name)| name)
}

/// Flags of open(2) beside the access mode (`include/uapi/asm-generic/fcntl.h`). `O_SYNC` and
/// `O_TMPFILE` are of two bits and shown by the one that is theirs alone.
#[rustfmt::skip]
const OPEN_FLAGS: [(u32, &str); 12] = [
    (0o100, "O_CREAT"), (0o200, "O_EXCL"), (0o400, "O_NOCTTY"), (0o1000, "O_TRUNC"),
    (0o2000, "O_APPEND"), (0o4000, "O_NONBLOCK"), (0o20_000, "O_ASYNC"),
    (0o1_000_000, "O_NOATIME"), (0o2_000_000, "O_CLOEXEC"), (0o4_000_000, "O_SYNC"),
    (0o10_000_000, "O_PATH"), (0o20_000_000, "O_TMPFILE"),
];

/// Those that architectures number each in its own way.
#[cfg(target_arch = "aarch64")]
const OWN_OPEN_FLAGS: [(u32, &str); 3] =
    [(0o40_000, "O_DIRECTORY"), (0o100_000, "O_NOFOLLOW"), (0o200_000, "O_DIRECT")];
#[cfg(not(target_arch = "aarch64"))]
const OWN_OPEN_FLAGS: [(u32, &str); 3] =
    [(0o200_000, "O_DIRECTORY"), (0o400_000, "O_NOFOLLOW"), (0o40_000, "O_DIRECT")];

/// `O_DSYNC`, which `O_SYNC` has in it.
const DSYNC: u32 = 0o10_000;
const SYNC: u32 = 0o4_000_000;

/// The access mode, then the names of the flags that are set. `O_LARGEFILE`, which the kernel sets
/// itself, has none.
pub fn open_flags(flags: u32) -> impl Iterator<Item = &'static str> {
    let access = match flags & 0o3 {
        0 => "O_RDONLY",
        1 => "O_WRONLY",
        2 => "O_RDWR",
        _ => "O_ACCMODE",
    };
    let dsync = (flags & (DSYNC | SYNC) == DSYNC).then_some("O_DSYNC");
    let set = OPEN_FLAGS.into_iter().chain(OWN_OPEN_FLAGS);
    let set = set.filter(move |(bit, _)| flags & bit != 0).map(|(_, name)| name);
    std::iter::once(access).chain(set).chain(dsync)
}

/// The flags of names as [`open_flags`] lists them; of others nothing.
pub fn open_flags_of<'n>(names: impl IntoIterator<Item = &'n str>) -> u32 {
    let bits = |wanted: &str| {
        let mut set = OPEN_FLAGS.into_iter().chain(OWN_OPEN_FLAGS);
        match wanted {
            "O_WRONLY" => 0o1,
            "O_RDWR" => 0o2,
            "O_ACCMODE" => 0o3,
            "O_DSYNC" => DSYNC,
            _ => set.find(|(_, name)| *name == wanted).map_or(0, |(bit, _)| bit),
        }
    };
    names.into_iter().fold(0, |flags, name| flags | bits(name))
}

/// Families of sockets (`include/linux/socket.h`).
const SOCKET_FAMILIES: [(u16, &str); 5] =
    [(1, "unix"), (2, "ipv4"), (10, "ipv6"), (16, "netlink"), (17, "packet")];
const OTHER: &str = "other";

/// The word for a family of sockets; `other` for what is rare.
pub fn socket_family(number: u16) -> &'static str {
    SOCKET_FAMILIES.iter().find(|(known, _)| *known == number).map_or(OTHER, |(_, word)| word)
}

/// The family of a word, as it is there for good.
pub fn socket_family_of(word: &str) -> Option<&'static str> {
    let words = SOCKET_FAMILIES.iter().map(|(_, word)| *word).chain([OTHER]);
    words.into_iter().find(|known| *known == word)
}

/// A number as C writes it: `0x1f`.
pub(crate) fn hexadecimal(number: &u64) -> impl fmt::Display + use<> {
    let number = *number;
    fmt::from_fn(move |f| write!(f, "{number:#x}"))
}

/// A device as `/proc` writes it: `8:1`. Inside the kernel it is major << 20 | minor.
pub(crate) fn device(device: u32) -> impl fmt::Display {
    fmt::from_fn(move |f| write!(f, "{}:{}", device >> 20, device & 0xf_ffff))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_named_as_kill_lists_them() {
        for (number, name) in [
            (1, "SIGHUP"),
            (9, "SIGKILL"),
            (15, "SIGTERM"),
            (31, "SIGSYS"),
            (32, "SIG32"),
            (34, "SIGRTMIN"),
            (35, "SIGRTMIN+1"),
            (64, "SIGRTMIN+30"),
            (65, "SIG65"),
            (0, "SIG0"),
        ] {
            assert_eq!(signal(number).to_string(), name);
        }
    }

    #[test]
    fn flags_of_open_are_named_as_strace_does() {
        let names = |flags| open_flags(flags).collect::<Vec<_>>().join("|");
        assert_eq!(names(0), "O_RDONLY");
        assert_eq!(names(0o2_000_302), "O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC");
        assert_eq!(names(0o4_010_002), "O_RDWR|O_SYNC");
        assert_eq!(names(0o10_001), "O_WRONLY|O_DSYNC");
        for flags in [0, 1, 2, 3, 0o10_001, 0o2_000_302, 0o1101, 0o20_200_000] {
            assert_eq!(open_flags_of(open_flags(flags)), flags, "{flags:o}");
        }
    }

    #[test]
    fn errors_are_named_as_errno_h_does() {
        for (number, name) in [
            (1, "EPERM"),
            (11, "EAGAIN"),
            (35, "EDEADLK"),
            (41, "ERRNO_41"),
            (58, "ERRNO_58"),
            (110, "ETIMEDOUT"),
            (111, "ECONNREFUSED"),
            (133, "EHWPOISON"),
            (134, "ERRNO_134"),
            (0, "ERRNO_0"),
            (u32::MAX, "ERRNO_4294967295"),
        ] {
            assert_eq!(errno(number).to_string(), name);
        }
    }

    #[test]
    fn capabilities_of_newer_kernels_keep_their_number() {
        let names: Vec<String> =
            capabilities(1 | 1 << 12 | 1 << 40 | 1 << 41).map(|name| name.to_string()).collect();
        assert_eq!(names, ["CAP_CHOWN", "CAP_NET_ADMIN", "CAP_CHECKPOINT_RESTORE", "CAP_41"]);
        assert_eq!(capabilities(u64::MAX).count(), 64);
        assert_eq!(capabilities(0).count(), 0);
    }

    #[test]
    fn tcp_flags_are_named_as_rfc_9293_does() {
        assert_eq!(tcp_flags(0x12).collect::<Vec<_>>(), ["SYN", "ACK"]);
        assert_eq!(tcp_flags(0xff).count(), 8);
        assert_eq!(tcp_flags(0).count(), 0);
    }
}
