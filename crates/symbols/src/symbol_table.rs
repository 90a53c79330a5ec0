//! The functions of `.symtab` and `.dynsym`, read piece by piece.

use object::LittleEndian as LE;
use object::elf::{self, SectionHeader64, Sym64};
use object::read::elf::{SectionHeader, Sym};

use crate::elf::Elf;
use crate::functions::{Builder, Symbol};
use crate::limits::{Deadline, Limits, Why};
use crate::source::Source;

/// `STT_GNU_IFUNC`: a function that chooses another when the program starts. Its own code is what is at its
/// address.
const IFUNC: u8 = 10;

/// Puts functions of the file's tables in: all of them, or, where addresses are given (which ascend), those that may
/// be at one of them. A library has a hundred times as many.
pub(crate) fn read(
    elf: &Elf<'_>,
    addresses: Option<&[u64]>,
    functions: &mut Builder,
    limits: &Limits,
    deadline: &mut Deadline,
) -> Result<(), Why> {
    let of_kind = |kind| {
        let all = elf.sections().map(|(_, section)| section);
        all.filter(move |section| section.sh_type(LE) == kind).take(1)
    };
    let all = of_kind(elf::SHT_SYMTAB).chain(of_kind(elf::SHT_DYNSYM));
    let mut tables = Vec::new();
    for symbols in all {
        tables.push(Table::open(elf, symbols, limits)?);
    }
    let Some(addresses) = addresses else {
        for table in &mut tables {
            table.each(deadline, &mut |symbol, names| {
                let name = names.at(symbol.name)?;
                functions.add(symbol.named(name))
            })?;
        }
        return Ok(());
    };
    near(&mut tables, addresses, functions, deadline)
}

/// Puts in what may be at some addresses. Names are read in their own order, which is not always that of symbols.
fn near(
    tables: &mut [Table<'_>],
    addresses: &[u64],
    functions: &mut Builder,
    deadline: &mut Deadline,
) -> Result<(), Why> {
    let mut open = Vec::new();
    for table in &mut *tables {
        let mut met = Vec::new();
        table.each(deadline, &mut |symbol, _| {
            if symbol.size == 0 {
                met.push((symbol.name, symbol.start));
                functions.has_room_for(met.len())?;
            }
            Ok(())
        })?;
        met.sort_unstable();
        for (name, start) in met {
            deadline.step()?;
            if !is_mark(table.names.at(name)?) {
                open.push(start);
            }
        }
    }
    let mut near = Near::new(addresses, open);
    // Where a function ends that does not say it is known when all were seen.
    let mut kept = Vec::new();
    for (number, table) in tables.iter_mut().enumerate() {
        table.each(deadline, &mut |symbol, _| {
            if near.meet(&symbol) {
                kept.push((number, symbol));
                functions.has_room_for(kept.len())?;
            }
            Ok(())
        })?;
    }
    kept.sort_unstable_by_key(|(number, symbol)| (*number, symbol.name));
    for (number, mut symbol) in kept {
        deadline.step()?;
        if symbol.size == 0 {
            symbol.limit = symbol.limit.min(near.next(symbol.start));
        }
        let Some(table) = tables.get_mut(number) else { continue };
        let name = table.names.at(symbol.name)?;
        functions.add(symbol.named(name))?;
    }
    Ok(())
}

/// A function, as a table has it.
#[derive(Clone, Copy)]
struct Entry {
    start: u64,
    size: u64,
    limit: u64,
    /// Where its name is among names.
    name: u32,
    is_visible: bool,
}

impl Entry {
    fn named<'a>(&self, name: &'a [u8]) -> Symbol<'a> {
        let Self { start, size, limit, is_visible, .. } = *self;
        // One without a name is left out.
        let name = if is_mark(name) { &[] } else { name };
        Symbol { start, size, limit, name, is_visible }
    }
}

