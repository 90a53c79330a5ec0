//! Call frame information: `.eh_frame` (LSB core specification) or `.debug_frame` (DWARF 5 §6.4).
//!
//! Entries are walked by their lengths here, so that one that is damaged costs only what it describes;
//! `gimli` reads them and carries out their instructions.

use std::collections::HashMap;

use gimli::{
    AArch64, BaseAddresses, CfaRule, CommonInformationEntry, DebugFrame, EhFrame, EhFrameHdr,
    EndianSlice, FrameDescriptionEntry, LittleEndian, Register, RegisterRule, UnwindContext,
    UnwindOffset, UnwindSection, UnwindTableRow, Vendor, X86_64,
};

use super::expression::{self, Computed};
use super::{BuildError, Function, Functions, Report, Rows, Source, Work, code};
use crate::elf::{Elf, Part};
use crate::row::{Base, ReturnAddress, Rule};
use crate::walk::Machine;

type Bytes<'data> = EndianSlice<'data, LittleEndian>;
type Cie<'data> = CommonInformationEntry<Bytes<'data>>;
type Fde<'data> = FrameDescriptionEntry<Bytes<'data>>;

/// Shared beginnings that are remembered; a library has a few.
const MAX_CIES: usize = 1024;
/// What a row costs beside the instructions that make it, in their bytes.
const ROW_WORK: u64 = 8;

/// The call frame information of a file.
#[derive(Debug)]
pub(super) enum Frames<'data> {
    Eh(Section<'data, EhFrame<Bytes<'data>>>),
    Debug(Section<'data, DebugFrame<Bytes<'data>>>),
}

/// Where the frames of a file are described, read.
pub(super) struct Described {
    part: Part,
    is_debug: bool,
}

impl Described {
    /// `.eh_frame` by its name, by the segment that leads to it, or `.debug_frame`.
    pub fn find(elf: &Elf<'_>) -> Option<Self> {
        if let Some(part) = elf.section(".eh_frame").or_else(|| by_header(elf)) {
            return Some(Self { part, is_debug: false });
        }
        Some(Self { part: elf.section(".debug_frame")?, is_debug: true })
    }
}

impl<'data> Frames<'data> {
    /// What is described there.
    pub fn of(described: &'data Described, elf: &Elf<'_>) -> Self {
        let part = &described.part;
        if described.is_debug {
            let mut section = DebugFrame::new(&part.data, LittleEndian);
            section.set_address_size(8);
            section.set_vendor(vendor(elf.machine));
            let (bases, mark) = (BaseAddresses::default(), u32::MAX);
            return Self::Debug(Section::new(
                section,
                ".debug_frame",
                mark,
                part,
                bases,
                elf.machine,
            ));
        }
        let mut section = EhFrame::new(&part.data, LittleEndian);
        section.set_address_size(8);
        section.set_vendor(vendor(elf.machine));
        let text = elf.range(".text").map_or(0, |(address, _)| address);
        let bases = BaseAddresses::default().set_eh_frame(part.address).set_text(text);
        Self::Eh(Section::new(section, ".eh_frame", 0, part, bases, elf.machine))
    }

    /// All functions that it describes.
    pub fn list(
        &mut self,
        functions: &mut Functions<'_>,
        work: &mut Work,
    ) -> Result<(), BuildError> {
        match self {
            Self::Eh(section) => section.list(functions, work),
            Self::Debug(section) => section.list(functions, work),
        }
    }

    /// The rows of the function that the entry at an offset describes.
    pub fn rows(
        &mut self,
        offset: usize,
        function: &Function,
        rows: &mut Rows,
        work: &mut Work,
        report: &mut Report,
    ) -> Result<(), BuildError> {
        match self {
            Self::Eh(section) => section.rows(offset, function, rows, work, report),
            Self::Debug(section) => section.rows(offset, function, rows, work, report),
        }
    }
}

fn vendor(machine: Machine) -> Vendor {
    match machine {
        Machine::X86_64 => Vendor::Default,
        Machine::Aarch64 => Vendor::AArch64,
    }
}

/// Where `.eh_frame_hdr` says that `.eh_frame` is; it goes on to its end mark.
fn by_header(elf: &Elf<'_>) -> Option<Part> {
    let header = elf.eh_frame_header()?;
    let bases = BaseAddresses::default().set_eh_frame_hdr(header.address);
    let parsed = EhFrameHdr::new(&header.data, LittleEndian).parse(&bases, 8).ok()?;
    match parsed.eh_frame_ptr() {
        gimli::Pointer::Direct(address) => elf.loaded(address, u64::MAX),
        gimli::Pointer::Indirect(_) => None,
    }
}

/// A section of call frame information.
#[derive(Debug)]
pub(super) struct Section<'data, S> {
    section: S,
    name: &'static str,
    /// What stands in an entry in place of its CIE when it is one.
    cie_mark: u32,
    data: &'data [u8],
    bases: BaseAddresses,
    machine: Machine,
    cies: HashMap<usize, gimli::Result<Cie<'data>>>,
    context: UnwindContext<usize>,
}

