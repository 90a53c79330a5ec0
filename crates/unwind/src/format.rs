//! Tables: all rules of one executable as one flat array of cells of 8 bytes, as BPF reads it.
//!
//! ```text
//! header: 2 cells | pages: a cell each | rules: a cell each | rows: two in a cell
//! ```
//!
//! *Places.* A table is asked by place: an offset into the file, not an address. A mapping alone says which
//! place a pc is (`pc - start + offset of the mapping`), whatever bias the loader chose and however its
//! segments lie; places stay below the size of the file. The last bits are those of the address, for
//! mappings are of whole pages.
//!
//! *Header.* First page (place / 64 KiB of page 0), pages, rules, rows: 32 bits each.
//!
//! *Pages.* For each 64 KiB of text its first row (low half) and how many rows begin in it (high half).
//!
//! *Rows.* 4 bytes: the low 16 bits of the place that it begins at, and the number of its rule. Rows ascend,
//! neighbours differ in their rule, a row counts until the next one, over the ends of pages. A place on a page
//! without a row that is not above it belongs to the row before the page's first.
//!
//! *Rules.* [`crate::row`]; number 0 is always the gap. Where functions leave room between them, and after
//! the last one, a row says so by it: most gaps are padding, which is not worth a row, but code without a
//! description must not be taken for the function before it.
//!
//! Invariants of a [`Table`]: all of the above, what a row or page names is there, and no page has more than
//! 65,535 rows, so that 16 halvings find the one that counts. Memory is `cells().len() * 8` bytes.

use std::collections::HashMap;

use crate::row::Rule;

/// Bits of a place within its page.
pub const PAGE_BITS: u32 = 16;
/// Cells before the first page.
pub const HEADER_CELLS: usize = 2;
/// Pages of one table: 4 GiB of text.
pub const MAX_PAGES: usize = 1 << 16;
/// Rules of one table.
pub const MAX_RULES: usize = u16::MAX as usize;
/// Rows of one table: 64 MiB.
pub const MAX_ROWS: usize = 1 << 24;
/// Rows of one page.
pub const MAX_PAGE_ROWS: u32 = u16::MAX as u32;
/// Halvings that find one of [`MAX_PAGE_ROWS`] rows, or none.
pub const SEARCH_STEPS: u32 = 16;

/// What a table has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Full {
    /// More text than [`MAX_PAGES`].
    #[error("more than {MAX_PAGES} pages of 64 KiB")]
    Pages,
    /// More rules than [`MAX_RULES`].
    #[error("more than {MAX_RULES} rules that differ")]
    Rules,
    /// More rows than asked for, or than [`MAX_ROWS`].
    #[error("more than {0} rows")]
    Rows(usize),
    /// Text in which every byte has a rule of its own.
    #[error("more than {MAX_PAGE_ROWS} rows in 64 KiB")]
    PageRows,
}

/// The rules of one executable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    cells: Box<[u64]>,
    header: Header,
}

/// What the first two cells say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Number of the first page: its first place / 64 KiB.
    pub first_page: u32,
    /// Pages of 64 KiB.
    pub page_count: u32,
    /// Rules that differ.
    pub rule_count: u32,
    /// Rows.
    pub row_count: u32,
}

impl Table {
    /// The table as BPF reads it, in the machine's own order of bytes.
    pub fn cells(&self) -> &[u64] {
        &self.cells
    }

    /// What the first two cells say.
    pub fn header(&self) -> Header {
        self.header
    }

    /// Memory of the cells, in bytes.
    pub fn bytes(&self) -> usize {
        size_of_val(self.cells())
    }

    /// To look things up in it.
    pub fn view(&self) -> View<'_> {
        View { cells: &self.cells, header: self.header }
    }

    /// The rule at a place.
    pub fn rule(&self, place: u64) -> Rule {
        self.view().rule(place)
    }

    /// Every row, in order: its place and its rule.
    pub fn rows(&self) -> impl Iterator<Item = (u64, Rule)> {
        self.view().rows()
    }
}

/// The cells of a [`Table`], wherever they are kept.
#[derive(Clone, Copy, Debug)]
pub struct View<'cells> {
    cells: &'cells [u64],
    header: Header,
}

