//! What the file of an interpreter says: which version it is, where its state is, and which code is its loop.
//!
//! Symbols say that. Those for dynamic linking are there in stripped files, too, since extensions are linked with
//! them. Files are anybody's: what is read is bounded, and a number that leads out of the file leads nowhere.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, ProgramHeader64, Rela64, SectionHeader64, Sym64};
use object::pod::{Pod, slice_from_all_bytes};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, Sym};

use super::layout::{DEBUG_OFFSETS_BYTES, Layout, LayoutError};
use super::loops::{self, Code, Loaded};

/// Bytes that are read of a file at once, and in all.
const MAX_PART_BYTES: u64 = 32 << 20;
const MAX_BYTES: u64 = 128 << 20;
/// The loop's function in parts, and then some.
const MAX_LOOPS: usize = 64;
/// A loop that has each instruction in it is ten times as long; one that calls a function for each is not.
const TAIL_CALLING_BYTES: u64 = 8192;

/// Why nothing of a file is known.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// It is no ELF file, or a damaged one.
    #[error("no ELF file of 64 bits, little-endian, or a damaged one")]
    Damaged,
    /// It has no symbol of the interpreter's loop.
    #[error("it has no symbol of the interpreter's loop")]
    NoLoop,
    /// It does not say which version it is.
    #[error("neither its symbols nor its name say which version of Python it is")]
    NoVersion,
    /// Its version is not known.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

/// A file, or all that is in one.
pub trait Content {
    /// Bytes of it.
    ///
    /// # Errors
    /// When that cannot be asked.
    fn length(&self) -> io::Result<u64>;

    /// Reads all of these bytes from a place on.
    ///
    /// # Errors
    /// When they are not there.
    fn read(&self, place: u64, bytes: &mut [u8]) -> io::Result<()>;
}

impl Content for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read(&self, place: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(bytes, place)
    }
}

impl Content for &[u8] {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read(&self, place: u64, bytes: &mut [u8]) -> io::Result<()> {
        let there = usize::try_from(place).ok().and_then(|place| self.get(place..));
        let there = there.and_then(|there| there.get(..bytes.len()));
        bytes.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// What is read of a file, within a budget.
struct Reader<'a> {
    content: &'a dyn Content,
    left: Cell<u64>,
}

/// An interpreter's file.
#[derive(Debug)]
pub struct Image {
    /// Where things are in its memory.
    pub layout: Layout,
    /// Where the loop's function begins, as a place in the file.
    pub loop_start: u64,
    /// Where its code is.
    loops: Vec<Range<u64>>,
    /// Where the functions of its instructions are, which go on to each other, if it has such.
    instructions: Vec<Range<u64>>,
    /// The address of `_PyRuntime`, as symbols count.
    runtime: u64,
    /// That of `PyCode_Type`.
    code_type: u64,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    offset: u64,
    bytes: u64,
    address: u64,
    is_code: bool,
}

/// Addresses of what is looked for, by its name.
#[derive(Debug, Default)]
struct Found {
    runtime: Option<u64>,
    version: Option<u64>,
    code_type: Option<u64>,
    loops: Vec<Range<u64>>,
    exported: HashSet<u64>,
}

impl Image {
    /// Of a file that has this name; `None` for one that has no interpreter in it.
    ///
    /// # Errors
    /// When it cannot be read, or is of a version that is not known.
    pub fn read(content: &dyn Content, name: &[u8]) -> Result<Option<Self>, ImageError> {
        let file = &Reader { content, left: Cell::new(MAX_BYTES) };
        let head = bytes_at(file, 0, size_of::<FileHeader64<LE>>() as u64)?;
        let header = FileHeader64::<LE>::parse(&*head).map_err(|_| ImageError::Damaged)?;
        if !header.is_little_endian() {
            return Err(ImageError::Damaged);
        }
        let programs = bytes_at(file, header.e_phoff(LE), count(header.e_phnum(LE), 56))?;
        let programs = pods::<ProgramHeader64<LE>>(&programs)?.iter();
        let mut headers = programs.clone().filter(|it| it.p_type(LE) == elf::PT_GNU_EH_FRAME);
        let starts = match headers.next() {
            Some(header) => {
                let bytes = bytes_at(file, header.p_offset(LE), header.p_filesz(LE))?;
                loops::starts(&bytes, header.p_vaddr(LE))
            }
            None => Vec::new(),
        };
        let loaded = programs.filter(|program| program.p_type(LE) == elf::PT_LOAD);
        let segments: Vec<Segment> = loaded
            .map(|program| {
                let (offset, bytes) = program.file_range(LE);
                let is_code = program.p_flags(LE) & elf::PF_X != 0;
                Segment { offset, bytes, address: program.p_vaddr(LE), is_code }
            })
            .collect();
        let sections = bytes_at(file, header.e_shoff(LE), count(header.e_shnum(LE), 64))?;
        let sections = pods::<SectionHeader64<LE>>(&sections)?;
        let mut found = Found::default();
        for kind in [elf::SHT_DYNSYM, elf::SHT_SYMTAB] {
            for section in sections.iter().filter(|section| section.sh_type(LE) == kind) {
                let names = sections.get(section.sh_link(LE) as usize);
                found.look(file, section, names.ok_or(ImageError::Damaged)?)?;
            }
        }
        let (Some(runtime), Some(code_type)) = (found.runtime, found.code_type) else {
            return Ok(None);
        };
        let place = |address| place(&segments, address);
        let start = place(runtime).map(|at| up_to(file, at, DEBUG_OFFSETS_BYTES));
        let start = start.transpose()?.unwrap_or_default();
        let version = match (version_for_debuggers(&start), found.version.and_then(place)) {
            (Some(version), _) => Some(version),
            (None, Some(at)) => {
                bytes_at(file, at, 4)?.first_chunk().map(|it| u32::from_le_bytes(*it))
            }
            (None, None) => version_of_name(name),
        };
        let layout = Layout::of(version.ok_or(ImageError::NoVersion)?, &start)?;
        let places = |parts: Vec<Range<u64>>| -> Vec<Range<u64>> {
            let places = parts.into_iter().filter_map(|part| {
                let start = place(part.start)?;
                Some(start..start.checked_add(part.end - part.start)?)
            });
            let mut places: Vec<_> = places.collect();
            places.sort_unstable_by_key(|part| part.start);
            places
        };
        let whole = found.loops.iter().max_by_key(|part| part.end - part.start).cloned();
        let whole = whole.ok_or(ImageError::NoLoop)?;
        let loaded = segments.iter().map(|it| {
            let bytes = bytes_at(file, it.offset, it.bytes)?;
            Ok(Loaded { address: it.address, is_code: it.is_code, bytes })
        });
        let loaded: Vec<Loaded> = loaded.collect::<Result<_, ImageError>>()?;
        let code = code(file, &loaded, sections, (starts, found.exported))?;
        let is_tail_calling = whole.end - whole.start < TAIL_CALLING_BYTES;
        let mut all = found.loops;
        let instructions = match is_tail_calling {
            true => code.instructions(&whole),
            false => {
                all.extend(code.parts(&whole));
                Vec::new()
            }
        };
        Ok(Some(Self {
            layout,
            loop_start: place(whole.start).ok_or(ImageError::NoLoop)?,
            loops: places(all),
            instructions: places(instructions),
            runtime,
            code_type,
            segments,
        }))
    }

