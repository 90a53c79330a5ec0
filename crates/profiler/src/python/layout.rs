//! Where CPython's structures have what, by version.
//!
//! To 3.12 a release says nothing of itself: the offsets here are those of its headers (`Include/cpython` and
//! `Include/internal`), for 64 bits, which a line of releases keeps from its first to its last. From 3.13 on the
//! interpreter carries a table of them for debuggers (`_Py_DebugOffsets`, at the start of `_PyRuntime`).

use chandra_signals::cpu_profile::{PythonProcess, python_frame_kind};

use super::lines::Format;

/// Bytes of a thread's state, or of a frame, that a probe reads at most (`PYTHON_BLOCK_WORDS`).
const MAX_BLOCK_BYTES: u32 = 256;
/// Bytes of a code object, from its start, in which all is that is looked at.
pub const MAX_CODE_BYTES: usize = 512;
/// Bytes of `_PyRuntime` that have the table for debuggers.
pub const DEBUG_OFFSETS_BYTES: usize = 1024;

/// Why nothing can be read of an interpreter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Its structures are not known here.
    #[error("Python {0}.{1} is not known, only 3.8 to 3.14")]
    Version(u8, u8),
    /// It is none that was released: its structures may be others.
    #[error("a version of Python before its release")]
    Unreleased,
    /// What it says of itself is damaged.
    #[error("its table for debuggers is damaged")]
    DebugOffsets,
}

/// Where an interpreter has what. Offsets in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// What the probe is told; `interpreters` is from the start of `_PyRuntime`.
    pub probe: PythonProcess,
    /// Of code objects.
    pub code: CodeLayout,
    /// Of texts.
    pub text: TextLayout,
}

/// Of a code object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeLayout {
    /// The pointer to its type.
    pub kind: usize,
    /// The pointer to its file's name.
    pub file: usize,
    /// The pointer to its name, with those of what it is in, where there is such.
    pub name: usize,
    /// The number of the line that it begins at, 32 bits.
    pub first_line: usize,
    /// The pointer to its line table.
    pub lines: usize,
    /// Its first instruction; `None` where a frame's place is counted from there.
    pub instructions: Option<usize>,
    /// How its line table is written.
    pub format: Format,
    /// Bytes that the interpreter counts as one: of a place where a frame tells it, to 3.10.
    pub unit_bytes: u32,
    /// Of a bytes object: its length, and its first byte.
    pub bytes: (usize, usize),
}

/// Of a text (PEP 393).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLayout {
    /// Its length in characters.
    pub length: usize,
    /// What kind it is, 32 bits.
    pub state: usize,
    /// The bit there that the kind begins at.
    pub kind_bit: u32,
    /// Where characters are if all are ASCII.
    pub ascii: usize,
    /// Where they are if not.
    pub compact: usize,
}

const NO_PROBE: PythonProcess = PythonProcess {
    interpreters: 0,
    frame_kind: 0,
    interpreter_next: 0,
    interpreter_threads: 0,
    thread_bytes: 0,
    thread_previous: 0,
    thread_next: 8,
    thread_interpreter: 16,
    thread_id: 0,
    thread_frame: 0,
    thread_frame_is_indirect: 0,
    indirect_frame: 0,
    frame_bytes: 0,
    frame_previous: 0,
    frame_code: 0,
    frame_instruction: 0,
    frame_entry: 0,
    frame_owner: 0,
    border_owner: 0,
};

impl Layout {
    /// Of a version, as `PY_VERSION_HEX` has it, with the first bytes of `_PyRuntime` for those that say more.
    ///
    /// # Errors
    /// When it is not known.
    pub fn of(version: u32, runtime: &[u8]) -> Result<Self, LayoutError> {
        let [major, minor, _, level] = version.to_be_bytes();
        // Release candidates are 0xc0, releases 0xf0.
        if level < 0xc0 {
            return Err(LayoutError::Unreleased);
        }
        match (major, minor) {
            (3, 8 | 9) => Ok(Self::of_objects(104, Format::Steps, 1)),
            (3, 10) => Ok(Self::of_objects(96, Format::Ranges, 2)),
            (3, 11) => Ok(Self::of_3_11()),
            (3, 12) => Ok(Self::of_3_12()),
            (3, 13 | 14) => DebugOffsets { bytes: runtime, minor }.layout(),
            _ => Err(LayoutError::Version(major, minor)),
        }
    }

    /// 3.8 to 3.10.
    fn of_objects(instruction: u32, format: Format, unit_bytes: u32) -> Self {
        Self {
            probe: PythonProcess {
                interpreters: 32,
                frame_kind: python_frame_kind::PYTHON_FRAME_OBJECTS,
                interpreter_threads: 8,
                thread_bytes: 184,
                thread_id: 176,
                thread_frame: 24,
                frame_bytes: instruction + 8,
                frame_previous: 24,
                frame_code: 32,
                frame_instruction: instruction,
                ..NO_PROBE
            },
            code: CodeLayout {
                kind: 8,
                file: 104,
                name: 112,
                first_line: 40,
                lines: 120,
                instructions: None,
                format,
                unit_bytes,
                bytes: (16, 32),
            },
            text: TextLayout { length: 16, state: 32, kind_bit: 2, ascii: 48, compact: 72 },
        }
    }

