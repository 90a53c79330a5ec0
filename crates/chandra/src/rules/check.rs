//! `chandra rules check`

use chandra_event::text::escape;
use chandra_rules::catalogue::EventType;
use chandra_rules::diagnostic::{Diagnostic, Report, Severity};
use chandra_rules::rules::{Ruleset, State};
use chandra_rules::source::{Source, Sources};
use serde_json::{Value, json};

use super::{RulesFormat, counted, list};

/// What is wrong, and how much of it.
pub(super) fn text(
    rules: Option<&Ruleset>,
    report: &Report,
    sources: &Sources,
    format: RulesFormat,
) -> String {
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    let files: Vec<&str> = sources.iter().map(|(_, source)| Source::name(source)).collect();
    if format == RulesFormat::Json {
        let object = json!({
            "files": files,
            "errors": errors,
            "warnings": warnings,
            "diagnostics": report.diagnostics.iter().map(diagnostic).collect::<Vec<_>>(),
            "rules": rules.map(|rules| rules.rules().iter().map(list::object).collect::<Vec<_>>()),
        });
        return format!("{object}\n");
    }
    let mut text = String::new();
    if !report.diagnostics.is_empty() {
        text = format!("{report}\n\n");
    }
    text.extend(rules.into_iter().flat_map(needs));
    let files = counted(files.len(), "file");
    let found = format!("{}, {}", counted(errors, "error"), counted(warnings, "warning"));
    let there = rules.map_or_else(
        || "the rules do not load".to_owned(),
        |rules| {
            let of = |wanted: fn(&State) -> bool| {
                rules.rules().iter().filter(|rule| wanted(&rule.state)).count()
            };
            let (off, out) = (
                of(|state| *state == State::Disabled),
                of(|state| matches!(state, State::LeftOut(_))),
            );
            let all = counted(rules.rules().len(), "rule");
            format!("{all}, {off} of them off and {out} left out")
        },
    );
    text.push_str(&format!("{files}: {there}; {found}\n"));
    text
}

/// Lines that say which events have to be watched for the rules that are on, and what cannot be answered.
fn needs(rules: &Ruleset) -> Vec<String> {
    let active = || rules.rules().iter().filter(|rule| rule.state == State::Active);
    let of_type = |event_type: EventType| {
        let count = active().filter(|rule| rule.event_types.contains(event_type)).count();
        (count > 0).then(|| format!("{} ({})", event_type.name(), counted(count, "rule")))
    };
    let events: Vec<_> = EventType::ALL.iter().copied().filter_map(of_type).collect();
    let mut lines = Vec::new();
    if !events.is_empty() {
        lines.push(format!("events: {}\n", events.join(", ")));
    }
    for rule in rules.rules() {
        let name = escape(rule.name.as_bytes());
        if let State::LeftOut(reasons) = &rule.state {
            let reasons = reasons.iter().map(|reason| escape(reason.as_bytes()));
            let reasons: Vec<_> = reasons.collect();
            lines.push(format!("left out: {name}: {}\n", reasons.join("; ")));
        }
        let fields: Vec<_> = rule.unanswered_output().collect();
        if !fields.is_empty() && rule.state == State::Active {
            let fields = escape(fields.join(", ").as_bytes());
            lines.push(format!("null in its output: {name}: {fields}\n"));
        }
    }
    lines
}

fn diagnostic(one: &Diagnostic) -> Value {
    json!({
        "severity": one.severity.word(),
        "code": one.code.word(),
        "message": one.message,
        "hint": one.hint,
        "within": one.within,
        "file": one.file,
        "line": one.position.line,
        "column": one.position.column,
        "width": one.width,
    })
}
