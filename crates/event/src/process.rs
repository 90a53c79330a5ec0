//! Records of the `process` signal.

use crate::time::Timestamp;

mod fields;
mod stream;

pub use fields::{
    EXEC, EXIT, ExecFields, ExitFields, FORK, ForkFields, OwnerFields, PROCESS_RUNNING,
    ParentFields, ProcessFields,
};
pub use stream::Stream;

/// A process's name as the kernel keeps it: at most 15 bytes and a NUL (`task->comm`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Comm(pub [u8; 16]);

impl Comm {
    /// The bytes before the first NUL.
    pub fn as_bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        self.0.get(..end).unwrap_or_default()
    }
}

/// Who: what every record says of a process. Identity is (`pid`, `start_boottime_ns`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Process {
    /// Thread-group id in the initial pid namespace.
    pub pid: u32,
    /// Start, nanoseconds of CLOCK_BOOTTIME.
    pub start_boottime_ns: u64,
    /// Start as wall-clock time, the same on every record of one run.
    pub start_time: Timestamp,
    /// Parent's pid.
    pub ppid: u32,
    /// Real user id in the initial user namespace.
    pub uid: u32,
    /// Real group id in the initial user namespace.
    pub gid: u32,
    /// Name of the thread-group leader.
    pub comm: Comm,
    /// Id of its cgroup, unique within `cgroup_hierarchy` and for as long as the machine runs.
    pub cgroup_id: u64,
    /// The hierarchy of that cgroup: 0 is the unified (v2) one, others are of v1.
    pub cgroup_hierarchy: u32,
    /// The thread that it is about, in the initial pid namespace; 0 where that is not known.
    pub thread_id: u32,
}

/// Inode numbers of the namespaces a process is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Namespaces {
    /// Pid namespace.
    pub pid: u32,
    /// Mount namespace.
    pub mnt: u32,
    /// Network namespace.
    pub net: u32,
    /// User namespace.
    pub user: u32,
    /// Cgroup namespace.
    pub cgroup: u32,
}

impl Namespaces {
    /// By their names in `/proc/PID/ns`; none, if one of them is not known.
    pub fn by_name(inode: impl Fn(&str) -> Option<u32>) -> Option<Self> {
        Some(Self {
            pid: inode("pid")?,
            mnt: inode("mnt")?,
            net: inode("net")?,
            user: inode("user")?,
            cgroup: inode("cgroup")?,
        })
    }
}

/// The executed file as the kernel maps it (`mm->exe_file`), which no name can disguise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Executable<'a> {
    /// Absolute path in the process's own mount tree.
    pub path: &'a [u8],
    /// The path was longer than the probe walks; its beginning is missing.
    pub path_truncated: bool,
    /// Device of the file system: major << 20 | minor (`dev_t` inside the kernel).
    pub device: u32,
    /// Inode number.
    pub inode: u64,
    /// An anonymous file of memfd_create(2).
    pub is_memfd: bool,
    /// No name is left for it (link count 0).
    pub is_deleted: bool,
    /// On an overlay file system, from its upper (written) layer.
    pub is_overlay_upper: bool,
}

/// What the inode of an executed file says when it is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileStatus {
    /// Its mount or its file system is read-only.
    pub is_read_only: bool,
    /// Type and permissions (`st_mode`).
    pub mode: u32,
    /// Owner, in the initial user namespace.
    pub uid: u32,
    /// Group, in the initial user namespace.
    pub gid: u32,
    /// Last change of its inode (`st_ctime`).
    pub change_time: Timestamp,
    /// Last change of its content (`st_mtime`).
    pub modify_time: Timestamp,
}

/// Sets of capabilities (bit n is capability n of `linux/capability.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Capabilities {
    /// Effective.
    pub effective: u64,
    /// Permitted.
    pub permitted: u64,
    /// Inheritable.
    pub inheritable: u64,
}

/// Ids of a process and its group. In its own pid namespace 0 stands for one that it does not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Groups {
    /// Process group in the initial pid namespace.
    pub process_group: u32,
    /// Process id in its own pid namespace; 0 where that is not known.
    pub virtual_pid: u32,
    /// Process group in its own pid namespace.
    pub virtual_process_group: u32,
    /// The parent's process id in the parent's own pid namespace.
    pub parent_virtual_pid: u32,
}

