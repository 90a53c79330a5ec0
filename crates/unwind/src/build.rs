//! A table from an ELF file: whoever describes its functions is asked, and what they say is put in order.
//!
//! *Sources*, the better ones first: call frame information (`.eh_frame`, found by section or program headers;
//! `.debug_frame` where there is none), Go's line table, which knows how far SP has moved in each function, and
//! what is known of code without a description: entries of procedure linkage tables, the entry of the file,
//! trampolines that return from signal handlers.
//!
//! *Order.* Functions are sorted by place. Where two overlap, the one that begins later cuts the other, and of
//! two that begin at once, or where a worse source describes what a better one has, the better counts. Room of
//! less than [`MIN_GAP_BYTES`] between functions is padding and gets no row; more of it is a gap.
//!
//! *Bounds.* The file is anybody's. [`Limits`] bound functions, rows, and the bytes of instructions that are
//! carried out (a file can refer to one long description many times); what is past them makes the whole
//! file refused. A description that is damaged makes a gap where it counts, and is told in the [`Report`].

mod code;
mod expression;
mod frames;
mod go;

use crate::content::Content;
use crate::elf::{Elf, ElfError};
use crate::format::{Assembler, Full, MAX_ROWS, Table};
use crate::row::Rule;

/// Room between functions that is taken for padding when it is less.
pub const MIN_GAP_BYTES: u64 = 16;

/// What building one table may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Functions. Each takes up to 32 bytes while the table is built.
    pub max_functions: usize,
    /// Rows of the table, of 4 bytes each.
    pub max_rows: usize,
    /// Bytes of instructions carried out, those of shared beginnings (CIEs) each time.
    pub max_instruction_bytes: u64,
}

impl Default for Limits {
    /// Room for four times the largest libraries known, and a second or so at most.
    fn default() -> Self {
        Self { max_functions: 1 << 20, max_rows: MAX_ROWS / 4, max_instruction_bytes: 1 << 27 }
    }
}

/// Why there is no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No file to read.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// Nothing describes its code: frame pointers are all there is.
    #[error("nothing describes how its functions are left")]
    NotDescribed,
    /// Too many functions.
    #[error("more than {0} functions")]
    Functions(usize),
    /// Too long descriptions.
    #[error("more than {0} bytes of instructions")]
    Instructions(u64),
    /// Too large for a table.
    #[error(transparent)]
    Full(#[from] Full),
}

/// A description that was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where: a section.
    pub section: &'static str,
    /// Its offset there.
    pub offset: u64,
    /// What is wrong with it.
    pub error: String,
}

/// What a table was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Functions that are described.
    pub functions: u64,
    /// Of them by Go's line table.
    pub go_functions: u64,
    /// Functions that are not in the file's code, and were left out.
    pub outside: u64,
    /// Functions that another one cut or hid.
    pub overlapping: u64,
    /// Descriptions that were not understood.
    pub damaged: u64,
    /// The first of them.
    pub first_damage: Option<Damage>,
    /// Rows whose rule is [`Rule::Unsupported`].
    pub unsupported_rows: u64,
}

/// A table, and what it was made of.
#[derive(Clone, Debug)]
pub struct Built {
    /// The table.
    pub table: Table,
    /// What it was made of.
    pub report: Report,
}

/// The table of an ELF file, of its whole content.
///
/// # Errors
/// When nothing describes its code, or that is damaged or larger than the limits.
pub fn build(file: &[u8], limits: &Limits) -> Result<Built, BuildError> {
    build_from(&file, limits)
}

