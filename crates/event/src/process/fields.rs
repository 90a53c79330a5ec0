//! The fields of the `process` signal's records, and of the process that other records belong to.

use super::{Exec, Executable, Exit, FileStatus, Fork, Process, Stream};
use crate::record::{Event, Field, Kind, Record};
use crate::time::Timestamp;
use crate::value::Value;

/// One list for every process that a record names: `$object` is its object in JSON, `$title`
/// comes before its column titles, and `$whose` says in summaries whose process it is.
macro_rules! process_fields {
    (
        $(#[$attribute:meta])*
        $name:ident, $object:literal, $title:literal, $whose:literal,
        pid: $pid:ident, ppid: $ppid:ident, uid: $uid:ident
    ) => {
        crate::fields! {
            $(#[$attribute])*
            pub struct $name(process: &Process) = [] {
                concat!($object, ".pid"), concat!($title, "PID"), 7, $pid, Number(process.pid),
                concat!("Process id", $whose, " in the initial pid namespace");
                concat!($object, ".ppid"), concat!($title, "PPID"), 7, $ppid, Number(process.ppid),
                concat!("Process id of the parent", $whose);
                concat!($object, ".uid"), concat!($title, "UID"), 5, $uid, Number(process.uid),
                concat!("Real user id", $whose, " in the initial user namespace");
                concat!($object, ".gid"), concat!($title, "GID"), 5, Json, Number(process.gid),
                concat!("Real group id", $whose, " in the initial user namespace");
                concat!($object, ".comm"), concat!($title, "COMM"), 15, Table,
                Bytes(process.comm.as_bytes()),
                concat!("Name", $whose, ", that of the thread-group leader (15 bytes at most)");
                concat!($object, ".thread_id"), concat!($title, "TID"), 7, Json,
                Number(Some(process.thread_id).filter(|thread| *thread != 0)),
                concat!("Thread", $whose, " that it is about, in the initial pid namespace");
                concat!($object, ".start_time"), concat!($title, "START"), 30, Json,
                Time(process.start_time),
                concat!("Start", $whose, ", the same on every record of one run");
                concat!($object, ".start_boottime_ns"), concat!($title, "START_BOOTTIME"), 20, Json,
                Big(process.start_boottime_ns),
                concat!("Start", $whose, " on CLOCK_BOOTTIME; with the pid it names one process");
                concat!($object, ".cgroup_id"), concat!($title, "CGROUP"), 10, Json,
                Big(process.cgroup_id),
                concat!("Cgroup", $whose, ", an id within its hierarchy");
                concat!($object, ".cgroup_hierarchy"), concat!($title, "CGROUP_HIERARCHY"), 9, Json,
                Number(Some(process.cgroup_hierarchy).filter(|hierarchy| *hierarchy != 0)),
                concat!("Hierarchy of the cgroup", $whose,
                    " where it is one of cgroup v1; absent for the unified (v2) one");
            }
        }
    };
}

process_fields! {
    /// The process that a record of the `process` signal is about.
    ProcessFields, "process", "", "", pid: Table, ppid: Table, uid: Wide
}
process_fields! {
    /// The process that a record of another signal belongs to.
    OwnerFields, "process", "", "", pid: Table, ppid: Wide, uid: Wide
}
process_fields! {
    /// The parent of the process that a record is about.
    ParentFields, "parent", "PARENT_", " of the parent", pid: Json, ppid: Json, uid: Json
}

crate::fields! {
    /// The fields of `exec` and of `process_running`.
    pub struct ExecFields(exec: &Exec<'_>) = [ProcessFields(&exec.process)] {
        "process.old_pid", "OLD_PID", 7, Json, Number(exec.old_pid),
        "Thread that called execve(2), when it was not the leader";
        "process.login_uid", "LOGIN_UID", 9, Wide, Number(exec.login_uid),
        "User who logged in (audit's loginuid)";
        "process.effective_uid", "EUID", 5, Wide, Number(exec.effective_uid),
        "Effective user id";
        "process.effective_gid", "EGID", 5, Json, Number(exec.effective_gid),
        "Effective group id";
        "process.capabilities_effective", "CAPS_EFFECTIVE", 20, Json,
        Capabilities(exec.capabilities.effective),
        "Effective capabilities";
        "process.capabilities_permitted", "CAPS_PERMITTED", 20, Json,
        Capabilities(exec.capabilities.permitted),
        "Permitted capabilities";
        "process.capabilities_inheritable", "CAPS_INHERITABLE", 20, Json,
        Capabilities(exec.capabilities.inheritable),
        "Inheritable capabilities";
        "process.cred_jump", "CRED_JUMP", 5, Json, Bool(exec.rights.jumped()),
        "It has rights to which no lawful way leads from those before; absent if those are not known";
        "process.cred_before.uid", "BEFORE_UID", 5, Json,
        Number(exec.rights.before().map(|before| before.uid)),
        "Real user id before a jump: at the last exec, or the fork";
        "process.cred_before.effective_uid", "BEFORE_EUID", 5, Json,
        Number(exec.rights.before().map(|before| before.effective_uid)),
        "Effective user id before a jump";
        "process.cred_before.saved_uid", "BEFORE_SUID", 5, Json,
        Number(exec.rights.before().map(|before| before.saved_uid)),
        "Saved user id before a jump";
        "process.cred_before.capabilities_permitted", "BEFORE_CAPS", 20, Json,
        Capabilities(exec.rights.before().map(|before| before.capabilities_permitted)),
        "Permitted capabilities before a jump";
        "process.cred_before.user_namespace", "BEFORE_USER_NS", 10, Json,
        Number(exec.rights.before().map(|before| before.user_namespace)),
        "Inode number of the user namespace before a jump";
        "process.filename", "FILENAME", 24, Json, Bytes(known(exec.filename)),
        "File as the caller named it; the caller chooses it freely";
        "process.exe", "EXE", 24, Wide, Bytes(known(exec.executable.path)),
        "File that really runs, an absolute path in its own mount tree";
        "process.exe_path_truncated", "EXE_TRUNCATED", 5, Json,
        Bool(known(exec.executable.path).map(|_| exec.executable.path_truncated)),
        "The beginning of `exe` is missing";
        "process.exe_device", "EXE_DEVICE", 7, Json,
        Device(known_file(&exec.executable).map(|file| file.device)),
        "Device of the executable's file system";
        "process.exe_inode", "EXE_INODE", 10, Json,
        Big(known_file(&exec.executable).map(|file| file.inode)),
        "Inode number of the executable";
        "process.exe_is_memfd", "EXE_MEMFD", 5, Json,
        Bool(known_file(&exec.executable).map(|file| file.is_memfd)),
        "The executable is an anonymous file of memfd_create(2)";
        "process.exe_is_deleted", "EXE_DELETED", 5, Json,
        Bool(known_file(&exec.executable).map(|file| file.is_deleted)),
        "The executable has no name left";
        "process.exe_is_overlay_upper", "EXE_UPPER", 5, Json,
        Bool(known_file(&exec.executable).map(|file| file.is_overlay_upper)),
        "The executable is not from the container's image but was written since";
        "process.exe_is_read_only", "EXE_READ_ONLY", 5, Json,
        Bool(known_status(exec).map(|file| file.is_read_only)),
        "The executable's mount or file system is read-only";
        "process.exe_mode", "EXE_MODE", 4, Json,
        Mode(known_status(exec).map(|file| file.mode & 0o7777)),
        "Permissions of the executable";
        "process.exe_uid", "EXE_UID", 5, Json,
        Number(known_status(exec).map(|file| file.uid)),
        "Owner of the executable, in the initial user namespace";
        "process.exe_gid", "EXE_GID", 5, Json,
        Number(known_status(exec).map(|file| file.gid)),
        "Group of the executable, in the initial user namespace";
        "process.exe_change_time", "EXE_CHANGED", 30, Json,
        Time(known_status(exec).map(|file| file.change_time)),
        "Last change of the executable's inode (`ctime`)";
        "process.exe_modify_time", "EXE_MODIFIED", 30, Json,
        Time(known_status(exec).map(|file| file.modify_time)),
        "Last change of the executable's content (`mtime`)";
        "process.interpreter", "INTERPRETER", 15, Json, Bytes(known(exec.interpreter)),
        "For a script, the interpreter that the kernel started for it";
        "process.cwd", "CWD", 16, Wide, Bytes(known(exec.cwd)),
        "Working directory";
        "process.tty", "TTY", 6, Wide, Bytes(known(exec.tty)),
        "Controlling terminal";
        "process.session_id", "SESSION", 7, Json, Number(exec.session_id),
        "Session id";
        "process.process_group", "PGID", 7, Json, Number(known_id(exec.groups.process_group)),
        "Process group";
        "process.virtual_pid", "VPID", 7, Json, Number(known_id(exec.groups.virtual_pid)),
        "Process id in its own pid namespace";
        "process.virtual_process_group", "VPGID", 7, Json,
        Number(known_id(exec.groups.virtual_process_group)),
        "Process group in its own pid namespace; absent where the group is none of that";
        "process.parent_virtual_pid", "PVPID", 7, Json,
        Number(known_id(exec.groups.parent_virtual_pid)),
        "Process id of the parent in the parent's own pid namespace";
        "process.stdin_type", "STDIN", 5, Json, Word(exec.standard_input.map(Stream::word)),
        "What standard input is: file, directory, pipe, tty, null, ipv4, ipv6, unix, socket (of another family), other; absent if it is closed";
        "process.stdout_type", "STDOUT", 5, Json, Word(exec.standard_output.map(Stream::word)),
        "What standard output is, in the same words";
        "process.listens", "LISTENS", 5, Json, Bool(exec.listening.itself),
        "It has a socket open that listens for connections (TCP, MPTCP, SCTP); absent if that is not known";
        "process.parent_listens", "PARENT_LISTENS", 5, Json, Bool(exec.listening.parent),
        "Its parent has one";
        "process.grandparent_listens", "GRANDPARENT_LISTENS", 5, Json,
        Bool(exec.listening.grandparent),
        "The parent of its parent has one";
        "process.namespaces.pid", "PID_NS", 10, Json, Number(known_id(exec.namespaces.pid)),
        "Inode number of the pid namespace";
        "process.namespaces.mnt", "MNT_NS", 10, Json, Number(known_id(exec.namespaces.mnt)),
        "Inode number of the mount namespace";
        "process.namespaces.net", "NET_NS", 10, Json, Number(known_id(exec.namespaces.net)),
        "Inode number of the network namespace";
        "process.namespaces.user", "USER_NS", 10, Json, Number(known_id(exec.namespaces.user)),
        "Inode number of the user namespace";
        "process.namespaces.cgroup", "CGROUP_NS", 10, Json, Number(known_id(exec.namespaces.cgroup)),
        "Inode number of the cgroup namespace";
        "process.argv", "ARGV_HEAD", 20, Json, Strings(exec.arguments.head),
        "Arguments; when cut, the first of them, and the last of these may be cut";
        "process.argv_tail", "ARGV_TAIL", 20, Json, Strings(known(exec.arguments.tail)),
        "When cut, the last arguments, the first of these may be cut";
        "process.argv_truncated", "ARGV_TRUNCATED", 5, Json, Bool(exec.arguments.is_cut()),
        "Arguments are missing between `argv` and `argv_tail`";
        "process.argv_bytes", "ARGV_BYTES", 10, Json, Number(exec.arguments.total_bytes),
        "True length of all arguments, the NUL after each included";
        "process.argv", "ARGS", 20, TableOnly, Arguments(exec.arguments),
        "Arguments, `…` where they were cut";
    }
}

/// A program was executed
pub static EXEC: Kind = Kind {
    signal: "process",
    name: "exec",
    summary: "A program was executed",
    fields: ExecFields::FIELDS,
};

/// A program that already ran at start
pub static PROCESS_RUNNING: Kind = Kind {
    signal: "process",
    name: "process_running",
    summary: "A program already ran when Chandra started; `time` is when it was found",
    fields: ExecFields::FIELDS,
};

crate::record! {
    /// A process, not a thread, was created; `process` is the child
    pub static FORK: Kind = ("process", "fork");
    pub struct ForkFields(fork: &Fork) = [ProcessFields(&fork.process), ParentFields(&fork.parent)] {}
}

crate::record! {
    /// A process ended: its last thread did
    pub static EXIT: Kind = ("process", "exit");
    pub struct ExitFields(exit: &Exit) = [ProcessFields(&exit.process)] {
        "exit_code", "CODE", 4, Table, Number(exit.exit_code),
        "Exit code, when it ended by itself";
        "exit_signal", "SIGNAL", 11, Table, Signal(exit.exit_signal),
        "Signal that ended it";
        "exit_signal_number", "SIGNAL_NUMBER", 3, Json, Number(exit.exit_signal),
        "Number of that signal";
        "core_dumped", "CORE", 5, Wide, Bool(exit.core_dumped),
        "It left a core dump";
        "duration_ns", "DURATION", 8, Table, Number(exit.duration_ns),
        "How long it lived";
    }
}

/// Nothing for no bytes: the kernel had nothing to say.
fn known(bytes: &[u8]) -> Option<&[u8]> {
    Some(bytes).filter(|bytes| !bytes.is_empty())
}

/// Nothing for a file that the probe could not read: no file has inode number 0.
fn known_file<'a>(file: &'a Executable<'a>) -> Option<&'a Executable<'a>> {
    Some(file).filter(|file| file.inode != 0)
}

/// Nothing for the inode of such a file.
fn known_status<'e>(exec: &'e Exec<'_>) -> Option<&'e FileStatus> {
    known_file(&exec.executable).map(|_| &exec.file_status)
}

/// Nothing for an id, or a namespace, that the probe could not read.
fn known_id(id: u32) -> Option<u32> {
    Some(id).filter(|id| *id != 0)
}

impl Record for Exec<'_> {
    fn kind(&self) -> &'static Kind {
        if self.running { &PROCESS_RUNNING } else { &EXEC }
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        ExecFields::visit(self, each);
    }

    fn event(&self) -> Event<'_> {
        Event::Exec(self)
    }
}

impl Record for Fork {
    fn kind(&self) -> &'static Kind {
        &FORK
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        ForkFields::visit(self, each);
    }

    fn event(&self) -> Event<'_> {
        Event::Fork(self)
    }
}

impl Record for Exit {
    fn kind(&self) -> &'static Kind {
        &EXIT
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        ExitFields::visit(self, each);
    }

    fn event(&self) -> Event<'_> {
        Event::Exit(self)
    }
}
