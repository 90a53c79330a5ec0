//! docs/reference/sigma.md, rendered from the tables so that it cannot tell anything else.

use std::fmt::Write;

use super::modifier::{MODIFIERS, NOT_SUPPORTED};
use super::read::{LEVELS, NO_LEVEL};
use super::taxonomy::{CATEGORIES, FIELDS, Means, SigmaField};

const HEAD: &str = "\
# Rules of Sigma

<!-- Generated from crates/rules by `CHANDRA_BLESS=1 cargo test -p chandra-rules`; do not edit. -->

What rules of Sigma can ask here. [The guide](../guides/rules.md#rules-of-sigma) says how they are used. Whatever
is not listed is an error with its place when rules are loaded, or leaves the rule out (`--leave-out`).
";

/// The whole page.
pub fn render() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## Log sources\n\nProduct `linux`, or none.\n\n| category | events | as a condition |\n|---|---|---|\n");
    for category in &CATEGORIES {
        let _ = writeln!(
            page,
            "| `{}` | {} | `{}` |",
            category.name, category.summary, category.condition
        );
    }
    page.push_str("\n## Fields\n\nAll fields of [the engine](rules-fields.md) can be named, too: `k8s.ns.name: shop`, `container.id|exists: true`.\n\n| field | category | is | summary |\n|---|---|---|---|\n");
    FIELDS.iter().for_each(|field| push_field(field, &mut page));
    page.push_str("\n## Modifiers\n\nWithout one, upper and lower case of ASCII letters are the same, `*` stands for any bytes and `?` for one.\n\n| modifier | summary |\n|---|---|\n");
    for modifier in MODIFIERS {
        let _ = writeln!(page, "| `{}` | {} |", modifier.name, modifier.summary);
    }
    page.push_str("\nKnown, but not supported: ");
    let names: Vec<_> = NOT_SUPPORTED.iter().map(|(name, _)| format!("`{name}`")).collect();
    let _ = writeln!(page, "{}.", names.join(", "));
    page.push_str("\n## Levels\n\n| level | priority |\n|---|---|\n");
    for (level, priority) in LEVELS {
        let _ = writeln!(page, "| `{level}` | {priority} |");
    }
    let _ = writeln!(page, "| none | {NO_LEVEL} |");
    page
}

fn push_field(field: &SigmaField, page: &mut String) {
    let of = match field.of {
        [] => "all".to_owned(),
        some => some.join(", "),
    };
    let is = match field.means {
        Means::Field(name) => format!("`{name}`"),
        Means::WithoutSlash(name) => format!("`{name}`, no slash at its end"),
        Means::Opposite(name) => format!("not `{name}`"),
        Means::Nothing => "nothing".to_owned(),
    };
    let _ = writeln!(page, "| `{}` | {of} | {is} | {} |", field.name, field.summary);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn sigma_reference_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/sigma.md");
        let rendered = super::render();
        if std::env::var_os("CHANDRA_BLESS").is_some_and(|bless| bless == "1") {
            std::fs::write(&path, &rendered).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == rendered,
            "docs/reference/sigma.md is out of date; \
             `CHANDRA_BLESS=1 cargo test -p chandra-rules sigma_reference_is_current` rewrites it"
        );
    }
}
