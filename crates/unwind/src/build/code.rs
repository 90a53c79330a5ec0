//! What is known of code that nobody describes: procedure linkage tables, the entry of a file, trampolines.

use std::ops::Range;

use memchr::memmem;

use super::{BuildError, Functions, Source};
use crate::content::{Content, read};
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
    functions.add(elf.entry, ENTRY_BYTES, Source::fixed(Rule::Stop))?;
    let at_call = match elf.machine {
        Machine::X86_64 => called(8),
        Machine::Aarch64 => {
            Rule::Offset { base: Base::Sp, cfa: 0, fp: None, ra: ReturnAddress::LinkRegister }
        }
    };
    for name in [".plt.sec", ".plt.got", ".iplt"] {
        let Some((address, bytes)) = elf.range(name) else { continue };
        functions.add(address, bytes, Source::fixed(at_call))?;
    }
    let Some((address, bytes)) = elf.range(".plt") else { return Ok(()) };
    if elf.machine == Machine::Aarch64 {
        return functions.add(address, bytes, Source::fixed(at_call));
    }
    // The first entry pushes an address (6 bytes) on top of the number that another has pushed.
    functions.add(address, 6, Source::fixed(called(16)))?;
    functions.add(address.wrapping_add(6), PLT_ENTRY_BYTES - 6, Source::fixed(called(24)))?;
    // jmp (6 bytes), push (5), jmp; or endbr64 (4), push (5), jmp.
    let second = address.wrapping_add(PLT_ENTRY_BYTES);
    let entry = elf.loaded(second, ENDBR64.len() as u64);
    let threshold = if entry.is_some_and(|entry| entry.data == ENDBR64) { 9 } else { 11 };
    let rule = Rule::Plt { cfa: 8, threshold };
    functions.add(second, bytes.saturating_sub(PLT_ENTRY_BYTES), Source::fixed(rule))
}

/// A frame in which nothing was saved, `cfa` bytes below its CFA. x86-64.
pub(super) fn called(cfa: i32) -> Rule {
    Rule::Offset { base: Base::Sp, cfa, fp: None, ra: ReturnAddress::AtCfa(-8) }
}

/// Where the kernel saved the registers, from SP in the trampoline that it returned to.
pub(super) fn signal_frame(machine: Machine) -> Rule {
    match machine {
        // SP is at the ucontext, whose sigcontext begins 40 bytes further.
        Machine::X86_64 => Rule::Signal { registers: 40 },
        // SP is at the siginfo (128 bytes), the ucontext's sigcontext 176 further.
        Machine::Aarch64 => Rule::Signal { registers: 304 },
    }
}

/// The code that a signal handler returns to: a system call that never returns. Nobody called it, so what a
/// handler returns to is its first byte, and its rule begins one before.
pub(super) struct Trampoline {
    pub bytes: &'static [u8],
    pub rule: Rule,
    finder: memmem::Finder<'static>,
}

impl Trampoline {
    pub fn of(machine: Machine) -> Self {
        let bytes: &[u8] = match machine {
            // mov $15, %rax; syscall
            Machine::X86_64 => &[0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05],
            // mov x8, #139; svc #0
            Machine::Aarch64 => &[0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4],
        };
        Self { bytes, rule: signal_frame(machine), finder: memmem::Finder::new(bytes) }
    }
}

/// Code that nobody describes, searched for trampolines. A library calls those of its C library, which are
/// described if that is glibc: what needs other files is not searched, and its code not read.
pub(super) struct Gaps<'file> {
    trampoline: Trampoline,
    code: Option<Code<'file>>,
}

impl<'file> Gaps<'file> {
    pub fn of(elf: &Elf<'file>) -> Self {
        let code = Code { file: elf.file(), length: elf.length(), ahead: Vec::new(), start: 0 };
        let code = elf.stands_alone().then_some(code);
        Self { trampoline: Trampoline::of(elf.machine), code }
    }

    /// What a trampoline looks like, and its rule.
    pub fn trampoline(&self) -> &Trampoline {
        &self.trampoline
    }

    /// Where trampolines are in a room between functions.
    pub fn within(&mut self, room: &Range<u64>) -> Vec<u64> {
        let Self { trampoline: Trampoline { bytes, finder, .. }, code: Some(code) } = self else {
            return Vec::new();
        };
        let bytes = bytes.len() as u64;
        let mut found = Vec::new();
        let mut at = room.start;
        // Most rooms are a few bytes of padding.
        while room.end.saturating_sub(at) >= bytes && found.len() < MAX_TRAMPOLINES {
            let Some(part) = code.read(at, room.end) else { break };
            let places = finder.find_iter(part).map(|place| at + place as u64);
            found.extend(places.take(MAX_TRAMPOLINES - found.len()));
            // One may lie across the end of what was read.
            at += match part.len() as u64 {
                read if at + read < room.end && read >= bytes => read - (bytes - 1),
                _ => break,
            };
        }
        found
    }
}

/// The code of a file, read ahead: who asks goes forwards, in small steps.
struct Code<'file> {
    file: &'file dyn Content,
    length: u64,
    ahead: Vec<u8>,
    /// Where that begins.
    start: u64,
}

/// So much is read at once.
const AHEAD_BYTES: u64 = 64 << 10;

impl Code<'_> {
    /// What is at a place, up to another or [`AHEAD_BYTES`], and no further than the file goes.
    fn read(&mut self, start: u64, end: u64) -> Option<&[u8]> {
        let wanted = end.min(self.length).checked_sub(start)?.min(AHEAD_BYTES);
        let is_ahead =
            self.start <= start && start + wanted <= self.start + self.ahead.len() as u64;
        if !is_ahead {
            self.ahead = read(self.file, start, (self.length - start).min(AHEAD_BYTES)).ok()?;
            self.start = start;
        }
        let from = usize::try_from(start - self.start).ok()?;
        self.ahead.get(from..)?.get(..usize::try_from(wanted).ok()?)
    }
}
