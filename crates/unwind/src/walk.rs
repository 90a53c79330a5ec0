//! The walk: from a thread's registers to its callers, by tables where there are some and by frame pointers
//! where not. It is for samples of processes whose tables were not loaded yet (registers and a copy of the
//! stack), and what the program in BPF is compared with: both take the same steps and end for the same
//! reasons.
//!
//! A walk carries pc, SP, FP and whether the pc is *exact*: that of an interruption (the innermost frame,
//! and the one outside of a signal frame), not a return address. A frame, in order:
//!
//! 1. A return address of 0 ends the walk ([`End::EndOfChain`]).
//! 2. The executable mapping of the pc is found, of an exact one as it is, of a return address one byte
//!    earlier: where a call is a function's last instruction, the return address is the next function's.
//!    Without a mapping the walk ends: an exact pc is told and ends it as [`End::NoMapping`], a return address
//!    is not told ([`End::ReturnNotCode`]).
//! 3. With as many frames as asked for, it ends ([`End::Depth`]). Otherwise the frame is told.
//! 4. The rule of its place, or [`Rule::Gap`] where the mapping has no table, says how to go on:
//!    * *Gap*, the step of frame pointers. FP of 0 ends the walk ([`End::EndOfChain`]: the psABI's mark of the
//!      outermost frame). FP must be a multiple of 8, not below SP, and nearer than [`MAX_FRAME_BYTES`]; else
//!      [`End::BadFramePointer`]. The CFA is FP + 16, the caller's FP at FP, the return address at FP + 8. As the
//!      CFA is the next SP, frame pointers that are followed always rise.
//!    * *Offset, Dereference, Realigned, PLT*: as [`crate::row`] says. A CFA below SP ends the walk
//!      ([`End::NotRising`]); at SP it may be only where the return address is in the link register.
//!    * *Signal*: pc, SP and FP are read from the structure, and the pc is exact. SP may be anywhere: signals
//!      can have a stack of their own.
//!    * *Stack switch*: as a gap, but neither FP nor the CFA is compared with SP: the caller has another stack.
//!    * *Stop* and *Unsupported* end it.
//!
//! What cannot be read ends it ([`End::Unreadable`]), and so does a rule that counts from a register other
//! than SP and FP, or takes LR, where the pc is not exact ([`End::UnknownRegister`]).
//!
//! Before the return address of a frame is used, the bits of pointer authentication are taken off.

use crate::format::View;
use crate::row::{Base, ReturnAddress, Rule};

/// A frame whose frame pointer is further than this from its SP is not believed.
pub const MAX_FRAME_BYTES: u64 = 1 << 20;

/// The machine of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// x86-64.
    X86_64,
    /// aarch64.
    Aarch64,
}

/// The registers of a thread that was interrupted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// rip, pc.
    pub pc: u64,
    /// rsp, sp.
    pub sp: u64,
    /// rbp, x29.
    pub fp: u64,
    /// x30; 0 on x86-64.
    pub lr: u64,
    /// All others that a CFA may be counted from, by [`Base`]; the first two are not read.
    pub others: [u64; 16],
}

/// An executable mapping.
#[derive(Clone, Copy, Debug)]
pub struct Mapping<'table> {
    /// Its first address.
    pub start: u64,
    /// The offset into its file of that address, in bytes.
    pub offset: u64,
    /// The table of its file; `None` for frame pointers.
    pub table: Option<View<'table>>,
}

/// A frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it was interrupted, or its callee returns to.
    pub pc: u64,
    /// Whether it was interrupted there.
    pub exact: bool,
}

impl Frame {
    /// An address within the instruction that runs: what to look names and lines up by.
    pub fn address(self) -> u64 {
        if self.exact { self.pc } else { self.pc.wrapping_sub(1) }
    }
}

/// Why a walk ended. The numbers are those of `enum unwind_end` in `bpf/unwind_table.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum End {
    /// A rule says that nobody called the last frame.
    Outermost = 0,
    /// A frame pointer, or a return address, of 0.
    EndOfChain = 1,
    /// As many frames as asked for.
    Depth = 2,
    /// The last frame was interrupted outside of executable mappings.
    NoMapping = 3,
    /// The last frame's return address is in no executable mapping.
    ReturnNotCode = 4,
    /// The stack could not be read.
    Unreadable = 5,
    /// A frame pointer that cannot be one.
    BadFramePointer = 6,
    /// The last frame is described by what a rule cannot hold.
    Unsupported = 7,
    /// The rule needs a register that is not known there.
    UnknownRegister = 8,
    /// The caller's stack would lie below the callee's.
    NotRising = 9,
    /// A table refers to what it does not have. BPF alone.
    BrokenTable = 10,
}

