//! Rows in columns: each as wide as its widest cell, with three spaces between, the last ragged.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

const GAP: usize = 3;

/// So many rows are held back; then the columns of the next ones are laid out anew.
const MOST_ROWS: usize = 1 << 16;

/// Rows that are not written yet.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// One more row; what is too much to hold back is written.
    pub fn add(&mut self, row: Vec<String>, out: &mut impl Write) -> io::Result<()> {
        self.rows.push(row);
        if self.rows.len() < MOST_ROWS { Ok(()) } else { self.write(out) }
    }

    /// Writes the rows that there are.
    pub fn write(&mut self, out: &mut impl Write) -> io::Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.width()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in self.rows.drain(..) {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                let room = width + GAP - cell.width().min(*width);
                line.extend(std::iter::repeat_n(' ', room));
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
