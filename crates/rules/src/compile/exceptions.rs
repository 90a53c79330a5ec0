//! Exceptions: `(condition) and not (f1 c1 v1 and f2 c2 v2) and not …`.

use super::checks::{Comparing, With};
use super::lists::{ListEntry, unquoted};
use super::operands::{Lookup, Typed};
use super::{Building, Compiler, Tree};
use crate::condition::{self, Modifier, Operator};
use crate::definitions::{Exception, Rule};
use crate::diagnostic::Code;
use crate::items::{OneOrMany, ValueItem};
use crate::source::Place;
use crate::text::Text;

/// A field of an exception, and how it is compared.
struct Comparison {
    typed: Typed,
    field: String,
    operator: Operator,
    modifier: Option<Modifier>,
    place: Place,
}

impl Compiler<'_> {
    pub(super) fn with_exceptions(
        &mut self,
        condition: Tree,
        rule: &Rule,
        building: &mut Building<'_>,
    ) -> Tree {
        let mut parts = vec![condition];
        for exception in &rule.exceptions {
            if let Some(comparisons) = self.comparisons(exception, building) {
                parts.extend(
                    self.exception(exception, &comparisons, building)
                        .into_iter()
                        .map(|excepted| Tree::Not(Box::new(excepted))),
                );
            }
        }
        match parts.len() {
            1 => parts.pop().unwrap_or(Tree::Constant(false)),
            _ => Tree::And(parts),
        }
    }

    fn problem(&self, place: &Place, message: impl Into<String>, building: &mut Building<'_>) {
        building.built.issues.push(self.reporter.error(Code::Exception, place, message));
    }

    /// Its fields and comparisons, as many of the one as of the other.
    fn comparisons(
        &self,
        exception: &Exception,
        building: &mut Building<'_>,
    ) -> Option<Vec<Comparison>> {
        let (fields, comps): (Vec<&Text>, Vec<Option<&Text>>) =
            match (exception.fields.as_ref()?, &exception.comps) {
                (OneOrMany::One(field), None) => (vec![field], vec![None]),
                (OneOrMany::One(field), Some(OneOrMany::One(comp))) => {
                    (vec![field], vec![Some(comp)])
                }
                (OneOrMany::Many(fields), None) => {
                    (fields.iter().collect(), vec![None; fields.len()])
                }
                (OneOrMany::Many(fields), Some(OneOrMany::Many(comps)))
                    if fields.len() == comps.len() =>
                {
                    (fields.iter().collect(), comps.iter().map(Some).collect())
                }
                _ => {
                    let message = "fields and comps are both one word, or both lists of one length";
                    self.problem(&exception.place, message, building);
                    return None;
                }
            };
        let is_scalar = matches!(exception.fields, Some(OneOrMany::One(_)));
        let pairs = fields.into_iter().zip(comps);
        pairs.map(|(field, comp)| self.comparison(field, comp, is_scalar, building)).collect()
    }

    fn comparison(
        &self,
        field: &Text,
        comp: Option<&Text>,
        is_scalar: bool,
        building: &mut Building<'_>,
    ) -> Option<Comparison> {
        let lookup = Lookup { reporter: self.reporter, text: field, offset: 0 };
        let text = field.as_str();
        let operand = match condition::parse_operand(text) {
            Ok((operand, length)) if length == text.len() => operand,
            _ => {
                self.problem(&field.place(), format!("{text:?} is no field"), building);
                return None;
            }
        };
        let typed = match lookup.operand(&operand) {
            Ok(typed) => typed,
            Err(error) => {
                building.built.issues.push(*error);
                return None;
            }
        };
        self.note_fields(&typed, field.place(), building);
        let place = comp.map_or_else(|| field.place(), Text::place);
        let default = if is_scalar { "in" } else { "=" };
        let written = comp.map_or(default, |comp| comp.as_str());
        let mut words = written.split_ascii_whitespace();
        let operator = words.next().map(|word| if word == "==" { "=" } else { word });
        let operator = operator.and_then(Operator::of_word);
        let modifier = words.next().map(Modifier::of_word);
        let known = match (operator, modifier) {
            (Some(operator), None) if operator != Operator::Exists => Some((operator, None)),
            (Some(operator), Some(Some(modifier))) if operator.takes_modifier() => {
                Some((operator, Some(modifier)))
            }
            _ => None,
        };
        let Some((operator, modifier)) = known.filter(|_| words.next().is_none()) else {
            self.problem(&place, format!("there is no comparison {written:?}"), building);
            return None;
        };
        if is_scalar && !operator.takes_list() && modifier.is_none() {
            let message =
                "one field is compared by in, pmatch, intersects, or with oneof, anyof or allof";
            self.problem(&place, message, building);
            return None;
        }
        Some(Comparison { typed, field: operand.to_string(), operator, modifier, place })
    }

    /// What is excepted.
    fn exception(
        &mut self,
        exception: &Exception,
        comparisons: &[Comparison],
        building: &mut Building<'_>,
    ) -> Vec<Tree> {
        if let ([comparison], Some(OneOrMany::One(_))) = (comparisons, &exception.fields) {
            if exception.values.is_empty() {
                return Vec::new();
            }
            let mut entries = Vec::new();
            for value in &exception.values {
                self.value_entries(value, building, &mut entries);
            }
            return vec![self.compared(comparison, entries, building)];
        }
        let mut excepted = Vec::new();
        for value in &exception.values {
            let ValueItem::Many(values) = value else {
                let place = place_of(value, &exception.place);
                self.problem(&place, "expected a list of values, one for each field", building);
                continue;
            };
            if values.len() != comparisons.len() {
                let (given, wanted) = (values.len(), comparisons.len());
                let message = format!("{given} values for {wanted} fields");
                let place = place_of(value, &exception.place);
                self.problem(&place, message, building);
                continue;
            }
            let mut parts = Vec::new();
            for (comparison, value) in comparisons.iter().zip(values) {
                let takes_list = comparison.operator.takes_list() || comparison.modifier.is_some();
                let mut entries = Vec::new();
                match value {
                    ValueItem::One(text) if !takes_list => {
                        entries.push(ListEntry { text: unquoted(text), place: text.place() });
                    }
                    ValueItem::Many(_) if !takes_list => {
                        let message =
                            format!("{} compares with one value", comparison.operator.word());
                        self.problem(&place_of(value, &exception.place), message, building);
                    }
                    value => self.value_entries(value, building, &mut entries),
                }
                parts.push(self.compared(comparison, entries, building));
            }
            excepted.push(Tree::And(parts));
        }
        excepted
    }

    /// The values of an item, with lists put in.
    fn value_entries(
        &mut self,
        value: &ValueItem,
        building: &mut Building<'_>,
        entries: &mut Vec<ListEntry>,
    ) {
        match value {
            ValueItem::Many(values) => {
                values.iter().for_each(|value| self.value_entries(value, building, entries));
            }
            ValueItem::One(text) => {
                // A list as conditions have it: "(a, b)".
                let inner = text.as_str().strip_prefix('(').and_then(|text| text.strip_suffix(')'));
                match inner {
                    None => self.entry(unquoted(text), text.place(), building, entries),
                    Some(inner) => {
                        for word in inner.split(',') {
                            let word = word.trim().trim_matches(['"', '\'']).to_owned();
                            self.entry(word, text.place(), building, entries);
                        }
                    }
                }
            }
        }
    }

    fn compared(
        &mut self,
        comparison: &Comparison,
        entries: Vec<ListEntry>,
        building: &mut Building<'_>,
    ) -> Tree {
        building.built.checks += 1;
        let Comparison { typed, field, operator, modifier, place } = comparison;
        // Spelled as a condition would, so that a like one is the same predicate.
        let span = condition::Span::default();
        let word = |entry: &ListEntry| condition::Word { text: entry.text.clone(), span };
        let takes_list = operator.takes_list() || modifier.is_some();
        let right = match entries.first() {
            Some(entry) if !takes_list => condition::Right::Value(word(entry)),
            _ => condition::Right::List(entries.iter().map(word).collect(), span),
        };
        let text = spelled(field, *operator, *modifier, right);
        let comparing = Comparing {
            text,
            left: typed.clone(),
            operator: *operator,
            modifier: *modifier,
            place: place.clone(),
            with: With::Values(entries),
        };
        self.predicate(comparing, building)
    }
}

fn spelled(
    field: &str,
    operator: Operator,
    modifier: Option<Modifier>,
    right: condition::Right,
) -> String {
    let span = condition::Span::default();
    let left = condition::Operand::Field(condition::Field {
        name: field.to_owned(),
        argument: None,
        span,
    });
    let comparison = condition::Comparison { operator, modifier, span };
    condition::Check { left, comparison, right, span }.to_string()
}

fn place_of<'v>(value: &'v ValueItem, otherwise: &'v Place) -> Place {
    match value {
        ValueItem::One(text) => text.place(),
        ValueItem::Many(values) => {
            values.first().map_or_else(|| otherwise.clone(), |value| place_of(value, otherwise))
        }
    }
}
