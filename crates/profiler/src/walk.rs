//! The walk in user space, for a sample that brought its registers and its stack along.

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

/// What a sample brought along.
#[derive(Debug, Clone)]
pub struct Stack {
    registers: Registers,
    bytes: Box<[u8]>,
}

impl Stack {
    /// Of a sample; `None` where it brought nothing.
    pub fn of(sample: &CpuSample<'_>) -> Option<Self> {
        let words: Vec<u64> = sample.registers.iter().collect();
        Some(Self { registers: registers(&words)?, bytes: sample.stack.into() })
    }

    /// Where the program was.
    pub fn pc(&self) -> u64 {
        self.registers.pc
    }

    /// Memory it takes.
    pub fn bytes(&self) -> usize {
        self.bytes.len() + size_of::<Self>()
    }

    fn word(&self, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.registers.sp)?).ok()?;
        self.bytes.get(at..)?.first_chunk().map(|word| u64::from_ne_bytes(*word))
    }

    /// Walks it: frames as the probe writes them, innermost first, and why they end.
    pub fn walk(
        &self,
        memory: &Memory,
        executables: &Executables,
        mut number: impl FnMut(u64) -> Number,
    ) -> (Vec<u64>, StackEnd) {
        let walk = Walk { machine: MACHINE, max_frames: MAX_FRAMES, authentication_bits: 0 };
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
