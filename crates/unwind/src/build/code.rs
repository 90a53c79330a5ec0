//! What is known of code that nobody describes: procedure linkage tables, the entry of a file, trampolines.

use memchr::memmem;

use super::{BuildError, Functions, Source};
use crate::elf::Elf;
use crate::row::{Base, ReturnAddress, Rule};
use crate::walk::Machine;

/// Bytes from the entry of a file that are its own where nobody describes them; whatever is described, or the
/// end of the code, ends it sooner.
const ENTRY_BYTES: u64 = 64;
/// Of a function whose whole code this is, only the first matter.
const MAX_TRAMPOLINES: usize = 16;
/// Bytes of an entry of a procedure linkage table.
const PLT_ENTRY_BYTES: u64 = 16;

/// `endbr64`.
const ENDBR64: &[u8] = &[0xf3, 0x0f, 0x1e, 0xfa];

pub(super) fn list(elf: &Elf<'_>, functions: &mut Functions<'_>) -> Result<(), BuildError> {
    functions.add(elf.entry, ENTRY_BYTES, Source::Fixed(Rule::Stop))?;
    let at_call = match elf.machine {
        Machine::X86_64 => called(8),
        Machine::Aarch64 => {
            Rule::Offset { base: Base::Sp, cfa: 0, fp: None, ra: ReturnAddress::LinkRegister }
        }
    };
    for name in [".plt.sec", ".plt.got", ".iplt"] {
        let Some(part) = elf.section(name) else { continue };
        functions.add(part.address, part.data.len() as u64, Source::Fixed(at_call))?;
    }
    let Some(plt) = elf.section(".plt") else { return Ok(()) };
    let bytes = plt.data.len() as u64;
    if elf.machine == Machine::Aarch64 {
        return functions.add(plt.address, bytes, Source::Fixed(at_call));
    }
    // The first entry pushes an address (6 bytes) on top of the number that another has pushed.
    functions.add(plt.address, 6, Source::Fixed(called(16)))?;
    functions.add(plt.address + 6, PLT_ENTRY_BYTES - 6, Source::Fixed(called(24)))?;
    // jmp (6 bytes), push (5), jmp; or endbr64 (4), push (5), jmp.
    let entry = plt.data.get(PLT_ENTRY_BYTES as usize..).unwrap_or_default();
    let threshold = if entry.starts_with(ENDBR64) { 9 } else { 11 };
    let rule = Rule::Plt { cfa: 8, threshold };
    let rest = bytes.saturating_sub(PLT_ENTRY_BYTES);
    functions.add(plt.address.wrapping_add(PLT_ENTRY_BYTES), rest, Source::Fixed(rule))
}

/// A frame in which nothing was saved, `cfa` bytes below its CFA. x86-64.
pub(super) fn called(cfa: i32) -> Rule {
    Rule::Offset { base: Base::Sp, cfa, fp: None, ra: ReturnAddress::AtCfa(-8) }
}

/// The code that a signal handler returns to: a system call that never returns. Nobody called it, so what a
/// handler returns to is its first byte, and its rule begins one before.
pub(super) struct Trampoline {
    pub bytes: &'static [u8],
    pub rule: Rule,
}

impl Trampoline {
    pub fn of(machine: Machine) -> Self {
        match machine {
            // mov $15, %rax; syscall. SP is at the ucontext, whose sigcontext begins 40 bytes further.
            Machine::X86_64 => Self {
                bytes: &[0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05],
                rule: Rule::Signal { registers: 40 },
            },
            // mov x8, #139; svc #0. SP is at the siginfo (128 bytes), the ucontext's sigcontext 176 further.
            Machine::Aarch64 => Self {
                bytes: &[0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4],
                rule: Rule::Signal { registers: 304 },
            },
        }
    }

    /// Where they are in this part of a file.
    pub fn within(&self, file: &[u8], room: &std::ops::Range<u64>) -> Vec<u64> {
        let end = usize::try_from(room.end).unwrap_or(usize::MAX).min(file.len());
        let start = usize::try_from(room.start).unwrap_or(usize::MAX);
        let Some(code) = file.get(start..end) else { return Vec::new() };
        let found = memmem::find_iter(code, self.bytes);
        found.take(MAX_TRAMPOLINES).map(|at| room.start + at as u64).collect()
    }
}
