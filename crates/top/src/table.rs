//! A table of one interval: which columns there are, and rows of values.

use crate::value::Value;

/// A column.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    /// Where it is in JSON: `process.pid`. The last word has the unit.
    pub path: &'static str,
    /// Its heading; none where only JSON has it.
    pub title: &'static str,
    /// The least width that it is shown with.
    pub width: usize,
    /// Which columns are left out first where a screen is narrow: those of the largest rank.
    pub rank: u8,
    /// It has names, which stand to the left; wide ones take what room there is.
    pub is_name: bool,
}

impl Column {
    /// Figures, shown in tables.
    pub const fn new(path: &'static str, title: &'static str, width: usize, rank: u8) -> Self {
        Self { path, title, width, rank, is_name: false }
    }

    /// Names, shown in tables.
    pub const fn name(path: &'static str, title: &'static str, width: usize, rank: u8) -> Self {
        Self { is_name: true, ..Self::new(path, title, width, rank) }
    }

    /// In JSON alone.
    pub const fn json(path: &'static str) -> Self {
        Self::new(path, "", 0, u8::MAX)
    }

    /// People see it.
    pub fn is_shown(&self) -> bool {
        !self.title.is_empty()
    }
}

/// A row: a value for each column.
pub type Row = Vec<Value>;

/// A table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// The columns.
    pub columns: &'static [Column],
    /// The rows, those that matter most first.
    pub rows: Vec<Row>,
    /// What fell out of the table, and how many rows that were.
    pub others: Option<(Row, u64)>,
}

/// By which column rows are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// Its number among all columns.
    pub column: usize,
    /// Small before large.
    pub is_ascending: bool,
}

impl Table {
    /// The rows that have this text somewhere, in any case of letters, in this order.
    pub fn chosen(&self, filter: &str, sort: Sort) -> Vec<&Row> {
        let filter = filter.to_lowercase();
        let fits = |row: &&Row| {
            let mut texts = row.iter().filter_map(|value| match value {
                Value::Text(text) => Some(text.to_lowercase()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            });
            filter.is_empty() || texts.any(|text| text.contains(&filter))
        };
        let mut rows: Vec<_> = self.rows.iter().filter(fits).collect();
        let value = |row: &Row| row.get(sort.column).cloned().unwrap_or_default();
        // Stable: rows that are alike stay as they came, the larger before the smaller.
        rows.sort_by(|left, right| {
            let order = value(left).order(&value(right));
            if sort.is_ascending { order } else { order.reverse() }
        });
        rows
    }

    /// The columns that fit beside each other, by their numbers.
    pub fn fitting(&self, width: usize) -> Vec<usize> {
        let mut by_rank: Vec<_> =
            self.columns.iter().enumerate().filter(|(_, column)| column.is_shown()).collect();
        by_rank.sort_by_key(|(_, column)| column.rank);
        let (mut left, mut fitting) = (width + 1, Vec::new());
        for (number, column) in by_rank {
            match left.checked_sub(column.width + 1) {
                Some(rest) => {
                    left = rest;
                    fitting.push(number);
                }
                None => break,
            }
        }
        fitting.sort_unstable();
        fitting
    }

    /// How wide each of these columns is, so that together they fill the width: names share what is left.
    pub fn widths(&self, columns: &[usize], width: usize) -> Vec<usize> {
        let least = |number: &usize| self.columns.get(*number).map_or(0, |column| column.width);
        let is_wide = |number: &usize| self.is_name(*number) && least(number) >= WIDE;
        let taken: usize = columns.iter().map(|number| least(number) + 1).sum();
        let names = columns.iter().filter(|number| is_wide(number)).count();
        let left = (width + 1).saturating_sub(taken);
        let mut given = 0;
        let widths = columns.iter().map(|number| {
            let mut extra = 0;
            if is_wide(number) {
                extra = left / names + usize::from(given < left % names);
                given += 1;
            }
            least(number) + extra
        });
        widths.collect()
    }

    /// A column of names.
    pub fn is_name(&self, column: usize) -> bool {
        self.columns.get(column).is_some_and(|column| column.is_name)
    }
}

/// Columns of names of at least this width grow.
const WIDE: usize = 12;