    /// Whether a place is in the loop.
    pub fn is_loop(&self, place: u64) -> bool {
        is_in(&self.loops, place)
    }

    /// Whether a place is in the function of an instruction.
    pub fn is_instruction(&self, place: u64) -> bool {
        is_in(&self.instructions, place)
    }

    /// What addresses of a process are above those of symbols, where a place of the file is mapped at an address.
    pub fn bias(&self, mapped: u64, place: u64) -> Option<u64> {
        let mut all = self.segments.iter();
        let segment = all.find(|it| {
            // A mapping begins at the page that its segment begins in.
            let start = it.offset & !0xfff;
            (start..it.offset.saturating_add(it.bytes)).contains(&place)
        })?;
        Some(mapped.wrapping_sub(place.wrapping_sub(segment.offset).wrapping_add(segment.address)))
    }

    /// The address in a process of the pointer to its first interpreter.
    pub fn interpreters(&self, bias: u64) -> u64 {
        self.runtime.wrapping_add(bias).wrapping_add(self.layout.probe.interpreters)
    }

    /// The address in a process of the type of code objects.
    pub fn code_type(&self, bias: u64) -> u64 {
        self.code_type.wrapping_add(bias)
    }
}

impl Found {
    fn look(
        &mut self,
        file: &Reader<'_>,
        symbols: &SectionHeader64<LE>,
        names: &SectionHeader64<LE>,
    ) -> Result<(), ImageError> {
        let is_exported = symbols.sh_type(LE) == elf::SHT_DYNSYM;
        let part = |section: &SectionHeader64<LE>| {
            bytes_at(file, section.sh_offset(LE), section.sh_size(LE))
        };
        let (symbols, names) = (part(symbols)?, part(names)?);
        for symbol in pods::<Sym64<LE>>(&symbols)? {
            if symbol.st_shndx(LE) == elf::SHN_UNDEF {
                continue;
            }
            let name = names.get(symbol.st_name(LE) as usize..).unwrap_or_default();
            // Compared as it lies: where it ends may be far.
            let is = |other: &[u8]| {
                name.strip_prefix(other).is_some_and(|rest| rest.first() == Some(&0))
            };
            let address = symbol.st_value(LE);
            if is_exported && symbol.st_type() == elf::STT_FUNC {
                self.exported.insert(address);
            }
            if is(b"_PyRuntime") {
                self.runtime = Some(address);
            } else if is(b"Py_Version") {
                self.version = Some(address);
            } else if is(b"PyCode_Type") {
                self.code_type = Some(address);
            } else if let Some(rest) = name.strip_prefix(b"_PyEval_EvalFrameDefault")
                // Parts that a compiler put elsewhere: `.cold`.
                && matches!(rest.first(), Some(0 | b'.'))
            {
                let part = address..address.saturating_add(symbol.st_size(LE));
                if self.loops.len() < MAX_LOOPS && !self.loops.contains(&part) {
                    self.loops.push(part);
                }
            }
        }
        Ok(())
    }
}

/// What the search for parts of the loop goes by.
fn code<'a>(
    file: &Reader<'_>,
    loaded: &'a [Loaded],
    sections: &[SectionHeader64<LE>],
    (starts, exported): (Vec<u64>, HashSet<u64>),
) -> Result<Code<'a>, ImageError> {
    let mut relocated = Vec::new();
    for section in sections {
        let bytes = || bytes_at(file, section.sh_offset(LE), section.sh_size(LE));
        if section.sh_type(LE) == elf::SHT_RELA {
            let all = bytes()?;
            let all = pods::<Rela64<LE>>(&all)?.iter();
            let relative = all.filter(|it| it.r_type(LE, false) == elf::R_X86_64_RELATIVE);
            relocated.extend(
                relative.map(|it| (it.r_offset.get(LE), it.r_addend.get(LE).cast_unsigned())),
            );
        }
    }
    relocated.sort_unstable();
    Ok(Code { loaded, starts, relocated, exported })
}

