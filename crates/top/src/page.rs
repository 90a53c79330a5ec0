//! A table as a page of text, for a terminal that cannot be drawn on and for scripts.

use crate::table::{Row, Sort, Table};

/// The table with its heading, all columns that fit into the width, the rows in this order.
pub fn page(table: &Table, filter: &str, sort: Sort, width: usize) -> String {
    let columns = table.fitting(width);
    let widths = table.widths(&columns, width);
    let mut page = String::new();
    let title = |column: &usize| table.columns.get(*column).map_or("", |column| column.title);
    let titles = columns.iter().map(|column| title(column).to_owned()).collect::<Vec<_>>();
    push_line(table, &columns, &widths, &titles, &mut page);
    for row in table.chosen(filter, sort) {
        push_line(table, &columns, &widths, &texts(row, &columns), &mut page);
    }
    if let Some((row, count)) = &table.others {
        push_line(table, &columns, &widths, &others(table, row, *count, &columns), &mut page);
    }
    page
}

/// The values of a row in these columns, as people read them.
pub fn texts(row: &Row, columns: &[usize]) -> Vec<String> {
    columns
        .iter()
        .map(|column| row.get(*column).map_or_else(String::new, |it| it.shown()))
        .collect()
}

/// The row of what fell out; its first name says what it is.
pub fn others(table: &Table, row: &Row, count: u64, columns: &[usize]) -> Vec<String> {
    let mut texts = texts(row, columns);
    let first = columns.iter().position(|column| table.is_name(*column));
    for (at, (text, column)) in texts.iter_mut().zip(columns).enumerate() {
        if Some(at) == first {
            *text = format!("{count} others");
        } else if table.is_name(*column) || text == "-" {
            text.clear();
        }
    }
    texts
}

/// Cuts or fills a text to a width in characters: names to the left, figures to the right.
pub fn fit(text: &str, width: usize, is_name: bool) -> String {
    let length = text.chars().count();
    if length > width {
        let kept = text.chars().take(width.saturating_sub(1));
        return kept.chain((width > 0).then_some('…')).collect();
    }
    if is_name { format!("{text:<width$}") } else { format!("{text:>width$}") }
}

fn push_line(
    table: &Table,
    columns: &[usize],
    widths: &[usize],
    texts: &[String],
    page: &mut String,
) {
    let mut line = String::new();
    for ((text, column), width) in texts.iter().zip(columns).zip(widths) {
        if !line.is_empty() {
            line.push(' ');
        }
        line += &fit(text, *width, table.is_name(*column));
    }
    page.push_str(line.trim_end());
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use crate::views::View;
    use crate::views::flows::By;

    #[test]
    fn a_page_has_what_fits() {
        let mut interval = samples::interval(By::Pair);
        let table = interval.table(View::Flows);
        assert_eq!(
            page(&table, "", View::Flows.first_sort(), 80),
            "\
PROTO SOURCE         DESTINATION     PORT    SENT    RECV RETR   RTT  OPEN DROPS
tcp   curl           shop/web-1        80     80B  2.9MiB    2 350µs     1     3
udp   shop/web-1     10.0.0.53         53     44B    120B    1 350µs     0     0
tcp   curl           shop/web        5432      0B      0B    0     -     0     0
"
        );
    }
}