/// Where a process stands among others, as its last exec told: its session and group, its terminal, who logged
/// in. What it forks stands there too, but for the ids of its own pid namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// User who logged in (audit's loginuid), when set.
    pub login_uid: Option<u32>,
    /// Session id.
    pub session_id: u32,
    /// Process group, and ids in its own pid namespace.
    pub groups: Groups,
    /// Name of the controlling terminal (`pts0`), NULs behind; empty when there is none.
    pub tty: [u8; 16],
    /// What its standard input is; nothing if it is closed.
    pub standard_input: Option<Stream>,
    /// What its standard output is; nothing if it is closed.
    pub standard_output: Option<Stream>,
}

impl Standing {
    /// The name of the controlling terminal; empty when there is none.
    pub fn tty(&self) -> &[u8] {
        let end = self.tty.iter().position(|byte| *byte == 0).unwrap_or(self.tty.len());
        self.tty.get(..end).unwrap_or_default()
    }

    /// That of a child that it forks, whose own ids nobody told.
    #[must_use]
    pub fn of_child(self) -> Self {
        let Groups { process_group, virtual_pid, .. } = self.groups;
        let groups = Groups { process_group, parent_virtual_pid: virtual_pid, ..Groups::default() };
        Self { groups, ..self }
    }
}

/// Whether a process came by its rights in a lawful way since it last executed a program, or was forked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rights {
    /// Those that it had before are not known.
    #[default]
    Unknown,
    /// It did.
    Lawful,
    /// No way leads to them from these, which it had before.
    Jumped(Credentials),
}

impl Rights {
    /// Whether they jumped, if that is known.
    pub fn jumped(&self) -> Option<bool> {
        match self {
            Rights::Unknown => None,
            Rights::Lawful => Some(false),
            Rights::Jumped(_) => Some(true),
        }
    }

    /// Those before a jump.
    pub fn before(&self) -> Option<&Credentials> {
        match self {
            Rights::Jumped(before) => Some(before),
            _ => None,
        }
    }
}

/// Whether a process, when it executed a program, was a server: whether it, and those that it came from, had a
/// socket of IPv4 or IPv6 open that listens for connections. Nothing where that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Listening {
    /// The process that executed.
    pub itself: Option<bool>,
    /// Its parent.
    pub parent: Option<bool>,
    /// The parent of its parent.
    pub grandparent: Option<bool>,
}

/// Credentials, user ids in the initial user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Credentials {
    /// Real user id.
    pub uid: u32,
    /// Effective user id.
    pub effective_uid: u32,
    /// Saved user id.
    pub saved_uid: u32,
    /// Permitted capabilities.
    pub capabilities_permitted: u64,
    /// Inode number of the user namespace.
    pub user_namespace: u32,
}

/// Arguments as they lie in memory, each ended by NUL; long ones keep their head and their tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arguments<'a> {
    /// The first bytes.
    pub head: &'a [u8],
    /// The last bytes; empty when `head` holds everything.
    pub tail: &'a [u8],
    /// True length of all arguments in bytes.
    pub total_bytes: u64,
}

impl<'a> Arguments<'a> {
    /// Some bytes between the head and the tail were left out.
    pub fn is_cut(&self) -> bool {
        !self.tail.is_empty() || self.total_bytes > self.head.len() as u64
    }

    /// The strings of the head; the last one is cut when [`is_cut`](Self::is_cut).
    pub fn head(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        strings(self.head)
    }

    /// The strings of the tail; the first one is cut.
    pub fn tail(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        strings(self.tail)
    }
}

/// Variables as they lie in memory, each `NAME=VALUE` ended by NUL; of long ones the beginning is kept.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Environment<'a> {
    /// The first bytes.
    pub head: &'a [u8],
    /// True length of all variables in bytes.
    pub total_bytes: u64,
}

impl<'a> Environment<'a> {
    /// Some bytes at the end were left out.
    pub fn is_cut(&self) -> bool {
        self.total_bytes > self.head.len() as u64
    }

    /// The value of a variable, the first of this name, as programs find it; and whether its end was left out.
    pub fn get(&self, name: &[u8]) -> Option<(&'a [u8], bool)> {
        let mut rest = self.head;
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == 0);
            let (variable, behind) = rest.split_at(end.unwrap_or(rest.len()));
            let value = variable.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"="));
            if let Some(value) = value {
                return Some((value, end.is_none() && self.is_cut()));
            }
            rest = behind.get(1..).unwrap_or_default();
        }
        None
    }
}

// Values are secrets as often as not.
impl std::fmt::Debug for Environment<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Environment({} of {} bytes)", self.head.len(), self.total_bytes)
    }
}

/// The strings of memory in which each is ended by NUL, the last one perhaps not.
pub fn strings(memory: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ended = memory.strip_suffix(b"\0").unwrap_or(memory);
    let none = memory.is_empty();
    ended.split(|byte| *byte == 0).filter(move |_| !none)
}

