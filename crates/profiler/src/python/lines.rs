//! Line tables of CPython's code objects, in the three formats that 3.8 to 3.14 have.
//!
//! A table maps places in the code, in bytes from its first instruction, to lines, counted from the line that the
//! function begins at. It is read once, into rows that a place is searched in. What is read is the memory of a foreign
//! process: any bytes are a table, perhaps one without rows, and the rows are bounded.
//!
//! Sources: CPython's Objects/lnotab_notes.txt (to 3.9), Objects/lnotab_notes.txt of 3.10 (PEP 626), and
//! Objects/locations.md (from 3.11 on, PEP 657).

/// Bytes of a table that are read; one of a thousand lines has a few thousand.
pub const MAX_TABLE_BYTES: usize = 1 << 16;
/// Rows that are kept.
const MAX_ROWS: usize = 1 << 14;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// To 3.9: pairs of bytes, how far the place goes on, and then the line.
    Steps,
    /// 3.10: pairs of bytes, how many bytes are of a line, and how far that is from the line before.
    Ranges,
    /// From 3.11 on: entries of one byte and more, each of up to 8 instructions, with columns.
    Locations,
}

/// From where on which line counts; 0 for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    place: u32,
    line: u32,
}

/// A table that was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lines(Box<[Row]>);

impl Lines {
    /// Reads a table of a function that begins at a line.
    pub fn read(format: Format, table: &[u8], first_line: u32) -> Self {
        let table = table.get(..MAX_TABLE_BYTES).unwrap_or(table);
        let mut rows = Rows { all: Vec::new(), line: first_line.into(), place: 0 };
        match format {
            Format::Steps => rows.read_steps(table),
            Format::Ranges => rows.read_ranges(table),
            Format::Locations => rows.read_locations(table),
        }
        Self(rows.all.into())
    }

    /// The line of a place, in bytes from the first instruction; `None` where the table has none.
    pub fn find(&self, place: u32) -> Option<u32> {
        let next = self.0.partition_point(|row| row.place <= place);
        let row = self.0.get(next.checked_sub(1)?)?;
        (row.line != 0).then_some(row.line)
    }

    /// Memory that it takes.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.0)
    }
}

struct Rows {
    all: Vec<Row>,
    line: i64,
    place: u32,
}

impl Rows {
    /// What is from here on is of the line, if it is of one.
    fn push(&mut self, has_line: bool) {
        let line = if has_line { u32::try_from(self.line).unwrap_or(0) } else { 0 };
        let row = Row { place: self.place, line };
        let is_full = self.all.len() >= MAX_ROWS;
        match self.all.last_mut() {
            Some(last) if last.line == line => {}
            Some(last) if last.place == row.place => *last = row,
            _ if is_full => {}
            _ => self.all.push(row),
        }
    }

    fn read_steps(&mut self, table: &[u8]) {
        self.push(true);
        for [bytes, lines] in table.as_chunks().0 {
            self.place = self.place.saturating_add(u32::from(*bytes));
            self.line += i64::from(lines.cast_signed());
            self.push(true);
        }
    }

    fn read_ranges(&mut self, table: &[u8]) {
        for [bytes, lines] in table.as_chunks().0 {
            let lines = lines.cast_signed();
            let has_line = lines != i8::MIN;
            if has_line {
                self.line += i64::from(lines);
            }
            if *bytes > 0 {
                self.push(has_line);
            }
            self.place = self.place.saturating_add(u32::from(*bytes));
        }
        self.push(false);
    }

    fn read_locations(&mut self, table: &[u8]) {
        let mut rest = table.iter().copied();
        while let Some(first) = rest.next() {
            // An entry's first byte has its highest bit; what lies between is of none.
            if first & 0x80 == 0 {
                continue;
            }
            let instructions = u32::from(first & 7) + 1;
            let has_line = match first >> 3 & 15 {
                15 => false,
                14 => {
                    self.line = self.line.saturating_add(signed(&mut rest));
                    for _ in 0..3 {
                        number(&mut rest);
                    }
                    true
                }
                13 => {
                    self.line = self.line.saturating_add(signed(&mut rest));
                    true
                }
                kind @ 10..=12 => {
                    self.line += i64::from(kind) - 10;
                    rest.by_ref().take(2).for_each(drop);
                    true
                }
                _ => {
                    rest.next();
                    true
                }
            };
            self.push(has_line);
            self.place = self.place.saturating_add(instructions * 2);
        }
        self.push(false);
    }
}

/// Six bits a byte, the lowest first; the seventh says that there are more.
fn number(bytes: &mut impl Iterator<Item = u8>) -> u32 {
    let (mut number, mut shift) = (0_u32, 0_u32);
    for byte in bytes {
        number |= u32::from(byte & 0x3f).checked_shl(shift).unwrap_or(0);
        shift = shift.saturating_add(6);
        if byte & 0x40 == 0 {
            break;
        }
    }
    number
}

/// The lowest bit is its sign.
fn signed(bytes: &mut impl Iterator<Item = u8>) -> i64 {
    let number = number(bytes);
    let size = i64::from(number >> 1);
    if number & 1 == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(format: Format, table: &[u8], first: u32, places: &[u32]) -> Vec<Option<u32>> {
        let lines = Lines::read(format, table, first);
        places.iter().map(|place| lines.find(*place)).collect()
    }

    #[test]
    fn steps_go_on_forwards_and_back() {
        let table = [0, 1, 8, 2, 4, 0xff];
        let found = lines(Format::Steps, &table, 10, &[0, 7, 8, 11, 12, 500]);
        assert_eq!(found, [Some(11), Some(11), Some(13), Some(13), Some(12), Some(12)]);
    }

    #[test]
    fn ranges_may_have_no_line() {
        let table = [4, 1, 6, 0x80, 2, 1];
        let found = lines(Format::Ranges, &table, 10, &[0, 3, 4, 9, 10, 11, 12]);
        assert_eq!(found, [Some(11), Some(11), None, None, Some(12), Some(12), None]);
    }

    #[test]
    fn locations_of_all_kinds_are_read() {
        let short = [0x80 | 3 << 3 | 1, 0x25];
        let one_line = [0x80 | 12 << 3, 4, 9];
        let no_column = [0x80 | 13 << 3 | 7, 0b11];
        // 40 lines on, and an end line and columns of one and of two bytes.
        let long = [0x80 | 14 << 3, 0x40 | 0b01_0000, 1, 0, 0x40 | 5, 1, 7];
        let none = [0x80 | 15 << 3];
        let table = [&short[..], &one_line, &no_column, &long, &none].concat();
        let found = lines(Format::Locations, &table, 100, &[0, 2, 4, 6, 21, 22, 24, 26]);
        let expected =
            [Some(100), Some(100), Some(102), Some(101), Some(101), Some(141), None, None];
        assert_eq!(found, expected);
    }

    #[test]
    fn nothing_is_read_of_nothing_and_a_line_below_zero_is_none() {
        assert_eq!(lines(Format::Ranges, &[], 10, &[0]), [None]);
        assert_eq!(lines(Format::Locations, &[], 10, &[0]), [None]);
        assert_eq!(lines(Format::Steps, &[], 10, &[0]), [Some(10)]);
        assert_eq!(lines(Format::Ranges, &[2, 0x81], 10, &[0]), [None]);
    }
}