/// The table of an ELF file, of which only the parts are read that describe its functions.
///
/// # Errors
/// As [`build()`].
pub fn build_from(file: &dyn Content, limits: &Limits) -> Result<Built, BuildError> {
    let elf = Elf::read(file)?;
    let mut functions = Functions::new(&elf, limits);
    // What a file describes is less than itself, but for beginnings that are shared.
    let limit = limits.max_instruction_bytes.min(elf.length().saturating_mul(4) + (1 << 16));
    let mut work = Work { left: limit, limit };
    let described_in = frames::Described::find(&elf);
    let mut frames = described_in.as_ref().map(|it| frames::Frames::of(it, &elf));
    if let Some(frames) = &mut frames {
        frames.list(&mut functions, &mut work)?;
    }
    let section = go::section(&elf);
    let go = section.as_ref().and_then(|it| go::LineTable::of(it, &elf));
    if let Some(go) = &go {
        go.list(&mut functions)?;
    }
    if functions.all.is_empty() {
        return Err(BuildError::NotDescribed);
    }
    code::list(&elf, &mut functions)?;
    let (all, mut report) = functions.sorted();
    let mut rows = Rows { assembler: Assembler::new(limits.max_rows), unsupported: 0, end: 0 };
    let mut gaps = code::Gaps::of(&elf);
    let mut described = code_start(&elf);
    for (index, function) in all.iter().enumerate() {
        let next = all.get(index + 1).map_or(u64::MAX, |next| next.place);
        gap(&mut rows, described..function.place, &mut gaps)?;
        rows.end = function.end.min(next);
        match function.source {
            Source::Frame(offset) => {
                if let Some(frames) = &mut frames {
                    frames.rows(offset, function, &mut rows, &mut work, &mut report)?;
                }
            }
            Source::Go(number) => {
                if let Some(go) = &go {
                    go.rows(number, function, &mut rows, &mut work, &mut report)?;
                }
            }
            Source::Fixed(rule) => {
                rows.push(function.place, Rule::unpack(rule).unwrap_or(Rule::Unsupported))?;
            }
        }
        described = rows.end;
    }
    rows.end = u64::MAX;
    rows.push(described, Rule::Gap)?;
    gap(&mut rows, described..code_end(&elf), &mut gaps)?;
    report.unsupported_rows = rows.unsupported;
    // The table is made once more, as it is read: what it was made of may be as much as both.
    drop((all, frames, go));
    drop((described_in, section));
    Ok(Built { table: rows.assembler.finish(), report })
}

fn code_start(elf: &Elf<'_>) -> u64 {
    elf.code().map(|segment| segment.offset).min().unwrap_or_default()
}

fn code_end(elf: &Elf<'_>) -> u64 {
    let ends = elf.code().map(|segment| segment.offset + segment.bytes);
    ends.max().unwrap_or_default()
}

/// Between functions nothing is known, but for trampolines that lie there.
fn gap(
    rows: &mut Rows,
    room: std::ops::Range<u64>,
    gaps: &mut code::Gaps<'_>,
) -> Result<(), BuildError> {
    let bytes = room.end.saturating_sub(room.start);
    rows.end = room.end;
    if bytes >= MIN_GAP_BYTES {
        rows.push(room.start, Rule::Gap)?;
    }
    for place in gaps.within(&room) {
        let code::Trampoline { bytes, rule, .. } = gaps.trampoline();
        rows.push(place.saturating_sub(1), *rule)?;
        rows.push(place + bytes.len() as u64, Rule::Gap)?;
    }
    Ok(())
}

/// Instructions that may still be carried out.
#[derive(Debug)]
struct Work {
    left: u64,
    limit: u64,
}

impl Work {
    fn spend(&mut self, bytes: u64) -> Result<(), BuildError> {
        self.left = self.left.checked_sub(bytes).ok_or(BuildError::Instructions(self.limit))?;
        Ok(())
    }
}

/// Rows of one function after the other.
struct Rows {
    assembler: Assembler,
    unsupported: u64,
    /// Where the function ends.
    end: u64,
}

impl Rows {
    /// A rule from a place on, which is ignored past the function's end.
    fn push(&mut self, place: u64, rule: Rule) -> Result<(), Full> {
        if place >= self.end {
            return Ok(());
        }
        let rule = if rule.pack().is_some() { rule } else { Rule::Unsupported };
        self.unsupported += u64::from(rule == Rule::Unsupported);
        self.assembler.push(place, rule)
    }
}

