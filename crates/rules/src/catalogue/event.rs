//! `evt.*`: what happened.

use super::{EventTypes, fields};

const ALL: EventTypes = EventTypes::CAPTURED;
const NETWORK: EventTypes = EventTypes::NETWORK;
const EXEC: EventTypes = EventTypes::EXEC;
const NONE: EventTypes = EventTypes::NONE;

fields! {
    /// Fields of the event itself.
    EventField in Event {
        Number = "evt.num", Number, Nothing, One, ALL, "Number of the event, from 1";
        EventType = "evt.type", Text, Nothing, One, ALL, "Name of the system call: `execve`, `connect`";
        SyscallType = "syscall.type", Text, Nothing, One, ALL, "As `evt.type`";
        Category = "evt.category", Text, Nothing, One, ALL, "`process` or `net`";
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
        Result = "evt.res", Text, Nothing, One, EXEC.union(NETWORK),
        "Result: `SUCCESS`, or the name of an errno; `EINPROGRESS` for `connect`, which is told when the handshake begins";
        RawResult = "evt.rawres", Number, Nothing, One, EXEC.union(NETWORK),
        "Result as a number: a negative errno, or 0 for success, also where the call returns a descriptor";
        Failed = "evt.failed", Bool, Nothing, One, EXEC.union(NETWORK), "It returned an error other than `EINPROGRESS`";
        IsOpenRead = "evt.is_open_read", Bool, Nothing, One, NONE, "A file was opened for reading";
        IsOpenWrite = "evt.is_open_write", Bool, Nothing, One, NONE, "A file was opened for writing";
        IsOpenExec = "evt.is_open_exec", Bool, Nothing, One, NONE, "A file was created that can be executed";
        IsOpenCreate = "evt.is_open_create", Bool, Nothing, One, NONE, "A file was created by opening it";
        Cpu = "evt.cpu", Number, Nothing, One, NONE, "Number of the CPU";
        Arguments = "evt.args", Text, Nothing, One, NONE, "All arguments of the system call";
        Information = "evt.info", Text, Nothing, One, NONE, "As `evt.args`";
        Buffer = "evt.buffer", Bytes, Nothing, One, NONE, "Data that was read or written";
        BufferLength = "evt.buflen", Number, Nothing, One, NONE, "Bytes that were read or written";
        IsIo = "evt.is_io", Bool, Nothing, One, NONE, "It reads or writes";
        IsIoRead = "evt.is_io_read", Bool, Nothing, One, NONE, "It reads";
        IsIoWrite = "evt.is_io_write", Bool, Nothing, One, NONE, "It writes";
        IoDirection = "evt.io_dir", Text, Nothing, One, NONE, "`r` or `w`";
        IsWait = "evt.is_wait", Bool, Nothing, One, NONE, "It waits";
        IsSyslog = "evt.is_syslog", Bool, Nothing, One, NONE, "It writes to /dev/log";
        AbsolutePath = "evt.abspath", Text, MaybeName, One, NONE, "Absolute path that it names";
        ArgCmd = "evt.arg.cmd", Text, Nothing, One, NONE, "Argument `cmd`: of `bpf`";
        ArgDomain = "evt.arg.domain", Text, Nothing, One, NONE, "Argument `domain`: of `socket`";
        ArgFileName = "evt.arg.filename", Text, Nothing, One, NONE, "Argument `filename`: of `chmod`, `open`";
        ArgFlags = "evt.arg.flags", Text, Nothing, One, NONE, "Argument `flags`: of `open`, `setns`, `unshare`";
        ArgMode = "evt.arg.mode", Text, Nothing, One, NONE, "Argument `mode`: of `chmod`, `open`";
        ArgName = "evt.arg.name", Text, Nothing, One, NONE, "Argument `name`: of `unlinkat`, `open`";
        ArgNewPath = "evt.arg.newpath", Text, Nothing, One, NONE, "Argument `newpath`: of `rename`, `link`";
        ArgOldPath = "evt.arg.oldpath", Text, Nothing, One, NONE, "Argument `oldpath`: of `rename`, `link`";
        ArgPath = "evt.arg.path", Text, Nothing, One, NONE, "Argument `path`: of `mkdir`, `rmdir`, `unlink`";
        ArgLinkPath = "evt.arg.linkpath", Text, Nothing, One, NONE, "Argument `linkpath`: of `symlink`";
        ArgRequest = "evt.arg.request", Text, Nothing, One, NONE, "Argument `request`: of `ptrace`";
        ArgTarget = "evt.arg.target", Text, Nothing, One, NONE, "Argument `target`: of `symlink`";
        ArgPid = "evt.arg.pid", Number, Nothing, One, NONE, "Argument `pid`: of `ptrace`, `kill`";
        ArgUid = "evt.arg.uid", Number, Nothing, One, NONE, "Argument `uid`: of `setuid`";
        ArgGid = "evt.arg.gid", Number, Nothing, One, NONE, "Argument `gid`: of `setgid`";
    }
}
