//! The functions of `.symtab` and `.dynsym`.

use object::LittleEndian as LE;
use object::elf::{self, SectionHeader64, Sym64};
use object::read::elf::{SectionHeader, Sym};

use crate::elf::Elf;
use crate::functions::{Builder, Symbol};
use crate::limits::{Deadline, Limits, Why};

/// `STT_GNU_IFUNC`: a function that chooses another when the program starts. Its own code is what is at its
/// address.
const IFUNC: u8 = 10;

/// Puts all functions of the file's tables in.
pub(crate) fn read(
    elf: &Elf<'_>,
    functions: &mut Builder,
    limits: &Limits,
    deadline: &mut Deadline,
) -> Result<(), Why> {
    let tables = |kind| {
        let all = elf.sections().map(|(_, section)| section);
        all.filter(move |section| section.sh_type(LE) == kind).take(1)
    };
    for table in tables(elf::SHT_SYMTAB).chain(tables(elf::SHT_DYNSYM)) {
        one(elf, table, functions, limits, deadline)?;
    }
    Ok(())
}

fn one(
    elf: &Elf<'_>,
    table: &SectionHeader64<LE>,
    functions: &mut Builder,
    limits: &Limits,
    deadline: &mut Deadline,
) -> Result<(), Why> {
    let damaged = |what: &str| Why::Damaged(what.to_owned());
    let symbols = elf.content(table, limits.symbol_table_bytes)?;
    let names = elf.section_number(table.sh_link(LE) as usize);
    let names = names.ok_or_else(|| damaged("a symbol table without names"))?;
    let names = elf.content(names, limits.symbol_table_bytes)?;
    let whole = symbols.len() / size_of::<Sym64<LE>>();
    let (symbols, _) = object::slice_from_bytes::<Sym64<LE>>(&symbols, whole)
        .map_err(|()| damaged("a symbol table"))?;
    for symbol in symbols {
        deadline.step()?;
        let Some(limit) = end_of_code(elf, symbol) else { continue };
        let name = names.get(symbol.st_name(LE) as usize..).unwrap_or_default();
        // Never the rest of all names: a table without ends would be searched from each of its bytes.
        let name = name.get(..MAX_NAME_BYTES).unwrap_or(name);
        let Some(name) = name.split(|byte| *byte == 0).next() else { continue };
        let start = symbol.st_value(LE);
        // `$x`, `$d` and `.L…` mark places for tools, `.annobin_…` what notes tell of.
        if matches!(name, [b'$' | b'.', ..]) || start == 0 && elf.is_linked {
            continue;
        }
        let is_visible = symbol.st_bind() != elf::STB_LOCAL;
        functions.add(Symbol { start, size: symbol.st_size(LE), limit, name, is_visible })?;
    }
    Ok(())
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
