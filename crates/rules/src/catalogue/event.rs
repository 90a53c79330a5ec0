//! `evt.*`: what happened.

use super::arguments::calls_with;
use super::{EventTypes, fields};

const ALL: EventTypes = EventTypes::CAPTURED;
const OPEN: EventTypes = EventTypes::OPEN;
const UDP: EventTypes = EventTypes::UDP;
/// Those that end with a result.
const RESULT: EventTypes = EventTypes::EXEC
    .union(EventTypes::NETWORK)
    .union(EventTypes::UDP)
    .union(OPEN)
    .union(EventTypes::CALLS);
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
        DateTime = "evt.datetime", Text, Nothing, One, ALL, "Date and time (UTC) with nanoseconds";
        RawTime = "evt.rawtime", Number, Nothing, One, ALL, "Nanoseconds since 1970";
        RawTimeSeconds = "evt.rawtime.s", Number, Nothing, One, ALL, "Whole seconds since 1970";
        RawTimeNanoseconds = "evt.rawtime.ns", Number, Nothing, One, ALL, "Nanoseconds beyond the whole seconds";
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
        Arguments = "evt.args", Text, Nothing, One, NONE, "All arguments of the system call";
        Information = "evt.info", Text, Nothing, One, NONE, "As `evt.args`";
        Buffer = "evt.buffer", Bytes, Nothing, One, NONE, "Data that was read or written";
        BufferLength = "evt.buflen", Number, Nothing, One, UDP, "Bytes of the datagrams that were sent or received";
        IsIo = "evt.is_io", Bool, Nothing, One, ALL, "It reads or writes: `sendto` and `recvfrom` do";
        IsIoRead = "evt.is_io_read", Bool, Nothing, One, ALL, "It reads: `recvfrom` does";
        IsIoWrite = "evt.is_io_write", Bool, Nothing, One, ALL, "It writes: `sendto` does";
        IoDirection = "evt.io_dir", Text, Nothing, One, UDP, "`r` or `w`";
        Count = "evt.count", Number, Nothing, One, ALL, "1";
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
        ArgPid = "evt.arg.pid", Number, Nothing, One, calls_with(EventField::ArgPid), "Process that is traced or signalled";
        ArgUid = "evt.arg.uid", Number, Nothing, One, calls_with(EventField::ArgUid), "User id that is set, -1 for none";
        ArgGid = "evt.arg.gid", Number, Nothing, One, calls_with(EventField::ArgGid), "Group id that is set, -1 for none";
    }
}
