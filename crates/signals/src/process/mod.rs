//! The `process` signal: fork, exec, exit, and the processes that run at start.

use chandra_event::process::{
    Arguments, Capabilities, Comm, Credentials, EXEC, EXIT, Environment, Exec, Executable, Exit, FORK, FileStatus, Fork, Groups, Listening,
    Namespaces, PROCESS_RUNNING, Process, Rights, Stream,
};
use chandra_event::record::{Kind, Record};
use chandra_event::time::{Clock, Timestamp};
use chandra_loader::abi;

use crate::registry::{Context, DecodeError};

pub mod proc_stat;
mod running;
pub use running::seed;

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    use chandra_loader::abi::Process;
    include!(concat!(env!("OUT_DIR"), "/process.rs"));
}
use wire::{ExecRecord, ExitRecord, ForkRecord, exec_flag, listening, process_kind};

/// Kinds of records of this signal.
pub const KINDS: &[&Kind] = &[&EXEC, &FORK, &EXIT, &PROCESS_RUNNING];

/// Byte of `kind`, the same in every record of this signal.
const KIND_OFFSET: usize = 8 + abi::Process::BYTES;

/// Decodes one record.
pub fn decode(
    bytes: &[u8],
    context: &Context,
    sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), DecodeError> {
    let short = DecodeError::Short(bytes.len());
    let kind = bytes.get(KIND_OFFSET..).and_then(|bytes| bytes.first_chunk()).ok_or(short)?;
    match u32::from_ne_bytes(*kind) {
        process_kind::KIND_EXEC | process_kind::KIND_PROCESS_RUNNING => {
            sink(&exec(bytes, context)?.0);
        }
        process_kind::KIND_FORK => {
            let record = ForkRecord::read(bytes).ok_or(short)?;
            sink(&Fork {
                time: context.clock.get().event_time(record.time_ns),
                process: process(&record.process, &context.clock.get()),
                parent: process(&record.parent, &context.clock.get()),
            });
        }
        process_kind::KIND_EXIT => sink(&exit(&ExitRecord::read(bytes).ok_or(short)?, context)),
        kind => return Err(DecodeError::Kind(kind)),
    }
    Ok(())
}

/// A group's code is the status of wait(2).
pub fn code_text(status: u32, _context: &Context) -> String {
    match (exit_code(status), status & 0x7f) {
        (Some(code), _) => code.to_string(),
        (None, signal) => format!("signal {signal}"),
    }
}

/// A process as every record has it.
pub(crate) fn process(process: &abi::Process, clock: &Clock) -> Process {
    Process {
        pid: process.pid,
        start_boottime_ns: process.start_boottime_ns,
        start_time: clock.start_time(process.start_boottime_ns),
        ppid: process.ppid,
        uid: process.uid,
        gid: process.gid,
        comm: Comm(process.comm),
        cgroup_id: process.cgroup_id,
        cgroup_hierarchy: process.cgroup_hierarchy,
        thread_id: process.thread_id,
    }
}

