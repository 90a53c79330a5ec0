//! Which code of an interpreter is its loop, where symbols do not say it all.
//!
//! Compilers put what is seldom run of a function elsewhere, and from 3.14 on the loop may be a function for each
//! instruction, which go on to each other. In stripped files neither has a symbol. Both are found from the function
//! that has one: where functions begin is in `.eh_frame_hdr`, which survives `strip`; a part that was put elsewhere
//! begins where a jump of the function leads; and the functions of instructions stand in one table of 256 of them.
//!
//! A jump is looked for at every byte, since where instructions begin is not known; what only looks like one leads to
//! the very first byte of a function hardly ever.

use std::collections::HashSet;
use std::ops::Range;

/// Parts of a loop, with a function for each instruction.
const MAX_PARTS: usize = 2048;
/// A function that is longer has no description between it and the next one.
const MAX_PART_BYTES: u64 = 1 << 20;
/// Bytes that are looked through for jumps.
const MAX_LOOKED_BYTES: usize = 8 << 20;
/// Instructions that a table has functions for.
const INSTRUCTIONS: usize = 256;

/// Bytes of a file, and the address that they are loaded at.
#[derive(Debug)]
pub struct Loaded {
    /// The address.
    pub address: u64,
    /// They are code.
    pub is_code: bool,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Loaded {
    fn holds(&self, address: u64) -> bool {
        address.checked_sub(self.address).is_some_and(|at| at < self.bytes.len() as u64)
    }

    fn get(&self, range: &Range<u64>) -> Option<&[u8]> {
        let start = usize::try_from(range.start.checked_sub(self.address)?).ok()?;
        let end = usize::try_from(range.end.checked_sub(self.address)?).ok()?;
        self.bytes.get(start..end.min(self.bytes.len()))
    }
}

/// What is known of a file.
#[derive(Debug)]
pub struct Code<'a> {
    /// What is loaded of it.
    pub loaded: &'a [Loaded],
    /// Where functions begin, ascending.
    pub starts: Vec<u64>,
    /// Words that are filled in when it is loaded, with what is written there.
    pub relocated: Vec<(u64, u64)>,
    /// Functions that have a symbol: they are no parts of others.
    pub exported: HashSet<u64>,
}

/// Where functions begin, as `.eh_frame_hdr` at an address has it (LSB Core, "Exception Frames"): pairs of 32 bits,
/// counted from there.
pub fn starts(header: &[u8], address: u64) -> Vec<u64> {
    // Version 1; the frames' address as 32 bits, a count of 32 bits, and a sorted table of pairs from the header on.
    const KNOWN: [u8; 4] = [1, 0x1b, 0x03, 0x3b];
    if !header.starts_with(&KNOWN) {
        return Vec::new();
    }
    let pairs = header.get(12..).unwrap_or_default().as_chunks::<8>().0.iter();
    let start = |pair: &[u8; 8]| {
        let offset = pair.first_chunk().map_or(0, |offset| i32::from_le_bytes(*offset));
        address.wrapping_add_signed(offset.into())
    };
    let mut starts: Vec<u64> = pairs.map(start).collect();
    starts.sort_unstable();
    starts.dedup();
    starts
}

impl Code<'_> {
    /// The parts of a function beside itself: those that its jumps lead to, and theirs.
    pub fn parts(&self, function: &Range<u64>) -> Vec<Range<u64>> {
        self.reached(vec![function.clone()])
    }

    /// The functions of instructions that a function begins with, and what they go on to.
    pub fn instructions(&self, function: &Range<u64>) -> Vec<Range<u64>> {
        let mut from = vec![function.clone()];
        from.extend(self.table().into_iter().filter_map(|start| self.extent(start)));
        self.reached(from)
    }

    fn reached(&self, mut parts: Vec<Range<u64>>) -> Vec<Range<u64>> {
        let mut known: HashSet<u64> = parts.iter().map(|part| part.start).collect();
        let (mut next, mut looked) = (0, 0);
        while let Some(part) = parts.get(next).cloned() {
            next += 1;
            let bytes = self.loaded.iter().find_map(|it| it.get(&part).filter(|_| it.is_code));
            let bytes = bytes.unwrap_or_default();
            looked += bytes.len();
            if looked > MAX_LOOKED_BYTES {
                break;
            }
            for target in jumps(bytes, part.start) {
                let is_new = !self.exported.contains(&target) && !known.contains(&target);
                if is_new
                    && parts.len() < MAX_PARTS
                    && let Some(extent) = self.extent(target)
                {
                    known.insert(target);
                    parts.push(extent);
                }
            }
        }
        parts.into_iter().skip(1).collect()
    }

    /// The function that begins there.
    fn extent(&self, start: u64) -> Option<Range<u64>> {
        let at = self.starts.binary_search(&start).ok()?;
        let end = self.starts.get(at + 1).copied().unwrap_or(u64::MAX);
        Some(start..end.min(start.saturating_add(MAX_PART_BYTES)))
    }

    /// The longest row of words that each lead to where a function begins, if it is long enough.
    fn table(&self) -> Vec<u64> {
        let mut longest = Row::default();
        for loaded in self.loaded.iter().filter(|loaded| !loaded.is_code) {
            let words = loaded.bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
            self.rows((loaded.address..).step_by(8).zip(words), &mut longest);
        }
        self.rows(self.relocated.iter().copied(), &mut longest);
        let is_table = longest.words.len() >= INSTRUCTIONS;
        if is_table { longest.words } else { Vec::new() }
    }

    fn rows(&self, words: impl Iterator<Item = (u64, u64)>, longest: &mut Row) {
        let mut row = Row::default();
        for (address, word) in words {
            let is_in_code = self.loaded.iter().any(|it| it.is_code && it.holds(word));
            let is_start = is_in_code && self.starts.binary_search(&word).is_ok();
            if !is_start || address != row.next {
                row.words.clear();
            }
            if is_start && row.words.len() < MAX_PARTS {
                row.words.push(word);
                row.next = address.wrapping_add(8);
                if row.words.len() > longest.words.len() {
                    longest.words.clone_from(&row.words);
                }
            }
        }
    }
}

