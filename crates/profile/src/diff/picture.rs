//! The flame graph of a difference: red grew, blue shrank, grey is not significant.

use std::io::{self, Write};

use super::{AFTER, BEFORE, Change, Comparison};
use crate::layout::{self, Content};
use crate::svg::Picture;
use crate::{color, units};

/// Draws it.
///
/// # Errors
/// When it cannot be written.
pub fn write(
    comparison: &Comparison,
    title: &str,
    limits: layout::Limits,
    out: &mut dyn Write,
) -> io::Result<()> {
    let tree = &comparison.tree;
    let absolute = comparison.options.absolute;
    let weight = |node| {
        let change = comparison.change(tree.total(node));
        let (before, after) = change.shares();
        if absolute { change.before as f64 + change.after as f64 } else { before + after }
    };
    let boxes = layout::place(tree, weight, limits);
    let all = comparison.whole();
    let subtitle =
        format!("before {}, after {}", show(comparison, all.before), show(comparison, all.after));
    let mut picture = Picture::new(title, &subtitle, &boxes);
    for placed in &boxes {
        match &placed.content {
            Content::Node(node) => {
                let change = comparison.change(tree.total(*node));
                let own = comparison.change(tree.own(*node));
                let facts =
                    [facts(comparison, &change), format!("self: {}", facts(comparison, &own))];
                let color = match change.counts {
                    true => color::of_change(change.relative(absolute)),
                    false => color::GREY,
                };
                picture.frame(placed, tree.label(*node), &facts, &color);
            }
            Content::Rest { children, values } => {
                let value = |index: usize| values.get(index).copied().unwrap_or(0);
                let facts = format!(
                    "before {}, after {}",
                    show(comparison, value(BEFORE)),
                    show(comparison, value(AFTER))
                );
                picture.rest(placed, *children, &facts);
            }
        }
    }
    picture.legend(&format!("red grew, blue shrank; {}", comparison.how()));
    out.write_all(picture.finish().as_bytes())
}

fn show(comparison: &Comparison, value: u64) -> String {
    units::show(value, &comparison.value.name, &comparison.value.unit)
}

/// `before 120 samples (12.00%), after 240 samples (24.00%): +12.00 points, z +6.1`
fn facts(comparison: &Comparison, change: &Change) -> String {
    let (share_before, share_after) = change.shares();
    let difference = if comparison.options.absolute {
        let sign = if change.after < change.before { "-" } else { "+" };
        format!("{sign}{}", show(comparison, change.after.abs_diff(change.before)))
    } else {
        format!("{:+.2} points", (share_after - share_before) * 100.0)
    };
    let significance = match (change.z, change.counts) {
        (Some(z), true) => format!(", z {z:+.1}"),
        (Some(z), false) => format!(", not significant (z {z:+.1})"),
        (None, _) => String::new(),
    };
    format!(
        "before {} ({:.2}%), after {} ({:.2}%): {difference}{significance}",
        show(comparison, change.before),
        share_before * 100.0,
        show(comparison, change.after),
        share_after * 100.0,
    )
}
