//! All that one file says of names, and one answer from it.
//!
//! What it says more than once is told by who knows most: DWARF has lines and what was inlined; Go's line table
//! has lines. The outermost function, whose code it is, has its name from a symbol table if one has it: DWARF may
//! have been made without full names (`debug = "line-tables-only"`), and does not know of aliases.

use std::sync::Arc;

use chandra_unwind::go_table::{SECTIONS, relocated_text};
use object::LittleEndian as LE;
use object::read::elf::SectionHeader;

use crate::debug_file::{self, Place};
use crate::demangle::{demangle, tidy};
use crate::dwarf::{Described, Dwarf};
use crate::elf::Elf;
use crate::functions::{Builder, Functions};
use crate::go::GoTable;
use crate::inflate;
use crate::limits::{Deadline, Limits, Part, Skipped, Why};
use crate::source::Source;
use crate::symbol_table;

/// A function at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its name as it was written.
    pub function: Arc<str>,
    /// Its source file, if it is known.
    pub file: Option<Arc<str>>,
    /// The line there; 0 if it is not known.
    pub line: u32,
    /// It was compiled into the frame behind it, and has no code of its own.
    pub is_inlined: bool,
}

/// The tables of one file.
#[derive(Debug, Default)]
pub struct Image {
    functions: Functions,
    dwarf: Option<Dwarf>,
    go: Option<GoTable>,
    skipped: Vec<Skipped>,
}

impl Image {
    /// Reads what there is, of the file and of its debug file. What cannot be read is left out, and told by
    /// [`Image::skipped`].
    pub fn read(source: &Source, place: Place<'_>, limits: &Limits) -> Self {
        Self::read_some(source, place, None, limits)
    }

    /// Reads what is needed to name these addresses, which ascend: others may be named wrongly, or not at all.
    pub fn read_for(source: &Source, place: Place<'_>, addresses: &[u64], limits: &Limits) -> Self {
        Self::read_some(source, place, Some(addresses), limits)
    }

    fn read_some(
        source: &Source,
        place: Place<'_>,
        addresses: Option<&[u64]>,
        limits: &Limits,
    ) -> Self {
        let mut image = Self::default();
        let mut deadline = Deadline::after(limits.read_time);
        match Elf::read(source) {
            Ok(elf) => image.take(&elf, place, addresses, limits, &mut deadline),
            Err(why) => image.skip(Part::Headers, why),
        }
        image
    }