#[derive(Debug, Default)]
struct Row {
    words: Vec<u64>,
    next: u64,
}

/// Where x86-64's jumps with 32 bits lead, with a condition and without.
fn jumps(code: &[u8], address: u64) -> impl Iterator<Item = u64> {
    let at = move |(index, window): (usize, &[u8])| {
        let opcode_bytes = match window {
            [0xe9, ..] => 1,
            [0x0f, 0x80..=0x8f, ..] => 2,
            _ => return None,
        };
        let offset = window.get(opcode_bytes..)?.first_chunk()?;
        let behind = address.wrapping_add((index + opcode_bytes + 4) as u64);
        Some(behind.wrapping_add_signed(i32::from_le_bytes(*offset).into()))
    };
    code.windows(6).enumerate().filter_map(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(address: u64, is_code: bool, bytes: Vec<u8>) -> Loaded {
        Loaded { address, is_code, bytes }
    }

    #[test]
    fn what_jumps_lead_to_is_a_part_and_what_has_a_symbol_is_not() {
        let mut code = vec![0x90; 0x400];
        let mut jump = |at: usize, opcode: &[u8], to: i32| {
            let offset = to - i32::try_from(at + opcode.len() + 4).unwrap_or(0);
            code[at..at + opcode.len()].copy_from_slice(opcode);
            code[at + opcode.len()..at + opcode.len() + 4].copy_from_slice(&offset.to_le_bytes());
        };
        jump(0x10, &[0xe9], 0x200);
        jump(0x20, &[0x0f, 0x84], 0x100);
        jump(0x110, &[0xe9], 0x300);
        jump(0x30, &[0xe9], 0x205);
        let all = [loaded(0x1000, true, code)];
        let code = Code {
            loaded: &all,
            starts: vec![0x1000, 0x1100, 0x1200, 0x1300, 0x1380],
            relocated: Vec::new(),
            exported: HashSet::from([0x1200]),
        };
        assert_eq!(code.parts(&(0x1000..0x1100)), [0x1100..0x1200, 0x1300..0x1380]);
    }

    #[test]
    fn functions_of_instructions_are_found_by_their_table() {
        let starts: Vec<u64> = (0..300).map(|number| 0x1000 + number * 16).collect();
        let table: Vec<u64> = starts.iter().skip(2).take(256).copied().collect();
        let bytes: Vec<u8> =
            [0, 0x1234].iter().chain(&table).flat_map(|word| u64::to_le_bytes(*word)).collect();
        let code = loaded(0x1000, true, vec![0x90; 0x2000]);
        let all = [code, loaded(0x8000, false, bytes)];
        let mut code =
            Code { loaded: &all, starts, relocated: Vec::new(), exported: HashSet::new() };
        let found = code.instructions(&(0x1000..0x1010));
        assert_eq!((found.len(), found.first()), (256, Some(&(0x1020..0x1030))));
        // The same, filled in by the loader.
        code.loaded = &all[..1];
        assert!(code.instructions(&(0x1000..0x1010)).is_empty());
        code.relocated = (0x9000..).step_by(8).zip(table).collect();
        assert_eq!(code.instructions(&(0x1000..0x1010)).len(), 256);
    }

    #[test]
    fn starts_are_read_of_the_usual_table_only() {
        let mut header = vec![1, 0x1b, 0x03, 0x3b, 0, 0, 0, 0, 2, 0, 0, 0];
        for offset in [0x100_i32, 0x2000, -0x50, 0x2010] {
            header.extend(offset.to_le_bytes());
        }
        assert_eq!(starts(&header, 0x1000), [0xfb0, 0x1100]);
        header[3] = 0x1b;
        assert!(starts(&header, 0x1000).is_empty());
    }
}
