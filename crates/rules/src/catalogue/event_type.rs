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

            /// The type of this name.
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
    Listen = "listen", None;
    Bind = "bind", None;
    Socket = "socket", None;
    Socketpair = "socketpair", None;
    Sendto = "sendto", None;
    Sendmsg = "sendmsg", None;
    Sendmmsg = "sendmmsg", None;
    Recvfrom = "recvfrom", None;
    Recvmsg = "recvmsg", None;
    Recvmmsg = "recvmmsg", None;
    Shutdown = "shutdown", None;
    Open = "open", None;
    Openat = "openat", None;
    Openat2 = "openat2", None;
    OpenByHandleAt = "open_by_handle_at", None;
    Creat = "creat", None;
    Close = "close", None;
    Read = "read", None;
    Write = "write", None;
    Dup = "dup", None;
    Dup2 = "dup2", None;
    Dup3 = "dup3", None;
    Rename = "rename", None;
    Renameat = "renameat", None;
    Renameat2 = "renameat2", None;
    Unlink = "unlink", None;
    Unlinkat = "unlinkat", None;
    Mkdir = "mkdir", None;
    Mkdirat = "mkdirat", None;
    Rmdir = "rmdir", None;
    Link = "link", None;
    Linkat = "linkat", None;
    Symlink = "symlink", None;
    Symlinkat = "symlinkat", None;
    Chmod = "chmod", None;
    Fchmod = "fchmod", None;
    Fchmodat = "fchmodat", None;
    Chown = "chown", None;
    Lchown = "lchown", None;
    Fchown = "fchown", None;
    Fchownat = "fchownat", None;
    Chdir = "chdir", None;
    Fchdir = "fchdir", None;
    Chroot = "chroot", None;
    PivotRoot = "pivot_root", None;
    Mount = "mount", None;
    Umount = "umount", None;
    Umount2 = "umount2", None;
    Setuid = "setuid", None;
    Setgid = "setgid", None;
    Setresuid = "setresuid", None;
    Setresgid = "setresgid", None;
    Setreuid = "setreuid", None;
    Setregid = "setregid", None;
    Setsid = "setsid", None;
    Setpgid = "setpgid", None;
    Capset = "capset", None;
    Setns = "setns", None;
    Unshare = "unshare", None;
    Ptrace = "ptrace", None;
    ProcessVmReadv = "process_vm_readv", None;
    ProcessVmWritev = "process_vm_writev", None;
    InitModule = "init_module", None;
    FinitModule = "finit_module", None;
    DeleteModule = "delete_module", None;
    Bpf = "bpf", None;
    PerfEventOpen = "perf_event_open", None;
    Userfaultfd = "userfaultfd", None;
    MemfdCreate = "memfd_create", None;
    Keyctl = "keyctl", None;
    Prctl = "prctl", None;
    Kill = "kill", None;
    Tkill = "tkill", None;
    Tgkill = "tgkill", None;
    SignalDeliver = "signaldeliver", None;
    Mmap = "mmap", None;
    Mprotect = "mprotect", None;
    Pipe = "pipe", None;
    Pipe2 = "pipe2", None;
    Splice = "splice", None;
    IoUringSetup = "io_uring_setup", None;
    IoUringEnter = "io_uring_enter", None;
    IoUringRegister = "io_uring_register", None;
}

impl EventType {
    /// Others that its events may be of in truth, because what captures it does not tell them apart.
    pub fn also(self) -> &'static str {
        match self {
            Self::Execve => "execveat",
            Self::Clone => "fork, vfork, clone3",
            Self::Accept => "accept4",
            _ => "",
        }
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
    pub const CAPTURED: EventTypes = {
        let (mut set, mut index) = (0, 0);
        while index < EventType::ALL.len() {
            if EventType::ALL[index].record().is_some() {
                set |= 1 << index;
            }
            index += 1;
        }
        EventTypes(set)
    };
    /// Programs that are executed.
    pub const EXEC: EventTypes = EventTypes(1 << EventType::Execve as u32);
    /// Connections that are opened and accepted.
    pub const NETWORK: EventTypes =
        EventTypes(1 << EventType::Connect as u32 | 1 << EventType::Accept as u32);
    /// Processes that end.
    pub const EXIT: EventTypes = EventTypes(1 << EventType::ProcExit as u32);

    /// Only this.
    pub const fn only(event_type: EventType) -> Self {
        Self(1 << event_type as u32)
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

    /// Their names with commas between.
    pub fn names(self) -> String {
        let names: Vec<&str> = self.iter().map(EventType::name).collect();
        names.join(", ")
    }
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
        assert_eq!(EventTypes::CAPTURED.names(), "execve, clone, procexit, connect, accept");
        assert_eq!(EventType::of_name("openat2"), Some(EventType::Openat2));
    }
}
