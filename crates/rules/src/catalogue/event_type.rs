//! Types of events by the names of their system calls, and sets of them.

macro_rules! event_types {
    ($($variant:ident = $name:literal, $record:expr;)*) => {
        /// What an event is of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventType {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl EventType {
            /// All of them.
            pub const ALL: &'static [EventType] = &[$(EventType::$variant),*];

            /// As `evt.type` has it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The type of this name; the first of two.
            #[allow(unreachable_patterns, reason = "a call, and what tells of it otherwise, have one name")]
            pub fn of_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The kind of record that tells of it, if one is captured.
            pub const fn record(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => $record,)*
                }
            }
        }
    };
}

// A type without a record is known, so that a rule about it is refused for what it is. To capture one,
// name its record here, its fields in the lists beside this, and their values in the adapter.
event_types! {
    Execve = "execve", Some("exec");
    Execveat = "execveat", None;
    Clone = "clone", Some("fork");
    Clone3 = "clone3", None;
    Fork = "fork", None;
    Vfork = "vfork", None;
    ProcExit = "procexit", Some("exit");
    Connect = "connect", Some("tcp_connect");
    Accept = "accept", Some("tcp_accept");
    Accept4 = "accept4", None;
    Listen = "listen", Some("system_call");
    Bind = "bind", Some("system_call");
    Socket = "socket", Some("system_call");
    Socketpair = "socketpair", Some("system_call");
    Sendto = "sendto", Some("system_call");
    Sendmsg = "sendmsg", Some("system_call");
    Sendmmsg = "sendmmsg", Some("system_call");
    FirstSent = "sendto", Some("udp_open");
    Recvfrom = "recvfrom", Some("udp_open");
    Recvmsg = "recvmsg", None;
    Recvmmsg = "recvmmsg", None;
    Shutdown = "shutdown", Some("system_call");
    Open = "open", None;
    Openat = "openat", Some("file_open");
    Openat2 = "openat2", None;
    OpenByHandleAt = "open_by_handle_at", Some("system_call");
    Creat = "creat", None;
    Close = "close", None;
    Read = "read", None;
    Write = "write", None;
    Dup = "dup", Some("system_call");
    Dup2 = "dup2", Some("system_call");
    Dup3 = "dup3", Some("system_call");
    Rename = "rename", Some("system_call");
    Renameat = "renameat", Some("system_call");
    Renameat2 = "renameat2", Some("system_call");
    Unlink = "unlink", Some("system_call");
    Unlinkat = "unlinkat", Some("system_call");
    Mkdir = "mkdir", Some("system_call");
    Mkdirat = "mkdirat", Some("system_call");
    Rmdir = "rmdir", Some("system_call");
    Link = "link", Some("system_call");
    Linkat = "linkat", Some("system_call");
    Symlink = "symlink", Some("system_call");
    Symlinkat = "symlinkat", Some("system_call");
    Chmod = "chmod", Some("system_call");
    Fchmod = "fchmod", Some("system_call");
    Fchmodat = "fchmodat", Some("system_call");
    Chown = "chown", Some("system_call");
    Lchown = "lchown", Some("system_call");
    Fchown = "fchown", Some("system_call");
    Fchownat = "fchownat", Some("system_call");
    Chdir = "chdir", Some("system_call");
    Fchdir = "fchdir", Some("system_call");
    Chroot = "chroot", Some("system_call");
    PivotRoot = "pivot_root", Some("system_call");
    Mount = "mount", Some("system_call");
    Umount = "umount", None;
    Umount2 = "umount2", Some("system_call");
    Setuid = "setuid", Some("system_call");
    Setgid = "setgid", Some("system_call");
    Setresuid = "setresuid", Some("system_call");
    Setresgid = "setresgid", Some("system_call");
    Setreuid = "setreuid", Some("system_call");
    Setregid = "setregid", Some("system_call");
    Setsid = "setsid", Some("system_call");
    Setpgid = "setpgid", Some("system_call");
    Capset = "capset", Some("system_call");
    Setns = "setns", Some("system_call");
    Unshare = "unshare", Some("system_call");
    Ptrace = "ptrace", Some("system_call");
    ProcessVmReadv = "process_vm_readv", Some("system_call");
    ProcessVmWritev = "process_vm_writev", Some("system_call");
    InitModule = "init_module", Some("system_call");
    FinitModule = "finit_module", Some("system_call");
    DeleteModule = "delete_module", Some("system_call");
    Bpf = "bpf", Some("system_call");
    PerfEventOpen = "perf_event_open", Some("system_call");
    Userfaultfd = "userfaultfd", Some("system_call");
    MemfdCreate = "memfd_create", Some("system_call");
    Keyctl = "keyctl", Some("system_call");
    Prctl = "prctl", Some("system_call");
    Kill = "kill", Some("system_call");
    Tkill = "tkill", Some("system_call");
    Tgkill = "tgkill", Some("system_call");
    SignalDeliver = "signaldeliver", None;
    Mmap = "mmap", None;
    Mprotect = "mprotect", None;
    Pipe = "pipe", None;
    Pipe2 = "pipe2", None;
    Splice = "splice", None;
    IoUringSetup = "io_uring_setup", Some("system_call");
    IoUringEnter = "io_uring_enter", None;
    IoUringRegister = "io_uring_register", None;
    Setfsuid = "setfsuid", Some("system_call");
    Setfsgid = "setfsgid", Some("system_call");
    Setgroups = "setgroups", Some("system_call");
    MoveMount = "move_mount", Some("system_call");
    PidfdGetfd = "pidfd_getfd", Some("system_call");
    KexecLoad = "kexec_load", Some("system_call");
    KexecFileLoad = "kexec_file_load", Some("system_call");
    Fchmodat2 = "fchmodat2", Some("system_call");
    Setxattr = "setxattr", Some("system_call");
    Lsetxattr = "lsetxattr", Some("system_call");
    Mknod = "mknod", Some("system_call");
    Mknodat = "mknodat", Some("system_call");
    Utimensat = "utimensat", Some("system_call");
    Truncate = "truncate", Some("system_call");
}