impl<'cells> View<'cells> {
    /// Of the cells of a table; `None` where they are less than the first two say.
    pub fn of(cells: &'cells [u64]) -> Option<Self> {
        let [pages, rows, ..] = *cells else { return None };
        let header = Header {
            first_page: pages as u32,
            page_count: (pages >> 32) as u32,
            rule_count: rows as u32,
            row_count: (rows >> 32) as u32,
        };
        let parts = [header.page_count, header.rule_count, header.row_count.div_ceil(2)];
        let all = parts.into_iter().map(|cells| cells as usize).sum::<usize>();
        (cells.len() == HEADER_CELLS + all).then_some(Self { cells, header })
    }

    /// The rule at a place. This is step by step what BPF does.
    pub fn rule(&self, place: u64) -> Rule {
        self.row_before(place)
            .and_then(|row| Rule::unpack(self.cell(self.rule_cell(row.rule))))
            .unwrap_or(Rule::Gap)
    }

    /// Every row, in order: its place and its rule.
    pub fn rows(self) -> impl Iterator<Item = (u64, Rule)> + 'cells {
        let pages = 0..self.header.page_count as usize;
        pages.flat_map(move |page| {
            let start = (u64::from(self.header.first_page) + page as u64) << PAGE_BITS;
            let (first, count) = self.page(page);
            (first..first + count).map(move |index| {
                let row = self.row(index);
                let rule = Rule::unpack(self.cell(self.rule_cell(row.rule)));
                (start + u64::from(row.low), rule.unwrap_or(Rule::Gap))
            })
        })
    }

    fn row_before(&self, place: u64) -> Option<Row> {
        let page = (place >> PAGE_BITS).checked_sub(self.header.first_page.into())?;
        let page = usize::try_from(page).ok()?;
        if page >= self.header.page_count as usize {
            return None;
        }
        let low = place as u16;
        let (first, mut count) = self.page(page);
        // Rows below `after` are not above the place; `count` of those from there on may be.
        let mut after = first;
        for _ in 0..SEARCH_STEPS {
            if count == 0 {
                break;
            }
            let half = count / 2;
            if self.row(after + half).low <= low {
                after += half + 1;
                count -= half + 1;
            } else {
                count = half;
            }
        }
        after.checked_sub(1).map(|index| self.row(index))
    }

    fn page(&self, page: usize) -> (u32, u32) {
        let cell = self.cell(HEADER_CELLS + page);
        (cell as u32, (cell >> 32) as u32)
    }

    fn rule_cell(&self, rule: u16) -> usize {
        HEADER_CELLS + self.header.page_count as usize + usize::from(rule)
    }

    fn row(&self, index: u32) -> Row {
        let rows = HEADER_CELLS + self.header.page_count as usize + self.header.rule_count as usize;
        let pair = self.cell(rows + index as usize / 2);
        Row::unpack((pair >> (index % 2 * 32)) as u32)
    }

    fn cell(&self, index: usize) -> u64 {
        self.cells.get(index).copied().unwrap_or_default()
    }
}

#[derive(Clone, Copy)]
struct Row {
    low: u16,
    rule: u16,
}

impl Row {
    fn pack(self) -> u32 {
        u32::from(self.low) | u32::from(self.rule) << 16
    }

    fn unpack(row: u32) -> Self {
        Self { low: row as u16, rule: (row >> 16) as u16 }
    }
}

/// Makes a table of rules that come in the order of their places.
#[derive(Debug)]
pub struct Assembler {
    max_rows: usize,
    first_page: u64,
    /// The first row of each page so far.
    pages: Vec<u32>,
    rules: Vec<u64>,
    numbers: HashMap<u64, u16>,
    /// Of some rules their numbers: most rows have one of few.
    recent: [(u64, u16); RECENT],
    rows: Vec<u32>,
    place: u64,
}

const RECENT: usize = 64;