/// Who describes a function.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// Call frame information: the offset of its entry.
    Frame(usize),
    /// Go's line table: its number.
    Go(u32),
    /// One rule counts for all of it, packed as in a table.
    Fixed(u64),
}

impl Source {
    /// One rule for all of it.
    fn fixed(rule: Rule) -> Self {
        Self::Fixed(rule.pack().or(Rule::Unsupported.pack()).unwrap_or_default())
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Frame(_) => 0,
            Self::Go(_) => 1,
            Self::Fixed(rule) if matches!(Rule::unpack(*rule), Some(Rule::Signal { .. })) => 1,
            Self::Fixed(_) => 2,
        }
    }
}

/// A function, by places.
#[derive(Clone, Copy, Debug)]
struct Function {
    place: u64,
    end: u64,
    source: Source,
}

const _: () = assert!(size_of::<Function>() <= 32, "Limits says so");

/// All functions of a file.
struct Functions<'elf> {
    elf: &'elf Elf<'elf>,
    max: usize,
    all: Vec<Function>,
    report: Report,
}

impl<'elf> Functions<'elf> {
    fn new(elf: &'elf Elf<'elf>, limits: &Limits) -> Self {
        Self { elf, max: limits.max_functions, all: Vec::new(), report: Report::default() }
    }

    /// A function at an address, so many bytes long. One that is not in the code is left out.
    fn add(&mut self, address: u64, bytes: u64, source: Source) -> Result<(), BuildError> {
        let mut code = self.elf.segments.iter().filter(|segment| segment.is_code);
        let Some(segment) = code.find(|segment| segment.holds(address)).filter(|_| bytes > 0)
        else {
            self.report.outside += u64::from(!matches!(source, Source::Fixed(_)));
            return Ok(());
        };
        if self.all.len() >= self.max {
            return Err(BuildError::Functions(self.max));
        }
        let place = segment.place(address);
        let end = place.saturating_add(bytes).min(segment.offset + segment.bytes);
        self.all.push(Function { place, end, source });
        Ok(())
    }

    /// Whether there is such a trampoline at an address.
    fn is_at(&self, address: u64, trampoline: &code::Trampoline) -> bool {
        let part = self.elf.loaded(address, trampoline.bytes.len() as u64);
        part.is_some_and(|part| part.data == trampoline.bytes)
    }

    fn damaged(&mut self, section: &'static str, offset: u64, error: impl ToString) {
        self.report.damaged(section, offset, error);
    }

    /// In the order of places, each of which has one.
    fn sorted(self) -> (Vec<Function>, Report) {
        let Self { mut all, mut report, .. } = self;
        all.sort_unstable_by_key(|function| (function.place, function.source.rank(), function.end));
        let before = all.len();
        // How far the sources of each rank have come.
        let mut ends = [0_u64; 3];
        let mut last = None;
        all.retain(|function| {
            let rank = usize::from(function.source.rank());
            let better = ends[..rank].iter().any(|end| *end > function.place);
            let keep = !better && last != Some(function.place);
            if keep {
                report.overlapping += u64::from(ends[rank] > function.place);
                ends[rank] = ends[rank].max(function.end);
                last = Some(function.place);
            }
            keep
        });
        report.overlapping += (before - all.len()) as u64;
        let count = |is: fn(&Source) -> bool| {
            all.iter().filter(|function| is(&function.source)).count() as u64
        };
        report.go_functions = count(|source| matches!(source, Source::Go(_)));
        report.functions = count(|source| !matches!(source, Source::Fixed(_)));
        (all, report)
    }
}

impl Report {
    fn damaged(&mut self, section: &'static str, offset: u64, error: impl ToString) {
        self.damaged += 1;
        self.first_damage.get_or_insert_with(|| Damage {
            section,
            offset,
            error: error.to_string(),
        });
    }
}
