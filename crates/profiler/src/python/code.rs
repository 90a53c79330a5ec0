//! A code object, read from the memory of a process: what it is called, where it was written, and its line table.
//!
//! Whatever lies there is bytes of somebody else's, who changes them meanwhile. An object has to be of the type of code
//! objects, and texts and tables as long as such things are; else nothing is told of it.

use std::sync::Arc;

use super::layout::{CodeLayout, Layout, MAX_CODE_BYTES, TextLayout};
use super::lines::{Lines, MAX_TABLE_BYTES};

/// Characters of a name, and of a path, that are read.
const MAX_TEXT: usize = 1024;
/// Bytes that are read at first of a text, which is nearly always all of it.
const TEXT_BYTES: usize = 192;

/// Memory that can be read, in part if not all of it is there.
pub trait Memory {
    /// How many bytes from an address on there are, of those that were asked for.
    fn read(&self, address: u64, bytes: &mut [u8]) -> usize;
}

/// Memory of a process that is open: `/proc/PID/mem`.
impl Memory for std::fs::File {
    fn read(&self, address: u64, bytes: &mut [u8]) -> usize {
        std::os::unix::fs::FileExt::read_at(self, bytes, address).unwrap_or(0)
    }
}

/// What tells a code object from another one at the same address: what it points to, and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    file: u64,
    name: u64,
    lines: u64,
    first_line: u32,
}

/// A code object.
#[derive(Debug, Clone)]
pub struct Code {
    /// Its name, and that of what it is in (`Class.method`), as far as the interpreter keeps it (from 3.11 on).
    pub name: Arc<str>,
    /// The path of its file, as it was compiled with.
    pub file: Arc<str>,
    /// Lines of places in it.
    pub places: Places,
}

/// Lines of places in a code object.
#[derive(Debug, Clone)]
pub struct Places {
    first_line: u32,
    lines: Lines,
}

impl Signature {
    /// That of the object at an address; `None` where there is no code object.
    pub fn read(memory: &dyn Memory, layout: &CodeLayout, code_type: u64, at: u64) -> Option<Self> {
        let mut bytes = [0; MAX_CODE_BYTES];
        let wanted = [layout.kind, layout.file, layout.name, layout.first_line, layout.lines];
        let wanted = wanted.into_iter().max().unwrap_or(0) + 8;
        let bytes = bytes.get_mut(..wanted)?;
        if memory.read(at, bytes) < wanted {
            return None;
        }
        let word = |at: usize| bytes.get(at..)?.first_chunk().map(|it| u64::from_le_bytes(*it));
        let first_line = bytes.get(layout.first_line..)?.first_chunk();
        (word(layout.kind)? == code_type).then_some(())?;
        Some(Self {
            file: word(layout.file)?,
            name: word(layout.name)?,
            lines: word(layout.lines)?,
            first_line: first_line.map(|it| u32::from_le_bytes(*it))?,
        })
    }
}

impl Code {
    /// Reads what a signature leads to; `None` where it cannot be read, or is nothing of the kind.
    pub fn read(memory: &dyn Memory, layout: &Layout, signature: &Signature) -> Option<Self> {
        let Signature { file, name, lines, first_line } = *signature;
        // Without a table it has a name all the same.
        let table = bytes(memory, &layout.code, lines).unwrap_or_default();
        Some(Self {
            name: text(memory, &layout.text, name)?.into(),
            file: text(memory, &layout.text, file)?.into(),
            places: Places {
                first_line,
                lines: Lines::read(layout.code.format, &table, first_line),
            },
        })
    }
}

impl Places {
    /// The line of a place, as a frame tells it.
    pub fn line(&self, layout: &CodeLayout, place: Option<u32>) -> u32 {
        let at = place.and_then(|place| match layout.instructions {
            // Before the first instruction it is there already.
            Some(start) => Some((place * 2).saturating_sub(u32::try_from(start).ok()?)),
            None => Some(place.saturating_sub(1) * layout.unit_bytes),
        });
        at.and_then(|at| self.lines.find(at)).unwrap_or(self.first_line)
    }

    /// Memory that they take beside themselves.
    pub fn bytes(&self) -> usize {
        self.lines.bytes()
    }
}

/// The content of a bytes object.
fn bytes(memory: &dyn Memory, layout: &CodeLayout, at: u64) -> Option<Vec<u8>> {
    let (length_at, first) = layout.bytes;
    let mut length = [0; 8];
    let read = memory.read(at.checked_add(length_at as u64)?, &mut length);
    let length = usize::try_from(u64::from_le_bytes(length)).ok()?;
    if read < 8 || length > MAX_TABLE_BYTES {
        return None;
    }
    let mut content = vec![0; length];
    let read = memory.read(at.checked_add(first as u64)?, &mut content);
    content.truncate(read);
    Some(content)
}

