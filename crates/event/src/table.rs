//! Records as a table: a header, then one line for each record as it comes.
//!
//! A table knows the kinds it will show, so that its columns are fixed before the first record:
//! the union of their fields, found by title. Every line has every column, `-` where a record has
//! nothing to say, so that awk can count them. With a terminal no line is wider than it: text from
//! outside is cut to its column, and the line to the terminal. A cell that needs more room
//! than its column has (an IPv6 address, say) pushes the next ones right only as far as it must.
//! Without a terminal nothing is cut.

use std::fmt::Write;

use crate::record::{Field, Kind, Record, Shown};
use crate::text;
use crate::value::{Type, Value};

/// How much a table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What people look at first, measured values scaled: `1.2ms`.
    Table,
    /// More columns, full times and exact values: `1234567ns`.
    Wide,
}

impl Mode {
    fn shows(self, field: &Field) -> bool {
        match field.shown {
            Shown::Table | Shown::TableOnly => true,
            Shown::Wide => self == Mode::Wide,
            Shown::Json => false,
        }
    }
}

#[derive(Debug)]
struct Column {
    title: &'static str,
    width: usize,
    align_right: bool,
    /// May be cut to its width on a terminal.
    free_text: bool,
    /// Takes what is left of the line, and so stays last.
    endless: bool,
}

/// A table of records of some kinds.
#[derive(Debug)]
pub struct Table {
    mode: Mode,
    terminal_width: Option<usize>,
    columns: Vec<Column>,
    /// How many columns come before the fields: the time and perhaps the type.
    leading: usize,
    /// The cells of the record being shown, one for each column; kept for their memory.
    cells: Vec<String>,
    line: String,
}

impl Table {
    /// A table for records of `kinds`, no wider than the terminal if there is one.
    ///
    /// `beside` are fields that records may have beside those of their kinds.
    pub fn new(
        kinds: &[&'static Kind],
        beside: &[Field],
        mode: Mode,
        terminal_width: Option<usize>,
    ) -> Table {
        let time_width = match mode {
            Mode::Table => "00:00:00.000".len(),
            Mode::Wide => "1970-01-01T00:00:00.000000000Z".len(),
        };
        let mut columns = vec![Column::of_ours("TIME", time_width)];
        if kinds.len() > 1 {
            let longest = kinds.iter().map(|kind| kind.name.len()).max();
            columns.push(Column::of_ours("TYPE", longest.unwrap_or(0)));
        }
        let leading = columns.len();
        for fields in kinds.iter().map(|kind| kind.fields).chain([beside]) {
            add_columns(fields, mode, leading, &mut columns);
        }
        let cells = vec![String::new(); columns.len()];
        Table { mode, terminal_width, columns, leading, cells, line: String::new() }
    }

    /// Appends the line of titles.
    pub fn write_header(&mut self, out: &mut Vec<u8>) {
        for (cell, column) in self.cells.iter_mut().zip(&self.columns) {
            cell.clear();
            cell.push_str(column.title);
        }
        self.write_cells(out);
    }

    /// Appends the line of a record.
    pub fn write_record(&mut self, record: &dyn Record, out: &mut Vec<u8>) {
        self.cells.iter_mut().for_each(String::clear);
        let time = record.time();
        if let Some(cell) = self.cells.first_mut() {
            let _ = match self.mode {
                Mode::Table => write!(cell, "{}", time.time_of_day()),
                Mode::Wide => write!(cell, "{time}"),
            };
        }
        if let Some(cell) = self.cells.get_mut(1).filter(|_| self.leading > 1) {
            cell.push_str(record.kind().name);
        }
        record.visit(&mut |field, value| self.fill(field, value));
        for cell in self.cells.iter_mut().filter(|cell| cell.is_empty()) {
            cell.push('-');
        }
        if self.terminal_width.is_some() {
            self.cut_free_text();
        }
        self.write_cells(out);
    }

    /// Fills the cell of a field, if the table shows it.
    fn fill(&mut self, field: &Field, value: Value<'_>) {
        if !self.mode.shows(field) {
            return;
        }
        let fields = self.columns.iter().zip(&mut self.cells).skip(self.leading);
        if let Some((_, cell)) = fields.into_iter().find(|(column, _)| column.title == field.column)
        {
            let exact = self.mode == Mode::Wide;
            text::push_value(value, field.unit(), exact, cell);
        }
    }

    /// Keeps text from outside from pushing the columns after it off the terminal.
    fn cut_free_text(&mut self) {
        let last = self.columns.len().saturating_sub(1);
        for (cell, column) in self.cells.iter_mut().zip(&self.columns).take(last) {
            if column.free_text {
                text::cut(cell, column.width);
            }
        }
    }

    /// Appends the cells as a line: each at its column if those before it left it room, else
    /// one space after them.
    fn write_cells(&mut self, out: &mut Vec<u8>) {
        self.line.clear();
        let (mut used, mut column_start) = (0, 0);
        for (cell, column) in self.cells.iter().zip(&self.columns) {
            let cell_width = text::width(cell);
            let indent = match column.align_right {
                true => column.width.saturating_sub(cell_width),
                false => 0,
            };
            let after_gap = if used == 0 { 0 } else { used + 1 };
            let start = after_gap.max(column_start + indent);
            self.line.extend(std::iter::repeat_n(' ', start - used));
            self.line.push_str(cell);
            used = start + cell_width;
            column_start += column.width + 1;
        }
        if let Some(width) = self.terminal_width {
            text::cut(&mut self.line, width);
        }
        out.extend_from_slice(self.line.as_bytes());
        out.push(b'\n');
    }
}

impl Column {
    fn of_ours(title: &'static str, width: usize) -> Column {
        Column { title, width, align_right: false, free_text: false, endless: false }
    }

