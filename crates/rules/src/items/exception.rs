//! Exceptions of a rule: tuples of values for which it does not fire.

use super::keys::{Keys, expected, missing, sequence, text};
use crate::diagnostic::Code;
use crate::reporter::Reporter;
use crate::source::Place;
use crate::text::Text;
use crate::yaml::{Content, Node};

/// One exception.
#[derive(Debug, Clone)]
pub struct ExceptionItem {
    /// Its name, by which values are added to it.
    pub name: Text,
    /// The fields that are compared.
    pub fields: Option<OneOrMany>,
    /// How each of them is compared.
    pub comps: Option<OneOrMany>,
    /// What they are compared with.
    pub values: Vec<ValueItem>,
    /// Where it is written.
    pub place: Place,
}

impl PartialEq for ExceptionItem {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.fields, &self.comps, &self.values)
            == (&other.name, &other.fields, &other.comps, &other.values)
    }
}

impl Eq for ExceptionItem {}

/// A scalar, or a sequence of scalars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OneOrMany {
    /// A scalar.
    One(Text),
    /// A sequence.
    Many(Vec<Text>),
}

/// A value: a scalar, or a sequence of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueItem {
    /// A scalar.
    One(Text),
    /// A sequence.
    Many(Vec<ValueItem>),
}

/// The exceptions of a rule.
pub(super) fn read(node: &Node, reporter: &mut Reporter<'_>) -> Vec<ExceptionItem> {
    let nodes = sequence(node, "exceptions", reporter).unwrap_or_default();
    nodes.iter().filter_map(|node| exception(node, reporter)).collect()
}

fn exception(node: &Node, reporter: &mut Reporter<'_>) -> Option<ExceptionItem> {
    let Content::Mapping(pairs) = &node.content else {
        expected(node, "an exception", "a mapping", reporter);
        return None;
    };
    let mut keys = Keys::new(pairs, reporter);
    let name = keys.text("name", reporter);
    let fields = keys.take("fields").and_then(|node| one_or_many(node, "fields", reporter));
    let comps = keys.take("comps").and_then(|node| one_or_many(node, "comps", reporter));
    let values = keys.take("values");
    keys.finish(reporter);
    let Some(name) = name else {
        missing("an exception", "name", &node.place, reporter);
        return None;
    };
    let values = values.and_then(|node| sequence(node, "values", reporter)).unwrap_or_default();
    let values = values.iter().filter_map(|node| value(node, reporter)).collect();
    Some(ExceptionItem { name, fields, comps, values, place: node.place.clone() })
}

fn one_or_many(node: &Node, key: &str, reporter: &mut Reporter<'_>) -> Option<OneOrMany> {
    match &node.content {
        Content::Scalar(text, _) => Some(OneOrMany::One(text.clone())),
        Content::Sequence(nodes) => {
            let texts = nodes.iter().filter_map(|node| text(node, key, reporter));
            Some(OneOrMany::Many(texts.collect()))
        }
        Content::Mapping(_) => {
            expected(node, key, "a scalar or a sequence", reporter);
            None
        }
    }
}

fn value(node: &Node, reporter: &mut Reporter<'_>) -> Option<ValueItem> {
    match &node.content {
        Content::Scalar(text, _) => Some(ValueItem::One(text.clone())),
        Content::Sequence(nodes) => {
            Some(ValueItem::Many(nodes.iter().filter_map(|node| value(node, reporter)).collect()))
        }
        Content::Mapping(_) => {
            let message = "a value is a scalar or a sequence, not a mapping";
            reporter.put(reporter.error(Code::Value, &node.place, message));
            None
        }
    }
}
