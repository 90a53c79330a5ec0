//! `evt.*`: what happened.

use super::arguments::{self, calls_with};
use super::{EventType, EventTypes, fields};

const ALL: EventTypes = EventTypes::CAPTURED;
const OPEN: EventTypes = EventTypes::OPEN;
const UDP: EventTypes = EventTypes::UDP;
/// Those that end with a result.
const RESULT: EventTypes = EventTypes::EXEC
    .union(EventTypes::NETWORK)
    .union(EventTypes::UDP)
    .union(OPEN)
    .union(EventTypes::CALLS);
const EXEC: EventTypes = EventTypes::EXEC;
const EXIT: EventTypes = EventTypes::EXIT;
/// Connections, and first datagrams.
const TALK: EventTypes = EventTypes::NETWORK.union(UDP);
const BIND: EventTypes = EventTypes::only(EventType::Bind);
const NONE: EventTypes = EventTypes::NONE;

fields! {
    /// Fields of the event itself.
    EventField in Event {
        Number = "evt.num", Number, Nothing, One, ALL, "Number of the event, from 1";
        EventType = "evt.type", Text, Nothing, One, ALL, "Name of the system call: `execve`, `connect`";
        SyscallType = "syscall.type", Text, Nothing, One, ALL, "As `evt.type`";
        Category = "evt.category", Text, Nothing, One, ALL, "`process`, `net`, `file`, `user`, `memory`, `signal` or `other`";
        Source = "evt.source", Text, Nothing, One, ALL, "`syscall`";
        Direction = "evt.dir", Text, Nothing, One, ALL, "`<`: the system call has been made";
        Time = "evt.time", Text, Nothing, One, ALL, "Time of day (UTC) with nanoseconds";
        TimeSeconds = "evt.time.s", Text, Nothing, One, ALL, "Time of day (UTC) in seconds";
        TimeIso = "evt.time.iso8601", Text, Nothing, One, ALL, "Date and time (RFC 3339, UTC) with nanoseconds";
        DateTimeSeconds = "evt.datetime.s", Text, Nothing, One, ALL, "Date and time (UTC) in seconds";
        DateTime = "evt.datetime", Text, Nothing, One, ALL, "Date and time (UTC) with nanoseconds";
        RawTime = "evt.rawtime", Number, Nothing, One, ALL, "Nanoseconds since 1970";
        RawTimeSeconds = "evt.rawtime.s", Number, Nothing, One, ALL, "Whole seconds since 1970";
        RawTimeNanoseconds = "evt.rawtime.ns", Number, Nothing, One, ALL, "Nanoseconds beyond the whole seconds";
        RelativeTime = "evt.reltime", Number, Nothing, One, ALL, "Nanoseconds since the first event that rules were asked about";
        RelativeTimeSeconds = "evt.reltime.s", Number, Nothing, One, ALL, "Whole seconds of that";
        RelativeTimeNanoseconds = "evt.reltime.ns", Number, Nothing, One, ALL, "Nanoseconds of that beyond the whole seconds";
        DeltaTime = "evt.deltatime", Number, Nothing, One, ALL,
        "Nanoseconds since the event before that rules were asked about, 0 of the first; below 0 where that happened later on another CPU";
        DeltaTimeSeconds = "evt.deltatime.s", Number, Nothing, One, ALL, "Whole seconds of that";
        DeltaTimeNanoseconds = "evt.deltatime.ns", Number, Nothing, One, ALL, "Nanoseconds of that beyond the whole seconds";
        Latency = "evt.latency", Number, Nothing, One, NONE, "Nanoseconds that the system call took";
        LatencySeconds = "evt.latency.s", Number, Nothing, One, NONE, "Whole seconds of that";
        LatencyNanoseconds = "evt.latency.ns", Number, Nothing, One, NONE, "Nanoseconds of that beyond the whole seconds";
        LatencyHuman = "evt.latency.human", Text, Nothing, One, NONE, "The same for people: `10.3ms`";
        WaitLatency = "evt.wait_latency", Number, Nothing, One, NONE, "Nanoseconds that it waited";
        HostName = "evt.hostname", Text, Nothing, One, ALL, "Name of the node";
        Result = "evt.res", Text, Nothing, One, RESULT,
        "Result: `SUCCESS`, or the name of an errno; `EINPROGRESS` for `connect` by TCP, which is told when the handshake begins";
        RawResult = "evt.rawres", Number, Nothing, One, RESULT,
        "Result as a number: a negative errno, or what was returned; of `accept` 0, of datagrams their bytes, and of an open whose descriptor is not known no more than that it is not below 0";
        Failed = "evt.failed", Bool, Nothing, One, RESULT, "It returned an error other than `EINPROGRESS`";
        IsOpenRead = "evt.is_open_read", Bool, Nothing, One, OPEN, "A file is opened for reading";
        IsOpenWrite = "evt.is_open_write", Bool, Nothing, One, OPEN, "A file is opened for writing";
        IsOpenExec = "evt.is_open_exec", Bool, Nothing, One, OPEN, "The open may create a file, with a mode that can be executed";
        IsOpenCreate = "evt.is_open_create", Bool, Nothing, One, OPEN, "A file was created by opening it";
        Cpu = "evt.cpu", Number, Nothing, One, NONE, "Number of the CPU";
        Arguments = "evt.args", Text, Nothing, One, arguments::ordered(),
        "Arguments that are known, as `evt.arg.*` reads: `name=value` with blanks between, in Falco's order; of executions without the environment";
        Information = "evt.info", Text, Nothing, One, arguments::ordered(), "As `evt.args`";
        Argument = "evt.arg", Text, Place, One, arguments::ordered(),
        "The argument at a place in Falco's order, from 0: `evt.arg[1]`; a name there (`evt.arg[flags]`) is the same as `evt.arg.flags`";
        Buffer = "evt.buffer", Bytes, Nothing, One, NONE, "Data that was read or written";
        BufferLength = "evt.buflen", Number, Nothing, One, UDP, "Bytes of the datagrams that were sent or received";
        IsIo = "evt.is_io", Bool, Nothing, One, ALL, "It reads or writes: `sendto` and `recvfrom` do";
        IsIoRead = "evt.is_io_read", Bool, Nothing, One, ALL, "It reads: `recvfrom` does";
        IsIoWrite = "evt.is_io_write", Bool, Nothing, One, ALL, "It writes: `sendto` does";
        IoDirection = "evt.io_dir", Text, Nothing, One, UDP, "`r` or `w`";
        Count = "evt.count", Number, Nothing, One, ALL, "1";
        CountError = "evt.count.error", Number, Nothing, One, RESULT, "1 of an event that failed (`evt.failed`)";
        CountFileError = "evt.count.error.file", Number, Nothing, One, RESULT, "1 of such an event of the category `file`";
        CountNetworkError = "evt.count.error.net", Number, Nothing, One, RESULT, "1 of such an event of the category `net`";
        CountMemoryError = "evt.count.error.memory", Number, Nothing, One, RESULT, "1 of such an event of the category `memory`";
        CountOtherError = "evt.count.error.other", Number, Nothing, One, RESULT, "1 of such an event of any other category";
        CountExit = "evt.count.exit", Number, Nothing, One, ALL, "1: every event tells of what is done";
        IsWait = "evt.is_wait", Bool, Nothing, One, ALL, "It waits, which no event that is captured does";
        IsSyslog = "evt.is_syslog", Bool, Nothing, One, NONE, "It writes to /dev/log";
        AbsolutePath = "evt.abspath", Text, Nothing, One, OPEN.union(calls_with(EventField::AbsolutePath)),
        "Absolute path that it names, of a call that names one: normalised, not resolved; of a symbolic link where it is made, of opens as `fd.name`";
        AbsoluteSource = "evt.abspath.src", Text, Nothing, One, calls_with(EventField::AbsoluteSource),
        "Absolute path of what is renamed or linked, in the same way";
        AbsoluteDestination = "evt.abspath.dst", Text, Nothing, One, calls_with(EventField::AbsoluteDestination),
        "Absolute path that it gets, in the same way";
        ArgCmd = "evt.arg.cmd", Text, Nothing, One, calls_with(EventField::ArgCmd), "Command of `bpf`: `BPF_PROG_LOAD`";
        ArgDomain = "evt.arg.domain", Text, Nothing, One, calls_with(EventField::ArgDomain), "Domain of a socket: `AF_PACKET`";
        ArgFileName = "evt.arg.filename", Text, Nothing, One, OPEN.union(calls_with(EventField::ArgFileName)),
        "File whose mode is changed; of opens as `fd.name`";
        ArgFlags = "evt.arg.flags", Text, Nothing, One, OPEN.union(calls_with(EventField::ArgFlags)),
        "Flags by their names: `O_CREAT`, `CLONE_NEWNET`, with bars between; `0` for none";
        ArgNamespaces = "evt.arg.nstype", Text, Nothing, One, calls_with(EventField::ArgNamespaces),
        "Kinds of namespaces that `setns` asks for: `CLONE_NEWNET`; `0` for any";
        ArgMode = "evt.arg.mode", Text, Nothing, One, OPEN.union(calls_with(EventField::ArgMode)),
        "Permissions by their names: `S_IXUSR`; of an open that may make a file those that it asks for";
        ArgName = "evt.arg.name", Text, Nothing, One, OPEN.union(calls_with(EventField::ArgName)),
        "File that is removed or unmounted; of opens as `fd.name`; name of a memfd or of a module";
        ArgNewPath = "evt.arg.newpath", Text, Nothing, One, calls_with(EventField::ArgNewPath),
        "New path of what is renamed or linked; paths are made absolute and normalised, not resolved";
        ArgOldPath = "evt.arg.oldpath", Text, Nothing, One, calls_with(EventField::ArgOldPath),
        "Old path of what is renamed or linked";
        ArgPath = "evt.arg.path", Text, Nothing, One, OPEN.union(calls_with(EventField::ArgPath)),
        "Path that is made, removed or changed; of opens as `fd.name`";
        ArgPathName = "evt.arg.pathname", Text, Nothing, One, calls_with(EventField::ArgPathName), "Path whose owner is changed";
        ArgLinkPath = "evt.arg.linkpath", Text, Nothing, One, calls_with(EventField::ArgLinkPath), "Path of the symbolic link that is made";
        ArgLinkDirectory = "evt.arg.linkdirfd", Number, Nothing, One, calls_with(EventField::ArgLinkDirectory),
        "Descriptor of the directory where that path begins, -100 for the working directory";
        ArgTarget = "evt.arg.target", Text, Nothing, One, calls_with(EventField::ArgTarget), "Target of the symbolic link, as it was given";
        ArgDevice = "evt.arg.dev", Text, Nothing, One, calls_with(EventField::ArgDevice), "What is mounted";
        ArgDirectory = "evt.arg.dir", Text, Nothing, One, calls_with(EventField::ArgDirectory), "Where it is mounted";
        ArgRequest = "evt.arg.request", Text, Nothing, One, calls_with(EventField::ArgRequest), "Request of `ptrace`: `PTRACE_ATTACH`";
        ArgPid = "evt.arg.pid", Number, Nothing, One, EXEC.union(calls_with(EventField::ArgPid)), "Process that is traced or signalled, or whose group is set; of executions `proc.pid`";
        ArgUid = "evt.arg.uid", Number, Nothing, One, EXEC.union(calls_with(EventField::ArgUid)), "User id that is set, -1 for none; of executions `user.uid`";
        ArgGid = "evt.arg.gid", Number, Nothing, One, EXEC.union(calls_with(EventField::ArgGid)), "Group id that is set, -1 for none; of executions `group.gid`";
        ArgResult = "evt.arg.res", Text, Nothing, One, RESULT.intersection(OPEN.complement()), "As `evt.res`";
        ArgDescriptor = "evt.arg.fd", Text, Nothing, One, OPEN.union(calls_with(EventField::ArgDescriptor)),
        "What the descriptor stands for, `<f>/etc/passwd`: `fd.typechar` and `fd.name`; its number where that is not known";
        ArgOldDescriptor = "evt.arg.oldfd", Number, Nothing, One, calls_with(EventField::ArgOldDescriptor), "Descriptor that is copied";
        ArgNewDescriptor = "evt.arg.newfd", Number, Nothing, One, calls_with(EventField::ArgNewDescriptor), "Descriptor that it is copied to";
        ArgDirectoryDescriptor = "evt.arg.dirfd", Number, Nothing, One, calls_with(EventField::ArgDirectoryDescriptor),
        "Descriptor of the directory where a path begins, -100 for the working directory";
        ArgOldDirectoryDescriptor = "evt.arg.olddirfd", Number, Nothing, One, calls_with(EventField::ArgOldDirectoryDescriptor), "The same, where the old path begins";
        ArgNewDirectoryDescriptor = "evt.arg.newdirfd", Number, Nothing, One, calls_with(EventField::ArgNewDirectoryDescriptor), "The same, where the new path begins";
        ArgOldDirectory = "evt.arg.olddir", Number, Nothing, One, calls_with(EventField::ArgOldDirectory), "The same of `linkat`, where the old path begins";
        ArgNewDirectory = "evt.arg.newdir", Number, Nothing, One, calls_with(EventField::ArgNewDirectory), "The same of `linkat`, where the new path begins";
        ArgRealUid = "evt.arg.ruid", Number, Nothing, One, calls_with(EventField::ArgRealUid), "Real user id that is set, -1 for none";
        ArgEffectiveUid = "evt.arg.euid", Number, Nothing, One, calls_with(EventField::ArgEffectiveUid), "Effective user id that is set, -1 for none";
        ArgSavedUid = "evt.arg.suid", Number, Nothing, One, calls_with(EventField::ArgSavedUid), "Saved user id that is set, -1 for none";
        ArgRealGid = "evt.arg.rgid", Number, Nothing, One, calls_with(EventField::ArgRealGid), "Real group id that is set, -1 for none";
        ArgEffectiveGid = "evt.arg.egid", Number, Nothing, One, calls_with(EventField::ArgEffectiveGid), "Effective group id that is set, -1 for none";
        ArgSavedGid = "evt.arg.sgid", Number, Nothing, One, calls_with(EventField::ArgSavedGid), "Saved group id that is set, -1 for none";
        ArgThread = "evt.arg.tid", Number, Nothing, One, EXEC.union(calls_with(EventField::ArgThread)), "Thread that is signalled; of executions `thread.tid`";
        ArgSignal = "evt.arg.sig", Text, Nothing, One, EXIT.union(calls_with(EventField::ArgSignal)), "Signal that is sent, or that ended it: `SIGKILL`; `0` for none";
        ArgSocketType = "evt.arg.type", Number, Nothing, One, calls_with(EventField::ArgSocketType), "Type of a socket, flags included";
        ArgProtocol = "evt.arg.proto", Number, Nothing, One, calls_with(EventField::ArgProtocol), "Protocol of a socket";
        ArgBacklog = "evt.arg.backlog", Number, Nothing, One, calls_with(EventField::ArgBacklog), "Connections that may wait";
        ArgHow = "evt.arg.how", Text, Nothing, One, calls_with(EventField::ArgHow), "What is shut down: `SHUT_WR`";
        ArgOption = "evt.arg.option", Text, Nothing, One, calls_with(EventField::ArgOption), "What `prctl` is asked for: `PR_SET_NAME`";
        ArgSize = "evt.arg.size", Number, Nothing, One, calls_with(EventField::ArgSize), "Bytes that are to be sent";
        ArgTuple = "evt.arg.tuple", Text, Nothing, One, TALK.union(EventTypes::SENDS), "As `fd.name`";
        ArgAddress = "evt.arg.addr", Text, Nothing, One, BIND, "As `fd.name`";
        ArgLength = "evt.arg.length", Number, Nothing, One, calls_with(EventField::ArgLength), "Bytes of a module";
        ArgEntries = "evt.arg.entries", Number, Nothing, One, calls_with(EventField::ArgEntries), "Entries of a ring that is asked for";
        ArgProcessGroup = "evt.arg.pgid", Number, Nothing, One, EXEC.union(calls_with(EventField::ArgProcessGroup)), "Process group that is set; of executions `proc.pgid`";
        ArgExe = "evt.arg.exe", Text, Nothing, One, EXEC, "As `proc.exe`";
        ArgArgs = "evt.arg.args", Text, Nothing, One, EXEC, "As `proc.args`";
        ArgCwd = "evt.arg.cwd", Text, Nothing, One, EXEC, "As `proc.cwd`";
        ArgComm = "evt.arg.comm", Text, Nothing, One, EXEC, "As `proc.name`";
        ArgParent = "evt.arg.ptid", Number, Nothing, One, EXEC, "As `proc.ppid`";
        ArgStatus = "evt.arg.status", Number, Nothing, One, EXIT, "How a process ended, as wait(2) has it";
        ArgReturn = "evt.arg.ret", Number, Nothing, One, EXIT, "As `proc.exit_code`; 0 where a signal ended it";
        ArgCore = "evt.arg.core", Number, Nothing, One, EXIT, "1 if it left a core dump, else 0";
    }
}
