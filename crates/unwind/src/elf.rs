//! What of an ELF file matters here: its code, where that is mapped from, and who describes it.
//!
//! Files are anybody's. Section headers may be stripped or nonsense: then program headers alone are believed,
//! which is all that the kernel and the loader read. Headers are read once, and of the rest what is asked for: nothing
//! here takes longer or more memory than that is long, and never more than [`MAX_PART_BYTES`].

use std::io;

use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, ProgramHeader64, SectionHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader};

use crate::content::{Content, read};
use crate::walk::Machine;

type Header = FileHeader64<LE>;
const HEADER_BYTES: u64 = size_of::<Header>() as u64;
const SEGMENT_BYTES: u64 = size_of::<ProgramHeader64<LE>>() as u64;
const SECTION_BYTES: u64 = size_of::<SectionHeader64<LE>>() as u64;

/// Section headers that are looked at. Files with a section for each function have tens of thousands.
const MAX_SECTIONS: u64 = 1 << 17;
/// Names of sections, and what a loader is told.
const MAX_SMALL_BYTES: u64 = 16 << 20;
/// A part of a file. The largest browsers and databases describe their functions in 50 MB.
const MAX_PART_BYTES: u64 = 256 << 20;

/// Loadable segments that are looked at; files that are run have a handful.
const MAX_SEGMENTS: usize = 64;

/// Why a file cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ElfError {
    /// No ELF file of 64 bits, little-endian.
    #[error("no ELF file of 64 bits, little-endian: {0}")]
    Header(String),
    /// For another machine.
    #[error("for machine {0}; x86-64 (62) and aarch64 (183) are known")]
    Machine(u16),
    /// Its program headers are not in the file.
    #[error("its program headers: {0}")]
    ProgramHeaders(String),
    /// It cannot be read.
    #[error("not readable: {0}")]
    Unreadable(String),
    /// More loadable segments than any file that is run.
    #[error("more than {MAX_SEGMENTS} loadable segments")]
    Segments,
}

/// A part of the file that is loaded at an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub address: u64,
    pub offset: u64,
    pub bytes: u64,
    pub is_code: bool,
}

/// Bytes, and the address that they are loaded at.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub address: u64,
    pub data: Vec<u8>,
}

/// A file whose headers were read.
pub(crate) struct Elf<'file> {
    file: &'file dyn Content,
    length: u64,
    headers: Vec<ProgramHeader64<LE>>,
    sections: Vec<SectionHeader64<LE>>,
    names: Vec<u8>,
    pub machine: Machine,
    pub entry: u64,
    pub segments: Vec<Segment>,
}

impl<'file> Elf<'file> {
    pub fn read(file: &'file dyn Content) -> Result<Self, ElfError> {
        let unreadable = |error: io::Error| ElfError::Unreadable(error.to_string());
        let length = file.length().map_err(unreadable)?;
        let start = read(file, 0, length.min(HEADER_BYTES)).map_err(unreadable)?;
        let header = Header::parse(&*start).map_err(|error| ElfError::Header(error.to_string()))?;
        if !header.is_little_endian() {
            return Err(ElfError::Header("big-endian".to_owned()));
        }
        let machine = match header.e_machine(LE) {
            elf::EM_X86_64 => Machine::X86_64,
            elf::EM_AARCH64 => Machine::Aarch64,
            other => return Err(ElfError::Machine(other)),
        };
        let headers = program_headers(file, header)?;
        let mut segments = Vec::new();
        for header in headers.iter().filter(|header| header.p_type(LE) == elf::PT_LOAD) {
            if segments.len() == MAX_SEGMENTS {
                return Err(ElfError::Segments);
            }
            let (offset, bytes) = header.file_range(LE);
            segments.push(Segment {
                address: header.p_vaddr(LE),
                offset,
                // What is not in the file cannot be mapped from it.
                bytes: bytes.min(length.saturating_sub(offset)),
                is_code: header.p_flags(LE) & elf::PF_X != 0,
            });
        }
        let (sections, names) = sections(file, header).unwrap_or_default();
        let entry = header.e_entry(LE);
        Ok(Self { file, length, headers, sections, names, machine, entry, segments })
    }

    /// The section of this name, where it is in the file as it is loaded: not compressed, and not empty.
    fn header_of(&self, name: &str) -> Option<&SectionHeader64<LE>> {
        let is_named = |section: &&SectionHeader64<LE>| {
            let start = section.sh_name.get(LE) as usize;
            // Compared, not searched for its end, which may be far.
            let rest = self.names.get(start..).and_then(|rest| rest.strip_prefix(name.as_bytes()));
            rest.is_some_and(|rest| rest.first() == Some(&0))
        };
        let section = self.sections.iter().find(is_named)?;
        let is_packed = section.sh_flags(LE) & u64::from(elf::SHF_COMPRESSED) != 0;
        let is_there = !is_packed && section.sh_type(LE) != elf::SHT_NOBITS;
        let end = section.sh_offset(LE).checked_add(section.sh_size(LE))?;
        (is_there && section.sh_size(LE) > 0 && end <= self.length).then_some(section)
    }

    /// Where a section is loaded, and how many bytes it has.
    pub fn range(&self, name: &str) -> Option<(u64, u64)> {
        let section = self.header_of(name)?;
        Some((section.sh_addr(LE), section.sh_size(LE)))
    }

