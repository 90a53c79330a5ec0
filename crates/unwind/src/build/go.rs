//! Go's line table (`.gopclntab`), which knows for each pc how far SP has moved since its function was
//! called. Go's own linker writes no call frame information that is loaded; frame pointers are kept, but a
//! leaf has none, and its caller would be lost.
//!
//! The layout is that of Go 1.18 and later (`cmd/link/internal/ld/pcln.go`, `runtime/symtab.go`): a header, a
//! table of functions (offsets of their code and of their description), and for each a program of pairs:
//! by how much SP's distance changes, and for how many bytes of code it stays.

use super::code::{Trampoline, called};
use super::{BuildError, Function, Functions, Report, Rows, Source, Work};
use crate::elf::{Elf, Part};
use crate::row::{Base, ReturnAddress, Rule};
use crate::walk::Machine;

const SECTION: &str = ".gopclntab";
const GO_1_18: u32 = 0xffff_fff0;
const GO_1_20: u32 = 0xffff_fff1;

/// `abi.FuncFlag`: the outermost frame of a stack.
const TOP_FRAME: u8 = 1;
/// `abi.FuncFlag`: it writes SP in ways that the table does not tell.
const WRITES_SP: u8 = 2;
/// Step of a program, in bytes of work beside its own.
const STEP_WORK: u64 = 8;

/// Called by the kernel, on what it put on the stack: Go's own walks go no further, but there is more.
const SIGNAL_HANDLER: &[u8] = b"runtime.sigtramp\0";
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
    text: u64,
    /// Bytes of the shortest instruction, which programs count code in.
    quantum: u64,
    /// Where in a description its flags are.
    flags: usize,
    machine: Machine,
}

impl<'data> LineTable<'data> {
    /// The table, of a version that is known.
    pub fn find(elf: &Elf<'data>) -> Option<Self> {
        let sections = [SECTION, ".data.rel.ro.gopclntab"];
        let part = sections.iter().find_map(|name| elf.section(name))?;
        let data = part.data;
        let flags = match u32_at(data, 0)? {
            GO_1_18 => 37,
            GO_1_20 => 41,
            _ => return None,
        };
        let [quantum, pointer_bytes] = [*data.get(6)?, *data.get(7)?];
        if pointer_bytes != 8 || !matches!(quantum, 1 | 4) {
            return None;
        }
        // functions, files, text, names, units, files, programs, functions
        let word = |number: usize| u64_at(data, 8 + 8 * number);
        let from = |number: usize| data.get(usize::try_from(word(number)?).ok()?..);
        let functions = from(7)?;
        let count = u32::try_from(word(0)?).ok()?;
        let bytes = (count as usize).checked_mul(8)?.checked_add(4)?;
        functions.get(..bytes)?;
        Some(Self {
            data,
            functions,
            names: from(3)?,
            programs: from(6)?,
            count,
            text: text(elf, part, word(2)?)?,
            quantum: quantum.into(),
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
            if functions.is_at(address, &trampoline) {
                let rule = Source::Fixed(trampoline.rule);
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
            let rule = match switches && (step.moved > 0 || !keeps_frame) {
                true => Rule::StackSwitch,
                false => self.rule(step.moved),
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
        if step.moved > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where Go's code begins: in the header, in the relocation that fills it in, or at `.text`.
fn text(elf: &Elf<'_>, part: Part<'_>, in_header: u64) -> Option<u64> {
    const RELATIVE: [u64; 2] = [8, 1027];
    if in_header != 0 {
        return Some(in_header);
    }
    let field = part.address + 8 + 2 * 8;
    let relocations = elf.section(".rela.dyn").map_or(&[][..], |part| part.data);
    let mut relocations = relocations.chunks_exact(24);
    let relocation = relocations.find(|relocation| {
        let kind = u64_at(relocation, 8).unwrap_or_default();
        u64_at(relocation, 0) == Some(field) && RELATIVE.contains(&kind)
    });
    let addend = relocation.and_then(|relocation| u64_at(relocation, 16));
    addend.or_else(|| Some(elf.section(".text")?.address))
}

/// A stretch of code in which SP stays where it is.
struct Step {
    /// By how much SP has moved down since the call, in bytes.
    moved: i64,
    /// How long the stretch is, in quanta.
    code: u64,
    /// Bytes of the program.
    bytes: u64,
}

/// The steps of a program; `None` where it is damaged, and then no more.
struct Steps<'data> {
    rest: &'data [u8],
    moved: i64,
    is_first: bool,
}

impl<'data> Steps<'data> {
    fn new(program: &'data [u8]) -> Self {
        Self { rest: program, moved: -1, is_first: true }
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn step(&mut self) -> Option<Option<Step>> {
        let before = self.rest.len();
        let change = self.number()?;
        if change == 0 && !self.is_first {
            return Some(None);
        }
        self.is_first = false;
        let change = change as i64;
        // Zigzag: the sign is the last bit.
        self.moved = self.moved.wrapping_add(change >> 1 ^ -(change & 1));
        let code = self.number()?;
        let bytes = (before - self.rest.len()) as u64;
        Some(Some(Step { moved: self.moved, code, bytes }))
    }
}

impl Iterator for Steps<'_> {
    type Item = Option<Step>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match self.step() {
            Some(Some(step)) => Some(Some(step)),
            Some(None) => {
                self.rest = &[];
                None
            }
            None => {
                self.rest = &[];
                Some(None)
            }
        }
    }
}

fn u32_at(data: &[u8], offset: usize) -> Option<u32> {
    let bytes = data.get(offset..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

fn u64_at(data: &[u8], offset: usize) -> Option<u64> {
    let bytes = data.get(offset..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}