impl<'data, S: UnwindSection<Bytes<'data>>> Section<'data, S> {
    fn new(
        section: S,
        name: &'static str,
        cie_mark: u32,
        part: &'data Part,
        bases: BaseAddresses,
        machine: Machine,
    ) -> Self {
        let (cies, context) = (HashMap::new(), UnwindContext::new());
        Self { section, name, cie_mark, data: &part.data, bases, machine, cies, context }
    }

    fn list(&mut self, functions: &mut Functions<'_>, work: &mut Work) -> Result<(), BuildError> {
        let mut offset = 0;
        while let Some((next, mark)) = self.entry(offset) {
            if next > self.data.len() {
                functions.damaged(self.name, offset as u64, "an entry goes on after the section");
                break;
            }
            if mark != self.cie_mark {
                match self.fde(offset, work)? {
                    Ok(fde) => {
                        let source = Source::Frame(offset);
                        functions.add(fde.initial_address(), fde.len(), source)?;
                    }
                    Err(error) => functions.damaged(self.name, offset as u64, error),
                }
            }
            offset = next;
        }
        Ok(())
    }

    /// Where the entry at an offset ends, and what it has in place of its CIE. `None` at the end, or the end mark.
    fn entry(&self, offset: usize) -> Option<(usize, u32)> {
        let from = |at: usize| self.data.get(at..);
        let word = |at: usize| Some(u32::from_le_bytes(*from(at)?.first_chunk()?));
        let (start, bytes) = match word(offset)? {
            0 => return None,
            u32::MAX => {
                let bytes = u64::from_le_bytes(*from(offset)?.get(4..)?.first_chunk()?);
                (offset + 12, usize::try_from(bytes).ok()?)
            }
            bytes => (offset + 4, bytes as usize),
        };
        Some((start.checked_add(bytes)?, word(start)?))
    }

    fn fde(
        &mut self,
        offset: usize,
        work: &mut Work,
    ) -> Result<gimli::Result<Fde<'data>>, BuildError> {
        let partial = match self.section.partial_fde_from_offset(&self.bases, offset.into()) {
            Ok(partial) => partial,
            Err(error) => return Ok(Err(error)),
        };
        let cie_offset = UnwindOffset::into(partial.cie_offset());
        if let Some(cie) = self.cies.get(&cie_offset) {
            return Ok(partial.parse(|_, _, _| cie.clone()));
        }
        let bytes = self.entry(cie_offset).map_or(0, |(end, _)| end.saturating_sub(cie_offset));
        work.spend(bytes.min(self.data.len()) as u64)?;
        let cie = self.section.cie_from_offset(&self.bases, cie_offset.into());
        let fde = partial.parse(|_, _, _| cie.clone());
        if self.cies.len() < MAX_CIES {
            self.cies.insert(cie_offset, cie);
        }
        Ok(fde)
    }

    fn rows(
        &mut self,
        offset: usize,
        function: &Function,
        rows: &mut Rows,
        work: &mut Work,
        report: &mut Report,
    ) -> Result<(), BuildError> {
        let fde = match self.fde(offset, work)? {
            Ok(fde) => fde,
            Err(error) => {
                report.damaged(self.name, offset as u64, error);
                return Ok(rows.push(function.place, Rule::Gap)?);
            }
        };
        work.spend((fde.entry_len() + fde.cie().entry_len()) as u64)?;
        let mut known = function.place;
        let damage = match fde.rows(&self.section, &self.bases, &mut self.context) {
            Err(error) => Some(error),
            Ok(mut table) => loop {
                let row = match table.next_row() {
                    Ok(Some(row)) => row,
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                };
                work.spend(ROW_WORK)?;
                let inside = |address: u64| {
                    let inside = address.wrapping_sub(fde.initial_address());
                    function.place.saturating_add(inside)
                };
                let rule = Reading { section: &self.section, machine: self.machine, fde: &fde };
                rows.push(inside(row.start_address()), rule.rule(row))?;
                known = inside(row.end_address());
            },
        };
        if let Some(error) = damage {
            report.damaged(self.name, offset as u64, error);
            rows.push(known, Rule::Gap)?;
        }
        Ok(())
    }
}

/// What a row of call frame information is as a rule.
struct Reading<'a, 'data, S> {
    section: &'a S,
    machine: Machine,
    fde: &'a Fde<'data>,
}

impl<'data, S: UnwindSection<Bytes<'data>>> Reading<'_, 'data, S> {
    fn rule(&self, row: &UnwindTableRow<usize>) -> Rule {
        self.read(row).unwrap_or(Rule::Unsupported)
    }

