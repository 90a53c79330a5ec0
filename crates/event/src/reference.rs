//! docs/reference/events.md, rendered from the kinds so that it cannot tell anything else.

use std::fmt::Write;

use crate::record::{Field, Kind, Shown};
use crate::who::{BackendFields, EXECUTABLE, WhoFields};

const HEAD: &str = "\
# Events

<!-- Generated from crates/event by `CHANDRA_BLESS=1 cargo test -p chandra-event`; do not edit. -->

Every record is one JSON object on one line. It starts with `time` (RFC 3339 with nanoseconds, UTC),
`signal`, `type` and, from an agent, `node`. A field that is absent is not known.

- Text from outside (paths, arguments, names) is escaped, so that a line is valid JSON and harmless on
  a terminal. A byte that is not UTF-8 is written visibly, as the four characters `\\xff`.
- A number that may pass 2^53 is a string. So is an enum, as a lower-case word.
- *Shown* says where a field appears without being asked for, and its column's title there: `table` is
  every table, `wide` is `-o wide`, `JSON` is `-o json`, which has all fields but those of
  tables only.
";

const WHO: &str = "
## Who did it

These fields stand on every record, as far as they are known. Where columns are shown by `table`, they
are so only when containers are known by name.

";

const FIELDS: &str = "| field | type | unit | shown | summary |\n|---|---|---|---|---|\n";

/// The whole page.
pub fn render(kinds: &[&Kind]) -> String {
    let mut page = HEAD.to_owned();
    page.push_str(WHO);
    page.push_str(FIELDS);
    let of_any = [std::slice::from_ref(&EXECUTABLE), BackendFields::FIELDS, WhoFields::FIELDS];
    for field in of_any.into_iter().flatten() {
        push_row(field, &mut page);
    }
    for kind in kinds {
        let _ =
            write!(page, "\n## {}\n\n{}. Signal: `{}`.\n\n", kind.name, kind.summary, kind.signal);
        page.push_str(FIELDS);
        for field in kind.fields {
            push_row(field, &mut page);
        }
    }
    page
}

fn push_row(field: &Field, page: &mut String) {
    let _ = writeln!(
        page,
        "| `{}` | {} | {} | {} | {} |",
        field.path,
        field.value_type.in_json(),
        field.unit().map_or("", |unit| unit.word()),
        shown(field),
        field.summary,
    );
}

fn shown(field: &Field) -> String {
    match field.shown {
        Shown::Table => format!("table `{}`, JSON", field.column),
        Shown::Wide => format!("wide `{}`, JSON", field.column),
        Shown::Json => "JSON".to_owned(),
        Shown::TableOnly => format!("table `{}` only", field.column),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    #[test]
    fn events_reference_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/events.md");
        let rendered = super::render(&crate::KINDS);
        if std::env::var_os("CHANDRA_BLESS").is_some_and(|bless| bless == "1") {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &rendered).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == rendered,
            "docs/reference/events.md is out of date; \
             `CHANDRA_BLESS=1 cargo test -p chandra-event events_reference_is_current` rewrites it"
        );
    }
}
