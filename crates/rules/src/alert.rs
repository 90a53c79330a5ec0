//! What a rule says when it fires, in Falco's words.

use chandra_event::text::escape;
use chandra_event::time::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::evaluate::{Facts, Scratch, TimeForm, Value, write_value};
use crate::output::json_value;
use crate::rules::Rule;

/// An alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert<'r> {
    /// Name of the rule.
    pub rule: &'r str,
    /// How urgent it is.
    pub priority: chandra_event::priority::Priority,
    /// When the event was.
    pub time: Timestamp,
    /// The rule's output, filled in; one line, harmless on a terminal.
    pub message: String,
    /// The fields of the output by their names, of Falco's types; null where a value is missing.
    pub output_fields: Map<String, Json>,
    /// The source of the event.
    pub source: &'r str,
    /// The rule's tags.
    pub tags: &'r [String],
}

impl Rule {
    /// The alert of an event that the rule fires of.
    pub fn alert(&self, facts: &dyn Facts, time: Timestamp, scratch: &mut Scratch) -> Alert<'_> {
        let mut message = String::new();
        self.output.write(facts, &mut scratch.buffers, &mut message);
        let mut output_fields = Map::new();
        for field in &self.output.fields {
            let value = field.operand.first(facts, &mut scratch.buffers.left, json_value);
            output_fields.insert(field.name.to_string(), value);
        }
        let unanswered = self.output.unanswered.iter();
        output_fields.extend(unanswered.map(|name| (name.to_string(), Json::Null)));
        Alert {
            rule: &self.name,
            priority: self.priority,
            time,
            message,
            output_fields,
            source: &self.source,
            tags: &self.tags,
        }
    }
}

impl Alert<'_> {
    /// As Falco writes it: `09:10:11.123456789: Warning A shell was started (…)`.
    pub fn line(&self) -> String {
        let mut time = Vec::new();
        write_value(Value::Time(self.time, TimeForm::OfDay), &mut time);
        format!("{}: {} {}", escape(&time), self.priority, self.message)
    }

    /// As Falco's JSON output has it, with its keys.
    pub fn json(&self, hostname: Option<&str>) -> Json {
        json!({
            "hostname": hostname,
            "output": self.line(),
            "output_fields": self.output_fields,
            "priority": self.priority.word(),
            "rule": self.rule,
            "source": self.source,
            "tags": self.tags,
            "time": self.time.to_string(),
        })
    }
}
