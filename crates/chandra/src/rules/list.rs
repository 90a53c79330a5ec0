//! `chandra rules list`

use chandra_event::text::escape;
use chandra_rules::catalogue::{EventType, EventTypes};
use chandra_rules::rules::{Rule, Ruleset, State};
use chandra_rules::sigma::Origin;
use serde_json::{Value, json};

use super::{RulesFormat, RulesOptions};

/// Each rule in a row, or all in one object.
pub(super) fn text(rules: &Ruleset, options: &RulesOptions) -> String {
    if options.format == RulesFormat::Json {
        let rules: Vec<Value> = rules.rules().iter().map(object).collect();
        return format!("{}\n", json!({ "rules": rules }));
    }
    let mut text = row("STATE", "PRIORITY", "EVENTS", "RULE");
    for rule in rules.rules() {
        let name = escape(rule.name.as_bytes());
        let (state, reasons) = state(rule);
        text.push_str(&row(state, rule.priority.word(), &events(rule), &name));
        for reason in reasons {
            text.push_str(&format!("{:11}{}\n", "", escape(reason.as_bytes())));
        }
    }
    text
}

fn row(state: &str, priority: &str, events: &str, rule: &str) -> String {
    format!("{state:<10} {priority:<14} {events:<24} {rule}\n")
}

fn state(rule: &Rule) -> (&'static str, &[String]) {
    match &rule.state {
        State::Active => ("on", &[]),
        State::Disabled => ("off", &[]),
        State::LeftOut(reasons) => ("left out", reasons),
    }
}

fn events(rule: &Rule) -> String {
    match rule.event_types {
        EventTypes::NONE => "-".to_owned(),
        EventTypes::CAPTURED => "all".to_owned(),
        some => some.names(),
    }
}

/// A rule, with all that is known of it.
pub(super) fn object(rule: &Rule) -> Value {
    let names = |types: EventTypes| types.iter().map(EventType::name).collect::<Vec<_>>();
    let (state, reasons) = state(rule);
    json!({
        "rule": rule.name,
        "description": rule.description,
        "priority": rule.priority.word(),
        "tags": rule.tags,
        "source": rule.source,
        "place": rule.place,
        "state": state,
        "reasons": reasons,
        "events": names(rule.event_types),
        "events_not_captured": if rule.names_events() { names(rule.not_captured) } else { Vec::new() },
        "fields": rule.fields,
        "sigma": rule.sigma.as_ref().map(sigma),
        "output_fields_not_answered": rule.unanswered_output().collect::<Vec<_>>(),
    })
}

/// What a rule of Sigma's says of itself.
fn sigma(origin: &Origin) -> Value {
    json!({
        "id": origin.id,
        "author": origin.author,
        "status": origin.status,
        "falsepositives": origin.false_positives,
        "references": origin.references,
    })
}