/// `$x`, `$d` and `.L…` mark places for tools, `.annobin_…` what notes tell of.
fn is_mark(name: &[u8]) -> bool {
    matches!(name, [b'$' | b'.', ..])
}

/// A table of symbols.
struct Table<'a> {
    elf: &'a Elf<'a>,
    symbols: Content<'a>,
    names: Names<'a>,
}

impl<'a> Table<'a> {
    fn open(
        elf: &'a Elf<'a>,
        symbols: &'a SectionHeader64<LE>,
        limits: &Limits,
    ) -> Result<Self, Why> {
        let names = elf.section_number(symbols.sh_link(LE) as usize);
        let names = names.ok_or_else(|| Why::Damaged("a symbol table without names".to_owned()))?;
        let limit = limits.symbol_table_bytes;
        let symbols = Content::open(elf, symbols, limit)?;
        let content = Content::open(elf, names, limit)?;
        Ok(Self { elf, symbols, names: Names { content } })
    }

    /// Goes through its functions.
    fn each(
        &mut self,
        deadline: &mut Deadline,
        found: &mut dyn FnMut(Entry, &mut Names<'a>) -> Result<(), Why>,
    ) -> Result<(), Why> {
        const SYMBOL_BYTES: u64 = size_of::<Sym64<LE>>() as u64;
        let (elf, names) = (self.elf, &mut self.names);
        let mut at = 0;
        while at + SYMBOL_BYTES <= self.symbols.bytes {
            let part = self.symbols.at(at)?;
            let whole = part.len() / size_of::<Sym64<LE>>();
            let (symbols, _) = object::slice_from_bytes::<Sym64<LE>>(part, whole)
                .map_err(|()| Why::Damaged("a symbol table".to_owned()))?;
            if symbols.is_empty() {
                break;
            }
            at += symbols.len() as u64 * SYMBOL_BYTES;
            for symbol in symbols {
                deadline.step()?;
                let Some(limit) = end_of_code(elf, symbol) else { continue };
                let (start, size) = (symbol.st_value(LE), symbol.st_size(LE));
                if start == 0 && elf.is_linked {
                    continue;
                }
                let is_visible = symbol.st_bind() != elf::STB_LOCAL;
                let name = symbol.st_name(LE);
                found(Entry { start, size, limit, name, is_visible }, names)?;
            }
        }
        Ok(())
    }
}

/// The names of a table.
struct Names<'a> {
    content: Content<'a>,
}

impl Names<'_> {
    /// The one at an offset; empty where there is none.
    fn at(&mut self, offset: u32) -> Result<&[u8], Why> {
        if u64::from(offset) >= self.content.bytes {
            return Ok(&[]);
        }
        let rest = self.content.at(offset.into())?;
        // Never the rest of all names: a table without ends would be searched from each of its bytes.
        let name = rest.get(..MAX_NAME_BYTES).unwrap_or(rest);
        Ok(name.split(|byte| *byte == 0).next().unwrap_or_default())
    }
}

/// The content of a section, read piece by piece.
struct Content<'a> {
    source: &'a Source,
    offset: u64,
    bytes: u64,
    /// What was read last, and where in the section that begins. All of it, where it had to be unpacked.
    part: Vec<u8>,
    start: u64,
}

impl<'a> Content<'a> {
    /// Of symbols as well as of names a multiple, and never less than the longest name.
    const PART_BYTES: u64 = 24 * 2730;

    fn open(elf: &Elf<'a>, section: &SectionHeader64<LE>, limit: u64) -> Result<Self, Why> {
        let (offset, bytes) = (section.sh_offset(LE), section.sh_size(LE));
        let mut content = Self { source: elf.source, offset, bytes, part: Vec::new(), start: 0 };
        let is_packed = section.sh_flags(LE) & u64::from(elf::SHF_COMPRESSED) != 0;
        if is_packed || section.sh_type(LE) == elf::SHT_NOBITS {
            content.part = elf.content(section, limit)?;
            content.bytes = content.part.len() as u64;
        } else if bytes > limit {
            return Err(Why::Large { bytes, limit });
        }
        Ok(content)
    }

