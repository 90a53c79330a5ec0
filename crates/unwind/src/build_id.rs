//! Which build of which program a file is.
//!
//! Linkers put a note there (`NT_GNU_BUILD_ID`; Go its own), which symbols are looked up by on other machines.
//! Where there is none, a hash of headers stands in, which tells files of one machine apart.
//!
//! A build id is a claim: anybody can write somebody else's into a file. So it names what was sampled,
//! and tables are not trusted by it ([`crate::tables`]).

use std::fmt::{self, Display, Formatter, Write};

use object::LittleEndian;
use object::elf;
use object::read::elf::{FileHeader, NoteIterator, ProgramHeader};

use crate::elf::{Elf, ElfError};

/// Longer ones are no build ids: GNU's are up to 20 bytes, Go's 83.
const MAX_BYTES: usize = 128;
/// Notes that are looked at in each segment.
const MAX_NOTES: usize = 64;
/// `NT_GO_BUILD_ID`: cmd/link/internal/ld/elf.go.
const NT_GO_BUILD_ID: u32 = 4;

/// What identifies a build.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BuildId {
    /// The bytes of the note of GNU's and LLVM's linkers.
    Gnu(Vec<u8>),
    /// The text of the note of Go's linker.
    Go(String),
    /// Without a note: a hash of the file's length and headers (FNV-1a, 128 bits).
    Headers(u128),
}

impl BuildId {
    /// That of an ELF file, of its whole content. One that is mapped has the notes and program headers that
    /// the file has, so its memory will do for them.
    pub fn read(file: &[u8]) -> Result<Self, ElfError> {
        let elf = Elf::read(&file)?;
        let header = elf::FileHeader64::<LittleEndian>::parse(file).ok();
        let headers = header.and_then(|it| it.program_headers(LittleEndian, file).ok());
        let headers = headers.unwrap_or_default();
        let notes = headers.iter().filter_map(|header| header.notes(LittleEndian, file).ok()?);
        // Some linkers leave Go's note out of the segments.
        let section = elf.section(".note.go.buildid");
        let section = section.as_ref();
        let section = section.and_then(|it| NoteIterator::new(LittleEndian, 4, &it.data).ok());
        let (mut go, all) = (None, notes.chain(section));
        for (kind, name, bytes) in all.flat_map(list) {
            match (name, kind) {
                (b"GNU", elf::NT_GNU_BUILD_ID) => return Ok(Self::Gnu(bytes.to_vec())),
                (b"Go", NT_GO_BUILD_ID) => go = std::str::from_utf8(bytes).ok().or(go),
                _ => (),
            }
        }
        Ok(match go {
            Some(go) => Self::Go(go.to_owned()),
            None => Self::Headers(hash(file)),
        })
    }
}

/// In hexadecimal digits, Go's as it is, a hash after `headers:`.
impl Display for BuildId {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gnu(bytes) => bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}")),
            Self::Go(text) => text
                .chars()
                .try_for_each(|char| if char.is_control() { Ok(()) } else { out.write_char(char) }),
            Self::Headers(hash) => write!(out, "headers:{hash:032x}"),
        }
    }
}

/// The first notes of a segment: kind, name, content.
fn list<'data>(
    mut notes: NoteIterator<'data, elf::FileHeader64<LittleEndian>>,
) -> Vec<(u32, &'data [u8], &'data [u8])> {
    let mut all = Vec::new();
    while let Ok(Some(note)) = notes.next() {
        if all.len() == MAX_NOTES {
            break;
        }
        if (1..=MAX_BYTES).contains(&note.desc().len()) {
            all.push((note.n_type(LittleEndian), note.name(), note.desc()));
        }
    }
    all
}

/// The header of the file and of its segments, its length, and the end of it, where headers of sections are.
fn hash(data: &[u8]) -> u128 {
    const START_BYTES: usize = 4096;
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let start = &data[..data.len().min(START_BYTES)];
    let end = &data[data.len().saturating_sub(START_BYTES)..];
    let length = (data.len() as u64).to_le_bytes();
    let bytes = start.iter().chain(end).chain(&length);
    bytes.fold(OFFSET, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn that_of_the_c_library_is_what_readelf_says() {
        let path = std::fs::read_to_string("/proc/self/maps").expect("mappings");
        let mut path = path.lines().filter_map(|line| line.split_whitespace().nth(5));
        let path = path.rfind(|path| path.contains("libc.so.6")).expect("a C library");
        let notes = Command::new("readelf").args(["-n", path]).output().expect("readelf");
        let notes = String::from_utf8_lossy(&notes.stdout).into_owned();
        let expected = notes.lines().find_map(|line| line.trim().strip_prefix("Build ID: "));
        let file = std::fs::read(path).expect("a file");
        let id = BuildId::read(&file).expect("an ELF file");
        assert_eq!(Some(&*id.to_string()), expected);
    }

    #[test]
    fn a_file_without_a_note_is_told_apart_by_its_headers() {
        let mut file = vec![0; 64];
        file[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        file[18] = 62;
        let first = BuildId::read(&file).expect("an ELF file");
        assert!(matches!(first, BuildId::Headers(_)), "{first:?}");
        file[24] = 1;
        assert_ne!(BuildId::read(&file).expect("an ELF file"), first);
        file[24] = 0;
        assert_eq!(BuildId::read(&file).expect("an ELF file"), first);
        file.push(0);
        assert_ne!(BuildId::read(&file).expect("an ELF file"), first);
    }
}