/// Decodes an exec record, and says how many bytes it took: records of the iterator follow one
/// another.
fn exec<'a>(bytes: &'a [u8], context: &Context) -> Result<(Exec<'a>, usize), DecodeError> {
    let short = DecodeError::Short(bytes.len());
    let record = ExecRecord::read(bytes).ok_or(short)?;
    let has = |flag: u32| record.flags & flag != 0;
    let mut strings = Strings { bytes, at: ExecRecord::BYTES };
    let path = strings.take(record.exe_length)?;
    let filename = strings.take(record.filename_length)?;
    let interpreter = strings.take(record.interpreter_length)?;
    let cwd = strings.take(record.cwd_length)?;
    let tail = strings.take(record.argv_tail_length)?;
    let head = strings.take(record.argv_head_length)?;
    let environment = strings.take(record.environment_length)?;
    let tty = bytes.get(ExecRecord::OFFSET_OF_TTY..).ok_or(short)?;
    let tty = tty.iter().take(record.tty.len()).position(|byte| *byte == 0).and_then(|end| tty.get(..end));
    let exec = Exec {
        time: context.clock.get().event_time(record.time_ns),
        process: process(&record.process, &context.clock.get()),
        running: record.kind == process_kind::KIND_PROCESS_RUNNING,
        old_pid: Some(record.old_pid).filter(|old| *old != record.process.pid),
        login_uid: Some(record.login_uid).filter(|_| has(exec_flag::EXEC_LOGIN_UID)),
        effective_uid: record.effective_uid,
        effective_gid: record.effective_gid,
        capabilities: Capabilities {
            effective: record.capabilities_effective,
            permitted: record.capabilities_permitted,
            inheritable: record.capabilities_inheritable,
        },
        rights: rights(&record),
        filename,
        executable: Executable {
            path,
            path_truncated: has(exec_flag::EXEC_PATH_TRUNCATED),
            device: record.exe_device,
            inode: record.exe_inode,
            is_memfd: has(exec_flag::EXEC_MEMFD),
            is_deleted: has(exec_flag::EXEC_DELETED),
            is_overlay_upper: has(exec_flag::EXEC_OVERLAY_UPPER),
        },
        file_status: FileStatus {
            is_read_only: has(exec_flag::EXEC_READ_ONLY),
            mode: record.exe_mode,
            uid: record.exe_uid,
            gid: record.exe_gid,
            change_time: Timestamp(record.exe_change_time_ns),
            modify_time: Timestamp(record.exe_modify_time_ns),
        },
        interpreter,
        cwd,
        tty: tty.unwrap_or_default(),
        session_id: record.session_id,
        groups: Groups {
            process_group: record.process_group,
            virtual_pid: record.virtual_pid,
            virtual_process_group: record.virtual_process_group,
            parent_virtual_pid: record.parent_virtual_pid,
        },
        standard_input: stream(&record.standard_input),
        standard_output: stream(&record.standard_output),
        listening: listening(record.listening),
        namespaces: Namespaces {
            pid: record.pid_namespace,
            mnt: record.mnt_namespace,
            net: record.net_namespace,
            user: record.user_namespace,
            cgroup: record.cgroup_namespace,
        },
        pid_namespace_start: Some(record.pid_namespace_start_boottime_ns)
            .filter(|start| *start != 0)
            .map(|start| context.clock.get().start_time(start)),
        arguments: Arguments { head, tail, total_bytes: record.argv_bytes },
        environment: has(exec_flag::EXEC_ENVIRONMENT)
            .then_some(Environment { head: environment, total_bytes: record.environment_bytes }),
    };
    Ok((exec, strings.at))
}

fn rights(record: &ExecRecord) -> Rights {
    let has = |flag: u32| record.flags & flag != 0;
    match (has(exec_flag::EXEC_CREDENTIALS_KNOWN), has(exec_flag::EXEC_CREDENTIAL_JUMP)) {
        (false, _) => Rights::Unknown,
        (true, false) => Rights::Lawful,
        (true, true) => Rights::Jumped(Credentials {
            uid: record.before_uid,
            effective_uid: record.before_effective_uid,
            saved_uid: record.before_saved_uid,
            capabilities_permitted: record.before_permitted,
            user_namespace: record.before_user_namespace,
        }),
    }
}

/// Two bits of each generation, the process itself in the lowest.
fn listening(bits: u16) -> Listening {
    let of = |generation: u16| match u32::from(bits >> (2 * generation) & 3) {
        listening::LISTENING_NO => Some(false),
        listening::LISTENING_YES => Some(true),
        _ => None,
    };
    Listening { itself: of(0), parent: of(1), grandparent: of(2) }
}

fn stream(stream: &wire::Stream) -> Option<Stream> {
    Stream::of(stream.mode, stream.device, u16::try_from(stream.family).unwrap_or_default())
}

fn exit(record: &ExitRecord, context: &Context) -> Exit {
    let signal = u8::try_from(record.status & 0x7f).unwrap_or(0);
    Exit {
        time: context.clock.get().event_time(record.time_ns),
        process: process(&record.process, &context.clock.get()),
        exit_code: exit_code(record.status),
        exit_signal: Some(signal).filter(|signal| *signal != 0),
        core_dumped: record.status & 0x80 != 0,
        duration_ns: record.time_ns.saturating_sub(record.process.start_boottime_ns),
    }
}

fn exit_code(status: u32) -> Option<u8> {
    u8::try_from(status >> 8 & 0xff).ok().filter(|_| status & 0x7f == 0)
}

/// Strings that follow a record without gaps.
struct Strings<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Strings<'a> {
    fn take(&mut self, length: u16) -> Result<&'a [u8], DecodeError> {
        let end = self.at + usize::from(length);
        let string = self.bytes.get(self.at..end).ok_or(DecodeError::Short(self.bytes.len()))?;
        self.at = end;
        Ok(string)
    }
}

#[cfg(test)]
mod tests;