    fn of_3_11() -> Self {
        Self {
            probe: PythonProcess {
                interpreters: 40,
                frame_kind: python_frame_kind::PYTHON_FRAME_FLAGS,
                interpreter_threads: 16,
                thread_bytes: 160,
                thread_id: 152,
                thread_frame: 56,
                thread_frame_is_indirect: 1,
                indirect_frame: 8,
                frame_bytes: 72,
                frame_previous: 48,
                frame_code: 32,
                frame_instruction: 56,
                frame_entry: 68,
                ..NO_PROBE
            },
            code: Self::code_since_3_11(72, 184),
            text: TextLayout { length: 16, state: 32, kind_bit: 2, ascii: 48, compact: 72 },
        }
    }

    fn of_3_12() -> Self {
        Self {
            probe: PythonProcess {
                interpreters: 40,
                frame_kind: python_frame_kind::PYTHON_FRAME_BORDERS,
                interpreter_threads: 72,
                thread_bytes: 144,
                thread_id: 136,
                thread_frame: 56,
                thread_frame_is_indirect: 1,
                indirect_frame: 0,
                frame_bytes: 72,
                frame_previous: 8,
                frame_code: 0,
                frame_instruction: 56,
                frame_owner: 70,
                border_owner: BORDER_OWNER,
                ..NO_PROBE
            },
            code: Self::code_since_3_11(68, 192),
            text: TextLayout { length: 16, state: 32, kind_bit: 2, ascii: 40, compact: 56 },
        }
    }

    fn code_since_3_11(first_line: usize, instructions: usize) -> CodeLayout {
        CodeLayout {
            kind: 8,
            file: 112,
            name: 128,
            first_line,
            lines: 136,
            instructions: Some(instructions),
            format: Format::Locations,
            unit_bytes: 2,
            bytes: (16, 32),
        }
    }
}

/// `FRAME_OWNED_BY_CSTACK` of 3.12 and 3.13, `FRAME_OWNED_BY_INTERPRETER` of 3.14, which has another above.
const BORDER_OWNER: u32 = 3;

/// The table that the interpreter carries: a cookie, its version, whether it has no global lock, and then of each
/// structure its size and some offsets, 64 bits each.
struct DebugOffsets<'a> {
    bytes: &'a [u8],
    minor: u8,
}

/// Structures in the table's order, and how many numbers 3.13 and 3.14 have of each.
#[derive(Clone, Copy)]
enum Structure {
    Runtime,
    Interpreter,
    Thread,
    Frame,
    Code,
    Object,
    Bytes,
    Text,
}

impl Structure {
    /// Which number of the table is its first.
    fn first(self, minor: u8) -> usize {
        // Runtime, interpreter, thread, frame, code, object, type, tuple, list, set, dictionary, float, integer, bytes.
        const OF_3_13: [usize; 14] = [3, 13, 9, 6, 10, 2, 4, 3, 3, 0, 3, 2, 3, 3];
        const OF_3_14: [usize; 14] = [3, 16, 9, 8, 11, 2, 4, 3, 3, 4, 3, 2, 3, 3];
        let before = match self {
            Self::Runtime => 0,
            Self::Interpreter => 1,
            Self::Thread => 2,
            Self::Frame => 3,
            Self::Code => 4,
            Self::Object => 5,
            Self::Bytes => 13,
            Self::Text => 14,
        };
        let counts = if minor == 13 { OF_3_13 } else { OF_3_14 };
        3 + counts.iter().take(before).sum::<usize>()
    }
}