    /// What is at an offset, as far as it was read together: as much as a symbol or a name takes, at least.
    fn at(&mut self, offset: u64) -> Result<&[u8], Why> {
        let end = (offset + MAX_NAME_BYTES as u64).min(self.bytes);
        let is_there = self.start <= offset && end <= self.start + self.part.len() as u64;
        if !is_there {
            let bytes = self.bytes.saturating_sub(offset).min(Self::PART_BYTES);
            self.part = self.source.read(self.offset.saturating_add(offset), bytes)?;
            self.start = offset;
        }
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        Ok(self.part.get(from..).unwrap_or_default())
    }
}

/// Names are cut there.
const MAX_NAME_BYTES: usize = 8 << 10;

/// The end of the section of code that a symbol names a place of; `None` for all else.
fn end_of_code(elf: &Elf<'_>, symbol: &Sym64<LE>) -> Option<u64> {
    let is_function = match symbol.st_type() {
        elf::STT_FUNC | IFUNC => true,
        // Assembler does not always say.
        elf::STT_NOTYPE => false,
        _ => return None,
    };
    let section = symbol.st_shndx(LE);
    if section == elf::SHN_UNDEF {
        return None;
    }
    // Beyond the numbers of sections: an absolute address, or more sections than numbers.
    let Some(section) = elf.section_number(section.into()).filter(|_| section < elf::SHN_LORESERVE)
    else {
        return is_function.then_some(symbol.st_value(LE).saturating_add(symbol.st_size(LE)));
    };
    let is_code = section.sh_flags(LE) & u64::from(elf::SHF_EXECINSTR) != 0;
    is_code.then(|| section.sh_addr(LE).saturating_add(section.sh_size(LE)))
}

/// What may be at some addresses: functions that reach over them, and the last one before each that does not say how
/// long it is.
struct Near {
    /// Where all functions begin that do not say how long they are.
    open: Vec<u64>,
    /// Of those, the last one before each address.
    last: Vec<u64>,
    /// Where, behind each of these, the next function begins.
    next: Vec<u64>,
    /// The addresses, and those: whether one of them is a label within another function matters, too.
    places: Vec<u64>,
}

impl Near {
    /// At addresses that ascend.
    fn new(addresses: &[u64], mut open: Vec<u64>) -> Self {
        open.sort_unstable();
        open.dedup();
        let before = |address: &u64| {
            let behind = open.partition_point(|start| start <= address);
            behind.checked_sub(1).and_then(|at| open.get(at)).copied()
        };
        let mut last: Vec<u64> = addresses.iter().filter_map(before).collect();
        last.dedup();
        let mut places: Vec<u64> = addresses.iter().chain(&last).copied().collect();
        places.sort_unstable();
        Self { next: vec![u64::MAX; last.len()], open, last, places }
    }

    /// Whether a function is one of those.
    fn meet(&mut self, symbol: &Entry) -> bool {
        if symbol.size == 0 && self.open.binary_search(&symbol.start).is_err() {
            return false;
        }
        let before = self.last.partition_point(|start| *start < symbol.start);
        if let Some(next) = before.checked_sub(1).and_then(|at| self.next.get_mut(at)) {
            *next = symbol.start.min(*next);
        }
        if symbol.size == 0 {
            return self.last.get(before) == Some(&symbol.start);
        }
        let first = self.places.partition_point(|place| *place < symbol.start);
        self.places.get(first).is_some_and(|place| place - symbol.start < symbol.size)
    }

    /// Where the function behind one begins that does not say how long it is.
    fn next(&self, start: u64) -> u64 {
        let at = self.last.binary_search(&start).ok();
        at.and_then(|at| self.next.get(at)).copied().unwrap_or(u64::MAX)
    }
}
