//! What of an ELF file matters here: its code, where that is mapped from, and who describes it.
//!
//! Files are anybody's. Section headers may be stripped or nonsense: then program headers alone are believed,
//! which is all that the kernel and the loader read. Nothing here takes longer or more memory than the
//! headers are long.

use object::LittleEndian;
use object::elf::{self, FileHeader64, PT_GNU_EH_FRAME, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};

use crate::walk::Machine;

type Header = FileHeader64<LittleEndian>;

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
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'data> {
    pub address: u64,
    pub data: &'data [u8],
}

/// A file that was read.
#[derive(Debug)]
pub(crate) struct Elf<'data> {
    data: &'data [u8],
    header: &'data Header,
    sections: &'data [elf::SectionHeader64<LittleEndian>],
    names: &'data [u8],
    pub machine: Machine,
    pub entry: u64,
    pub segments: Vec<Segment>,
}

impl<'data> Elf<'data> {
    pub fn read(data: &'data [u8]) -> Result<Self, ElfError> {
        let header = Header::parse(data).map_err(|error| ElfError::Header(error.to_string()))?;
        if !header.is_little_endian() {
            return Err(ElfError::Header("big-endian".to_owned()));
        }
        let machine = match header.e_machine(LittleEndian) {
            elf::EM_X86_64 => Machine::X86_64,
            elf::EM_AARCH64 => Machine::Aarch64,
            other => return Err(ElfError::Machine(other)),
        };
        let headers = header.program_headers(LittleEndian, data);
        let headers = headers.map_err(|error| ElfError::ProgramHeaders(error.to_string()))?;
        let mut segments = Vec::new();
        for header in headers.iter().filter(|header| header.p_type(LittleEndian) == PT_LOAD) {
            if segments.len() == MAX_SEGMENTS {
                return Err(ElfError::Segments);
            }
            let (offset, bytes) = header.file_range(LittleEndian);
            segments.push(Segment {
                address: header.p_vaddr(LittleEndian),
                offset,
                // What is not in the file cannot be mapped from it.
                bytes: bytes.min((data.len() as u64).saturating_sub(offset)),
                is_code: header.p_flags(LittleEndian) & elf::PF_X != 0,
            });
        }
        let sections = header.section_headers(LittleEndian, data).unwrap_or_default();
        let names = header.shstrndx(LittleEndian, data).ok();
        let names = names.and_then(|index| sections.get(index as usize));
        let names = names.and_then(|section| section.data(LittleEndian, data).ok());
        let entry = header.e_entry(LittleEndian);
        let names = names.unwrap_or_default();
        Ok(Self { data, header, sections, names, machine, entry, segments })
    }

    /// The section of this name, where it is in the file as it is loaded: not compressed.
    pub fn section(&self, name: &str) -> Option<Part<'data>> {
        let is_named = |section: &&elf::SectionHeader64<LittleEndian>| {
            let start = section.sh_name.get(LittleEndian) as usize;
            // Compared, not searched for its end, which may be far.
            let rest = self.names.get(start..).and_then(|rest| rest.strip_prefix(name.as_bytes()));
            rest.is_some_and(|rest| rest.first() == Some(&0))
        };
        let section = self.sections.iter().find(is_named)?;
        if section.sh_flags(LittleEndian) & u64::from(elf::SHF_COMPRESSED) != 0 {
            return None;
        }
        let data = section.data(LittleEndian, self.data).ok().filter(|data| !data.is_empty())?;
        Some(Part { address: section.sh_addr(LittleEndian), data })
    }

    /// The segment that leads to `.eh_frame`.
    pub fn eh_frame_header(&self) -> Option<Part<'data>> {
        let headers = self.header.program_headers(LittleEndian, self.data).ok()?;
        let mut headers = headers.iter();
        let header = headers.find(|header| header.p_type(LittleEndian) == PT_GNU_EH_FRAME)?;
        let data = header.data(LittleEndian, self.data).ok().filter(|data| !data.is_empty())?;
        Some(Part { address: header.p_vaddr(LittleEndian), data })
    }

    /// What is loaded from an address on, to the end of its segment.
    pub fn loaded(&self, address: u64) -> Option<Part<'data>> {
        let segment = self.segments.iter().find(|segment| segment.holds(address))?;
        let start = usize::try_from(segment.place(address)).ok()?;
        let end = usize::try_from(segment.offset + segment.bytes).ok()?;
        Some(Part { address, data: self.data.get(start..end)? })
    }

    /// Segments of code.
    pub fn code(&self) -> impl Iterator<Item = (Segment, &'data [u8])> {
        self.segments.iter().filter(|segment| segment.is_code).filter_map(|segment| {
            let start = usize::try_from(segment.offset).ok()?;
            let end = start.checked_add(usize::try_from(segment.bytes).ok()?)?;
            Some((*segment, self.data.get(start..end)?))
        })
    }

    /// The whole file, and its headers, for [`crate::build_id`].
    pub fn data(&self) -> &'data [u8] {
        self.data
    }

    pub fn header(&self) -> &'data Header {
        self.header
    }
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
