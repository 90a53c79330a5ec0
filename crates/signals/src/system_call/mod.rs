//! The `system_call` signal: system calls that are done, of those that were asked for.

use chandra_event::file::FileType;
use chandra_event::names::socket_family;
use chandra_event::record::{Kind, Record};
use chandra_event::system_call::{Path, SYSTEM_CALL, Socket, SystemCall};
use chandra_loader::batch;
use chandra_loader::load::Loaded;

use crate::asked;
use crate::filter::Filter;
use crate::one_in::one_in;
use crate::process::process;
use crate::registry::{Context, DecodeError};
use crate::tcp::address;

pub mod calls;

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    use chandra_loader::abi::Process;
    include!(concat!(env!("OUT_DIR"), "/system_call.rs"));
}
use wire::{SystemCallRecord, system_call_flag, system_call_kind};

/// Kinds of records of this signal.
pub const KINDS: &[&Kind] = &[&SYSTEM_CALL];

/// Decodes one record.
pub fn decode(
    bytes: &[u8],
    context: &Context,
    sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), DecodeError> {
    let short = DecodeError::Short(bytes.len());
    let record = SystemCallRecord::read(bytes).ok_or(short)?;
    if record.kind != system_call_kind::KIND_SYSTEM_CALL {
        return Err(DecodeError::Kind(record.kind));
    }
    let has = |flag: u32| record.flags & flag != 0;
    let call = calls::by_number(record.number);
    let mut rest = bytes.get(SystemCallRecord::BYTES..).ok_or(short)?;
    let mut paths = [None; 2];
    let lengths = record.start_lengths.iter().zip(&record.name_lengths);
    for (path, (start, name)) in paths.iter_mut().zip(lengths).take(record.path_count.into()) {
        let start = usize::from(*start);
        let end = start + 1 + usize::from(*name);
        let given = asked::path_and_name(rest.get(..end).ok_or(short)?, start);
        let (path_asked, name) = given.ok_or(short)?;
        *path = Some(Path { path: path_asked, name });
        rest = rest.get(end..).unwrap_or_default();
    }
    let descriptor_path = match record.descriptor_path_length {
        0 => None,
        length => Some(rest.get(..length.into()).ok_or(short)?),
    };
    let socket = has(system_call_flag::CALL_SOCKET).then(|| socket(&record)).transpose()?;
    let clock = context.clock.get();
    sink(&SystemCall {
        time: clock.event_time(record.time_ns),
        process: process(&record.process, &clock),
        sampled_one_in: one_in(record.one_in_log2).ok_or(DecodeError::Value("one_in"))?,
        effective_uid: record.effective_uid,
        name: call.map(|call| call.name),
        number: record.number,
        arguments: record.arguments,
        argument_count: call.map_or(6, calls::Call::argument_count),
        path: paths[0],
        second_path: paths[1],
        path_truncated: has(system_call_flag::CALL_PATH_TRUNCATED),
        descriptor_type: has(system_call_flag::CALL_DESCRIPTOR_OPEN)
            .then(|| FileType::of_mode(record.descriptor_mode)),
        descriptor_family: match record.descriptor_family {
            0 => None,
            family => Some(socket_family(family)),
        },
        descriptor_path,
        socket,
        result: record.result,
    });
    Ok(())
}

fn socket(record: &SystemCallRecord) -> Result<Socket, DecodeError> {
    let family = u8::try_from(record.descriptor_family).unwrap_or_default();
    let peer = address(family, record.peer_address, record.peer_port)?;
    // Protocols without ports send to port 0.
    let has_peer =
        record.peer_port != 0 || record.flags & system_call_flag::CALL_DESTINATION != 0;
    Ok(Socket {
        protocol: record.socket_protocol,
        local: address(family, record.local_address, record.local_port)?,
        peer: has_peer.then_some(peer),
        is_server: record.flags & system_call_flag::CALL_SOCKET_SERVER != 0,
    })
}

fn wanted(filter: &Filter) -> Vec<&'static calls::Call> {
    match filter.calls.as_slice() {
        [] => calls::usual().collect(),
        calls => calls.to_vec(),
    }
}

/// More tracepoints than this are not attached: to detach one costs the kernel a grace period, about
/// 50 ms, and it takes them one after the other.
const MOST_TRACEPOINTS: usize = 24;

/// That of each call that is wanted.
///
/// # Errors
/// Why they are not to be attached.
pub fn tracepoints(filter: &Filter) -> Result<Vec<String>, String> {
    let wanted = wanted(filter);
    if wanted.len() > MOST_TRACEPOINTS {
        let count = wanted.len();
        return Err(format!("it is for {MOST_TRACEPOINTS} system calls at most, of {count}"));
    }
    Ok(wanted.iter().map(|call| format!("syscalls/sys_exit_{}", call.tracepoint())).collect())
}

/// Tells the probe which calls are wanted: those of the filter, or the usual ones.
///
/// # Errors
/// The kernel's refusal.
pub fn prepare(loaded: &Loaded, filter: &Filter) -> Result<(), String> {
    let map = loaded.map("call_shapes").ok_or("the object has no map of calls")?;
    for call in wanted(filter) {
        let (key, shape) = (call.number().to_ne_bytes(), call.shape().to_array());
        batch::update_key_by_key(&map, &key, &shape).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Calls are not there before they are made.
pub fn seed(_loaded: &Loaded, _context: &Context, _sink: &mut dyn FnMut(&dyn Record)) -> usize {
    0
}

/// A group's code is the call's number.
pub fn code_text(number: u32, _context: &Context) -> String {
    calls::by_number(number).map_or_else(|| number.to_string(), |call| call.name.to_owned())
}

#[cfg(test)]
mod tests;
