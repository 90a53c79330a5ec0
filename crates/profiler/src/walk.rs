//! The walk in user space, for a sample that brought its registers and its stack along.

use std::collections::HashSet;
use std::fs;
use std::sync::{Arc, LazyLock};

use chandra_event::cpu_sample::{CpuSample, StackEnd};
use chandra_unwind::walk::{End, Frame, Machine, Mapping, Registers, Walk};

use crate::executables::{Executables, Number};
use crate::memory::Memory;

/// As deep as the probe walks.
const MAX_FRAMES: usize = 528;
const PLACE_BITS: u32 = 48;

#[cfg(target_arch = "x86_64")]
const MACHINE: Machine = Machine::X86_64;
#[cfg(target_arch = "aarch64")]
const MACHINE: Machine = Machine::Aarch64;

/// Where a return address may have its signature.
static AUTHENTICATION_BITS: LazyLock<u64> = LazyLock::new(|| match MACHINE {
    Machine::X86_64 => 0,
    Machine::Aarch64 => beyond_addresses(),
});

/// The bits that no address of this machine's programs has: their stacks begin near the end of them all (`startstack` of
/// proc_pid_stat(5)).
fn beyond_addresses() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let stack = behind_name.split_whitespace().nth(25).and_then(|field| field.parse().ok());
    !(u64::MAX >> stack.unwrap_or(1_u64 << 47).leading_zeros())
}

/// What a sample brought along.
#[derive(Debug, Clone)]
pub struct Stack {
    registers: Registers,
    /// The bytes from SP on, in parts of so many.
    parts: Vec<Arc<[u8]>>,
    part_bytes: usize,
}

impl Stack {
    /// Of a sample; `None` where it brought nothing.
    pub fn of(sample: &CpuSample<'_>) -> Option<Self> {
        let words: Vec<u64> = sample.registers.iter().collect();
        let (parts, part_bytes) = (vec![sample.stack.into()], sample.stack.len().max(1));
        Some(Self { registers: registers(&words)?, parts, part_bytes })
    }

    /// Where the program was.
    pub fn pc(&self) -> u64 {
        self.registers.pc
    }

    fn word(&self, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.registers.sp)?).ok()?;
        let part = self.parts.get(at / self.part_bytes)?.get(at % self.part_bytes..)?;
        let word = part.first_chunk().copied();
        word.or_else(|| self.word_over_parts(at)).map(u64::from_ne_bytes)
    }

    fn word_over_parts(&self, at: usize) -> Option<[u8; 8]> {
        let mut word = [0; 8];
        for (at, byte) in (at..).zip(&mut word) {
            *byte = *self.parts.get(at / self.part_bytes)?.get(at % self.part_bytes)?;
        }
        Some(word)
    }

    /// Walks it: frames as the probe writes them, innermost first, and why they end.
    pub fn walk(
        &self,
        memory: &Memory,
        executables: &Executables,
        mut number: impl FnMut(u64) -> Number,
    ) -> (Vec<u64>, StackEnd) {
        let walk = Walk {
            machine: MACHINE,
            max_frames: MAX_FRAMES,
            authentication_bits: *AUTHENTICATION_BITS,
        };
        let mut frames: Vec<Frame> = Vec::new();
        let find = |address| {
            let piece = memory.find(address)?;
            let table = executables.get(number(piece.start)).and_then(|it| it.table()?.view());
            Some(Mapping { start: piece.start, offset: piece.offset, table })
        };
        let walked = walk.run(&self.registers, |address| self.word(address), find, &mut frames);
        let frames = frames.iter().map(|frame| {
            let address = frame.address();
            let piece = memory.find(address);
            let number = piece.map_or(0, |piece| number(piece.start));
            let place = match piece.filter(|_| number != 0) {
                Some(piece) => (address - piece.start).wrapping_add(piece.offset),
                None => address,
            };
            u64::from(number) << PLACE_BITS | place & ((1 << PLACE_BITS) - 1)
        });
        (frames.collect(), end(walked.end))
    }
}

/// Parts of stacks that are kept for a while, each once: a thread that waits in a loop brings almost the same along each
/// time.
#[derive(Debug, Default)]
pub struct Parts {
    kept: HashSet<Arc<[u8]>>,
    bytes: usize,
}

/// Bytes of a part, and what one takes beside them.
const PART_BYTES: usize = 1024;
const MORE_BYTES: usize = 64;

impl Parts {
    /// Memory that they take, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Has a stack share what is here.
    pub fn keep(&mut self, stack: &mut Stack) {
        if stack.part_bytes == PART_BYTES {
            return;
        }
        let whole = stack.parts.concat();
        stack.parts = whole.chunks(PART_BYTES).map(|part| self.part(part)).collect();
        stack.part_bytes = PART_BYTES;
    }

