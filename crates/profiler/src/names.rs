//! Names of places in the kernel and in programs: what symbol tables say. Each file is read once.

use std::collections::HashMap;
use std::io;

use chandra_event::cpu_sample::UserFrame;
use chandra_loader::symbols::Symbols;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{LittleEndian, Object, ObjectSymbol, SymbolKind};

use crate::executables::{Executables, Number};

/// What is known of a place.
#[derive(Debug, Clone, Copy, Default)]
pub struct Name<'a> {
    /// The function; empty if it is not known.
    pub function: &'a str,
    /// The file that it is in; empty for none.
    pub module: &'a str,
    /// Where the function begins, or the place itself where there is none; as symbols count.
    pub address: u64,
}

/// Functions of a file.
#[derive(Debug, Default)]
struct Functions {
    /// Segments: offset in the file, bytes, address.
    segments: Vec<(u64, u64, u64)>,
    /// By their address, with their size and the place of their name.
    functions: Vec<(u64, u64, u32)>,
    names: String,
}

/// Functions of one file that are kept.
const MAX_FUNCTIONS: usize = 1 << 21;

impl Functions {
    fn read(bytes: &[u8]) -> object::Result<Self> {
        let elf = ElfFile64::<LittleEndian>::parse(bytes)?;
        let mut found = Self::default();
        for header in elf.elf_header().program_headers(LittleEndian, bytes)? {
            if header.p_type(LittleEndian) == object::elf::PT_LOAD {
                let (offset, bytes) = header.file_range(LittleEndian);
                found.segments.push((offset, bytes, header.p_vaddr(LittleEndian)));
            }
        }
        for symbol in elf.symbols().chain(elf.dynamic_symbols()) {
            if symbol.kind() == SymbolKind::Text && symbol.address() != 0 && symbol.is_definition()
            {
                found.add(symbol.address(), symbol.size(), symbol.name().unwrap_or_default());
            }
        }
        // Of two names the one that says how long its function is.
        found.functions.sort_by_key(|(address, size, _)| (*address, std::cmp::Reverse(*size)));
        found.functions.dedup_by_key(|(address, ..)| *address);
        Ok(found)
    }

    fn add(&mut self, address: u64, size: u64, name: &str) {
        let place = u32::try_from(self.names.len());
        if let Ok(place) = place
            && !name.is_empty()
            && self.functions.len() < MAX_FUNCTIONS
        {
            self.functions.push((address, size, place));
            self.names.push_str(name);
            self.names.push('\n');
        }
    }

    /// The address of a place in the file.
    fn address(&self, place: u64) -> u64 {
        let holds = |(offset, bytes, _): &&(u64, u64, u64)| {
            (*offset..offset.saturating_add(*bytes)).contains(&place)
        };
        let segment = self.segments.iter().find(holds);
        segment.map_or(place, |(offset, _, address)| (place - offset).wrapping_add(*address))
    }

    /// The function that an address is in, and where that begins.
    fn function(&self, address: u64) -> Option<(&str, u64)> {
        let next = self.functions.partition_point(|(start, ..)| *start <= address);
        let (start, size, place) = self.functions.get(next.checked_sub(1)?)?;
        if *size != 0 && address - start >= *size {
            return None;
        }
        let name = self.names.get(usize::try_from(*place).ok()?..)?.lines().next()?;
        Some((name, *start))
    }
}

/// Finds names.
#[derive(Debug)]
pub struct Names<'a> {
    executables: Option<&'a Executables>,
    paths: HashMap<Number, String>,
    files: HashMap<Number, Functions>,
    kernel: Symbols,
    kernel_names: HashMap<u64, (String, u64)>,
    /// Files that could not be read for their names.
    pub unreadable: Vec<(Number, String)>,
}

impl<'a> Names<'a> {
    /// Of these executables, and of the kernel.
    pub fn new(executables: &'a Executables) -> Self {
        let kernel = Symbols::read().unwrap_or_default();
        Self { executables: Some(executables), kernel, ..Self::unknown() }
    }

    /// Nothing has a name.
    pub fn unknown() -> Self {
        Self {
            executables: None,
            paths: HashMap::new(),
            files: HashMap::new(),
            kernel: Symbols::default(),
            kernel_names: HashMap::new(),
            unreadable: Vec::new(),
        }
    }

    /// That of a place in the kernel.
    pub fn kernel(&mut self, address: u64) -> Name<'_> {
        let symbols = &self.kernel;
        let (function, start) = self.kernel_names.entry(address).or_insert_with(|| {
            let place = symbols.place(address).unwrap_or_default();
            match place.rsplit_once("+0x") {
                Some((name, inside)) => {
                    let inside = u64::from_str_radix(inside, 16).unwrap_or(0);
                    (name.to_owned(), address.wrapping_sub(inside))
                }
                None => (String::new(), address),
            }
        });
        Name { function, module: "[kernel]", address: *start }
    }

    /// That of a place in a program.
    pub fn user(&mut self, frame: UserFrame) -> Name<'_> {
        let number = frame.executable;
        let executable = self.executables.and_then(|executables| executables.get(number));
        let Some(executable) = executable else {
            return Name { address: frame.place, ..Name::default() };
        };
        let unreadable = &mut self.unreadable;
        let functions = self.files.entry(number).or_insert_with(|| {
            let bytes = executable.bytes();
            let read = bytes.and_then(|bytes| Functions::read(&bytes).map_err(io::Error::other));
            read.unwrap_or_else(|error| {
                unreadable.push((number, error.to_string()));
                Functions::default()
            })
        });
        let path = || String::from_utf8_lossy(&executable.path).into_owned();
        let module = self.paths.entry(number).or_insert_with(path);
        let address = functions.address(frame.place);
        let (function, address) = functions.function(address).unwrap_or(("", address));
        Name { function, module, address }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_its_place_in_the_file() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let functions = Functions::read(&bytes).unwrap();
        let (start, size, _) = *functions.functions.iter().find(|(_, size, _)| *size > 16).unwrap();
        let (name, found) = functions.function(start + size - 1).unwrap();
        assert_eq!((functions.function(start).unwrap().0, start), (name, found));
        let (offset, _, address) =
            *functions.segments.iter().find(|(.., address)| *address <= start).unwrap();
        assert_eq!(functions.address(offset), address);
    }

    #[test]
    fn what_is_no_file_of_code_has_no_functions() {
        assert!(Functions::read(b"#!/bin/sh\n").is_err());
        assert_eq!(Functions::default().function(7), None);
    }
}