impl End {
    /// All of them, by number.
    pub const ALL: [Self; 11] = [
        Self::Outermost,
        Self::EndOfChain,
        Self::Depth,
        Self::NoMapping,
        Self::ReturnNotCode,
        Self::Unreadable,
        Self::BadFramePointer,
        Self::Unsupported,
        Self::UnknownRegister,
        Self::NotRising,
        Self::BrokenTable,
    ];

    /// Whether the walk reached the outermost frame.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Outermost | Self::EndOfChain)
    }
}

/// What a walk was like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walked {
    /// Why it ended.
    pub end: End,
    /// How many of its steps were those of frame pointers, for want of a rule.
    pub frame_pointer_steps: usize,
}

/// How to walk.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// The thread's machine.
    pub machine: Machine,
    /// Frames at most.
    pub max_frames: usize,
    /// The bits of a return address that authenticate it (aarch64: `NT_ARM_PAC_MASK`); 0 for none.
    pub authentication_bits: u64,
}

impl Walk {
    /// Appends the frames of a thread, innermost first. `read` reads a word of its stack, `find` the executable
    /// mapping that holds an address.
    pub fn run<'table>(
        &self,
        registers: &Registers,
        mut read: impl FnMut(u64) -> Option<u64>,
        mut find: impl FnMut(u64) -> Option<Mapping<'table>>,
        frames: &mut Vec<Frame>,
    ) -> Walked {
        let mut thread = Thread { registers: *registers, exact: true, frame_pointer_steps: 0 };
        let bound = frames.len().saturating_add(self.max_frames);
        let end = loop {
            if let Err(end) = self.frame(&mut thread, bound, &mut read, &mut find, frames) {
                break end;
            }
        };
        Walked { end, frame_pointer_steps: thread.frame_pointer_steps }
    }

    /// Tells a frame and goes on to its caller's.
    fn frame<'table>(
        &self,
        thread: &mut Thread,
        bound: usize,
        read: &mut impl FnMut(u64) -> Option<u64>,
        find: &mut impl FnMut(u64) -> Option<Mapping<'table>>,
        frames: &mut Vec<Frame>,
    ) -> Result<(), End> {
        let frame = Frame { pc: thread.registers.pc, exact: thread.exact };
        if frame.pc == 0 && !frame.exact {
            return Err(End::EndOfChain);
        }
        let mapping = find(frame.address());
        if mapping.is_none() && !frame.exact {
            return Err(End::ReturnNotCode);
        }
        if frames.len() >= bound {
            return Err(End::Depth);
        }
        frames.push(frame);
        let mapping = mapping.ok_or(End::NoMapping)?;
        let place = frame.address().wrapping_sub(mapping.start).wrapping_add(mapping.offset);
        let rule = mapping.table.map_or(Rule::Gap, |table| table.rule(place));
        let mut read = |address| read(address).ok_or(End::Unreadable);
        thread.step(self.machine, rule, place, &mut read)?;
        if !thread.exact {
            thread.registers.pc &= !self.authentication_bits;
        }
        Ok(())
    }
}

/// Where a walk is.
struct Thread {
    registers: Registers,
    exact: bool,
    frame_pointer_steps: usize,
}