fn count(entries: u16, bytes: u64) -> u64 {
    u64::from(entries) * bytes
}

/// Whether a place is in one of these parts, which are sorted.
fn is_in(parts: &[Range<u64>], place: u64) -> bool {
    let behind = parts.partition_point(|part| part.start <= place);
    behind.checked_sub(1).and_then(|at| parts.get(at)).is_some_and(|part| part.contains(&place))
}

/// So many bytes of a file.
fn bytes_at(file: &Reader<'_>, at: u64, bytes: u64) -> Result<Vec<u8>, ImageError> {
    let left = file.left.get().checked_sub(bytes);
    let is_there = at.saturating_add(bytes) <= file.content.length()?;
    let left = left.filter(|_| is_there && bytes <= MAX_PART_BYTES).ok_or(ImageError::Damaged)?;
    file.left.set(left);
    let mut content = vec![0; usize::try_from(bytes).map_err(|_| ImageError::Damaged)?];
    file.content.read(at, &mut content)?;
    Ok(content)
}

/// The same, of what is there.
fn up_to(file: &Reader<'_>, at: u64, bytes: usize) -> Result<Vec<u8>, ImageError> {
    let there = file.content.length()?.saturating_sub(at);
    bytes_at(file, at, there.min(bytes as u64))
}

fn pods<T: Pod>(bytes: &[u8]) -> Result<&[T], ImageError> {
    let whole = bytes.len() - bytes.len() % size_of::<T>();
    let bytes = bytes.get(..whole).unwrap_or_default();
    slice_from_all_bytes(bytes).map_err(|()| ImageError::Damaged)
}

fn place(segments: &[Segment], address: u64) -> Option<u64> {
    segments.iter().find_map(|segment| {
        let inside = address.checked_sub(segment.address)?;
        (inside < segment.bytes).then(|| segment.offset.wrapping_add(inside))
    })
}

fn version_for_debuggers(runtime: &[u8]) -> Option<u32> {
    let version = runtime.strip_prefix(b"xdebugpy")?;
    version.first_chunk().map(|version| u32::from_le_bytes(*version))
}

/// A release of a version that a file's name names: `libpython3.9.so.1.0`.
fn version_of_name(name: &[u8]) -> Option<u32> {
    let name = std::str::from_utf8(name).ok()?;
    let (_, behind) = name.split_once("python3.")?;
    let digits = behind.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(behind.len());
    let minor: u8 = behind.get(..digits)?.parse().ok()?;
    Some(u32::from_be_bytes([3, minor, 0, 0xf0]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_which_version_it_is() {
        for (name, version) in [
            (&b"python3.9"[..], Some(0x0309_00f0)),
            (b"libpython3.10.so.1.0", Some(0x030a_00f0)),
            (b"libpython3.8d.so", Some(0x0308_00f0)),
            (b"python", None),
            (b"libpython3.so", None),
            (b"python3.999", None),
        ] {
            assert_eq!(version_of_name(name), version);
        }
    }

    #[test]
    fn what_has_no_interpreter_has_none() {
        let own = File::open(std::env::current_exe().unwrap()).unwrap();
        assert!(Image::read(&own, b"python3.9").unwrap().is_none());
        let none = File::open("/proc/version").unwrap();
        assert!(Image::read(&none, b"python3.9").is_err());
    }
}