    /// The content of a section.
    pub fn section(&self, name: &str) -> Option<Part> {
        let section = self.header_of(name)?;
        let data = self.bytes(section.sh_offset(LE), section.sh_size(LE))?;
        Some(Part { address: section.sh_addr(LE), data })
    }

    /// The segment that leads to `.eh_frame`.
    pub fn eh_frame_header(&self) -> Option<Part> {
        let mut headers = self.headers.iter();
        let header = headers.find(|header| header.p_type(LE) == elf::PT_GNU_EH_FRAME)?;
        let (offset, bytes) = header.file_range(LE);
        let data = self.bytes(offset, bytes).filter(|data| !data.is_empty())?;
        Some(Part { address: header.p_vaddr(LE), data })
    }

    /// What is loaded from an address on: so many bytes at most, or to the end of its segment.
    pub fn loaded(&self, address: u64, most: u64) -> Option<Part> {
        let segment = self.segments.iter().find(|segment| segment.holds(address))?;
        let (start, end) = (segment.place(address), segment.offset + segment.bytes);
        Some(Part { address, data: self.bytes(start, end.checked_sub(start)?.min(most))? })
    }

    /// It needs no other files: it is a whole program, or the C library that others need.
    pub fn stands_alone(&self) -> bool {
        let mut headers = self.headers.iter();
        let Some(header) = headers.find(|header| header.p_type(LE) == elf::PT_DYNAMIC) else {
            return true;
        };
        let (offset, bytes) = header.file_range(LE);
        let told = (bytes <= MAX_SMALL_BYTES).then(|| self.bytes(offset, bytes)).flatten();
        let told = told.unwrap_or_default();
        let whole = told.len() / size_of::<elf::Dyn64<LE>>();
        let entries = object::slice_from_bytes::<elf::Dyn64<LE>>(&told, whole);
        let entries = entries.map(|(entries, _)| entries).unwrap_or_default();
        !entries.iter().any(|entry| entry.d_tag(LE) == elf::DT_NEEDED)
    }

    /// Segments of code.
    pub fn code(&self) -> impl Iterator<Item = Segment> {
        self.segments.iter().filter(|segment| segment.is_code).copied()
    }

    /// All of it.
    pub fn file(&self) -> &'file dyn Content {
        self.file
    }

    /// How long it is.
    pub fn length(&self) -> u64 {
        self.length
    }

    fn bytes(&self, offset: u64, bytes: u64) -> Option<Vec<u8>> {
        if bytes > MAX_PART_BYTES {
            return None;
        }
        read(self.file, offset, bytes).ok()
    }
}

fn program_headers(
    file: &dyn Content,
    header: &Header,
) -> Result<Vec<ProgramHeader64<LE>>, ElfError> {
    let count = u64::from(header.e_phnum(LE));
    if count == 0 {
        return Ok(Vec::new());
    }
    let wrong = |why: &dyn std::fmt::Display| ElfError::ProgramHeaders(why.to_string());
    if u64::from(header.e_phentsize(LE)) != SEGMENT_BYTES {
        return Err(wrong(&"not of 56 bytes"));
    }
    let bytes = read(file, header.e_phoff(LE), count * SEGMENT_BYTES);
    let bytes = bytes.map_err(|error| wrong(&error))?;
    let headers = object::slice_from_all_bytes::<ProgramHeader64<LE>>(&bytes);
    Ok(headers.map_err(|()| wrong(&"not whole"))?.to_vec())
}

/// Headers of sections, and their names; `None` where that is nonsense.
fn sections(file: &dyn Content, header: &Header) -> Option<(Vec<SectionHeader64<LE>>, Vec<u8>)> {
    let offset = header.e_shoff(LE);
    if offset == 0 || u64::from(header.e_shentsize(LE)) != SECTION_BYTES {
        return None;
    }
    let list = |count: u64| {
        let bytes = (count <= MAX_SECTIONS).then(|| read(file, offset, count * SECTION_BYTES));
        let bytes = bytes?.ok()?;
        Some(object::slice_from_all_bytes::<SectionHeader64<LE>>(&bytes).ok()?.to_vec())
    };
    let mut count = u64::from(header.e_shnum(LE));
    let mut names = u32::from(header.e_shstrndx(LE));
    if count == 0 || names == u32::from(elf::SHN_XINDEX) {
        let first = *list(1)?.first()?;
        count = if count == 0 { first.sh_size(LE) } else { count };
        names = if names == u32::from(elf::SHN_XINDEX) { first.sh_link(LE) } else { names };
    }
    let sections = list(count)?;
    let names = sections.get(names as usize).filter(|it| it.sh_size(LE) <= MAX_SMALL_BYTES);
    let names = names.and_then(|it| read(file, it.sh_offset(LE), it.sh_size(LE)).ok());
    Some((sections, names.unwrap_or_default()))
}

impl Segment {
    pub fn holds(&self, address: u64) -> bool {
        address.checked_sub(self.address).is_some_and(|inside| inside < self.bytes)
    }

    /// Where in the file an address is.
    pub fn place(&self, address: u64) -> u64 {
        address.wrapping_sub(self.address).wrapping_add(self.offset)
    }
}
