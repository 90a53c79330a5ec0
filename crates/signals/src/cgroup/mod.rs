//! The `cgroup` signal: cgroups being made, removed, renamed and released, and those that are there
//! at start.

use chandra_event::cgroup::{
    CGROUP_MKDIR, CGROUP_RELEASE, CGROUP_RENAME, CGROUP_RMDIR, CGROUP_RUNNING, Cgroup, Happened,
};
use chandra_event::record::{Kind, Record};

use crate::process::process;
use crate::registry::{Context, DecodeError};

mod running;
pub use running::seed;

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    use chandra_loader::abi::Process;
    include!(concat!(env!("OUT_DIR"), "/cgroup.rs"));
}
use wire::{CgroupRecord, cgroup_kind};

/// Kinds of records of this signal.
pub const KINDS: &[&Kind] =
    &[&CGROUP_MKDIR, &CGROUP_RMDIR, &CGROUP_RENAME, &CGROUP_RELEASE, &CGROUP_RUNNING];

/// `CGROUP_PATH_BYTES` of event.h without the end of the string.
const LONGEST_PATH: usize = 1023;

/// Decodes one record.
pub fn decode(
    bytes: &[u8],
    context: &Context,
    sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), DecodeError> {
    let short = DecodeError::Short(bytes.len());
    let record = CgroupRecord::read(bytes).ok_or(short)?;
    let happened = match record.kind {
        cgroup_kind::KIND_CGROUP_MKDIR => Happened::Mkdir,
        cgroup_kind::KIND_CGROUP_RMDIR => Happened::Rmdir,
        cgroup_kind::KIND_CGROUP_RENAME => Happened::Rename,
        cgroup_kind::KIND_CGROUP_RELEASE => Happened::Release,
        kind => return Err(DecodeError::Kind(kind)),
    };
    let length = usize::try_from(record.path_length).map_err(|_| short)?;
    let path = bytes.get(CgroupRecord::BYTES..).and_then(|rest| rest.get(..length)).ok_or(short)?;
    let clock = context.clock.get();
    sink(&Cgroup {
        time: clock.event_time(record.time_ns),
        process: happened.has_process().then(|| process(&record.process, &clock)),
        happened,
        id: record.id,
        hierarchy: record.hierarchy,
        parent_id: Some(record.parent_id).filter(|id| *id != 0),
        level: record.level,
        path,
        path_truncated: length >= LONGEST_PATH,
    });
    Ok(())
}

/// This signal's groups have no code.
pub fn code_text(_code: u32, _context: &Context) -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests;
