//! Lines and inlined functions, from DWARF (versions 2 to 5).
//!
//! Nothing of it is kept but which unit covers which addresses: a batch of addresses is answered by one pass
//! over the entries of each unit that they are in, and one over its line program, and the caller keeps the
//! answers. That takes the memory of the answers, and no file can make it more: crates that keep what they
//! parse (`addr2line`) grow with what a file says, and recurse as deep as it nests.
//!
//! A unit is `gimli`'s; what is put into it here is only what is wanted, without its line program's header,
//! which a file can blow up.

mod index;
mod lines;
mod names;
mod scopes;
mod unit;

use std::sync::Arc;

use gimli::{EndianSlice, LittleEndian, SectionId};

use crate::elf::Elf;
use crate::limits::{Deadline, Why};
use index::Index;

type Reader<'a> = EndianSlice<'a, LittleEndian>;
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
    sections: Vec<(SectionId, Vec<u8>)>,
    index: Index,
}

impl Dwarf {
    /// Reads the sections, if there are any, and finds which unit covers what.
    pub fn read(elf: &Elf<'_>, limit: u64, deadline: &mut Deadline) -> Result<Option<Self>, Why> {
        let mut sections = Vec::new();
        let mut left = limit;
        for id in WANTED {
            let Some(section) = elf.section(id.name()) else { continue };
            deadline.look()?;
            let too_large = |why| match why {
                Why::Large { bytes, .. } => Why::Large { bytes: limit - left + bytes, limit },
                other => other,
            };
            let content = elf.content(section, left).map_err(too_large)?;
            left = left.saturating_sub(content.len() as u64);
            sections.push((id, content));
        }
        if !sections.iter().any(|(id, content)| *id == SectionId::DebugInfo && !content.is_empty())
        {
            return Ok(None);
        }
        let index = Index::read(&borrow(&sections), deadline)?;
        Ok(Some(Self { sections, index }))
    }

    /// Functions at each of these addresses, which ascend; innermost first, none where nothing is described.
    /// Where time runs out, what was found so far stands.
    pub fn find(
        &self,
        addresses: &[u64],
        deadline: &mut Deadline,
        found: &mut [Vec<Described>],
    ) -> Result<(), Why> {
        let sections = borrow(&self.sections);
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
        let sections = self.sections.iter().map(|(_, content)| content.capacity());
        sections.sum::<usize>() + self.index.bytes()
    }
}

fn borrow(sections: &[(SectionId, Vec<u8>)]) -> Sections<'_> {
    let of = |id: SectionId| -> Result<Reader<'_>, std::convert::Infallible> {
        let content = sections.iter().find(|(other, _)| *other == id);
        let content = content.map_or(&[][..], |(_, content)| content);
        Ok(EndianSlice::new(content, LittleEndian))
    };
    let Ok(dwarf) = Sections::load(of);
    dwarf
}

fn damaged(error: gimli::Error) -> Why {
    Why::Damaged(error.to_string())
}