/// `exec`: a program was executed. `process_running`: it already ran at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exec<'a> {
    /// When; for a running process when it was found.
    pub time: Timestamp,
    /// The process after the exec.
    pub process: Process,
    /// Found at start rather than seen to exec.
    pub running: bool,
    /// The thread that called exec, when it was not the leader.
    pub old_pid: Option<u32>,
    /// User who logged in (audit's loginuid), when set.
    pub login_uid: Option<u32>,
    /// Effective user id.
    pub effective_uid: u32,
    /// Effective group id.
    pub effective_gid: u32,
    /// Capabilities.
    pub capabilities: Capabilities,
    /// How it came by its rights.
    pub rights: Rights,
    /// The file as the caller named it (`bprm->filename`); attacker-chosen. Empty when running.
    pub filename: &'a [u8],
    /// The real executable.
    pub executable: Executable<'a>,
    /// What the inode of the executable says.
    pub file_status: FileStatus,
    /// For a script: the interpreter that the kernel started in its place. Empty otherwise.
    pub interpreter: &'a [u8],
    /// Working directory.
    pub cwd: &'a [u8],
    /// Controlling terminal's name (`pts0`). Empty when there is none.
    pub tty: &'a [u8],
    /// Session id.
    pub session_id: u32,
    /// Process group, and ids in its own pid namespace.
    pub groups: Groups,
    /// What its standard input is; nothing if it is closed.
    pub standard_input: Option<Stream>,
    /// What its standard output is; nothing if it is closed.
    pub standard_output: Option<Stream>,
    /// Who of it and its ancestors listens for connections.
    pub listening: Listening,
    /// Namespaces.
    pub namespaces: Namespaces,
    /// Arguments.
    pub arguments: Arguments<'a>,
    /// Start of the first process of its pid namespace, which recordings show.
    pub pid_namespace_start: Option<Timestamp>,
    /// Its environment, where somebody asked for it. Rules ask for it, and recordings for such rules show it.
    pub environment: Option<Environment<'a>>,
}

impl Exec<'_> {
    /// Where it stands among other processes.
    pub fn standing(&self) -> Standing {
        let mut tty = [0; 16];
        tty.iter_mut().zip(self.tty).for_each(|(place, byte)| *place = *byte);
        Standing {
            login_uid: self.login_uid,
            session_id: self.session_id,
            groups: self.groups,
            tty,
            standard_input: self.standard_input,
            standard_output: self.standard_output,
        }
    }
}

/// `fork`: a process (not a thread) was created. `process` is the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fork {
    /// When.
    pub time: Timestamp,
    /// The new process.
    pub process: Process,
    /// Its parent.
    pub parent: Process,
}

/// `exit`: a process ended (its last thread did).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exit {
    /// When.
    pub time: Timestamp,
    /// The process.
    pub process: Process,
    /// Exit code, when it exited by itself.
    pub exit_code: Option<u8>,
    /// Signal that ended it.
    pub exit_signal: Option<u8>,
    /// It left a core dump.
    pub core_dumped: bool,
    /// Life time in nanoseconds.
    pub duration_ns: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_argument_is_not_the_same_as_none() {
        let list = |memory| strings(memory).collect::<Vec<&[u8]>>();
        assert_eq!(list(b""), [] as [&[u8]; 0]);
        assert_eq!(list(b"\0"), [b""]);
        assert_eq!(list(b"a\0\0"), [b"a".as_slice(), b""]);
        assert_eq!(list(b"a\0bc"), [b"a".as_slice(), b"bc"]);
    }

    #[test]
    fn a_child_stands_where_its_parent_does_but_for_its_own_ids() {
        let groups = Groups {
            process_group: 7,
            virtual_pid: 3,
            virtual_process_group: 2,
            parent_virtual_pid: 1,
        };
        let exec =
            Exec { tty: b"pts1", session_id: 5, login_uid: Some(9), groups, ..Exec::default() };
        let (standing, child) = (exec.standing(), exec.standing().of_child());
        assert_eq!((standing.tty(), child.tty()), (&b"pts1"[..], &b"pts1"[..]));
        assert_eq!((child.session_id, child.login_uid), (5, Some(9)));
        let expected = Groups { process_group: 7, parent_virtual_pid: 3, ..Groups::default() };
        assert_eq!(child.groups, expected);
    }

    #[test]
    fn a_name_ends_at_the_first_nul() {
        assert_eq!(Comm(*b"sh\0left-over\0\0\0\0").as_bytes(), b"sh");
        assert_eq!(Comm([b'x'; 16]).as_bytes(), [b'x'; 16]);
    }
}