/// The characters of a text, those that a terminal should not be shown replaced.
fn text(memory: &dyn Memory, layout: &TextLayout, at: u64) -> Option<String> {
    let mut head = [0; TEXT_BYTES];
    let read = memory.read(at, &mut head);
    let head = head.get(..read)?;
    let length = head.get(layout.length..)?.first_chunk().map(|it| u64::from_le_bytes(*it))?;
    let state = head.get(layout.state..)?.first_chunk().map(|it| u32::from_le_bytes(*it))?;
    let state = state >> layout.kind_bit;
    let (character_bytes, is_compact, is_ascii) =
        ((state & 7) as usize, state >> 3 & 1 == 1, state >> 4 & 1 == 1);
    if !is_compact || !matches!(character_bytes, 1 | 2 | 4) {
        return None;
    }
    let length = usize::try_from(length).ok().filter(|it| *it <= MAX_TEXT * 16)?.min(MAX_TEXT);
    let start = if is_ascii { layout.ascii } else { layout.compact };
    let wanted = length * character_bytes;
    let mut more = Vec::new();
    let content = match head.get(start..start + wanted) {
        Some(content) => content,
        None => {
            more.resize(wanted, 0);
            let read = memory.read(at.checked_add(start as u64)?, &mut more);
            (read == wanted).then_some(&*more)?
        }
    };
    let character = |unit: &[u8]| {
        let number = unit.iter().rev().fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
        let is_harmless = |it: &char| !it.is_control() && *it != ';';
        char::from_u32(number).filter(is_harmless).unwrap_or(char::REPLACEMENT_CHARACTER)
    };
    Some(content.chunks_exact(character_bytes).map(character).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Bytes from an address on.
    struct Fake(u64, Vec<u8>);

    impl Memory for Fake {
        fn read(&self, address: u64, bytes: &mut [u8]) -> usize {
            let at = address.checked_sub(self.0).and_then(|at| usize::try_from(at).ok());
            let there = at.and_then(|at| self.1.get(at..)).unwrap_or_default();
            let count = there.len().min(bytes.len());
            bytes[..count].copy_from_slice(&there[..count]);
            count
        }
    }

    fn layout() -> Layout {
        Layout::of(0x030b_02f0, &[]).unwrap()
    }

    fn text_object(kind: u32, is_ascii: bool, length: u64, content: &[u8]) -> Vec<u8> {
        let mut object = vec![0; 72];
        object[16..24].copy_from_slice(&length.to_le_bytes());
        let state = kind << 2 | 1 << 5 | u32::from(is_ascii) << 6;
        object[32..36].copy_from_slice(&state.to_le_bytes());
        object.truncate(if is_ascii { 48 } else { 72 });
        object.extend(content);
        object
    }

    fn read(object: Vec<u8>) -> Option<String> {
        text(&Fake(0x1000, object), &layout().text, 0x1000)
    }

    #[test]
    fn texts_of_every_kind_are_read() {
        assert_eq!(read(text_object(1, true, 4, b"main")).as_deref(), Some("main"));
        assert_eq!(read(text_object(1, false, 2, b"\xe9t")).as_deref(), Some("ét"));
        let two: Vec<u8> = "Ωx".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(text_object(2, false, 2, &two)).as_deref(), Some("Ωx"));
        assert_eq!(
            read(text_object(4, false, 1, &0x1f600_u32.to_le_bytes())).as_deref(),
            Some("😀")
        );
        let long = "a".repeat(700);
        assert_eq!(read(text_object(1, true, 700, long.as_bytes())), Some(long));
    }

    #[test]
    fn what_is_no_text_is_none_and_what_does_harm_is_replaced() {
        assert_eq!(read(text_object(3, false, 2, b"abcdef")), None);
        assert_eq!(read(text_object(1, true, u64::MAX, b"abc")), None);
        assert_eq!(read(text_object(1, true, 500, b"abc")), None, "it is not all there");
        assert_eq!(read(vec![0; 20]), None);
        assert_eq!(read(text_object(1, true, 3, b"a\x1b;")).as_deref(), Some("a\u{fffd}\u{fffd}"));
    }

    #[test]
    fn what_is_not_of_the_type_of_code_is_none() {
        let mut object = vec![0; 200];
        object[8..16].copy_from_slice(&0x5000_u64.to_le_bytes());
        object[72..76].copy_from_slice(&7_u32.to_le_bytes());
        let memory = Fake(0x1000, object);
        let code = layout().code;
        let signature = Signature::read(&memory, &code, 0x5000, 0x1000).unwrap();
        assert_eq!(signature.first_line, 7);
        assert_eq!(Signature::read(&memory, &code, 0x5008, 0x1000), None);
        assert_eq!(Signature::read(&memory, &code, 0x5000, 0x1040), None, "it is not all there");
        assert!(Code::read(&memory, &layout(), &signature).is_none(), "it leads nowhere");
    }
}