impl DebugOffsets<'_> {
    /// Number so many of a structure, where it is small enough for an offset.
    fn get(&self, structure: Structure, number: usize) -> Result<u32, LayoutError> {
        let at = (structure.first(self.minor) + number) * 8;
        let word = self.bytes.get(at..).and_then(|rest| rest.first_chunk());
        let word = word.map(|word| u64::from_le_bytes(*word));
        let offset = word.and_then(|word| u32::try_from(word).ok());
        offset.filter(|offset| *offset < 1 << 24).ok_or(LayoutError::DebugOffsets)
    }

    fn layout(&self) -> Result<Layout, LayoutError> {
        use Structure as S;
        let is_one = self.bytes.starts_with(b"xdebugpy");
        let is_free_threaded = self.bytes.get(16).is_some_and(|byte| *byte != 0);
        let version = self.bytes.get(8..12).and_then(|bytes| bytes.first_chunk());
        let version = version.map(|bytes| u32::from_le_bytes(*bytes).to_be_bytes());
        if !is_one || version.is_none_or(|[major, minor, ..]| (major, minor) != (3, self.minor)) {
            return Err(LayoutError::DebugOffsets);
        }
        let size = |structure, number| Ok(self.get(structure, number)? as usize);
        let (thread_id, thread_frame) = (self.get(S::Thread, 5)?, self.get(S::Thread, 4)?);
        let (frame_owner, frame_instruction) = (self.get(S::Frame, 5)?, self.get(S::Frame, 3)?);
        let probe = PythonProcess {
            interpreters: self.get(S::Runtime, 2)?.into(),
            frame_kind: python_frame_kind::PYTHON_FRAME_BORDERS,
            interpreter_next: self.get(S::Interpreter, 2)?,
            interpreter_threads: self.get(S::Interpreter, 3)?,
            thread_bytes: thread_id.max(thread_frame) + 8,
            thread_previous: self.get(S::Thread, 1)?,
            thread_next: self.get(S::Thread, 2)?,
            thread_interpreter: self.get(S::Thread, 3)?,
            thread_id,
            thread_frame,
            frame_bytes: (frame_owner | 7) + 1,
            frame_previous: self.get(S::Frame, 1)?,
            frame_code: self.get(S::Frame, 2)?,
            frame_instruction,
            frame_owner,
            border_owner: BORDER_OWNER,
            ..NO_PROBE
        };
        let code = CodeLayout {
            kind: size(S::Object, 1)?,
            file: size(S::Code, 1)?,
            name: size(S::Code, 3)?,
            first_line: size(S::Code, 5)?,
            lines: size(S::Code, 4)?,
            instructions: Some(size(S::Code, 9)?),
            format: Format::Locations,
            unit_bytes: 2,
            bytes: (size(S::Bytes, 1)?, size(S::Bytes, 2)?),
        };
        let text = TextLayout {
            length: size(S::Text, 2)?,
            state: size(S::Text, 1)?,
            kind_bit: if is_free_threaded && self.minor >= 14 { 8 } else { 2 },
            ascii: size(S::Text, 3)?,
            // A text is such a one, and a pointer.
            compact: size(S::Text, 0)?.saturating_sub(8),
        };
        let layout = Layout { probe, code, text };
        layout.is_within_bounds().then_some(layout).ok_or(LayoutError::DebugOffsets)
    }
}

impl Layout {
    /// All that is read lies in what is read of it.
    fn is_within_bounds(&self) -> bool {
        let Self { probe, code, text } = self;
        let of_thread = [
            probe.thread_previous,
            probe.thread_next,
            probe.thread_interpreter,
            probe.thread_id,
            probe.thread_frame,
        ];
        let of_frame = [probe.frame_previous, probe.frame_code, probe.frame_instruction];
        let fits = |offsets: &[u32], bytes: u32| {
            let are_inside = offsets.iter().all(|at| at % 8 == 0 && at + 8 <= bytes);
            are_inside && bytes <= MAX_BLOCK_BYTES
        };
        let of_code = [code.kind, code.file, code.name, code.first_line, code.lines];
        fits(&of_thread, probe.thread_bytes)
            && fits(&of_frame, probe.frame_bytes)
            && of_code.iter().all(|at| at + 8 <= MAX_CODE_BYTES)
            && text.compact.max(text.length + 8).max(text.state + 4).max(text.ascii) <= 128
            && code.bytes.0.max(code.bytes.1) <= 128
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn layouts_that_are_known_are_within_what_is_read() {
        for version in [0x0308_12f0, 0x0309_02f0, 0x030a_0df0, 0x030b_02f0, 0x030c_01f0] {
            let layout = Layout::of(version, &[]).unwrap();
            let mut probe = layout.probe;
            // Half a word each, which the probe takes into account.
            probe.frame_instruction &= !7;
            assert!(Layout { probe, ..layout }.is_within_bounds(), "{version:x}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused_with_the_reason() {
        assert_eq!(Layout::of(0x0307_10f0, &[]), Err(LayoutError::Version(3, 7)));
        assert_eq!(Layout::of(0x030f_00f0, &[]), Err(LayoutError::Version(3, 15)));
        assert_eq!(Layout::of(0x030c_00a3, &[]), Err(LayoutError::Unreleased));
        for damaged in [&b""[..], b"xdebugpy", &[0; 1024], &[0xff; 1024]] {
            assert_eq!(Layout::of(0x030d_00f0, damaged), Err(LayoutError::DebugOffsets));
        }
        let mut table = b"xdebugpy".to_vec();
        table.extend(0x030d_00f0_u64.to_le_bytes());
        table.resize(1024, 0xff);
        assert_eq!(Layout::of(0x030d_00f0, &table), Err(LayoutError::DebugOffsets));
    }
}
