//! `chandra rules explain`

use std::collections::HashMap;
use std::path::Path;

use chandra_doctor::{Check, Problem};
use chandra_event::process::Namespaces;
use chandra_event::text::escape;
use chandra_rules::adapter::{Ancestor, Lineage, Names, Node, RecordFacts};
use chandra_rules::evaluate::{Facts, Scratch, Truth};
use chandra_rules::explain::{Explanation, Part};
use chandra_rules::rules::{Rule, Ruleset, State};
use serde_json::{Value, json};

use super::recorded::Recorded;
use super::{RulesFormat, RulesOptions, read};
use crate::agent::audit::Accounts;
use crate::record::container::{CONTAINER, Said};
use crate::record::heading::{ACCOUNTS, Heading, RECORDING, accounts_of};

/// A record, and what lines of a recording before it say of its node and its container.
struct Known {
    recorded: Recorded,
    node: Node,
    container: Option<Said>,
    accounts: Accounts,
}

impl Known {
    /// The first record of some lines; an error says why there is none.
    fn read(text: &str) -> Result<Self, String> {
        let (mut node, mut containers) = (Node::default(), HashMap::new());
        let mut accounts = Accounts::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let object: Value =
                serde_json::from_str(line).map_err(|error| format!("no JSON: {error}"))?;
            match object.get("type").and_then(Value::as_str) {
                Some(RECORDING) => {
                    node = Heading::of(&object).map_err(|why| why.to_string())?.node;
                }
                Some(CONTAINER) => containers.extend(Said::read(&object)),
                Some(ACCOUNTS) => {
                    if let Some((place, names)) = accounts_of(&object) {
                        accounts.learn(place, names);
                    }
                }
                _ => {
                    let recorded = Recorded::new(object)?;
                    let container = recorded.container().and_then(|id| containers.remove(id));
                    if let Some(name) = &recorded.node {
                        name.clone_into(&mut node.hostname);
                    }
                    return Ok(Self { recorded, node, container, accounts });
                }
            }
        }
        Err("there is no record in it".to_owned())
    }
}

/// Of the execution itself.
impl Lineage for Known {
    fn ancestor(&self, _: usize) -> Ancestor<'_> {
        Ancestor::Unknown
    }

    fn copy_of(&self) -> Option<&[u8]> {
        self.recorded.copy_of()
    }

    fn names(&self, namespaces: &Namespaces) -> Option<&Names> {
        self.accounts.of(namespaces)
    }
}

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
    let known = Known::read(&read(event)?).map_err(unusable)?;
    let (recorded, node) = (&known.recorded, &known.node);
    recorded.with(&mut |record, who| {
        let mut who = *who;
        if let Some(said) = &known.container {
            said.add_to(&mut who);
        }
        let facts = RecordFacts::new(record, 1, &who, &known, node);
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
