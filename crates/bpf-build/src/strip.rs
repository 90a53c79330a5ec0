//! Takes out of an object what only debuggers read: half of it.
//!
//! clang writes BTF only along with DWARF (`-g`). Neither libbpf nor the kernel reads DWARF, nor the relocations
//! of BTF, which clang has applied already; libbpf knows all of these sections by their names and passes over
//! them. So they lose their contents and keep their headers: the numbers by which sections, symbols and
//! relocations name each other stay right.

use crate::elf::{Sections, contents};

const HEADER_BYTES: usize = 64;
/// Where a file's header has the start of the section headers, and a section header its contents' place and size.
const SECTION_HEADERS: usize = 0x28;
const OFFSET: usize = 0x18;
const SIZE: usize = 0x20;

fn is_for_debuggers(name: &[u8]) -> bool {
    let of = name.strip_prefix(b".rel").unwrap_or(name);
    of.starts_with(b".debug_")
        || of.len() < name.len() && [b".BTF".as_slice(), b".BTF.ext"].contains(&of)
}

/// The object without them; `None` when it is damaged.
pub fn strip(object: &[u8]) -> Option<Vec<u8>> {
    let sections = Sections::of(object)?;
    let mut stripped = object.get(..HEADER_BYTES)?.to_vec();
    let mut headers = Vec::new();
    for index in 0..sections.count {
        let mut header = sections.header(index)?.to_vec();
        let mut bytes = contents(object, &header)?;
        if is_for_debuggers(sections.name(&header)?) {
            bytes = &[];
            write_u64(&mut header, SIZE, 0)?;
        }
        // No section that clang makes for BPF asks for more.
        stripped.resize(stripped.len().next_multiple_of(16), 0);
        if index > 0 {
            write_u64(&mut header, OFFSET, stripped.len())?;
        }
        stripped.extend(bytes);
        headers.extend(header);
    }
    stripped.resize(stripped.len().next_multiple_of(16), 0);
    let start = stripped.len();
    write_u64(&mut stripped, SECTION_HEADERS, start)?;
    stripped.extend(headers);
    Some(stripped)
}

fn write_u64(bytes: &mut [u8], at: usize, value: usize) -> Option<()> {
    let word = bytes.get_mut(at..)?.first_chunk_mut()?;
    *word = u64::try_from(value).ok()?.to_le_bytes();
    Some(())
}
