//! Go's line table (`.gopclntab`), which knows for each pc how far SP has moved since its function was
//! called. Go's own linker writes no call frame information that is loaded; frame pointers are kept, but a
//! leaf has none, and its caller would be lost.
//!
//! Of the layouts ([`crate::go_table`]) those of Go 1.18 and later are known: a table of functions (offsets of their
//! code and of their description), and for each a program that says how far SP has moved.

use super::code::{Trampoline, called};
use super::{BuildError, Function, Functions, Report, Rows, Source, Work};
use crate::elf::{Elf, Part};
use crate::go_table::{Layout, SECTIONS, Steps, Version, relocated_text, u32_at};
use crate::row::{Base, ReturnAddress, Rule};
use crate::walk::Machine;

/// As reports have it.
const SECTION: &str = SECTIONS[0];

/// `abi.FuncFlag`: the outermost frame of a stack.
const TOP_FRAME: u8 = 1;
/// `abi.FuncFlag`: it writes SP in ways that the table does not tell.
const WRITES_SP: u8 = 2;
/// Step of a program, in bytes of work beside its own.
const STEP_WORK: u64 = 8;

/// Called by the kernel, on what it put on the stack: Go's own walks go no further, but there is more.
const SIGNAL_HANDLER: &[u8] = b"runtime.sigtramp\0";
/// What a signal handler returns to, by the beginning of its name in all versions.
const SIGNAL_RETURN: &[u8] = b"runtime.sigreturn";
/// They leave a goroutine for its scheduler, which has a stack of its own. What the goroutine was at did
/// not call it.
const SCHEDULER: [&[u8]; 2] = [b"runtime.mcall\0", b"runtime.morestack\0"];

/// Of a function.
struct Description<'data> {
    /// How SP moves, and more behind it.
    program: &'data [u8],
    flags: u8,
    /// Its name, and more behind it.
    name: &'data [u8],
}

/// Go's line table.
pub(super) struct LineTable<'data> {
    /// The section from its start.
    data: &'data [u8],
    /// From the table of functions on, which offsets of descriptions count from.
    functions: &'data [u8],
    names: &'data [u8],
    /// From the programs on.
    programs: &'data [u8],
    count: u32,
    /// Where the code begins.
    text: u64,
    /// Bytes of the shortest instruction, which programs count code in.
    quantum: u64,
    /// Where in a description its flags are.
    flags: usize,
    machine: Machine,
}

/// The section, read.
pub(super) fn section(elf: &Elf<'_>) -> Option<Part> {
    SECTIONS.iter().find_map(|name| elf.section(name))
}

impl<'data> LineTable<'data> {
    /// The table, of a version that is known.
    pub fn of(part: &'data Part, elf: &Elf<'_>) -> Option<Self> {
        let data = part.data.as_slice();
        let layout = Layout::read(data)?;
        let flags = match layout.version {
            Version::Go1_18 => 37,
            Version::Go1_20 => 41,
            Version::Go1_2 | Version::Go1_16 => return None,
        };
        // In the header, in the relocation that fills it in, or at `.text`.
        let relocated = || {
            let relocations = elf.section(".rela.dyn").map_or_else(Vec::new, |part| part.data);
            relocated_text(&relocations, part.address)
        };
        let text = Some(layout.text).filter(|text| *text != 0).or_else(relocated);
        let text = text.or_else(|| Some(elf.range(".text")?.0))?;
        Some(Self {
            data,
            functions: data.get(layout.functions..)?,
            names: data.get(layout.names..)?,
            programs: data.get(layout.programs..)?,
            count: u32::try_from(layout.count).ok()?,
            text,
            quantum: layout.quantum,
            flags,
            machine: elf.machine,
        })
    }

