//! `proc.*`: the process that did it, and its ancestors.
//!
//! What is read at an execution (session, group, terminal, streams, ids of its pid namespace, environment) is, of
//! other events, as it was then; of a process that only was forked as its parent's, but for its own ids.

use super::{EventTypes, fields};

const ALL: EventTypes = EventTypes::CAPTURED;
const EXEC: EventTypes = EventTypes::EXEC;
const NONE: EventTypes = EventTypes::NONE;

fields! {
    /// Fields of the process.
    ProcessField in Process {
        Name = "proc.name", Text, Nothing, Either, ALL,
        "Name, of which the kernel keeps 15 bytes; also the other names of what really runs (`match_real_exe`)";
        ParentName = "proc.pname", Text, Nothing, Either, ALL, "`proc.name` of the parent";
        AncestorName = "proc.aname", Text, Ancestor, Any, ALL, "`proc.name` of an ancestor";
        Exe = "proc.exe", Text, Nothing, One, ALL, "First argument (`argv[0]`), which the caller chooses freely";
        ParentExe = "proc.pexe", Text, Nothing, One, ALL, "`proc.exe` of the parent";
        AncestorExe = "proc.aexe", Text, Ancestor, Any, ALL, "`proc.exe` of an ancestor";
        ExePath = "proc.exepath", Text, Nothing, One, ALL, "Path of the executable, links resolved";
        ParentExePath = "proc.pexepath", Text, Nothing, One, ALL, "`proc.exepath` of the parent";
        AncestorExePath = "proc.aexepath", Text, Ancestor, Any, ALL, "`proc.exepath` of an ancestor";
        ExeReal = "proc.exe_real", Text, Nothing, One, ALL,
        "File that really runs, as the kernel maps it; no name can disguise it. As `proc.exepath`";
        ParentExeReal = "proc.pexe_real", Text, Nothing, One, ALL, "`proc.exe_real` of the parent";
        AncestorExeReal = "proc.aexe_real", Text, Ancestor, Any, ALL, "`proc.exe_real` of an ancestor";
        Image = "proc.image", Text, Nothing, Either, ALL,
        "Path of the file that really runs, as `proc.exepath`; also the path it was executed by, of a script its own";
        ParentImage = "proc.pimage", Text, Nothing, Either, ALL, "`proc.image` of the parent";
        ExeCopyOf = "proc.exe_copy_of", Text, Nothing, One, ALL,
        "Known program of the same root whose code the executable has, under another name";
        Interpreter = "proc.interpreter", Text, Nothing, One, ALL,
        "For a script, the interpreter that the kernel started for it";
        Args = "proc.args", Text, Nothing, Either, ALL,
        "Arguments behind the first, with blanks between; also those behind what `busybox` or `ld.so` was told to run";
        CmdLine = "proc.cmdline", Text, Nothing, One, ALL, "`proc.name` and `proc.args` with a blank between";
        ParentCmdLine = "proc.pcmdline", Text, Nothing, One, ALL, "`proc.cmdline` of the parent";
        AncestorCmdLine = "proc.acmdline", Text, Ancestor, Any, ALL, "`proc.cmdline` of an ancestor";
        ExeLine = "proc.exeline", Text, Nothing, One, ALL, "`proc.exe` and `proc.args` with a blank between";
        ParentExeLine = "proc.pexeline", Text, Nothing, One, ALL, "`proc.exeline` of the parent";
        ArgCount = "proc.cmdnargs", Number, Nothing, One, ALL, "Number of arguments behind the first";
        ArgBytes = "proc.cmdlenargs", Number, Nothing, One, ALL, "Bytes of the arguments behind the first";
        Cwd = "proc.cwd", Text, Nothing, One, ALL, "Working directory when it was executed, with a slash at the end";
        Tty = "proc.tty", Number, Nothing, One, ALL,
        "Device number of the controlling terminal, 0 without one, 1 if it is of a kind that has no known number";
        Pid = "proc.pid", Number, Nothing, One, ALL, "Process id";
        ParentPid = "proc.ppid", Number, Nothing, One, ALL, "Process id of the parent";
        AncestorPid = "proc.apid", Number, Ancestor, Any, ALL, "Process id of an ancestor";
        VirtualPid = "proc.vpid", Number, Nothing, One, ALL, "Process id in its own pid namespace";
        ParentVirtualPid = "proc.pvpid", Number, Nothing, One, ALL, "Process id of the parent in the parent's own pid namespace";
        SessionId = "proc.sid", Number, Nothing, One, ALL, "Session id";
        SessionName = "proc.sname", Text, Nothing, One, ALL, "`proc.name` of the session's leader, if it is an ancestor";
        SessionExe = "proc.sid.exe", Text, Nothing, One, ALL, "`proc.exe` of the session's leader, if it is an ancestor";
        SessionExePath = "proc.sid.exepath", Text, Nothing, One, ALL,
        "`proc.exepath` of the session's leader, if it is an ancestor";
        IsSessionLeader = "proc.is_sid_leader", Bool, Nothing, One, ALL, "It is the leader of its session";
        ProcessGroup = "proc.pgid", Number, Nothing, One, ALL, "Process group";
        VirtualGroup = "proc.vpgid", Number, Nothing, One, ALL, "Process group in its own pid namespace, 0 where it is none of that";
        VirtualGroupName = "proc.vpgid.name", Text, Nothing, One, ALL, "`proc.name` of the process group's leader, if it is an ancestor";
        VirtualGroupExe = "proc.vpgid.exe", Text, Nothing, One, ALL, "`proc.exe` of the process group's leader, if it is an ancestor";
        VirtualGroupExePath = "proc.vpgid.exepath", Text, Nothing, One, ALL,
        "`proc.exepath` of the process group's leader, if it is an ancestor";
        IsGroupLeader = "proc.is_vpgid_leader", Bool, Nothing, One, ALL, "It is the leader of its process group";
        Duration = "proc.duration", Number, Nothing, One, ALL, "Nanoseconds since it started";
        ParentDuration = "proc.ppid.duration", Number, Nothing, One, ALL, "Nanoseconds since its parent started";
        Start = "proc.pid.ts", Number, Nothing, One, ALL, "Start, nanoseconds since 1970";
        ParentStart = "proc.ppid.ts", Number, Nothing, One, ALL, "Start of the parent, nanoseconds since 1970";
        ExeInode = "proc.exe_ino", Number, Nothing, One, ALL, "Inode number of the executable";
        ExeChangeTime = "proc.exe_ino.ctime", Number, Nothing, One, ALL, "Last change of the executable's inode, nanoseconds since 1970";
        ExeModifyTime = "proc.exe_ino.mtime", Number, Nothing, One, ALL, "Last change of the executable's content, nanoseconds since 1970";
        ExeChangeToStart = "proc.exe_ino.ctime_duration_proc_start", Number, Nothing, One, ALL,
        "Nanoseconds from the last change of the executable to the start";
        ExeChangeToNamespace = "proc.exe_ino.ctime_duration_pidns_start", Number, Nothing, One, EXEC,
        "Nanoseconds from the start of the pid namespace to the last change of the executable";
        NamespaceStart = "proc.pidns_init_start_ts", Number, Nothing, One, EXEC,
        "Start of the first process of its pid namespace, nanoseconds since 1970";
        IsExeWritable = "proc.is_exe_writable", Bool, Nothing, One, EXEC, "Its user may write to the executable, by permissions and capabilities; of groups beside its own that is not known";
        IsExeUpperLayer = "proc.is_exe_upper_layer", Bool, Nothing, One, ALL,
        "The executable is not from the container's image but was written since (upper layer of overlayfs)";
        IsExeFromMemfd = "proc.is_exe_from_memfd", Bool, Nothing, One, ALL,
        "The executable is an anonymous file of memfd_create(2)";
        IsExeDeleted = "proc.is_exe_deleted", Bool, Nothing, One, ALL, "The executable has no name left";
        IdentityMismatch = "proc.identity_mismatch", Bool, Nothing, One, ALL,
        "Its name or its first argument is another than that of what really runs";
        CredentialJump = "proc.cred_jump", Bool, Nothing, One, ALL,
        "When it was executed it had rights to which no lawful way led from those at the exec, or the fork, before";
        StandardInput = "proc.stdin_type", Text, Nothing, One, ALL,
        "What its standard input is: `file`, `directory`, `pipe`, `tty`, `null`, `ipv4`, `ipv6`, `unix`, `socket` (of another family), `other`; none if it is closed";
        StandardOutput = "proc.stdout_type", Text, Nothing, One, ALL,
        "What its standard output is, in the words of `proc.stdin_type`";
        Listens = "proc.listens", Bool, Nothing, One, EXEC,
        "When it was executed it had a socket open that listens for connections of IPv4 or IPv6 (TCP, MPTCP, SCTP), inherited ones included";
        ParentListens = "proc.plistens", Bool, Nothing, One, EXEC,
        "Its parent had one then: a server executed it";
        AncestorListens = "proc.alistens", Bool, Ancestor, Any, EXEC,
        "An ancestor had one then; of those further than the parent's parent that is not known";
        NamespaceMismatch = "proc.ns_mismatch", Bool, Nothing, One, ALL,
        "It is in a container's cgroup and in the host's mount namespace";
        Env = "proc.env", Text, MaybeName, One, ALL,
        "Environment when it was executed, with blanks between variables, of which up to 16 KiB are kept; or the value of one. Read only where a rule asks for it";
        AncestorEnv = "proc.aenv", Text, AncestorOrName, Any, ALL,
        "`proc.env` of an ancestor; or the value of the variable of this name in the nearest ancestor, of 20, that has one. Known of what was executed since the agent started";
        LoginShell = "proc.loginshellid", Number, Nothing, One, ALL,
        "Process id of the oldest shell among itself and its ancestors, as far as they are known";
        Threads = "proc.nthreads", Number, Nothing, One, NONE, "Number of threads";
        Children = "proc.nchilds", Number, Nothing, One, NONE, "Number of children";
        OpenFiles = "proc.fdopencount", Number, Nothing, One, NONE, "Number of open files";
        FileLimit = "proc.fdlimit", Number, Nothing, One, NONE, "Limit of open files";
        VirtualMemory = "proc.vmsize", Number, Nothing, One, NONE, "Virtual memory in KiB";
        ResidentMemory = "proc.vmrss", Number, Nothing, One, NONE, "Resident memory in KiB";
        ExitCode = "proc.exit_code", Number, Nothing, One, EventTypes::EXIT, "Exit code, when it ended by itself";
        ExitSignal = "proc.exit_signal", Number, Nothing, One, EventTypes::EXIT, "Number of the signal that ended it";
    }
}
