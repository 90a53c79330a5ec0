//! From the document of a Sigma rule to a rule among those of other files.
//!
//! What another product or category is about is left out with a warning for each log source, not for each rule:
//! people name whole trees of rules, most of which are for other systems.

use std::fmt::Write;
use std::sync::Arc;

use super::detection::{Detection, Item, Key, Search, Value};
use super::taxonomy::{CATEGORIES, Category, category};
use super::{Origin, output};
use crate::condition::{Span, Word};
use crate::definitions::{Rule, Sigma};
use crate::diagnostic::{Code, Severity, nearest};
use crate::items::called;
use crate::items::keys::{Keys, expected, missing, sequence};
use crate::reporter::Reporter;
use crate::source::Place;
use crate::text::{Style, Text};
use crate::yaml::{Content, Node};
use chandra_event::priority::Priority;

/// Keys of which a document of Sigma's has one, and a file of Falco's, which is a sequence, none.
const OF_SIGMA: [&str; 6] = ["title", "logsource", "detection", "correlation", "filter", "action"];
/// Sigma's levels, and what they are here.
pub(super) const LEVELS: [(&str, Priority); 5] = [
    ("informational", Priority::Informational),
    ("low", Priority::Notice),
    ("medium", Priority::Warning),
    ("high", Priority::Error),
    ("critical", Priority::Critical),
];
/// Of a rule that says none.
pub(super) const NO_LEVEL: Priority = Priority::Warning;
/// Rules of these states are off.
const OFF: [&str; 2] = ["deprecated", "unsupported"];

/// A document is one of Sigma's.
pub(crate) fn is_sigma(root: &Node) -> bool {
    let Content::Mapping(pairs) = &root.content else { return false };
    let mut keys = pairs.iter().filter_map(|(key, _)| key.scalar());
    keys.any(|key| OF_SIGMA.contains(&key.as_str()))
}

/// Reads documents, one after the other.
#[derive(Debug)]
pub(crate) struct Reading {
    /// What cannot be answered is left out, and no error.
    pub leaves_out: bool,
    /// Log sources that no event here is of: how many rules, and where the first is.
    skipped: Vec<(String, usize, Place)>,
}

impl Reading {
    pub fn new(leaves_out: bool) -> Self {
        Self { leaves_out, skipped: Vec::new() }
    }

    /// The rule of a document; nothing if it cannot be read, or is for another system.
    pub fn rule(&mut self, root: &Node, reporter: &mut Reporter<'_>) -> Option<Rule> {
        let Content::Mapping(pairs) = &root.content else { return None };
        let mut keys = Keys::new(pairs, reporter);
        let title = keys.text("title", reporter);
        reporter.within = title.as_ref().map(|title| called("rule", title));
        let rule = self.of_keys(root, title, &mut keys, reporter);
        reporter.within = None;
        rule
    }

    /// Tells of what was skipped.
    pub fn finish(self, reporter: &mut Reporter<'_>) {
        for (source, count, place) in self.skipped {
            let rules = if count == 1 { "1 rule".to_owned() } else { format!("{count} rules") };
            let message = format!("{rules} of {source} left out: no event is of that log source");
            let names = CATEGORIES.iter().map(|category| category.name);
            let names: Vec<_> = names.collect();
            let hint = format!("product linux has {}", names.join(", "));
            reporter.put(reporter.warning(Code::EventSource, &place, message).hint(hint));
        }
    }

    fn of_keys(
        &mut self,
        root: &Node,
        title: Option<Text>,
        keys: &mut Keys<'_>,
        reporter: &mut Reporter<'_>,
    ) -> Option<Rule> {
        for (key, what) in [
            ("correlation", "correlations of rules are"),
            ("filter", "filters of other rules are"),
            ("action", "collections (`action`) are"),
        ] {
            if let Some(node) = keys.take(key) {
                let message = format!("{what} not supported");
                let mut error = reporter.error(Code::Unsupported, &node.place, message);
                if self.leaves_out {
                    error.severity = Severity::Warning;
                }
                reporter.put(error);
                return None;
            }
        }
        let Some(title) = title.filter(|title| !title.as_str().trim().is_empty()) else {
            missing("the rule", "title", &root.place, reporter);
            return None;
        };
        let Some(source) = keys.take("logsource") else {
            missing("the rule", "logsource", &title.place(), reporter);
            return None;
        };
        let category = self.category(source, reporter)?;
        let Some(node) = keys.take("detection") else {
            missing("the rule", "detection", &title.place(), reporter);
            return None;
        };
        let detection = detection(node, category, reporter);
        let rule = rule(title, keys, detection?, reporter);
        Some(rule)
    }

