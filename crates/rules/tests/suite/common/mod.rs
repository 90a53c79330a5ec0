//! Events made of names and values, and rules loaded from texts.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what it expects by stopping")]

use std::collections::HashMap;
use std::net::IpAddr;

use chandra_rules::catalogue::{self, EventType, FieldId};
use chandra_rules::diagnostic::Report;
use chandra_rules::evaluate::{Argument, Facts, Scratch, Value, Words};
use chandra_rules::load::Options;
use chandra_rules::rules::{Outcome, Ruleset};
use chandra_rules::source::{Source, Sources};

/// An owned value.
#[derive(Debug, Clone, PartialEq)]
pub enum Own {
    Unknown,
    Text(String),
    Cut(String, String),
    Words(Vec<&'static str>),
    Number(i64),
    Bool(bool),
    Address(IpAddr),
    Capabilities(u64),
    /// Several.
    Many(Vec<Own>),
}

impl From<&str> for Own {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Own {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Own {
    fn from(holds: bool) -> Self {
        Self::Bool(holds)
    }
}

pub fn address(text: &str) -> Own {
    Own::Address(text.parse().unwrap())
}

pub fn many<T: Into<Own> + Copy>(all: &[T]) -> Own {
    Own::Many(all.iter().map(|one| (*one).into()).collect())
}

/// An event: what is not listed is absent.
pub struct Fake {
    pub event_type: EventType,
    values: HashMap<FieldId, Vec<(Argument, Own)>>,
    words: HashMap<FieldId, Vec<u8>>,
}

impl Fake {
    pub fn new(event_type: EventType) -> Self {
        let fake = Self { event_type, values: HashMap::new(), words: HashMap::new() };
        fake.with("evt.num", 1).with("evt.dir", "<").with("evt.type", event_type.name())
    }

    pub fn exec() -> Self {
        Self::new(EventType::Execve)
    }

    /// With the value of a field, its argument in brackets.
    pub fn with(mut self, name: &str, value: impl Into<Own>) -> Self {
        let (name, argument) = match name.split_once('[') {
            None => (name, Argument::None),
            Some((name, rest)) => {
                let text = rest.trim_end_matches(']');
                let argument = text.parse().map(Argument::Ancestor);
                (name, argument.unwrap_or_else(|_| Argument::Name(text.into())))
            }
        };
        let id = catalogue::field(name).unwrap_or_else(|| panic!("{name}")).id;
        let value = value.into();
        if let Own::Words(words) = &value {
            let memory = words.iter().flat_map(|word| word.bytes().chain([0])).collect();
            self.words.insert(id, memory);
        }
        let values = self.values.entry(id).or_default();
        values.retain(|(known, _)| *known != argument);
        values.push((argument, value));
        self
    }

    fn own(&self, field: FieldId, argument: &Argument) -> Option<&Own> {
        let values = self.values.get(&field)?;
        values.iter().find(|(known, _)| known == argument).map(|(_, value)| value)
    }

    fn borrow<'a>(&'a self, field: FieldId, own: &'a Own) -> Value<'a> {
        match own {
            Own::Unknown => Value::Unknown,
            Own::Text(text) => Value::Text(text.as_bytes()),
            Own::Cut(head, tail) => Value::Cut { head: head.as_bytes(), tail: tail.as_bytes() },
            Own::Words(_) => {
                let head = self.words.get(&field).map(Vec::as_slice).unwrap_or_default();
                Value::Words(Words { first: None, head, tail: b"", is_cut: false })
            }
            Own::Number(number) => Value::Number(*number),
            Own::Bool(holds) => Value::Bool(*holds),
            Own::Address(address) => Value::Address(*address),
            Own::Capabilities(set) => Value::Capabilities(*set),
            Own::Many(all) => all.first().map_or(Value::Absent, |one| self.borrow(field, one)),
        }
    }
}

impl Facts for Fake {
    fn event_type(&self) -> EventType {
        self.event_type
    }

    fn value(&self, field: FieldId, argument: &Argument) -> Value<'_> {
        self.own(field, argument).map_or(Value::Absent, |own| self.borrow(field, own))
    }

    fn another(&self, field: FieldId, argument: &Argument, number: usize) -> Option<Value<'_>> {
        match self.own(field, argument)? {
            Own::Many(all) => all.get(number).map(|one| self.borrow(field, one)),
            _ => None,
        }
    }
}

pub fn load(files: &[&str], options: &Options) -> Result<(Ruleset, Report), Report> {
    let mut sources = Sources::default();
    for (index, text) in files.iter().enumerate() {
        sources.add(Source::new(format!("{index}.yaml"), *text));
    }
    Ruleset::load(&sources, options)
}

/// A file with one rule of this condition.
pub fn rule_of(condition: &str) -> String {
    let condition = condition.replace('\n', "\n    ");
    format!(
        "- rule: R\n  desc: d\n  output: o\n  priority: INFO\n  condition: |\n    {condition}\n"
    )
}

pub fn names_of(rules: &Ruleset, facts: &dyn Facts) -> Vec<(String, Outcome)> {
    let mut names = Vec::new();
    rules.evaluate(facts, &mut Scratch::default(), &mut |rule, outcome| {
        names.push((rule.name.clone(), outcome));
    });
    names
}

/// Whether a condition holds of an event.
#[track_caller]
pub fn holds(condition: &str, facts: &dyn Facts) -> bool {
    let loaded = load(&[&rule_of(condition)], &Options::default());
    let (rules, _) = loaded.unwrap_or_else(|report| panic!("{condition}\n{report}"));
    !names_of(&rules, facts).is_empty()
}

/// What becomes of a condition with three-valued logic.
#[track_caller]
pub fn strictly(condition: &str, facts: &dyn Facts) -> Option<Outcome> {
    let options = Options { strict_unknown: true, ..Options::default() };
    let loaded = load(&[&rule_of(condition)], &options);
    let (rules, _) = loaded.unwrap_or_else(|report| panic!("{condition}\n{report}"));
    names_of(&rules, facts).first().map(|(_, outcome)| *outcome)
}