impl Thread {
    fn step(
        &mut self,
        machine: Machine,
        rule: Rule,
        place: u64,
        read: &mut impl FnMut(u64) -> Result<u64, End>,
    ) -> Result<(), End> {
        let Registers { sp, fp, .. } = self.registers;
        match rule {
            Rule::Gap => {
                self.check_frame_pointer()?;
                self.frame_pointer_steps += 1;
                let caller = read(fp)?;
                self.return_to(fp.wrapping_add(16), caller, read)
            }
            Rule::Offset { base, cfa, fp: saved, ra } => {
                let cfa = beside(self.base(base)?, cfa);
                let pc = match ra {
                    // Interrupted before it was saved: SP may still be the caller's.
                    ReturnAddress::LinkRegister if self.exact && cfa >= sp => self.registers.lr,
                    ReturnAddress::LinkRegister if self.exact => return Err(End::NotRising),
                    ReturnAddress::LinkRegister => return Err(End::UnknownRegister),
                    ReturnAddress::AtCfa(_) if cfa <= sp => return Err(End::NotRising),
                    ReturnAddress::AtCfa(offset) => read(beside(cfa, offset))?,
                };
                let fp = saved.map_or(Ok(fp), |offset| read(beside(cfa, offset)))?;
                self.called_from(pc, cfa, fp);
                Ok(())
            }
            Rule::Dereference { base, cfa, add, fp: saved } => {
                let cfa = beside(read(beside(self.base(base)?, cfa))?, add);
                let fp = saved.map_or(Ok(fp), |offset| read(beside(cfa, offset)))?;
                self.return_to(cfa, fp, read)
            }
            Rule::Realigned { cfa, fp: saved } => {
                let cfa = read(beside(fp, cfa))?;
                let caller = read(beside(fp, saved))?;
                self.return_to(cfa, caller, read)
            }
            Rule::Plt { cfa, threshold } => {
                let pushed = if place & 15 >= threshold.into() { 8 } else { 0 };
                self.return_to(beside(sp, cfa).wrapping_add(pushed), fp, read)
            }
            Rule::Signal { registers } => {
                self.registers = saved_registers(machine, beside(sp, registers), read)?;
                self.exact = true;
                Ok(())
            }
            Rule::StackSwitch if fp == 0 => Err(End::EndOfChain),
            Rule::StackSwitch if fp % 8 != 0 => Err(End::BadFramePointer),
            Rule::StackSwitch => {
                let pc = read(fp.wrapping_add(8))?;
                let caller = read(fp)?;
                self.called_from(pc, fp.wrapping_add(16), caller);
                Ok(())
            }
            Rule::Stop => Err(End::Outermost),
            Rule::Unsupported => Err(End::Unsupported),
        }
    }

    fn check_frame_pointer(&self) -> Result<(), End> {
        let Registers { sp, fp, .. } = self.registers;
        if fp == 0 {
            return Err(End::EndOfChain);
        }
        let far = fp.checked_sub(sp).ok_or(End::BadFramePointer)?;
        if fp % 8 != 0 || far >= MAX_FRAME_BYTES { Err(End::BadFramePointer) } else { Ok(()) }
    }

    fn base(&self, base: Base) -> Result<u64, End> {
        match base {
            Base::Sp => Ok(self.registers.sp),
            Base::Fp => Ok(self.registers.fp),
            other if self.exact => Ok(self.registers.others[other as usize]),
            _ => Err(End::UnknownRegister),
        }
    }

    /// The caller of a frame whose return address is the word below its CFA.
    fn return_to(
        &mut self,
        cfa: u64,
        fp: u64,
        read: &mut impl FnMut(u64) -> Result<u64, End>,
    ) -> Result<(), End> {
        if cfa <= self.registers.sp {
            return Err(End::NotRising);
        }
        let pc = read(cfa.wrapping_sub(8))?;
        self.called_from(pc, cfa, fp);
        Ok(())
    }

    fn called_from(&mut self, pc: u64, sp: u64, fp: u64) {
        self.registers = Registers { pc, sp, fp, ..self.registers };
        self.exact = false;
    }
}

fn beside(address: u64, offset: i32) -> u64 {
    address.wrapping_add_signed(offset.into())
}

/// The registers that the kernel saved in a `struct sigcontext` (`uapi/asm/sigcontext.h` of each machine).
fn saved_registers(
    machine: Machine,
    context: u64,
    read: &mut impl FnMut(u64) -> Result<u64, End>,
) -> Result<Registers, End> {
    let mut word = |offset: u64| read(context.wrapping_add(offset));
    match machine {
        Machine::X86_64 => {
            let mut registers =
                Registers { pc: word(128)?, sp: word(120)?, fp: word(80)?, ..Registers::default() };
            let order =
                [Base::Rdi, Base::Rsi, Base::Fp, Base::Rbx, Base::Rdx, Base::Rax, Base::Rcx];
            let high = Base::R8 as usize..=Base::R15 as usize;
            for (base, offset) in high.chain(order.map(|base| base as usize)).zip((0..).step_by(8))
            {
                registers.others[base] = word(offset)?;
            }
            Ok(registers)
        }
        Machine::Aarch64 => Ok(Registers {
            pc: word(264)?,
            sp: word(256)?,
            fp: word(240)?,
            lr: word(248)?,
            ..Registers::default()
        }),
    }
}

#[cfg(test)]
mod tests;