    /// The category of a log source; nothing, which is noted, if it is for another system.
    fn category(&mut self, node: &Node, reporter: &mut Reporter<'_>) -> Option<&'static Category> {
        let Content::Mapping(pairs) = &node.content else {
            expected(node, "logsource", "a mapping", reporter);
            return None;
        };
        let mut keys = Keys::new(pairs, reporter);
        let parts = ["product", "category", "service"]
            .map(|key| keys.text(key, reporter).map(|text| text.as_str().to_owned()));
        let [product, name, service] = &parts;
        let is_here =
            product.as_deref().is_none_or(|product| product == "linux") && service.is_none();
        let found = name.as_deref().filter(|_| is_here).and_then(category);
        if found.is_none() {
            let named = ["product", "category", "service"].iter().zip(&parts);
            let named = named.filter_map(|(key, value)| Some(format!("{key} {}", value.as_ref()?)));
            let source = named.collect::<Vec<_>>().join(", ");
            match self.skipped.iter_mut().find(|(known, ..)| *known == source) {
                Some((_, count, _)) => *count += 1,
                None => self.skipped.push((source, 1, node.place.clone())),
            }
        }
        found
    }
}

fn rule(
    title: Text,
    keys: &mut Keys<'_>,
    detection: Detection,
    reporter: &mut Reporter<'_>,
) -> Rule {
    let owned = |text: Text| text.as_str().trim().to_owned();
    let texts = |all: Option<Vec<Text>>| all.unwrap_or_default().into_iter().map(owned).collect();
    let made = |text: String| Text::new(text, title.place(), Style::Plain);
    let tags = keys.texts("tags", reporter).unwrap_or_default();
    let level = keys.text("level", reporter);
    let origin = Origin {
        id: keys.text("id", reporter).map(owned),
        author: keys.text("author", reporter).map(owned),
        status: keys.text("status", reporter).map(owned),
        false_positives: texts(one_or_many("falsepositives", keys, reporter)),
        references: texts(one_or_many("references", keys, reporter)),
    };
    let mut description = keys.text("description", reporter).map(owned).unwrap_or_default();
    if !origin.false_positives.is_empty() {
        let _ = write!(description, "\nFalse positives: {}", origin.false_positives.join("; "));
    }
    let is_off = origin.status.as_deref().is_some_and(|status| OFF.contains(&status));
    let output = output::of(title.as_str().trim(), detection.category, &origin);
    Rule {
        name: Text::new(title.as_str().trim().to_owned(), title.place(), Style::Plain),
        condition: detection.conditions.first().cloned().unwrap_or_else(|| title.clone()),
        output: made(output),
        desc: made(description.trim().to_owned()),
        priority: priority(level.as_ref(), reporter),
        source: None,
        enabled: !is_off,
        tags: tags
            .iter()
            .map(|tag| Text::new(tag_of(tag.as_str()), tag.place(), Style::Plain))
            .collect(),
        exceptions: Vec::new(),
        warn_evttypes: true,
        skip_if_unknown_filter: false,
        changed: 0,
        sigma: Some(Arc::new(Sigma { origin, detection })),
    }
}

/// A list, or one text: old rules have both.
fn one_or_many(
    key: &'static str,
    keys: &mut Keys<'_>,
    reporter: &mut Reporter<'_>,
) -> Option<Vec<Text>> {
    let node = keys.take(key)?;
    match node.scalar() {
        Some(_) if node.is_null() => None,
        Some(text) => Some(vec![text.clone()]),
        None => {
            let nodes = sequence(node, key, reporter)?;
            Some(nodes.iter().filter_map(Node::scalar).cloned().collect())
        }
    }
}

fn priority(level: Option<&Text>, reporter: &mut Reporter<'_>) -> Priority {
    let Some(level) = level else { return NO_LEVEL };
    let known = LEVELS.iter().find(|(word, _)| level.as_str().eq_ignore_ascii_case(word));
    known.map_or_else(
        || {
            let message = format!("there is no level {:?}", level.as_str());
            let words = LEVELS.map(|(word, _)| word);
            let near = nearest(level.as_str(), words);
            let hint = near.map_or_else(
                || format!("one of {}", words.join(", ")),
                |word| format!("did you mean {word}?"),
            );
            reporter.put(reporter.error(Code::Priority, &level.place(), message).hint(hint));
            NO_LEVEL
        },
        |(_, priority)| *priority,
    )
}

/// MITRE ATT&CK's names as rules here have them: `attack.t1059.004` is `T1059.004`, and
/// `attack.privilege-escalation` is `mitre_privilege_escalation`. Others stay as they are.
fn tag_of(tag: &str) -> String {
    let Some(name) = tag.strip_prefix("attack.") else { return tag.to_owned() };
    let mut rest = name.chars();
    let is_number = matches!(rest.next(), Some('t' | 's' | 'g' | 'c' | 'T' | 'S' | 'G' | 'C'))
        && rest.next().is_some_and(|next| next.is_ascii_digit());
    match is_number {
        true => name.to_ascii_uppercase(),
        false => format!("mitre_{}", name.replace('-', "_")),
    }
}

fn detection(
    node: &Node,
    category: &'static Category,
    reporter: &mut Reporter<'_>,
) -> Option<Detection> {
    let Content::Mapping(pairs) = &node.content else {
        expected(node, "detection", "a mapping", reporter);
        return None;
    };
    // Tells of what stands there twice.
    let mut keys = Keys::new(pairs, reporter);
    let Some(condition) = keys.take("condition") else {
        missing("the detection", "condition", &node.place, reporter);
        return None;
    };
    let conditions = match (condition.scalar(), &condition.content) {
        (Some(text), _) => vec![text.clone()],
        (None, Content::Sequence(nodes)) if !nodes.is_empty() => {
            let texts = nodes.iter().map(|node| {
                node.scalar().cloned().or_else(|| {
                    expected(node, "a condition", "a scalar", reporter);
                    None
                })
            });
            texts.collect::<Option<_>>()?
        }
        _ => {
            expected(condition, "condition", "a scalar, or a sequence of them", reporter);
            return None;
        }
    };
    let mut searches = Vec::new();
    for (key, value) in pairs {
        // What is no scalar has been told of.
        let name = key.scalar()?;
        match name.as_str() {
            "condition" => {}
            "timeframe" => {
                let message = "timeframe is of aggregations, which are not supported";
                reporter.put(reporter.warning(Code::Unsupported, &key.place, message));
            }
            _ => searches.push((name.clone(), search(value, reporter)?)),
        }
    }
    Some(Detection { category, searches, conditions })
}

fn search(node: &Node, reporter: &mut Reporter<'_>) -> Option<Search> {
    match &node.content {
        Content::Scalar(text, _) => Some(words(vec![value(node, text)])),
        Content::Sequence(nodes) if !nodes.is_empty() => {
            let scalars = nodes.iter().filter_map(|node| Some(value(node, node.scalar()?)));
            let scalars: Vec<_> = scalars.collect();
            if scalars.len() == nodes.len() {
                return Some(words(scalars));
            }
            let parts = nodes.iter().map(|node| search(node, reporter));
            parts.collect::<Option<_>>().map(Search::Any)
        }
        Content::Mapping(pairs) if !pairs.is_empty() => {
            // Tells of what stands there twice.
            let _ = Keys::new(pairs, reporter);
            let items = pairs.iter().map(|(key, node)| item(key, node, reporter));
            items.collect::<Option<_>>().map(Search::All)
        }
        _ => {
            reporter.put(reporter.error(Code::Value, &node.place, "the search has nothing in it"));
            None
        }
    }
}

fn words(values: Vec<Value>) -> Search {
    Search::Item(Item { key: None, values })
}

fn value(node: &Node, text: &Text) -> Value {
    Value { text: text.clone(), is_null: node.is_null() }
}

fn item(key: &Node, node: &Node, reporter: &mut Reporter<'_>) -> Option<Search> {
    let text = key.scalar()?;
    let mut at = 0;
    let mut parts = text.as_str().split('|').map(|part| {
        let span = Span { start: at, end: at + part.len() };
        at = span.end + 1;
        Word { text: part.to_owned(), span }
    });
    let key = Key { text: text.clone(), field: parts.next()?, modifiers: parts.collect() };
    let values = match &node.content {
        Content::Scalar(text, _) => vec![value(node, text)],
        Content::Sequence(nodes) => {
            let mut values = Vec::new();
            for node in nodes {
                let Some(text) = node.scalar() else {
                    expected(node, "a value", "a scalar", reporter);
                    return None;
                };
                values.push(value(node, text));
            }
            values
        }
        Content::Mapping(_) => {
            expected(node, "a value", "a scalar, or a sequence of them", reporter);
            return None;
        }
    };
    if values.is_empty() {
        reporter.put(reporter.error(Code::Value, &node.place, "the list of values is empty"));
        return None;
    }
    Some(Search::Item(Item { key: Some(key), values }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_attack_read_as_those_of_other_rules() {
        for (tag, expected) in [
            ("attack.t1059.004", "T1059.004"),
            ("attack.privilege-escalation", "mitre_privilege_escalation"),
            ("attack.command_and_control", "mitre_command_and_control"),
            ("attack.collection", "mitre_collection"),
            ("attack.s0002", "S0002"),
            ("cve.2021-44228", "cve.2021-44228"),
            ("attack.", "mitre_"),
        ] {
            assert_eq!(tag_of(tag), expected);
        }
    }
}
