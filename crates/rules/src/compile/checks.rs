//! Comparisons: looked up, checked, and made into predicates.

use super::lists::ListEntry;
use super::literals::{self, Unusable};
use super::operands::Typed;
use super::{Building, Compiler, Tree};
use crate::catalogue::{self, EventField, EventType, EventTypes, FieldId, Type, Values};
use crate::condition::{Check, Comparison, Modifier, Operator, Right};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::evaluate::{Operand, Predicate, Quantifier, Test};
use crate::source::Place;

/// What a comparison compares with.
pub(super) enum With {
    Nothing,
    Values(Vec<ListEntry>),
    Operand(Typed),
}

/// A comparison whose parts have been looked up.
pub(super) struct Comparing {
    /// As it is written, by which equal ones are found.
    pub text: String,
    pub left: Typed,
    pub operator: Operator,
    pub modifier: Option<Modifier>,
    /// Where the operator is written.
    pub place: Place,
    pub with: With,
}

impl Compiler<'_> {
    pub(super) fn check(&mut self, check: &Check, building: &mut Building<'_>) -> Tree {
        let text = check.to_string();
        let left = match self.lookup(building.text).operand(&check.left) {
            Ok(left) => left,
            Err(error) => {
                building.built.issues.push(*error);
                return Tree::Constant(false);
            }
        };
        self.note_fields(&left, self.place(building, check.left.span()), building);
        if let Some(known) = self.predicates.of_text(&text) {
            return Tree::Predicate(known);
        }
        let Comparison { operator, modifier, span } = check.comparison;
        let looked_up = match &check.right {
            Right::Nothing => Ok(With::Nothing),
            Right::Value(word) => {
                let entry =
                    ListEntry { text: word.text.clone(), place: self.place(building, word.span) };
                Ok(With::Values(vec![entry]))
            }
            Right::List(words, _) => Ok(With::Values(self.entries(words, building))),
            Right::ListName(name) => match self.list_of_name(name, building) {
                Some(entries) => Ok(With::Values(entries)),
                None => return Tree::Constant(false),
            },
            Right::Field(field) => {
                let typed = self.lookup(building.text).field(field);
                typed.map(|typed| (typed, field.span)).map_err(|error| *error).map(
                    |(typed, span)| {
                        self.note_fields(&typed, self.place(building, span), building);
                        With::Operand(typed)
                    },
                )
            }
            Right::Call(call) => {
                let call = crate::condition::Operand::Call(call.clone());
                let typed = self.lookup(building.text).operand(&call);
                typed.map_err(|error| *error).map(|typed| {
                    self.note_fields(&typed, self.place(building, call.span()), building);
                    With::Operand(typed)
                })
            }
        };
        let with = match looked_up {
            Ok(with) => with,
            Err(error) => {
                building.built.issues.push(error);
                return Tree::Constant(false);
            }
        };
        let place = self.place(building, span);
        let comparing = Comparing { text, left, operator, modifier, place, with };
        self.predicate(comparing, building)
    }

    /// Notes the fields of an operand, and those that no event answers.
    pub(super) fn note_fields(&self, typed: &Typed, place: Place, building: &mut Building<'_>) {
        for spec in &typed.fields {
            building.built.fields.push(spec.name);
            if spec.answered.is_empty() {
                let reason = catalogue::reason(spec.name).unwrap_or("no event has it");
                let message = format!("no event that is captured answers {}: {reason}", spec.name);
                let error = self.reporter.error(Code::UnansweredField, &place, message);
                let hint = "`skip-if-unknown-filter: true` leaves the rule out instead";
                building.built.issues.push(error.hint(hint));
            }
        }
    }

    pub(super) fn predicate(&mut self, comparing: Comparing, building: &mut Building<'_>) -> Tree {
        if let Some(known) = self.predicates.of_text(&comparing.text) {
            return Tree::Predicate(known);
        }
        match self.try_predicate(&comparing, building) {
            Ok((predicate, answered)) => {
                Tree::Predicate(self.predicates.add(comparing.text, predicate, answered))
            }
            Err(error) => {
                building.built.issues.push(*error);
                Tree::Constant(false)
            }
        }
    }

    fn try_predicate(
        &self,
        comparing: &Comparing,
        building: &mut Building<'_>,
    ) -> Result<(Predicate, EventTypes), Box<Diagnostic>> {
        let Comparing { left, operator, modifier, place, with, .. } = comparing;
        let operator = *operator;
        if let Err(others) = literals::allowed(operator, left.value_type) {
            let (word, field) = (operator.word(), named(left));
            let message = format!(
                "{word} does not compare {field}, which is of type {}",
                left.value_type.word()
            );
            let error = self.reporter.error(Code::Type, place, message);
            return Err(Box::new(error.hint(format!("one of {}", others.join(", ")))));
        }
        let mut answered = left.answered;
        let test = match with {
            With::Nothing => Test::Exists,
            With::Operand(right) => {
                self.check_operand(left, operator, right, place)?;
                answered = answered.intersection(right.answered);
                Test::Compare(positive(operator), right.operand.clone())
            }
            With::Values(entries) => {
                self.warn_of_values(left, operator, entries, building);
                let unusable = |Unusable { index, why }| {
                    let place = entries.get(index).map_or(place, |entry| &entry.place);
                    let message = format!("{why}, as {} needs", named(left));
                    Box::new(self.reporter.error(Code::Type, place, message))
                };
                match modifier {
                    None => literals::test(operator, left.value_type, entries).map_err(unusable)?,
                    Some(modifier) => {
                        let tests = entries.iter().enumerate().map(|(index, entry)| {
                            let one = std::slice::from_ref(entry);
                            literals::test(operator, left.value_type, one)
                                .map_err(|Unusable { why, .. }| unusable(Unusable { index, why }))
                        });
                        Test::Several(*modifier, tests.collect::<Result<_, _>>()?)
                    }
                }
            }
        };
        let negated = operator == Operator::NotEqual;
        let quantifier = quantifier(&left.operand, operator);
        Ok((Predicate { operand: left.operand.clone(), test, negated, quantifier }, answered))
    }

    fn check_operand(
        &self,
        left: &Typed,
        operator: Operator,
        right: &Typed,
        place: &Place,
    ) -> Result<(), Box<Diagnostic>> {
        let error = |message| Err(Box::new(self.reporter.error(Code::Type, place, message)));
        let is_pattern = matches!(
            operator,
            Operator::Glob
                | Operator::IGlob
                | Operator::Regex
                | Operator::BContains
                | Operator::BStartsWith
        );
        if is_pattern {
            return error(format!("{} does not compare with another field", operator.word()));
        }
        let same = |value_type: Type| match value_type {
            Type::Network => Type::Address,
            Type::Bytes => Type::Text,
            other => other,
        };
        if same(left.value_type) != same(right.value_type) {
            return error(format!(
                "{} is of type {}, and {} of type {}",
                named(left),
                left.value_type.word(),
                named(right),
                right.value_type.word()
            ));
        }
        Ok(())
    }

    /// Values that are probably not what was meant.
    fn warn_of_values(
        &self,
        left: &Typed,
        operator: Operator,
        entries: &[ListEntry],
        building: &mut Building<'_>,
    ) {
        let is_type = matches!(
            &left.operand,
            Operand::Field(field) if matches!(
                field.spec.id,
                FieldId::Event(EventField::EventType | EventField::SyscallType)
            )
        );
        let is_whole = matches!(
            operator,
            Operator::Equal | Operator::NotEqual | Operator::In | Operator::Intersects
        );
        let issues = &mut building.built.issues;
        for entry in entries.iter().filter(|_| is_whole) {
            let text = entry.text.as_str();
            if is_type && EventType::of_name(text).is_none() {
                let message = format!("no event is of type {text}");
                let hint = nearest(text, EventType::ALL.iter().map(|known| known.name()));
                let hint = hint.map(|known| format!("did you mean {known}?"));
                let warning = self.reporter.warning(Code::EventType, &entry.place, message);
                issues.push(warning.maybe_hint(hint));
            } else if catalogue::field(text).is_some() {
                let message = format!("this compares with the text {text:?}, not with the field");
                let warning = self.reporter.warning(Code::Suspicious, &entry.place, message);
                issues.push(warning.hint(format!("with the field: val({text})")));
            } else if !operator.takes_list() && self.definitions.lists.get(text).is_some() {
                let message = format!("this compares with the text {text:?}, not with the list");
                let warning = self.reporter.warning(Code::Suspicious, &entry.place, message);
                issues.push(warning.hint(format!("with the list: in ({text})")));
            }
        }
    }
}

fn positive(operator: Operator) -> Operator {
    if operator == Operator::NotEqual { Operator::Equal } else { operator }
}

/// What an operand is called in messages.
fn named(typed: &Typed) -> &'static str {
    match (&typed.operand, typed.fields.first()) {
        (Operand::Field(_), Some(spec)) => spec.name,
        _ => "this",
    }
}

fn quantifier(operand: &Operand, operator: Operator) -> Quantifier {
    match operand {
        Operand::Field(field) if field.spec.values == Values::Either => match operator {
            Operator::NotEqual => Quantifier::All,
            _ => Quantifier::Any,
        },
        Operand::Options { only: None, .. } if operator == Operator::In => Quantifier::All,
        _ => Quantifier::Any,
    }
}
