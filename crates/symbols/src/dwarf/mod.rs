//! Lines and inlined functions, from DWARF (versions 2 to 5).
//!
//! Nothing of it is kept but which unit covers which addresses: a batch of addresses is answered by one pass
//! over the entries of each unit that they are in, and one over its line program, and the caller keeps the
//! answers. That takes the memory of the answers, and no file can make it more: crates that keep what they
//! parse (`addr2line`) grow with what a file says, and recurse as deep as it nests. Sections are read as they are
//! asked for ([`paged`]).
//!
//! A unit is `gimli`'s; what is put into it here is only what is wanted, without its line program's header,
//! which a file can blow up.

mod index;
mod lines;
mod names;
mod paged;
mod scopes;
mod unit;

use std::sync::Arc;

use gimli::{Reader as _, SectionId};
use object::LittleEndian as LE;
use object::elf;
use object::read::elf::SectionHeader;

use crate::elf::Elf;
use crate::limits::{Deadline, Why};
use crate::source::{Source, unreadable};
use index::Index;
use paged::{Paged, Section};

type Reader<'a> = Paged<'a>;
type Sections<'a> = gimli::Dwarf<Reader<'a>>;

/// The sections that are read.
const WANTED: [SectionId; 10] = [
    SectionId::DebugInfo,
    SectionId::DebugAbbrev,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugAddr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugAranges,
];

/// Inlined functions at one address: what is nested deeper is left out.
const MAX_INLINED: usize = 64;

/// A function at an address, as the compiler described it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Described {
    /// Its linker's name, or its plain one; none where neither is told.
    pub function: Option<Arc<str>>,
    pub file: Option<Arc<str>>,
    /// 0 if it is not known.
    pub line: u32,
}

/// The DWARF of a file.
#[derive(Debug)]
pub(crate) struct Dwarf {
    sections: Vec<(SectionId, Section)>,
    none: Section,
    index: Index,
}

impl Dwarf {
    /// Finds the sections, if there are any, and which unit covers what.
    pub fn read(elf: &Elf<'_>, limit: u64, deadline: &mut Deadline) -> Result<Option<Self>, Why> {
        let mut sections = Vec::new();
        let source = Arc::new(elf.source.again().map_err(|error| unreadable(&error))?);
        let mut left = limit;
        for id in WANTED {
            let Some(header) = elf.section(id.name()) else { continue };
            deadline.look()?;
            let too_large = |why| match why {
                Why::Large { bytes, .. } => Why::Large { bytes: limit - left + bytes, limit },
                other => other,
            };
            let (section, bytes) = section(elf, header, &source, left).map_err(too_large)?;
            left = left.saturating_sub(bytes);
            sections.push((id, section));
        }
        let is_info = |(id, _): &&(SectionId, _)| *id == SectionId::DebugInfo;
        if sections.iter().find(is_info).is_none_or(|(_, it)| Paged::whole(it).is_empty()) {
            return Ok(None);
        }
        let none = Section::Whole(Vec::new());
        let index = Index::read(&borrow(&sections, &none), deadline)?;
        Ok(Some(Self { sections, none, index }))
    }

    /// Functions at each of these addresses, which ascend; innermost first, none where nothing is described.
    /// Where time runs out, what was found so far stands.
    pub fn find(
        &self,
        addresses: &[u64],
        deadline: &mut Deadline,
        found: &mut [Vec<Described>],
    ) -> Result<(), Why> {
        let sections = borrow(&self.sections, &self.none);
        let mut names = names::Names::new(&sections, &self.index);
        for (unit, wanted) in self.index.units_of(addresses) {
            deadline.look()?;
            let (Some(addresses), Some(found)) =
                (addresses.get(wanted.clone()), found.get_mut(wanted))
            else {
                continue;
            };
            // One unit that is damaged harms no other.
            let searched = scopes::find(&mut names, unit, addresses, deadline, found);
            if searched == Err(Why::Slow) {
                return Err(Why::Slow);
            }
        }
        Ok(())
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        let sections = self.sections.iter().map(|(_, section)| section.bytes());
        sections.sum::<usize>() + self.index.bytes()
    }
}

/// A section, and how many bytes it has: read as it is asked for, or unpacked.
fn section(
    elf: &Elf<'_>,
    header: &elf::SectionHeader64<LE>,
    source: &Arc<Source>,
    limit: u64,
) -> Result<(Section, u64), Why> {
    let (offset, bytes) = (header.sh_offset(LE), header.sh_size(LE));
    if header.sh_flags(LE) & u64::from(elf::SHF_COMPRESSED) != 0 {
        let content = elf.content(header, limit)?;
        let bytes = content.len() as u64;
        return Ok((Section::Whole(content), bytes));
    }
    if bytes > limit {
        return Err(Why::Large { bytes, limit });
    }
    let end = offset.checked_add(bytes);
    if end.is_none_or(|end| source.length().is_ok_and(|length| end > length)) {
        return Err(Why::Damaged("it ends before what it says it has".to_owned()));
    }
    let length = usize::try_from(bytes).unwrap_or(usize::MAX);
    Ok((Section::part(Arc::clone(source), offset, length), bytes))
}

fn borrow<'a>(sections: &'a [(SectionId, Section)], none: &'a Section) -> Sections<'a> {
    let of = |id: SectionId| -> Result<Reader<'a>, std::convert::Infallible> {
        let section = sections.iter().find(|(other, _)| *other == id);
        Ok(Paged::whole(section.map_or(none, |(_, section)| section)))
    };
    let Ok(dwarf) = Sections::load(of);
    dwarf
}

fn damaged(error: gimli::Error) -> Why {
    Why::Damaged(error.to_string())
}
