//! Threads that change their name.

use chandra_event::process::{Comm, OwnerFields, Process};
use chandra_event::record::{Field, Kind, Record};
use chandra_event::time::Timestamp;
use chandra_event::value::Value;
use chandra_loader::load::Loaded;

use crate::process::process;
use crate::registry::{Context, DecodeError};

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    use chandra_loader::abi::Process;
    include!(concat!(env!("OUT_DIR"), "/template.rs"));
}
use wire::{RenameRecord, template_kind};

/// Kinds of records of this signal.
pub const KINDS: &[&Kind] = &[&RENAME];

/// `rename`: a thread got a new name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rename {
    /// When.
    pub time: Timestamp,
    /// The thread's process.
    pub process: Process,
    /// The thread.
    pub thread_id: u32,
    /// Its new name.
    pub new_comm: Comm,
}

chandra_event::record! {
    /// A thread got a new name
    pub static RENAME: Kind = ("template", "rename");
    struct RenameFields(rename: &Rename) = [OwnerFields(Some(&rename.process))] {
        "thread_id", "THREAD", 7, Table, Number(rename.thread_id), "Thread";
        "new_comm", "NEW_COMM", 15, Table, Bytes(rename.new_comm.as_bytes()), "Its new name";
    }
}

impl Record for Rename {
    fn kind(&self) -> &'static Kind {
        &RENAME
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        RenameFields::visit(self, each);
    }
}

/// Decodes one record.
pub fn decode(
    bytes: &[u8],
    context: &Context,
    sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), DecodeError> {
    let record = RenameRecord::read(bytes).ok_or(DecodeError::Short(bytes.len()))?;
    if record.kind != template_kind::KIND_RENAME {
        return Err(DecodeError::Kind(record.kind));
    }
    sink(&Rename {
        time: context.clock.get().event_time(record.time_ns),
        process: process(&record.process, &context.clock.get()),
        thread_id: record.thread,
        new_comm: Comm(record.new_comm),
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
