//! Headers and sections of an ELF file, read one by one within limits.
//!
//! Only 64 bits, little-endian: what runs on the machines that Chandra runs on. Section headers that are
//! nonsense are none.

use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, SectionHeader64};
use object::read::elf::{FileHeader, SectionHeader};

use crate::inflate;
use crate::limits::Why;
use crate::source::Source;

/// Section headers that are looked at. Files with a section for each function have tens of thousands.
const MAX_SECTIONS: u64 = 1 << 17;
const MAX_NAME_BYTES: u64 = 16 << 20;
const HEADER_BYTES: u64 = 64;

/// A file whose headers were read.
#[derive(Debug)]
pub(crate) struct Elf<'a> {
    pub source: &'a Source,
    sections: Vec<SectionHeader64<LE>>,
    names: Vec<u8>,
    /// It is relocated as a whole, or not at all: no object file, whose sections all begin at 0.
    pub is_linked: bool,
}

impl<'a> Elf<'a> {
    pub fn read(source: &'a Source) -> Result<Self, Why> {
        let damaged = |error: object::read::Error| Why::Damaged(error.to_string());
        if source.length()? < HEADER_BYTES {
            return Err(Why::Damaged("no ELF file".to_owned()));
        }
        let start = source.read(0, HEADER_BYTES)?;
        let header = FileHeader64::<LE>::parse(&*start).map_err(damaged)?;
        if !header.is_little_endian() {
            return Err(Why::Damaged("big-endian".to_owned()));
        }
        let is_linked = header.e_type(LE) != elf::ET_REL;
        let (offset, entry_bytes) = (header.e_shoff(LE), u64::from(header.e_shentsize(LE)));
        let mut elf = Self { source, sections: Vec::new(), names: Vec::new(), is_linked };
        if offset == 0 || entry_bytes != 64 {
            return Ok(elf);
        }
        let table = |count: u64| -> Result<Vec<SectionHeader64<LE>>, Why> {
            if count > MAX_SECTIONS {
                return Err(Why::Many(MAX_SECTIONS, "sections"));
            }
            let bytes = source.read(offset, count * entry_bytes)?;
            let headers = object::slice_from_all_bytes::<SectionHeader64<LE>>(&bytes);
            Ok(headers.map_err(|()| Why::Damaged("section headers".to_owned()))?.to_vec())
        };
        let mut count = u64::from(header.e_shnum(LE));
        let mut names = u32::from(header.e_shstrndx(LE));
        if count == 0 || names == u32::from(elf::SHN_XINDEX) {
            let first = table(1)?;
            let first = first.first().ok_or_else(|| Why::Damaged("section headers".to_owned()))?;
            count = if count == 0 { first.sh_size(LE) } else { count };
            names = if names == u32::from(elf::SHN_XINDEX) { first.sh_link(LE) } else { names };
        }
        elf.sections = table(count)?;
        if let Some(section) = elf.sections.get(names as usize) {
            let bytes = section.sh_size(LE);
            if bytes <= MAX_NAME_BYTES {
                elf.names = source.read(section.sh_offset(LE), bytes)?;
            }
        }
        Ok(elf)
    }

    /// The sections, with their names.
    pub fn sections(&self) -> impl Iterator<Item = (&[u8], &SectionHeader64<LE>)> {
        self.sections.iter().map(|section| (self.name(section), section))
    }

    fn name(&self, section: &SectionHeader64<LE>) -> &[u8] {
        // Longer names are of no section that is looked for.
        const LONGEST: usize = 64;
        let rest = self.names.get(section.sh_name(LE) as usize..).unwrap_or_default();
        let rest = rest.get(..LONGEST).unwrap_or(rest);
        rest.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// The section of this name, if it has content.
    pub fn section(&self, name: &str) -> Option<&SectionHeader64<LE>> {
        let mut all = self.sections();
        let is_it = |(other, section): &(&[u8], &SectionHeader64<LE>)| {
            *other == name.as_bytes() && section.sh_type(LE) != elf::SHT_NOBITS
        };
        all.find(is_it).map(|(_, section)| section)
    }

    /// By its number.
    pub fn section_number(&self, number: usize) -> Option<&SectionHeader64<LE>> {
        self.sections.get(number)
    }

    /// The content of a section, unpacked.
    pub fn content(&self, section: &SectionHeader64<LE>, limit: u64) -> Result<Vec<u8>, Why> {
        let bytes = section.sh_size(LE);
        if section.sh_type(LE) == elf::SHT_NOBITS {
            return Err(Why::Damaged("a section without content".to_owned()));
        }
        if bytes > limit {
            return Err(Why::Large { bytes, limit });
        }
        let content = self.source.read(section.sh_offset(LE), bytes)?;
        if section.sh_flags(LE) & u64::from(elf::SHF_COMPRESSED) == 0 {
            return Ok(content);
        }
        inflate::section(&content, limit)
    }
}
