//! docs/reference/rules-fields.md, rendered from the lists so that it cannot tell anything else.

use std::fmt::Write;

use super::{EventType, EventTypes, FieldSpec, GROUPS, Takes, Values};

const HEAD: &str = "\
# Fields of rules

<!-- Generated from crates/rules by `CHANDRA_BLESS=1 cargo test -p chandra-rules`; do not edit. -->

What conditions and outputs of rules can name. *Answered of* says of which events a field has a value; a
field that no captured event answers makes a rule that uses it an error when rules are loaded
(`skip-if-unknown-filter: true` leaves such a rule out instead); why is said at the end. *System calls* there are all types that
`system_call` tells of.

- A rule about `sendto` is told by the call, or, where it asks what no call says, by the first datagram
  (`udp_open`).
- `[n]` takes the number of an ancestor, 1 being the parent and 0 the process itself. Without a number,
  which conditions allow, a comparison holds if it holds of one ancestor.
- `[name]` takes a name, `[place]` a number from 0.
- `[mount]` takes the number of a mount, from 0, or a path, which may be a pattern of a shell: the first that
  matches is meant. It is the path on the host, but for `container.mount.source` that in the container.
- *either*: the field has several values that say one thing; it equals something if one of them does, and
  differs from it (`!=`) if all of them do.
";

/// The whole page.
pub fn render() -> String {
    let mut page = HEAD.to_owned();
    page.push_str(
        "\n## Types of events\n\n| `evt.type` | told by | not told apart |\n|---|---|---|\n",
    );
    for event_type in EventTypes::CAPTURED.iter() {
        let also = event_type.also().replace(", ", "`, `");
        let also = if also.is_empty() { also } else { format!("`{also}`") };
        let record = event_type.record().unwrap_or_default();
        let _ = writeln!(page, "| `{}` | `{record}` | {also} |", event_type.name());
    }
    let others = EventTypes::CAPTURED.complement().iter();
    let others = others.filter(|one| one.told_as().is_none());
    let others: Vec<String> = others.map(quoted).collect();
    let _ = writeln!(page, "\nKnown, but not captured yet: {}.", others.join(", "));
    for (title, specs) in GROUPS {
        let _ = write!(
            page,
            "\n## {title}\n\n| field | type | answered of | summary |\n|---|---|---|---|\n"
        );
        for spec in specs {
            push_row(spec, &mut page);
        }
    }
    page.push_str("\n## Why some are not answered\n\n");
    for spec in super::all() {
        if let Some(reason) = super::reason(spec.name) {
            let _ = writeln!(page, "- `{}`: {reason}.", spec.name);
        }
    }
    page
}

fn quoted(event_type: EventType) -> String {
    format!("`{}`", event_type.name())
}

fn push_row(spec: &FieldSpec, page: &mut String) {
    let argument = match spec.takes {
        Takes::Nothing => "",
        Takes::Ancestor => "[n]",
        Takes::Name | Takes::MaybeName => "[name]",
        Takes::Mount => "[mount]",
        Takes::AncestorOrName => "[n or name]",
        Takes::Place => "[place]",
    };
    let either = if spec.values == Values::Either { ", either" } else { "" };
    let answered = match spec.answered {
        EventTypes::NONE => "nothing yet".to_owned(),
        EventTypes::CAPTURED => "all".to_owned(),
        some if some.intersection(EventTypes::CALLS) == EventTypes::CALLS => {
            let others = some.intersection(EventTypes::CALLS.complement());
            format!("{}, system calls", others.names())
        }
        some => some.names(),
    };
    let (name, value_type) = (spec.name, spec.value_type.word());
    let _ = writeln!(
        page,
        "| `{name}{argument}` | {value_type}{either} | {answered} | {} |",
        spec.summary
    );
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn rules_fields_reference_is_current() {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/rules-fields.md");
        let rendered = super::render();
        if std::env::var_os("CHANDRA_BLESS").is_some_and(|bless| bless == "1") {
            std::fs::write(&path, &rendered).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == rendered,
            "docs/reference/rules-fields.md is out of date; \
             `CHANDRA_BLESS=1 cargo test -p chandra-rules rules_fields_reference_is_current` rewrites it"
        );
    }
}
