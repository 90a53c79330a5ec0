//! The keys of a mapping, taken one by one; what is left is not known.

use crate::diagnostic::{Code, nearest};
use crate::reporter::Reporter;
use crate::source::Place;
use crate::text::Text;
use crate::yaml::{Content, Node};

pub(crate) struct Keys<'n> {
    pairs: Vec<(&'n Text, &'n Node)>,
    known: Vec<&'static str>,
}

impl<'n> Keys<'n> {
    /// The keys of a mapping, each of which may stand once.
    pub fn new(pairs: &'n [(Node, Node)], reporter: &mut Reporter<'_>) -> Self {
        let mut keys = Self { pairs: Vec::new(), known: Vec::new() };
        for (key, value) in pairs {
            let Some(text) = key.scalar() else {
                let message = format!("expected a key, found {}", key.kind());
                reporter.put(reporter.error(Code::Key, &key.place, message));
                continue;
            };
            match keys.pairs.iter().find(|(other, _)| *other == text) {
                None => keys.pairs.push((text, value)),
                Some((first, _)) => {
                    let message = format!("the key {} stands here twice", text.as_str());
                    let first = reporter.sources.spell(&first.place());
                    let error = reporter.error(Code::Duplicate, &key.place, message);
                    reporter.put(error.hint(format!("the first is at {first}")));
                }
            }
        }
        keys
    }

    pub fn has(&self, key: &str) -> bool {
        self.pairs.iter().any(|(known, _)| known.as_str() == key)
    }

    /// The node of a key, which is known from now on.
    pub fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.known.push(key);
        let index = self.pairs.iter().position(|(known, _)| known.as_str() == key)?;
        Some(self.pairs.remove(index).1)
    }

    /// The text of a key.
    pub fn text(&mut self, key: &'static str, reporter: &mut Reporter<'_>) -> Option<Text> {
        let node = self.take(key)?;
        text(node, key, reporter)
    }

    pub fn flag(&mut self, key: &'static str, reporter: &mut Reporter<'_>) -> Option<bool> {
        let text = self.text(key, reporter)?;
        let flag = flag(text.as_str());
        if flag.is_none() {
            let message = format!("{key} is true or false, not {:?}", text.as_str());
            reporter.put(reporter.error(Code::Value, &text.place(), message));
        }
        flag
    }

    pub fn number(&mut self, key: &'static str, reporter: &mut Reporter<'_>) -> Option<u64> {
        let text = self.text(key, reporter)?;
        let number = text.as_str().parse().ok();
        if number.is_none() {
            let message = format!("{key} is a whole number, not {:?}", text.as_str());
            reporter.put(reporter.error(Code::Value, &text.place(), message));
        }
        number
    }

    pub fn texts(&mut self, key: &'static str, reporter: &mut Reporter<'_>) -> Option<Vec<Text>> {
        let node = self.take(key)?;
        let Some(nodes) = sequence(node, key, reporter) else { return Some(Vec::new()) };
        Some(nodes.iter().filter_map(|node| text(node, key, reporter)).collect())
    }

    /// Tells of what nobody took.
    pub fn finish(self, reporter: &mut Reporter<'_>) {
        for (key, _) in self.pairs {
            let message = format!("there is no key {}", key.as_str());
            let hint = nearest(key.as_str(), self.known.iter().copied());
            let hint = hint.map(|known| format!("did you mean {known}?"));
            let warning = reporter.warning(Code::Key, &key.place(), message);
            reporter.put(warning.maybe_hint(hint));
        }
    }
}

/// The nodes of a sequence; none of nothing.
pub(crate) fn sequence<'n>(
    node: &'n Node,
    key: &str,
    reporter: &mut Reporter<'_>,
) -> Option<&'n [Node]> {
    match &node.content {
        Content::Sequence(nodes) => Some(nodes),
        _ if node.is_null() => Some(&[]),
        _ => {
            expected(node, key, "a sequence", reporter);
            None
        }
    }
}

pub(crate) fn text(node: &Node, key: &str, reporter: &mut Reporter<'_>) -> Option<Text> {
    let text = node.scalar().cloned();
    if text.is_none() {
        expected(node, key, "a scalar", reporter);
    }
    text
}

pub(crate) fn expected(node: &Node, key: &str, wanted: &str, reporter: &mut Reporter<'_>) {
    let message = format!("{key} is {wanted}, not {}", node.kind());
    reporter.put(reporter.error(Code::Value, &node.place, message));
}

/// Tells of a key without which nothing can be made of an item.
pub(crate) fn missing(what: &str, key: &str, place: &Place, reporter: &mut Reporter<'_>) {
    reporter.put(reporter.error(Code::Key, place, format!("{what} has no {key}")));
}

/// As YAML 1.1 has it, and with it Falco.
fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" => Some(true),
        "false" | "no" | "off" | "n" => Some(false),
        _ => None,
    }
}