impl EventType {
    /// Others that its events may be of in truth, because what captures it does not tell them apart.
    pub fn also(self) -> &'static str {
        match self {
            Self::Execve => "execveat",
            Self::Clone => "fork, vfork, clone3",
            Self::Accept => "accept4",
            Self::Openat => "open, openat2, creat",
            Self::FirstSent => "sendmsg, sendmmsg",
            Self::Recvfrom => "recvmsg, recvmmsg",
            Self::Umount2 => "umount",
            _ => "",
        }
    }

    /// The type that its events are told as, where what captures them does not tell it apart.
    pub fn told_as(self) -> Option<Self> {
        let has = |other: &Self| other.also().split(", ").any(|name| name == self.name());
        EventTypes::CAPTURED.iter().find(has)
    }
}

/// A set of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct EventTypes(u128);

impl EventTypes {
    /// No type.
    pub const NONE: EventTypes = EventTypes(0);
    /// Every type.
    pub const ALL: EventTypes = EventTypes((1 << EventType::ALL.len()) - 1);
    /// Those that are captured.
    pub const CAPTURED: EventTypes = Self::EXEC
        .union(Self::FORK)
        .union(Self::EXIT)
        .union(Self::NETWORK)
        .union(Self::UDP)
        .union(Self::OPEN)
        .union(Self::CALLS);
    /// Programs that are executed.
    pub const EXEC: EventTypes = EventTypes(1 << EventType::Execve as u32);
    /// Connections that are opened and accepted.
    pub const NETWORK: EventTypes =
        EventTypes(1 << EventType::Connect as u32 | 1 << EventType::Accept as u32);
    /// First datagrams of conversations over UDP, sent and received.
    pub const UDP: EventTypes =
        EventTypes(1 << EventType::FirstSent as u32 | 1 << EventType::Recvfrom as u32);
    /// Every call that sends.
    pub const SENDS: EventTypes =
        EventTypes::of(&[EventType::Sendto, EventType::Sendmsg, EventType::Sendmmsg]);
    /// Processes that are made.
    pub const FORK: EventTypes = EventTypes(1 << EventType::Clone as u32);
    /// Files that are opened, or cannot be.
    pub const OPEN: EventTypes = EventTypes(1 << EventType::Openat as u32);
    /// System calls that are told with their arguments.
    pub const CALLS: EventTypes = {
        let (mut set, mut index) = (0, 0);
        while index < EventType::ALL.len() {
            if let Some(record) = EventType::ALL[index].record()
                && is_same(record, "system_call")
            {
                set |= 1 << index;
            }
            index += 1;
        }
        EventTypes(set)
    };
    /// Processes that end.
    pub const EXIT: EventTypes = EventTypes(1 << EventType::ProcExit as u32);

