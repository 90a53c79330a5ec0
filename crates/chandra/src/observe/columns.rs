//! A table as Hubble's command line aligns it: three blanks between columns, none behind the last.

use std::fmt;

/// Between two columns.
const GAP: usize = 3;

/// Rows of equally many cells, the first of which are headings.
#[derive(Debug, Default)]
pub struct Columns {
    rows: Vec<Vec<String>>,
}

impl Columns {
    /// A table with these headings.
    pub fn new(headings: impl IntoIterator<Item = String>) -> Self {
        Self { rows: vec![headings.into_iter().collect()] }
    }

    /// One more row.
    pub fn add(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &self.rows {
            let last = row.len().saturating_sub(1);
            for (place, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let width = if place == last { 0 } else { width + GAP };
                write!(f, "{cell:<width$}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let mut columns = Columns::new(["A".to_owned(), "LONG".to_owned(), "C".to_owned()]);
        columns.add(["äöü".to_owned(), "1".to_owned(), "x".to_owned()]);
        columns.add(["b".to_owned(), "12345".to_owned()]);
        assert_eq!(columns.to_string(), "A     LONG    C\näöü   1       x\nb     12345\n");
    }
}