    fn read(&self, row: &UnwindTableRow<usize>) -> Option<Rule> {
        let is_signal = self.fde.is_signal_trampoline();
        if is_signal && self.machine == Machine::Aarch64 {
            return Some(code::signal_frame(self.machine));
        }
        let return_address = row.register(self.fde.cie().return_address_register());
        if return_address == Some(RegisterRule::Undefined) {
            return Some(Rule::Stop);
        }
        let (register, offset) = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => (*register, *offset),
            CfaRule::Expression(_) if self.machine == Machine::Aarch64 => return None,
            CfaRule::Expression(expression) => {
                let computed = expression::read(expression.get(self.section).ok()?)?;
                return self.computed(row, computed, is_signal);
            }
        };
        let ra = match (return_address, self.machine) {
            (Some(RegisterRule::Offset(offset)), _) => {
                ReturnAddress::AtCfa(i32::try_from(offset).ok()?)
            }
            (None | Some(RegisterRule::SameValue), Machine::Aarch64) => ReturnAddress::LinkRegister,
            // The ABI's place.
            (None, Machine::X86_64) => ReturnAddress::AtCfa(-8),
            _ => return None,
        };
        // The caller's SP is the CFA, unless somebody switches stacks.
        if !matches!(row.register(self.sp_register()), None | Some(RegisterRule::ValOffset(0))) {
            return None;
        }
        let base = self.base(register)?;
        Some(Rule::Offset { base, cfa: i32::try_from(offset).ok()?, fp: self.fp(row)?, ra })
    }

    fn computed(
        &self,
        row: &UnwindTableRow<usize>,
        computed: Computed,
        is_signal: bool,
    ) -> Option<Rule> {
        let bytes = |offset: i64| i32::try_from(offset).ok();
        match computed {
            // SP in the sigcontext, which begins 120 bytes before.
            Computed::Dereferenced(X86_64::RSP, offset, 0) if is_signal => {
                Some(Rule::Signal { registers: bytes(offset.checked_sub(120)?)? })
            }
            Computed::Dereferenced(X86_64::RBP, cfa, 0) if self.saved_by_fp(row).is_some() => {
                Some(Rule::Realigned { cfa: bytes(cfa)?, fp: self.saved_by_fp(row)? })
            }
            Computed::Dereferenced(register, cfa, add) => Some(Rule::Dereference {
                base: self.base(register)?,
                cfa: bytes(cfa)?,
                add: bytes(add)?,
                fp: self.fp(row)?,
            }),
            Computed::Plt(X86_64::RSP, cfa, threshold) => {
                Some(Rule::Plt { cfa: bytes(cfa)?, threshold })
            }
            Computed::Plt(..) => None,
            Computed::Register(register, cfa) => Some(Rule::Offset {
                base: self.base(register)?,
                cfa: bytes(cfa)?,
                fp: self.fp(row)?,
                ra: ReturnAddress::AtCfa(-8),
            }),
        }
    }

    /// Where FP is saved, as an offset from the CFA. Outer `None`: by other means than a rule has.
    #[expect(clippy::option_option, reason = "not saved, and saved where no rule says, differ")]
    fn fp(&self, row: &UnwindTableRow<usize>) -> Option<Option<i32>> {
        match row.register(self.fp_register()) {
            None | Some(RegisterRule::SameValue | RegisterRule::Undefined) => Some(None),
            Some(RegisterRule::Offset(offset)) => Some(Some(i32::try_from(offset).ok()?)),
            Some(_) => None,
        }
    }

    /// Where FP is saved, as an offset from itself.
    fn saved_by_fp(&self, row: &UnwindTableRow<usize>) -> Option<i32> {
        let RegisterRule::Expression(saved) = row.register(self.fp_register())? else {
            return None;
        };
        match expression::read(saved.get(self.section).ok()?)? {
            Computed::Register(X86_64::RBP, offset) => i32::try_from(offset).ok(),
            _ => None,
        }
    }

    fn fp_register(&self) -> Register {
        match self.machine {
            Machine::X86_64 => X86_64::RBP,
            Machine::Aarch64 => AArch64::X29,
        }
    }

    fn sp_register(&self) -> Register {
        match self.machine {
            Machine::X86_64 => X86_64::RSP,
            Machine::Aarch64 => AArch64::SP,
        }
    }

    fn base(&self, register: Register) -> Option<Base> {
        match self.machine {
            Machine::X86_64 => Some(match register {
                X86_64::RSP => Base::Sp,
                X86_64::RBP => Base::Fp,
                X86_64::RAX => Base::Rax,
                X86_64::RDX => Base::Rdx,
                X86_64::RCX => Base::Rcx,
                X86_64::RBX => Base::Rbx,
                X86_64::RSI => Base::Rsi,
                X86_64::RDI => Base::Rdi,
                X86_64::R8 => Base::R8,
                X86_64::R9 => Base::R9,
                X86_64::R10 => Base::R10,
                X86_64::R11 => Base::R11,
                X86_64::R12 => Base::R12,
                X86_64::R13 => Base::R13,
                X86_64::R14 => Base::R14,
                X86_64::R15 => Base::R15,
                _ => return None,
            }),
            Machine::Aarch64 => match register {
                AArch64::SP => Some(Base::Sp),
                AArch64::X29 => Some(Base::Fp),
                _ => None,
            },
        }
    }
}