    /// Only this.
    pub const fn only(event_type: EventType) -> Self {
        Self(1 << event_type as u32)
    }

    /// All of these.
    pub const fn of(types: &[EventType]) -> Self {
        let (mut set, mut index) = (0, 0);
        while index < types.len() {
            set |= 1 << types[index] as u32;
            index += 1;
        }
        Self(set)
    }

    /// Those of both.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that both have.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that it does not have.
    pub const fn complement(self) -> Self {
        Self(!self.0 & Self::ALL.0)
    }

    /// It has none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// It has this.
    pub const fn contains(self, event_type: EventType) -> bool {
        self.0 & 1 << event_type as u32 != 0
    }

    /// Each of them, in order.
    pub fn iter(self) -> impl Iterator<Item = EventType> {
        EventType::ALL.iter().copied().filter(move |event_type| self.contains(*event_type))
    }

    /// What of these events is told once. A rule that may fire of calls that send is told by them; the first
    /// datagram, which is one of those, is for rules that ask for more of it than a call says (whether it goes
    /// to somebody new), and for those that do not name calls: to be told of every one costs too much for them.
    #[must_use]
    pub fn told_once(self, names_events: bool) -> Self {
        let sends = self.intersection(Self::SENDS);
        match names_events && !sends.is_empty() {
            true => self.intersection(Self::only(EventType::FirstSent).complement()),
            false => self.intersection(Self::SENDS.complement()),
        }
    }

    /// Their names with commas between, each once.
    pub fn names(self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for name in self.iter().map(EventType::name) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.join(", ")
    }
}

const fn is_same(text: &str, other: &str) -> bool {
    let (text, other) = (text.as_bytes(), other.as_bytes());
    let mut index = 0;
    while index < text.len() && index < other.len() && text[index] == other[index] {
        index += 1;
    }
    index == text.len() && index == other.len()
}

impl FromIterator<EventType> for EventTypes {
    fn from_iter<I: IntoIterator<Item = EventType>>(types: I) -> Self {
        types.into_iter().fold(Self::NONE, |set, one| set.union(Self::only(one)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_sets() {
        let both: EventTypes = [EventType::Execve, EventType::Open].into_iter().collect();
        assert!(both.contains(EventType::Open) && !both.contains(EventType::Openat));
        assert_eq!(both.names(), "execve, open");
        assert_eq!(both.intersection(both.complement()), EventTypes::NONE);
        assert_eq!(both.union(both.complement()), EventTypes::ALL);
        let captured = EventType::ALL.iter().filter(|one| one.record().is_some());
        assert_eq!(captured.copied().collect::<EventTypes>(), EventTypes::CAPTURED);
        assert_eq!(EventTypes::OPEN.names(), "openat");
        assert!(EventTypes::CALLS.contains(EventType::Setns));
        assert_eq!(EventType::Creat.told_as(), Some(EventType::Openat));
        assert_eq!(EventType::Recvmsg.told_as(), Some(EventType::Recvfrom));
        assert_eq!(EventType::of_name("sendto"), Some(EventType::Sendto));
        assert_eq!(
            EventTypes::SENDS.union(EventTypes::UDP).names(),
            "sendto, sendmsg, sendmmsg, recvfrom"
        );
        assert_eq!(EventType::Read.told_as(), None);
        assert_eq!(EventType::of_name("openat2"), Some(EventType::Openat2));
    }
}
