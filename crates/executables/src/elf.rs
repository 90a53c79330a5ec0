//! Where the first code of an ELF file lies: from its entry on, within the segment that is executed.
//!
//! Layout: gABI, "ELF Header" and "Program Header". Only files of this machine's byte order run here.

use std::ops::Range;

/// Bytes at the beginning of a file that are looked at; linkers put the program headers right behind the header.
pub const HEAD_BYTES: usize = 4096;
/// Bytes of code that are compared at most.
pub const CODE_BYTES: u64 = 16 << 10;
/// Fewer say nothing: they may be nothing but the common start of all C programs.
const FEWEST_BYTES: u64 = 128;

const PT_LOAD: u32 = 1;
const PF_X: u32 = 1;

/// A number of 2, 4 or 8 bytes.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    let places = bytes.iter().zip([0, 8, 16, 24, 32, 40, 48, 56]);
    Some(places.fold(0, |all, (byte, shift)| all | u64::from(*byte) << shift))
}

/// Places of what is read in headers of one class.
struct Layout {
    address_bytes: usize,
    entry: usize,
    programs: usize,
    program_bytes: usize,
    program_count: usize,
    flags: usize,
    offset: usize,
    address: usize,
    file_size: usize,
}

const CLASS_32: Layout = Layout {
    address_bytes: 4,
    entry: 24,
    programs: 28,
    program_bytes: 42,
    program_count: 44,
    flags: 24,
    offset: 4,
    address: 8,
    file_size: 16,
};
const CLASS_64: Layout = Layout {
    address_bytes: 8,
    entry: 24,
    programs: 32,
    program_bytes: 54,
    program_count: 56,
    flags: 4,
    offset: 8,
    address: 16,
    file_size: 32,
};

/// The file's bytes that are its first code, [`CODE_BYTES`] at most; nothing for what is no ELF file or has too
/// little. `head` is the file's beginning.
pub fn code_range(head: &[u8]) -> Option<Range<u64>> {
    let layout = match head.get(..6)? {
        [0x7f, b'E', b'L', b'F', 1, 1] => CLASS_32,
        [0x7f, b'E', b'L', b'F', 2, 1] => CLASS_64,
        _ => return None,
    };
    let address = |at| number(head, at, layout.address_bytes);
    let entry = address(layout.entry)?;
    let programs = usize::try_from(address(layout.programs)?).ok()?;
    let bytes = usize::try_from(number(head, layout.program_bytes, 2)?).ok()?;
    let count = usize::try_from(number(head, layout.program_count, 2)?).ok()?;
    for index in 0..count.min(HEAD_BYTES / bytes.max(1)) {
        let at = programs.checked_add(index * bytes)?;
        let place = |field: usize| at.checked_add(field);
        let executed = number(head, place(layout.flags)?, 4)? & u64::from(PF_X) != 0;
        if number(head, at, 4)? != u64::from(PT_LOAD) || !executed {
            continue;
        }
        let begin = address(place(layout.address)?)?;
        let size = address(place(layout.file_size)?)?;
        let Some(within) = entry.checked_sub(begin).filter(|within| *within < size) else {
            continue;
        };
        let start = address(place(layout.offset)?)?.checked_add(within)?;
        let end = start.checked_add((size - within).min(CODE_BYTES))?;
        return (end - start >= FEWEST_BYTES).then_some(start..end);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file of 64 bits with one executed segment: its offset, address and size.
    fn file(entry: u64, segment: [u64; 3]) -> Vec<u8> {
        let [offset, address, size] = segment;
        let mut bytes = vec![0; 64 + 56];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, b"\x7fELF\x02\x01\x01");
        put(24, &entry.to_le_bytes());
        put(32, &64u64.to_le_bytes());
        put(54, &56u16.to_le_bytes());
        put(56, &1u16.to_le_bytes());
        put(64, &1u32.to_le_bytes());
        put(68, &5u32.to_le_bytes());
        put(72, &offset.to_le_bytes());
        put(80, &address.to_le_bytes());
        put(96, &size.to_le_bytes());
        bytes
    }

    #[test]
    fn code_begins_at_the_entry_and_ends_with_its_segment() {
        let range = code_range(&file(0x40_1100, [0x1000, 0x40_1000, 0x300]));
        assert_eq!(range, Some(0x1100..0x1300));
        let large = code_range(&file(0x40_1100, [0x1000, 0x40_1000, 0x10_0000]));
        assert_eq!(large, Some(0x1100..0x1100 + CODE_BYTES));
    }

    #[test]
    fn what_makes_no_sense_has_none() {
        let good = file(0x1100, [0x1000, 0x1000, 0x300]);
        assert!(code_range(&good).is_some());
        // The last number that is read is the size of the segment.
        for length in 0..64 + 40 {
            assert_eq!(code_range(good.get(..length).unwrap_or_default()), None, "{length}");
        }
        assert_eq!(code_range(&file(0x900, [0x1000, 0x1000, 0x300])), None);
        assert_eq!(code_range(&file(u64::MAX, [u64::MAX, 1, u64::MAX])), None);
        assert_eq!(code_range(&file(0x12f0, [0x1000, 0x1000, 0x300])), None, "16 bytes");
        assert_eq!(code_range(b"#!/bin/sh\n"), None);
    }
}