    fn part(&mut self, part: &[u8]) -> Arc<[u8]> {
        if let Some(kept) = self.kept.get(part) {
            return Arc::clone(kept);
        }
        let kept: Arc<[u8]> = part.into();
        self.bytes += part.len() + MORE_BYTES;
        self.kept.insert(Arc::clone(&kept));
        kept
    }

    /// Lets go of what no stack has any more.
    pub fn let_go(&mut self) {
        self.kept.retain(|part| Arc::strong_count(part) > 1);
        self.bytes = self.kept.iter().map(|part| part.len() + MORE_BYTES).sum();
        if self.kept.is_empty() {
            self.kept.shrink_to_fit();
        }
    }
}

/// The order of x86-64's `struct pt_regs` (arch/x86/include/uapi/asm/ptrace.h).
#[cfg(target_arch = "x86_64")]
fn registers(words: &[u64]) -> Option<Registers> {
    let word = |at: usize| words.get(at).copied();
    // By `unwind::row::Base`: SP, FP, rax, rdx, rcx, rbx, rsi, rdi, r8 to r15.
    let order = [19, 4, 10, 12, 11, 5, 13, 14, 9, 8, 7, 6, 3, 2, 1, 0];
    let others = order.map(|at| word(at).unwrap_or(0));
    Some(Registers { pc: word(16)?, sp: word(19)?, fp: word(4)?, lr: 0, others })
}

/// The order of `struct user_pt_regs` (arch/arm64/include/uapi/asm/ptrace.h).
#[cfg(target_arch = "aarch64")]
fn registers(words: &[u64]) -> Option<Registers> {
    let word = |at: usize| words.get(at).copied();
    let (pc, sp, fp, lr) = (word(32)?, word(31)?, word(29)?, word(30)?);
    Some(Registers { pc, sp, fp, lr, others: [0; 16] })
}

fn end(end: End) -> StackEnd {
    match end {
        End::Outermost => StackEnd::Outermost,
        End::EndOfChain => StackEnd::EndOfChain,
        End::Depth => StackEnd::Depth,
        End::NoMapping => StackEnd::NoMapping,
        End::ReturnNotCode => StackEnd::ReturnNotCode,
        End::Unreadable => StackEnd::Unreadable,
        End::BadFramePointer => StackEnd::BadFramePointer,
        End::Unsupported => StackEnd::Unsupported,
        End::UnknownRegister => StackEnd::UnknownRegister,
        End::NotRising => StackEnd::NotRising,
        End::BrokenTable => StackEnd::BrokenTable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(bytes: Vec<u8>) -> Stack {
        let registers = Registers { sp: 0x7000, ..Registers::default() };
        let part_bytes = bytes.len();
        Stack { registers, parts: vec![bytes.into()], part_bytes }
    }

    #[test]
    fn no_mapping_of_a_program_is_where_signatures_are_but_just_below() {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let of_program = maps.lines().filter(|line| !line.ends_with("[vsyscall]"));
        let last = |line: &str| {
            let end = line.split(['-', ' ']).nth(1).unwrap();
            u64::from_str_radix(end, 16).unwrap() - 1
        };
        let highest = of_program.map(last).max().unwrap();
        assert_eq!(highest & beyond_addresses(), 0);
        assert_ne!(highest & beyond_addresses() >> 1, 0);
    }

    #[test]
    fn a_stack_in_parts_reads_as_it_did_and_what_it_shares_is_there_once() {
        let bytes: Vec<u8> = (0..5000_u32).map(|at| ((at * at) >> 4) as u8).collect();
        let (mut parts, mut one, mut other) =
            (Parts::default(), stack(bytes.clone()), bytes.clone());
        other[2500] ^= 1;
        let (whole, mut other) = (one.clone(), stack(other));
        parts.keep(&mut one);
        let of_one = parts.bytes();
        parts.keep(&mut other);
        assert_eq!(parts.bytes(), of_one + PART_BYTES + MORE_BYTES, "one part differs");
        let addresses = 0x6ff0..0x7000 + 5010;
        assert!(addresses.clone().all(|address| one.word(address) == whole.word(address)));
        assert!(addresses.clone().any(|address| other.word(address) != whole.word(address)));
        assert_eq!(addresses.filter(|address| one.word(*address).is_some()).count(), 5000 - 7);
        drop((one, other));
        parts.let_go();
        assert_eq!(parts.bytes(), 0);
    }
}
