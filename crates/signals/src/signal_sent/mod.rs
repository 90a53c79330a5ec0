//! The `signal_sent` signal: signals of processes, when they are sent.

use chandra_event::names::signal_name;
use chandra_event::process::Comm;
use chandra_event::record::{Kind, Record};
use chandra_event::signal::{Outcome, SIGNAL_SENT, SignalSent, Target};
use chandra_loader::load::Loaded;

use crate::one_in::one_in;
use crate::process::process;
use crate::registry::{Context, DecodeError};

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    use chandra_loader::abi::Process;
    include!(concat!(env!("OUT_DIR"), "/signal_sent.rs"));
}
use wire::{SignalSentRecord, signal_sent_flag, signal_sent_kind};

/// Kinds of records of this signal.
pub const KINDS: &[&Kind] = &[&SIGNAL_SENT];

/// Decodes one record.
pub fn decode(
    bytes: &[u8],
    context: &Context,
    sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), DecodeError> {
    let record = SignalSentRecord::read(bytes).ok_or(DecodeError::Short(bytes.len()))?;
    if record.kind != signal_sent_kind::KIND_SIGNAL_SENT {
        return Err(DecodeError::Kind(record.kind));
    }
    let has = |flag| u32::from(record.flags) & flag != 0;
    let outcome = Outcome::ALL.get(usize::from(record.result));
    let clock = context.clock.get();
    sink(&SignalSent {
        time: clock.event_time(record.time_ns),
        process: has(signal_sent_flag::SENT_BY_KNOWN).then(|| process(&record.process, &clock)),
        sampled_one_in: one_in(record.one_in_log2).ok_or(DecodeError::Value("one_in"))?,
        signal: record.signal,
        code: has(signal_sent_flag::SENT_CODE).then_some(record.code),
        is_by_kernel: has(signal_sent_flag::SENT_BY_KERNEL),
        is_to_process: has(signal_sent_flag::SENT_TO_PROCESS),
        outcome: *outcome.ok_or(DecodeError::Value("result"))?,
        target: Target {
            pid: record.target_pid,
            thread_id: record.target_thread,
            start_boottime_ns: record.target_start_boottime_ns,
            cgroup_id: record.target_cgroup_id,
            cgroup_hierarchy: record.target_cgroup_hierarchy,
            comm: Comm(record.target_comm),
        },
    });
    Ok(())
}

/// Nothing is there before it happens.
pub fn seed(_loaded: &Loaded, _context: &Context, _sink: &mut dyn FnMut(&dyn Record)) -> usize {
    0
}

/// A group's code is the signal.
pub fn code_text(number: u32, _context: &Context) -> String {
    u8::try_from(number).map_or_else(|_| number.to_string(), signal_name)
}

#[cfg(test)]
mod tests;