    fn of_field(field: &Field) -> Column {
        Column {
            title: field.column,
            width: field.width.max(field.column.len()),
            align_right: field.value_type.is_numeric(),
            free_text: field.value_type.is_free_text(),
            endless: field.value_type == Type::Arguments,
        }
    }
}

/// Adds the columns that `fields` bring, each after the one that it follows in its own list.
///
/// Arguments stay last, whatever comes later: they take what is left of the line.
fn add_columns(fields: &[Field], mode: Mode, leading: usize, columns: &mut Vec<Column>) {
    let before_arguments = |columns: &[Column]| {
        columns.len() - usize::from(columns.last().is_some_and(|column| column.endless))
    };
    let mut next = before_arguments(columns);
    for field in fields.iter().filter(|field| mode.shows(field)) {
        let mut added = Column::of_field(field);
        let mut known = columns.iter_mut().enumerate().skip(leading);
        if let Some((position, column)) = known.find(|(_, column)| column.title == added.title) {
            column.width = column.width.max(added.width);
            next = position + 1;
            continue;
        }
        added.endless &= before_arguments(columns) == columns.len();
        next = if added.endless { columns.len() } else { next.min(before_arguments(columns)) };
        columns.insert(next, added);
        next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{EXEC, FORK};
    use crate::tcp::{TCP_ACCEPT, TCP_CONNECT};

    fn field(column: &'static str, width: usize) -> Field {
        Field {
            path: "path",
            column,
            width,
            shown: Shown::Table,
            value_type: Type::Number,
            summary: "A field",
        }
    }

    fn kind(fields: Vec<Field>) -> &'static Kind {
        Box::leak(Box::new(Kind {
            signal: "signal",
            name: "kind",
            summary: "A kind",
            fields: fields.leak(),
        }))
    }

    fn titles(kinds: &[&'static Kind]) -> Vec<&'static str> {
        let table = Table::new(kinds, &[], Mode::Table, None);
        table.columns.iter().map(|column| column.title).collect()
    }

    #[test]
    fn arguments_are_the_last_column_wherever_their_kind_stands() {
        let foreign = kind(vec![field("FILES", 5)]);
        for kinds in [[&EXEC, &FORK, &TCP_CONNECT, foreign], [foreign, &TCP_CONNECT, &FORK, &EXEC]]
        {
            assert_eq!(titles(&kinds).last(), Some(&"ARGS"));
        }
    }

    #[test]
    fn columns_keep_the_order_of_their_kinds_and_stand_once() {
        assert_eq!(
            titles(&[&TCP_CONNECT, &TCP_ACCEPT]),
            ["TIME", "TYPE", "PID", "COMM", "LOCAL", "PEER", "QUEUED"]
        );
        let first = kind(vec![field("A", 1), field("C", 1)]);
        let second = kind(vec![field("A", 9), field("B", 1), field("D", 1)]);
        let foreign = kind(vec![field("E", 1)]);
        let kinds = [first, second, foreign];
        assert_eq!(titles(&kinds), ["TIME", "TYPE", "A", "B", "D", "C", "E"]);
        let table = Table::new(&kinds, &[], Mode::Table, None);
        assert_eq!(table.columns[2].width, 9, "wide enough for every kind");
    }
}
