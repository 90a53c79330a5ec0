//! The lines of a unit that some addresses are at, by one pass over its line program.

use std::collections::HashMap;
use std::sync::Arc;

use gimli::{AttributeValue, IncompleteLineProgram, LineProgramHeader, Section};

use super::scopes::within;
use super::unit::Opened;
use super::{Reader, Sections, damaged};
use crate::limits::{Deadline, Why};

/// A header of more files takes many times its bytes when it is read. Of what compilers write, the largest
/// have some 100 KiB.
const MAX_HEADER_BYTES: u64 = 512 << 10;
const MAX_PATH_BYTES: usize = 4 << 10;

/// A file of a unit, and a line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Position {
    pub file: Option<u64>,
    /// 0 if it is not known.
    pub line: u32,
}

/// The line program of a unit.
pub(super) struct Lines<'data> {
    program: IncompleteLineProgram<Reader<'data>>,
    paths: HashMap<u64, Option<Arc<str>>>,
}

impl<'data> Lines<'data> {
    pub fn open(sections: &Sections<'data>, unit: &Opened<'data>) -> Result<Self, Why> {
        let none = || Why::Damaged("no line program".to_owned());
        let offset = unit.lines.ok_or_else(none)?;
        let bytes = header_bytes(sections.debug_line.reader(), offset.0).ok_or_else(none)?;
        if bytes > MAX_HEADER_BYTES {
            return Err(Why::Large { bytes, limit: MAX_HEADER_BYTES });
        }
        let address_bytes = unit.unit.header.address_size();
        let (folder, name) = (unit.unit.comp_dir, unit.unit.name);
        let program = sections.debug_line.program(offset, address_bytes, folder, name);
        Ok(Self { program: program.map_err(damaged)?, paths: HashMap::new() })
    }

    /// The position of each address; they ascend.
    pub fn find(
        &mut self,
        addresses: &[u64],
        deadline: &mut Deadline,
    ) -> Result<Vec<Position>, Why> {
        let mut found = vec![Position::default(); addresses.len()];
        let mut rows = self.program.clone().rows();
        let mut before: Option<(u64, Position)> = None;
        // Where the program is damaged, what it said before stands.
        while let Ok(Some((_, row))) = rows.next_row() {
            deadline.step()?;
            let address = row.address();
            if let Some((start, position)) = before
                && start < address
            {
                for found in found.get_mut(within(addresses, start, address)).unwrap_or_default() {
                    deadline.step()?;
                    if found.line == 0 {
                        *found = position;
                    }
                }
            }
            before = (!row.end_sequence()).then(|| {
                let line = row.line().and_then(|line| u32::try_from(line.get()).ok());
                let line = line.unwrap_or_default();
                (address, Position { file: Some(row.file_index()), line })
            });
        }
        Ok(found)
    }

    /// The path of a file of the unit.
    pub fn path(
        &mut self,
        sections: &Sections<'data>,
        unit: &Opened<'data>,
        file: Option<u64>,
    ) -> Option<Arc<str>> {
        let file = file?;
        if let Some(known) = self.paths.get(&file) {
            return known.clone();
        }
        let path = path(sections, unit, self.program.header(), file);
        self.paths.insert(file, path.clone());
        path
    }
}

fn path<'data>(
    sections: &Sections<'data>,
    unit: &Opened<'data>,
    header: &LineProgramHeader<Reader<'data>>,
    file: u64,
) -> Option<Arc<str>> {
    let text = |value: AttributeValue<Reader<'data>>| {
        sections.attr_string(&unit.unit, value).ok().map(|text| text.text(MAX_PATH_BYTES))
    };
    let entry = header.file(file)?;
    let name = text(entry.path_name())?;
    let mut path = Vec::new();
    if !name.starts_with(b"/") {
        let folder = entry.directory(header).and_then(text).unwrap_or_default();
        // Directory 0 is that of the compiler's run, which others are relative to.
        if !folder.starts_with(b"/")
            && let Some(run) = unit.unit.comp_dir
        {
            path.extend(run.text(MAX_PATH_BYTES));
            path.push(b'/');
        }
        if !folder.is_empty() {
            path.extend(&folder);
            path.push(b'/');
        }
    }
    path.extend(&name);
    path.truncate(MAX_PATH_BYTES);
    Some(crate::demangle::tidy(&String::from_utf8_lossy(&path)).into())
}

/// How long the header at an offset says it is (`header_length` of 6.2.4).
fn header_bytes(section: &Reader<'_>, offset: usize) -> Option<u64> {
    let u16_at = |at: usize| section.array(at).map(u16::from_le_bytes);
    let u32_at = |at: usize| section.array(at).map(u32::from_le_bytes);
    let u64_at = |at: usize| section.array(at).map(u64::from_le_bytes);
    let is_64 = u32_at(offset)? == u32::MAX;
    let version = offset.checked_add(if is_64 { 12 } else { 4 })?;
    // Version 5 tells the bytes of an address and of a segment before.
    let length = version + if u16_at(version)? >= 5 { 4 } else { 2 };
    if is_64 { u64_at(length) } else { u32_at(length).map(u64::from) }
}