impl Assembler {
    /// Of so many rows at most, and never more than [`MAX_ROWS`].
    pub fn new(max_rows: usize) -> Self {
        let gap = Rule::Gap.pack().unwrap_or_default();
        Self {
            max_rows: max_rows.min(MAX_ROWS),
            first_page: 0,
            pages: Vec::new(),
            rules: vec![gap],
            numbers: HashMap::from([(gap, 0)]),
            recent: [(gap, 0); RECENT],
            rows: Vec::new(),
            place: 0,
        }
    }

    /// From this place on, until the next, this rule counts. A place below the one before is taken for that
    /// one; what is said twice of a place, the last word counts. A rule that does not fit is unsupported.
    pub fn push(&mut self, place: u64, rule: Rule) -> Result<(), Full> {
        let cell = rule.pack().or(Rule::Unsupported.pack()).unwrap_or_default();
        let place = place.max(self.place);
        if place == self.place {
            self.take_back(place);
        }
        let number = self.number(cell)?;
        let last = self.rows.last().map_or(0, |&row| Row::unpack(row).rule);
        if number == last {
            return Ok(());
        }
        if self.rows.len() >= self.max_rows {
            return Err(Full::Rows(self.max_rows));
        }
        self.turn_to(place >> PAGE_BITS)?;
        self.place = place;
        self.rows.push(Row { low: place as u16, rule: number }.pack());
        Ok(())
    }

    /// All of it as a table.
    pub fn finish(self) -> Table {
        let row_count = self.rows.len() as u32;
        let header = Header {
            first_page: self.first_page as u32,
            page_count: self.pages.len() as u32,
            rule_count: self.rules.len() as u32,
            row_count,
        };
        let cells = self.pages.len() + self.rules.len() + self.rows.len().div_ceil(2);
        let mut all = Vec::with_capacity(HEADER_CELLS + cells);
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        // Two fields of `struct unwind_table` each: little-endian machines, like all of this.
        all.push(pair(header.first_page, header.page_count));
        all.push(pair(header.rule_count, header.row_count));
        let ends = self.pages.iter().skip(1).copied().chain([row_count]);
        all.extend(self.pages.iter().zip(ends).map(|(&first, end)| pair(first, end - first)));
        all.extend(&self.rules);
        let pairs = self.rows.chunks(2);
        all.extend(pairs.map(|rows| pair(rows[0], rows.get(1).copied().unwrap_or_default())));
        Table { cells: all.into_boxed_slice(), header }
    }

    /// Forgets a row that began right here.
    fn take_back(&mut self, place: u64) {
        let Some(&row) = self.rows.last() else { return };
        let current = self.first_page + self.pages.len() as u64 - 1;
        let begins = self.pages.last().is_some_and(|&first| (first as usize) < self.rows.len());
        if begins && current == place >> PAGE_BITS && Row::unpack(row).low == place as u16 {
            self.rows.pop();
        }
    }

    fn number(&mut self, cell: u64) -> Result<u16, Full> {
        // The golden ratio spreads cells that differ in few bits (Knuth, vol. 3, 6.4).
        let spread = cell.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58;
        let recent = spread as usize % RECENT;
        if let Some((known, number)) = self.recent.get(recent)
            && *known == cell
        {
            return Ok(*number);
        }
        let number = self.numbered(cell)?;
        self.recent[recent] = (cell, number);
        Ok(number)
    }

    fn numbered(&mut self, cell: u64) -> Result<u16, Full> {
        if let Some(&number) = self.numbers.get(&cell) {
            return Ok(number);
        }
        if self.rules.len() >= MAX_RULES {
            return Err(Full::Rules);
        }
        let number = self.rules.len() as u16;
        self.rules.push(cell);
        self.numbers.insert(cell, number);
        Ok(number)
    }

    /// Begins pages up to this one.
    fn turn_to(&mut self, page: u64) -> Result<(), Full> {
        if self.pages.is_empty() {
            self.first_page = u64::from(u32::try_from(page).map_err(|_| Full::Pages)?);
        }
        let index = page - self.first_page;
        if index >= MAX_PAGES as u64 {
            return Err(Full::Pages);
        }
        let row = self.rows.len() as u32;
        if self.pages.len() <= index as usize {
            self.pages.resize(index as usize + 1, row);
        }
        match self.pages.last() {
            Some(&first) if row - first >= MAX_PAGE_ROWS => Err(Full::PageRows),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
