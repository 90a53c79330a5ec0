//! Where in a program's addresses a place in its file is, and which build it is: what is needed before its symbols.

use chandra_unwind::BuildId;
use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, ProgramHeader64};
use object::read::elf::{FileHeader, ProgramHeader};

use crate::limits::Why;
use crate::source::Source;

/// Bytes of a file that are looked through for its build id: linkers put it at the beginning.
const HEAD_BYTES: u64 = 1 << 16;
const HEADER_BYTES: u64 = 64;
const ENTRY_BYTES: u64 = size_of::<ProgramHeader64<LE>>() as u64;

/// A segment that is loaded.
#[derive(Clone, Copy, Debug)]
struct Segment {
    offset: u64,
    bytes: u64,
    address: u64,
}

/// How an ELF file is loaded.
#[derive(Clone, Debug)]
pub struct Segments {
    loaded: Vec<Segment>,
    build_id: Option<BuildId>,
}

impl Segments {
    /// Of a file.
    ///
    /// # Errors
    /// When it is no ELF file of 64 bits, little-endian, or ends before its program headers do.
    pub fn read(source: &Source) -> Result<Self, Why> {
        let damaged = |error: object::read::Error| Why::Damaged(error.to_string());
        if source.length()? < HEADER_BYTES {
            return Err(Why::Damaged("no ELF file".to_owned()));
        }
        let head = source.read(0, source.length()?.min(HEAD_BYTES))?;
        let header = FileHeader64::<LE>::parse(&*head).map_err(damaged)?;
        if !header.is_little_endian() || u64::from(header.e_phentsize(LE)) != ENTRY_BYTES {
            return Err(Why::Damaged("no program headers of 64 bits, little-endian".to_owned()));
        }
        // At most 65,535 of 56 bytes.
        let bytes = u64::from(header.e_phnum(LE)) * ENTRY_BYTES;
        let headers = source.read(header.e_phoff(LE), bytes)?;
        let headers = object::slice_from_all_bytes::<ProgramHeader64<LE>>(&headers);
        let headers = headers.map_err(|()| Why::Damaged("program headers".to_owned()))?;
        let loaded = headers.iter().filter(|header| header.p_type(LE) == elf::PT_LOAD);
        let loaded = loaded.map(|header| {
            let (offset, bytes) = header.file_range(LE);
            Segment { offset, bytes, address: header.p_vaddr(LE) }
        });
        let build_id = BuildId::read(&head).ok().filter(|id| !matches!(id, BuildId::Headers(_)));
        Ok(Self { loaded: loaded.collect(), build_id })
    }

    /// The address, as the file's symbols count, of a place in the file; `None` where it is not loaded.
    pub fn address(&self, place: u64) -> Option<u64> {
        let mut all = self.loaded.iter();
        let is_in = |it: &&Segment| place.checked_sub(it.offset).is_some_and(|at| at < it.bytes);
        let segment = all.find(is_in)?;
        Some((place - segment.offset).wrapping_add(segment.address))
    }

    /// What its linker wrote into its notes, if it did.
    pub fn build_id(&self) -> Option<&BuildId> {
        self.build_id.as_ref()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::File;
    use std::process::Command;

    use super::*;

    #[test]
    fn places_are_loaded_where_readelf_says() {
        let path = std::env::current_exe().unwrap();
        let source = Source::of_file(File::open(&path).unwrap()).unwrap();
        let segments = Segments::read(&source).unwrap();
        let told = Command::new("readelf").args(["-lW"]).arg(&path).output().unwrap();
        let number = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
        let mut compared = 0;
        for line in String::from_utf8(told.stdout).unwrap().lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let ["LOAD", offset, address, _, bytes, ..] = words[..] {
                let [offset, address, bytes] = [offset, address, bytes].map(number);
                let (offset, address, bytes) = (offset.unwrap(), address.unwrap(), bytes.unwrap());
                assert_eq!(segments.address(offset + bytes - 1), Some(address + bytes - 1));
                compared += 1;
            }
        }
        assert!(compared > 1, "{compared}");
        assert_eq!(segments.address(u64::MAX), None);
    }

    #[test]
    fn what_is_no_program_has_no_segments() {
        for bytes in [&b"#!/bin/sh\n"[..], &[0x7f; 100], &[]] {
            assert!(Segments::read(&Source::Memory(bytes.into())).is_err());
        }
        assert!(Source::of_file(File::open("/dev/null").unwrap()).is_err());
    }
}