    /// All functions that it describes.
    pub fn list(&self, functions: &mut Functions<'_>) -> Result<(), BuildError> {
        let entry = |number: u32| u32_at(self.functions, number as usize * 8).unwrap_or_default();
        let trampoline = Trampoline::of(self.machine);
        for number in 0..self.count {
            let (start, end) = (entry(number), entry(number + 1));
            let bytes = u64::from(end.saturating_sub(start));
            let address = self.text.wrapping_add(start.into());
            let is_named =
                self.description(number).is_some_and(|it| it.name.starts_with(SIGNAL_RETURN));
            if is_named && functions.is_at(address, &trampoline) {
                let rule = Source::fixed(trampoline.rule);
                functions.add(address.wrapping_sub(1), bytes.saturating_add(1), rule)?;
                continue;
            }
            functions.add(address, bytes, Source::Go(number))?;
        }
        Ok(())
    }

    /// The rows of a function.
    pub fn rows(
        &self,
        number: u32,
        function: &Function,
        rows: &mut Rows,
        work: &mut Work,
        report: &mut Report,
    ) -> Result<(), BuildError> {
        let Some(Description { program, flags, name }) = self.description(number) else {
            report.damaged(SECTION, u64::from(number) * 8, "a function without a description");
            return Ok(rows.push(function.place, Rule::Gap)?);
        };
        let is_named = |other: &[u8]| name.starts_with(other);
        let is_outermost = flags & TOP_FRAME != 0 && !is_named(SIGNAL_HANDLER);
        if is_outermost || SCHEDULER.iter().any(|name| is_named(name)) {
            return Ok(rows.push(function.place, Rule::Stop)?);
        }
        let switches = flags & WRITES_SP != 0;
        let keeps_frame = switches && has_frame(program, work)?;
        let mut place = function.place;
        for step in Steps::new(program) {
            let Some(step) = step else {
                let offset = self.data.len() - program.len();
                report.damaged(SECTION, offset as u64, "a program that does not end");
                rows.push(place, Rule::Gap)?;
                break;
            };
            work.spend(step.bytes + STEP_WORK)?;
            let rule = match switches && (step.value > 0 || !keeps_frame) {
                true => Rule::StackSwitch,
                false => self.rule(step.value),
            };
            rows.push(place, rule)?;
            place = place.saturating_add(step.code.saturating_mul(self.quantum));
            if place >= function.end {
                break;
            }
        }
        Ok(())
    }

    fn description(&self, number: u32) -> Option<Description<'data>> {
        let offset = u32_at(self.functions, number as usize * 8 + 4)? as usize;
        let description = self.functions.get(offset..)?;
        let program = u32_at(description, 16)? as usize;
        Some(Description {
            program: self.programs.get(program..)?,
            flags: *description.get(self.flags)?,
            name: self.names.get(u32_at(description, 4)? as usize..)?,
        })
    }

    /// What to do where SP has moved by so many bytes since the call.
    fn rule(&self, moved: i64) -> Rule {
        let Ok(moved) = i32::try_from(moved) else { return Rule::Unsupported };
        match (self.machine, moved) {
            (_, i32::MIN..0) => Rule::Unsupported,
            (Machine::X86_64, 0) => called(8),
            // The first thing in a frame is FP.
            (Machine::X86_64, _) => Rule::Offset {
                base: Base::Sp,
                cfa: moved.saturating_add(8),
                fp: Some(-16),
                ra: ReturnAddress::AtCfa(-8),
            },
            (Machine::Aarch64, 0) => {
                Rule::Offset { base: Base::Sp, cfa: 0, fp: None, ra: ReturnAddress::LinkRegister }
            }
            // LR is where SP points to, and FP below.
            (Machine::Aarch64, _) => Rule::Offset {
                base: Base::Sp,
                cfa: moved,
                fp: Some((-moved).saturating_sub(8)),
                ra: ReturnAddress::AtCfa(-moved),
            },
        }
    }
}

/// Whether SP ever moves.
fn has_frame(program: &[u8], work: &mut Work) -> Result<bool, BuildError> {
    for step in Steps::new(program).map_while(|step| step) {
        work.spend(step.bytes + STEP_WORK)?;
        if step.value > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