    fn take(
        &mut self,
        elf: &Elf<'_>,
        place: Place<'_>,
        addresses: Option<&[u64]>,
        limits: &Limits,
        deadline: &mut Deadline,
    ) {
        let mut functions = Builder::new(limits.functions);
        let mut symbols = |elf: &Elf<'_>, part, deadline: &mut Deadline| {
            let read = symbol_table::read(elf, addresses, &mut functions, limits, deadline);
            read.err().map(|why| Skipped { part, why })
        };
        let mut skipped = Vec::new();
        skipped.extend(symbols(elf, Part::SymbolTable, deadline));
        if let Some(section) = elf.section(".gnu_debugdata") {
            let unpacked = elf.content(section, limits.unpacked_bytes);
            match unpacked.and_then(|packed| inflate::xz(&packed, limits.unpacked_bytes)) {
                Ok(content) => {
                    let inner = Source::Memory(content.into());
                    match Elf::read(&inner) {
                        Ok(elf) => skipped.extend(symbols(&elf, Part::MiniDebugInfo, deadline)),
                        Err(why) => skipped.push(Skipped { part: Part::MiniDebugInfo, why }),
                    }
                }
                Err(why) => skipped.push(Skipped { part: Part::MiniDebugInfo, why }),
            }
        }
        let dwarf = |elf: &Elf<'_>, deadline: &mut Deadline, skipped: &mut Vec<Skipped>| {
            Dwarf::read(elf, limits.dwarf_bytes, deadline).unwrap_or_else(|why| {
                skipped.push(Skipped { part: Part::Dwarf, why });
                None
            })
        };
        self.dwarf = dwarf(elf, deadline, &mut skipped);
        if self.dwarf.is_none()
            && let Some(other) = debug_file::find(elf, place, limits, deadline, &mut skipped)
        {
            match Elf::read(&other) {
                Ok(elf) => {
                    skipped.extend(symbols(&elf, Part::DebugFile, deadline));
                    self.dwarf = dwarf(&elf, deadline, &mut skipped);
                }
                Err(why) => skipped.push(Skipped { part: Part::DebugFile, why }),
            }
        }
        self.functions = functions.build();
        self.skipped.append(&mut skipped);
        match go_table(elf, limits) {
            Some(Ok(table)) => self.go = Some(table),
            Some(Err(why)) => self.skip(Part::GoLineTable, why),
            None => {}
        }
    }

    fn skip(&mut self, part: Part, why: Why) {
        self.skipped.push(Skipped { part, why });
    }

    /// What was left out.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// It names nothing.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty() && self.dwarf.is_none() && self.go.is_none()
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        let dwarf = self.dwarf.as_ref().map_or(0, Dwarf::bytes);
        self.functions.bytes() + dwarf + self.go.as_ref().map_or(0, GoTable::bytes)
    }

    /// The function whose code is at an address, by symbol tables or Go's: its start and its linker's name.
    pub fn function(&self, address: u64) -> Option<(u64, &[u8])> {
        let in_go = || self.go.as_ref()?.find(address).map(|place| (place.start, place.function));
        self.functions.find(address).or_else(in_go)
    }

    /// The functions at each of some addresses, which ascend, innermost first; none where none is known. The
    /// time that one batch may take is bounded; then addresses are named without lines, and
    /// `false` says so.
    pub fn resolve(&self, addresses: &[u64], limits: &Limits) -> (Vec<Vec<Frame>>, bool) {
        let mut deadline = Deadline::after(limits.resolve_time);
        let mut described = vec![Vec::new(); addresses.len()];
        let mut is_whole = true;
        if let Some(dwarf) = &self.dwarf {
            is_whole = dwarf.find(addresses, &mut deadline, &mut described).is_ok();
        }
        let frames = addresses.iter().zip(described).map(|(address, described)| {
            self.frames(*address, described, &mut deadline, &mut is_whole)
        });
        (frames.collect(), is_whole)
    }

    fn frames(
        &self,
        address: u64,
        mut described: Vec<Described>,
        deadline: &mut Deadline,
        is_whole: &mut bool,
    ) -> Vec<Frame> {
        let mut name = self.functions.find(address).map(|(_, name)| demangle(name));
        let is_described = described.last().is_some_and(|outermost| outermost.function.is_some());
        if let Some(go) = self.go.as_ref().filter(|_| !is_described) {
            match go.find_by(address, deadline) {
                Ok(Some(place)) => {
                    // Go's names are not mangled.
                    name = Some(tidy(&String::from_utf8_lossy(place.function)));
                    if described.is_empty() {
                        let file = tidy(&String::from_utf8_lossy(place.file));
                        let file = (!file.is_empty()).then(|| file.into());
                        described.push(Described { function: None, file, line: place.line });
                    }
                }
                Ok(None) => {}
                Err(_) => *is_whole = false,
            }
        }
        if described.is_empty() && name.is_some() {
            described.push(Described::default());
        }
        let outermost = described.len().saturating_sub(1);
        let frames = described.into_iter().enumerate().map(|(number, described)| {
            let function = match (&name, described.function) {
                (Some(name), _) if number == outermost => name.as_str().into(),
                (_, Some(name)) => demangle(name.as_bytes()).into(),
                _ => "[unknown]".into(),
            };
            let Described { file, line, .. } = described;
            Frame { function, file, line, is_inlined: number < outermost }
        });
        frames.collect()
    }
}

/// Go's line table, if the file has one.
fn go_table(elf: &Elf<'_>, limits: &Limits) -> Option<Result<GoTable, Why>> {
    let section = SECTIONS.iter().find_map(|name| elf.section(name))?;
    let text = go_text(elf, section.sh_addr(LE), limits);
    let content = elf.content(section, limits.go_table_bytes);
    Some(content.and_then(|content| GoTable::read(content, text)))
}

/// Where the code of a Go program begins, if its line table leaves that to the loader: what is put into the table, or
/// the section of code.
fn go_text(elf: &Elf<'_>, table: u64, limits: &Limits) -> Option<u64> {
    let relocations = elf.section(".rela.dyn");
    let relocations = relocations.and_then(|it| elf.content(it, limits.symbol_table_bytes).ok());
    let section = || elf.section(".text").map(|section| section.sh_addr(LE));
    relocated_text(&relocations.unwrap_or_default(), table).or_else(section)
}
