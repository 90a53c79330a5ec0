//! The functions that changed most, for a terminal.

use std::io::{self, Write};

use super::{AFTER, BEFORE, COUNT_AFTER, COUNT_BEFORE, Change, Comparison};
use crate::text::push_visible;
use crate::tree::Row;
use crate::units;

/// A function before and after: in it alone, and with what it calls.
struct Function {
    label: u32,
    own: Change,
    total: Change,
}

/// Writes the functions whose own or total values changed more than by chance, at most so many of them, and
/// says how many were left out and why.
///
/// # Errors
/// When it cannot be written.
pub fn write(comparison: &Comparison, max_rows: usize, out: &mut dyn Write) -> io::Result<()> {
    let value = comparison.value();
    let show = |amount| units::show(amount, &value.name, &value.unit);
    let all = comparison.whole();
    writeln!(out, "before {}, after {}; {}", show(all.before), show(all.after), comparison.how())?;
    let functions = functions(comparison);
    let (mut changed, chance): (Vec<_>, Vec<_>) =
        functions.into_iter().partition(|it| it.own.counts || it.total.counts);
    let absolute = comparison.options.absolute;
    let amount = |change: &Change| {
        let (before, after) = change.shares();
        if absolute { change.after as f64 - change.before as f64 } else { after - before }
    };
    changed.sort_by(|one, other| {
        let by_own = amount(&other.own).abs().total_cmp(&amount(&one.own).abs());
        by_own.then(amount(&other.total).abs().total_cmp(&amount(&one.total).abs()))
    });
    if !changed.is_empty() {
        writeln!(
            out,
            "{:>10} {:>10} {:>10} {:>10} {:>10} {:>10}  FUNCTION",
            "SELF", "", "CHANGE", "TOTAL", "", "CHANGE"
        )?;
    }
    for function in changed.iter().take(max_rows) {
        for change in [&function.own, &function.total] {
            let (before, after) = change.shares();
            if absolute {
                let sign = if change.after < change.before { '-' } else { '+' };
                let difference = change.after.abs_diff(change.before);
                let short = |amount| units::show(amount, "", &value.unit).trim_end().to_owned();
                let difference = format!("{sign}{}", short(difference));
                write!(out, "{:>10} {:>10} ", short(change.before), short(change.after))?;
                write!(out, "{difference:>10} ")?;
            } else {
                let (before, after) = (before * 100.0, after * 100.0);
                write!(out, "{before:>9.2}% {after:>9.2}% {:>+10.2} ", after - before)?;
            }
        }
        let mut name = String::new();
        let labels = comparison.tree.labels();
        let label = labels.get(function.label as usize).map_or("", |label| label.name.as_str());
        push_visible(&mut name, label, 200);
        writeln!(out, " {name}")?;
    }
    let more = changed.len().saturating_sub(max_rows);
    if more > 0 {
        writeln!(out, "{more} more changed")?;
    }
    writeln!(out, "{} changed, {} did not, or not more than by chance", changed.len(), chance.len())
}

fn functions(comparison: &Comparison) -> Vec<Function> {
    let tree = &comparison.tree;
    let mut own = vec![[0_u64; 4]; tree.labels().len()];
    let mut total = own.clone();
    for column in [BEFORE, AFTER, COUNT_BEFORE, COUNT_AFTER] {
        for Row { label, own: alone, total: with } in tree.table(column) {
            let label = label as usize;
            for (side, amount) in [(&mut own, alone), (&mut total, with)] {
                if let Some(place) = side.get_mut(label).and_then(|row| row.get_mut(column)) {
                    *place = amount;
                }
            }
        }
    }
    let rows =
        (0..).zip(own.iter().zip(&total)).filter(|(_, (_, total))| total.iter().any(|it| *it > 0));
    rows.map(|(label, (own, total))| Function {
        label,
        own: comparison.change(own),
        total: comparison.change(total),
    })
    .collect()
}
