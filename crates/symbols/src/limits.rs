//! How much a file may cost, and what was left out because it would have cost more.

use std::fmt;
use std::time::{Duration, Instant};

/// What one file, and all files together, may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one symbol table, its names counted apart.
    pub symbol_table_bytes: u64,
    /// Functions that are kept of one file.
    pub functions: usize,
    /// Bytes of all DWARF sections of one file, unpacked.
    pub dwarf_bytes: u64,
    /// Bytes of Go's line table.
    pub go_table_bytes: u64,
    /// Bytes of a symbol table that is packed into `.gnu_debugdata`, unpacked.
    pub unpacked_bytes: u64,
    /// Bytes of a separate debug file that are read to check its sum.
    pub checked_bytes: u64,
    /// For reading the tables of one file.
    pub read_time: Duration,
    /// For finding the lines and inlined functions of one batch of addresses.
    pub resolve_time: Duration,
    /// Names that are kept, in bytes.
    pub name_budget_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            symbol_table_bytes: 128 * MIB,
            functions: 1 << 21,
            dwarf_bytes: 128 * MIB,
            go_table_bytes: 128 * MIB,
            unpacked_bytes: 64 * MIB,
            checked_bytes: 512 * MIB,
            read_time: Duration::from_secs(2),
            resolve_time: Duration::from_secs(2),
            name_budget_bytes: 16 << 20,
        }
    }
}

/// A part of what is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The file's headers.
    Headers,
    /// `.symtab` and `.dynsym`.
    SymbolTable,
    /// `.gnu_debugdata`.
    MiniDebugInfo,
    /// `.debug_*`.
    Dwarf,
    /// `.gopclntab`.
    GoLineTable,
    /// The file with the same build id, or that of `.gnu_debuglink`.
    DebugFile,
}

impl fmt::Display for Part {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Headers => "headers",
            Self::SymbolTable => "symbol table",
            Self::MiniDebugInfo => ".gnu_debugdata",
            Self::Dwarf => "DWARF",
            Self::GoLineTable => "Go's line table",
            Self::DebugFile => "separate debug file",
        })
    }
}

/// Why a part is not made use of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// It is not what its format says.
    #[error("damaged: {0}")]
    Damaged(String),
    /// It is larger than its limit.
    #[error("{bytes} bytes, more than the limit of {limit}")]
    Large {
        /// How large it is.
        bytes: u64,
        /// How large it may be.
        limit: u64,
    },
    /// It has more functions, or nests deeper, than its limit: what is beyond it is not known.
    #[error("more than {0} {1}")]
    Many(u64, &'static str),
    /// It took too long: what is beyond it is not known.
    #[error("not done within its time")]
    Slow,
    /// It is packed in a way that is not known here.
    #[error("packed as {0}")]
    Packed(String),
    /// It could not be read.
    #[error("not readable: {0}")]
    Unreadable(String),
    /// A debug file of another build.
    #[error("it is of another build")]
    OtherBuild,
}

/// A part of a file that was left out, or is known in part only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part}: {why}")]
pub struct Skipped {
    /// Which one.
    pub part: Part,
    /// Why.
    pub why: Why,
}

/// Time that is left. Who loops over what a file says asks it now and then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    steps: u32,
}

impl Deadline {
    /// Steps between two looks at the clock, which costs some 30 ns.
    const STEPS: u32 = 256;

    pub fn after(time: Duration) -> Self {
        Self { at: Instant::now() + time, steps: 0 }
    }

    /// For what is small.
    pub fn step(&mut self) -> Result<(), Why> {
        self.steps += 1;
        if self.steps < Self::STEPS { Ok(()) } else { self.look() }
    }

    /// For what is large.
    pub fn look(&mut self) -> Result<(), Why> {
        self.steps = 0;
        if Instant::now() < self.at { Ok(()) } else { Err(Why::Slow) }
    }
}
