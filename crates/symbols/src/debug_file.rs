//! Debug information in a file of its own: found by the build id, or by the name in `.gnu_debuglink`.
//!
//! Both are looked for inside the roots that are given (of the process, of the node), in the order that GDB
//! has: `/usr/lib/debug/.build-id/xx/yyyy.debug`; then the link's name beside the program, in `.debug` beside
//! it, and below `/usr/lib/debug`. The first is taken if it has the build id, the second if its sum (CRC-32)
//! is right: anything else would name what it does not know.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use chandra_unwind::BuildId;
use object::LittleEndian as LE;
use object::read::elf::SectionHeader;

use crate::elf::Elf;
use crate::limits::{Deadline, Limits, Part, Skipped, Why};
use crate::rooted::open_inside;
use crate::source::{Source, unreadable};

const DEBUG: &str = "usr/lib/debug";
/// Bytes of notes that are read for a build id.
const MAX_NOTE_BYTES: u64 = 4096;

/// Where a file was found, for looking for others around it.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Open folders that are looked in, each as the root of all paths, the first first.
    pub roots: &'a [&'a File],
    /// The file's path inside them; empty if it is not known.
    pub path: &'a Path,
}

/// The debug file of a program, if there is one; what was there but is another's goes to `skipped`.
pub(crate) fn find(
    elf: &Elf<'_>,
    place: Place<'_>,
    limits: &Limits,
    deadline: &mut Deadline,
    skipped: &mut Vec<Skipped>,
) -> Option<Source> {
    let mut refuse = |why| skipped.push(Skipped { part: Part::DebugFile, why });
    let id = build_id(elf);
    if let Some(path) = id.as_deref().and_then(by_build_id) {
        for root in place.roots {
            let Ok(file) = open_inside(root, &path) else { continue };
            let source = Source::File(file);
            match Elf::read(&source).map(|elf| build_id(&elf)) {
                Ok(found) if found == id => return Some(source),
                Ok(_) => refuse(Why::OtherBuild),
                Err(why) => refuse(why),
            }
        }
    }
    let (name, sum) = link(elf)?;
    let folder = place.path.parent().unwrap_or(Path::new(""));
    let folder = folder.strip_prefix("/").unwrap_or(folder);
    let beside = [folder.join(&name), folder.join(".debug").join(&name)];
    let below = Path::new(DEBUG).join(folder).join(&name);
    for path in beside.into_iter().chain([below]) {
        for root in place.roots {
            let Ok(file) = open_inside(root, &path) else { continue };
            match check(&file, limits.checked_bytes, deadline) {
                Ok(found) if found == sum => return Some(Source::File(file)),
                Ok(_) => refuse(Why::OtherBuild),
                Err(why) => refuse(why),
            }
        }
    }
    None
}

/// The build id of a file's note.
fn build_id(elf: &Elf<'_>) -> Option<Vec<u8>> {
    let section = elf.section(".note.gnu.build-id")?;
    let notes = elf.content(section, MAX_NOTE_BYTES).ok()?;
    let word = |at: usize| Some(u32::from_le_bytes(*notes.get(at..)?.first_chunk()?) as usize);
    // Name's length, content's length, kind (3), name, content.
    let (name, bytes) = (word(0)?, word(4)?);
    let start = 12_usize.checked_add(name.checked_next_multiple_of(4)?)?;
    let id = notes.get(start..start.checked_add(bytes)?)?;
    (word(8)? == 3 && !id.is_empty()).then(|| id.to_vec())
}

fn by_build_id(id: &[u8]) -> Option<PathBuf> {
    let text = BuildId::Gnu(id.to_vec()).to_string();
    let (first, rest) = text.split_at_checked(2).filter(|(_, rest)| !rest.is_empty())?;
    Some(Path::new(DEBUG).join(".build-id").join(first).join(format!("{rest}.debug")))
}

/// A name, and the CRC-32 of the file that has it.
fn link(elf: &Elf<'_>) -> Option<(PathBuf, u32)> {
    let section = elf.section(".gnu_debuglink")?;
    let content = elf.content(section, section.sh_size(LE).min(MAX_NOTE_BYTES)).ok()?;
    let name = content.split(|byte| *byte == 0).next()?;
    let sum = content.get((name.len() + 1).next_multiple_of(4)..)?.first_chunk()?;
    let name = PathBuf::from(std::str::from_utf8(name).ok()?);
    let mut parts = name.components();
    let is_name = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
    is_name.then(|| (name, u32::from_le_bytes(*sum)))
}

fn check(file: &File, limit: u64, deadline: &mut Deadline) -> Result<u32, Why> {
    let bytes = file.metadata().map_err(|error| unreadable(&error))?.len();
    if bytes > limit {
        return Err(Why::Large { bytes, limit });
    }
    let mut sum = crc32fast::Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    let mut reader = file.take(bytes);
    loop {
        deadline.look()?;
        match reader.read(&mut buffer).map_err(|error| unreadable(&error))? {
            0 => return Ok(sum.finalize()),
            bytes => sum.update(buffer.get(..bytes).unwrap_or_default()),
        }
    }
}
