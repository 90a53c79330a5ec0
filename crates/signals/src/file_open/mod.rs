//! The `file_open` signal: files that are opened, and those that could not be.

use chandra_event::file::{FILE_OPEN, FileOpen, FileType, Opened};
use chandra_event::record::{Kind, Record};
use chandra_loader::load::Loaded;

use crate::asked;
use crate::one_in::one_in;
use crate::process::process;
use crate::registry::{Context, DecodeError};

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    use chandra_loader::abi::Process;
    include!(concat!(env!("OUT_DIR"), "/file_open.rs"));
}
use wire::{FileOpenRecord, file_open_flag, file_open_kind};

/// Kinds of records of this signal.
pub const KINDS: &[&Kind] = &[&FILE_OPEN];

/// Decodes one record.
pub fn decode(
    bytes: &[u8],
    context: &Context,
    sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), DecodeError> {
    let record = FileOpenRecord::read(bytes).ok_or(DecodeError::Short(bytes.len()))?;
    if record.kind != file_open_kind::KIND_FILE_OPEN {
        return Err(DecodeError::Kind(record.kind));
    }
    let texts = texts(bytes, &record).ok_or(DecodeError::Short(bytes.len()))?;
    let has = |flag: u32| record.flags & flag != 0;
    let clock = context.clock.get();
    sink(&FileOpen {
        time: clock.event_time(record.time_ns),
        process: process(&record.process, &clock),
        sampled_one_in: one_in(record.one_in_log2).ok_or(DecodeError::Value("one_in"))?,
        path: texts.path,
        path_truncated: has(file_open_flag::OPEN_PATH_TRUNCATED),
        name: texts.name,
        flags: record.open_flags,
        mode: record.mode,
        opened: has(file_open_flag::OPEN_RESOLVED).then(|| Opened {
            file_type: FileType::of_mode(record.file_mode),
            permissions: record.file_mode & 0o7777,
            device: record.device,
            inode: record.inode,
            is_created: has(file_open_flag::OPEN_CREATED),
        }),
        error: record.error,
        descriptor: has(file_open_flag::OPEN_HAS_DESCRIPTOR).then_some(record.descriptor),
    });
    Ok(())
}

struct Texts<'a> {
    path: &'a [u8],
    name: &'a [u8],
}

/// A path, a slash and the name follow the record. Where nothing was opened the path is that of the
/// directory where the name begins, so all of it is what was asked for.
fn texts<'a>(bytes: &'a [u8], record: &FileOpenRecord) -> Option<Texts<'a>> {
    let rest = bytes.get(FileOpenRecord::BYTES..)?;
    let at = usize::from(record.path_length);
    let end = at + 1 + usize::from(record.name_length);
    let (asked, name) = asked::path_and_name(rest.get(..end)?, at)?;
    let is_resolved = record.flags & file_open_flag::OPEN_RESOLVED != 0;
    Some(Texts { path: if is_resolved { rest.get(..at)? } else { asked }, name })
}

/// What was open before is not looked for.
pub fn seed(_loaded: &Loaded, _context: &Context, _sink: &mut dyn FnMut(&dyn Record)) -> usize {
    0
}

/// A group's code is the error.
pub fn code_text(error: u32, _context: &Context) -> String {
    match error {
        0 => "-".to_owned(),
        error => chandra_event::text::errno(error),
    }
}

#[cfg(test)]
mod tests;
