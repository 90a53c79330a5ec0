//! `chandra rules explain`

use std::path::Path;

use chandra_doctor::{Check, Problem};
use chandra_event::text::escape;
use chandra_rules::adapter::{Node, RecordFacts};
use chandra_rules::evaluate::{Facts, Scratch, Truth};
use chandra_rules::explain::{Explanation, Part};
use chandra_rules::rules::{Rule, Ruleset, State};
use serde_json::{Value, json};

use super::recorded::Recorded;
use super::{RulesFormat, RulesOptions, read};

/// What each rule says of an event, and why.
pub(super) fn text(
    rules: &Ruleset,
    event: &Path,
    only: Option<&str>,
    options: &RulesOptions,
) -> Result<String, Problem> {
    let unusable = |why: String| {
        Problem::new(
            Check::RULES,
            format!("cannot explain {}", event.display()),
            why,
            "chandra trace exec -o json | head -1 > event.json",
        )
    };
    let line = read(event)?;
    let line = line.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let recorded = Recorded::parse(line).map_err(unusable)?;
    let node = Node { hostname: recorded.node.clone().unwrap_or_default(), ..Node::default() };
    recorded.with(&mut |record, who| {
        let facts = RecordFacts::new(record, 1, who, &recorded, &node);
        let facts =
            facts.ok_or_else(|| unusable("no rule is about records of its type".to_owned()))?;
        let chosen: Vec<&Rule> = (rules.rules().iter())
            .filter(|rule| only.is_none_or(|name| rule.name == name))
            .collect();
        if chosen.is_empty() {
            return Err(unusable(format!("there is no rule {:?}", only.unwrap_or_default())));
        }
        let mut scratch = Scratch::default();
        let all = chosen.iter().map(|rule| {
            let explanation = rules.explain(rule, &facts, &mut scratch);
            let fires = explanation.truth == Truth::True && rule.state == State::Active;
            let message = fires.then(|| rule.alert(&facts, facts.time(), &mut scratch).line());
            (*rule, explanation, message)
        });
        Ok(match options.format {
            RulesFormat::Json => {
                let all: Vec<Value> = all
                    .map(|(rule, explanation, message)| {
                        json!({
                            "rule": rule.name,
                            "fires": message.is_some(),
                            "alert": message,
                            "condition": object(&explanation),
                        })
                    })
                    .collect();
                let object = json!({ "event": facts.event_type().name(), "rules": all });
                format!("{object}\n")
            }
            RulesFormat::Text => all
                .map(|(rule, explanation, message)| {
                    rule_text(rule, &explanation, message.as_deref())
                })
                .collect(),
        })
    })
}

fn rule_text(rule: &Rule, explanation: &Explanation, message: Option<&str>) -> String {
    let verdict = match (&rule.state, explanation.truth) {
        (State::Active, Truth::True) => "fires",
        (State::Active, _) => "does not fire",
        (State::Disabled, _) => "is off",
        (State::LeftOut(_), _) => "is left out",
    };
    let mut text = format!("{} {verdict}\n", escape(rule.name.as_bytes()));
    text.push_str(&explanation.deciding().to_string());
    if let Some(message) = message {
        text.push_str(&format!("  alert: {message}\n"));
    }
    text
}

/// The whole of a condition, with what each part says.
fn object(explanation: &Explanation) -> Value {
    let all = |parts: &[Explanation]| parts.iter().map(object).collect::<Vec<_>>();
    let truth = explanation.truth.word();
    match &explanation.part {
        Part::And(parts) => json!({ "says": truth, "and": all(parts) }),
        Part::Or(parts) => json!({ "says": truth, "or": all(parts) }),
        Part::Not(part) => json!({ "says": truth, "not": object(part) }),
        Part::Macro(name, part) => {
            json!({ "says": truth, "macro": name, "condition": object(part) })
        }
        Part::Comparison(text, value) => {
            json!({ "says": truth, "comparison": text, "value": value })
        }
        Part::Constant => json!({ "says": truth }),
    }
}
