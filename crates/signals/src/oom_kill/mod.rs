//! The `oom_kill` signal: processes that the kernel kills for want of memory.

use chandra_event::oom::{MemoryLimit, OOM_KILL, OomKill, Resident, Victim};
use chandra_event::process::Comm;
use chandra_event::record::{Kind, Record};
use chandra_loader::load::Loaded;
use chandra_loader::memory::page_bytes;

use crate::process::process;
use crate::registry::{Context, DecodeError};

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    use chandra_loader::abi::Process;
    include!(concat!(env!("OUT_DIR"), "/oom_kill.rs"));
}
use wire::{OomKillRecord, oom_kill_flag, oom_kill_kind};

/// Kinds of records of this signal.
pub const KINDS: &[&Kind] = &[&OOM_KILL];

/// Decodes one record.
pub fn decode(
    bytes: &[u8],
    context: &Context,
    sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), DecodeError> {
    let record = OomKillRecord::read(bytes).ok_or(DecodeError::Short(bytes.len()))?;
    if record.kind != oom_kill_kind::KIND_OOM_KILL {
        return Err(DecodeError::Kind(record.kind));
    }
    let has = |flag| record.flags & flag != 0;
    let bytes_of = |pages: u64| pages.saturating_mul(page_bytes() as u64);
    let clock = context.clock.get();
    sink(&OomKill {
        time: clock.event_time(record.time_ns),
        thread_id: record.victim_thread,
        victim: has(oom_kill_flag::OOM_VICTIM).then(|| Victim {
            process: process(&record.process, &clock),
            total_bytes: bytes_of(record.total_pages),
            page_table_bytes: record.page_table_bytes,
            oom_score_adjustment: record.oom_score_adjustment,
            resident: has(oom_kill_flag::OOM_RESIDENT).then(|| Resident {
                anonymous_bytes: bytes_of(record.anonymous_pages),
                file_bytes: bytes_of(record.file_pages),
                shared_memory_bytes: bytes_of(record.shared_memory_pages),
            }),
        }),
        limit: has(oom_kill_flag::OOM_MEMORY_LIMIT).then(|| MemoryLimit {
            cgroup_id: record.limit_cgroup_id,
            cgroup_hierarchy: record.limit_cgroup_hierarchy,
            bytes: bytes_of(record.limit_pages),
            usage_bytes: bytes_of(record.limit_usage_pages),
        }),
        allocator_pid: record.allocator_pid,
        allocator_comm: Comm(record.allocator_comm),
    });
    Ok(())
}

/// Nothing is there before it happens.
pub fn seed(_loaded: &Loaded, _context: &Context, _sink: &mut dyn FnMut(&dyn Record)) -> usize {
    0
}

/// This signal's groups have no code.
pub fn code_text(_code: u32, _context: &Context) -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests;
