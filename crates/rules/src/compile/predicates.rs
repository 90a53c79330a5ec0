//! All predicates of all rules, each once.

use std::collections::HashMap;

use super::May;
use crate::catalogue::{EventField, EventType, EventTypes, FieldId, Values};
use crate::condition::Operator;
use crate::evaluate::{NumberTest, Operand, Predicate, Test, TextTest};

#[derive(Debug, Clone)]
struct Entry {
    predicate: Predicate,
    text: Box<str>,
    answered: EventTypes,
}

/// Predicates by number, and by their text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Predicates {
    all: Vec<Entry>,
    by_text: HashMap<Box<str>, u32>,
}

impl Predicates {
    pub fn of_text(&self, text: &str) -> Option<u32> {
        self.by_text.get(text).copied()
    }

    /// Takes in a predicate that is not there yet; `answered` are the events that its fields have
    /// values of.
    pub fn add(&mut self, text: String, mut predicate: Predicate, answered: EventTypes) -> u32 {
        if let Some(types) = event_types(&predicate) {
            predicate.test = Test::EventTypes(types);
            predicate.negated = false;
        }
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let text: Box<str> = text.into();
        self.by_text.insert(text.clone(), number);
        self.all.push(Entry { predicate, text, answered });
        number
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn get(&self, number: u32) -> Option<&Predicate> {
        Some(&self.all.get(number as usize)?.predicate)
    }

    /// As it is written.
    pub fn text(&self, number: u32) -> &str {
        self.all.get(number as usize).map_or("", |entry| &entry.text)
    }

    /// What it says of events of a type, if the type alone decides.
    pub fn of_type(&self, number: u32, event_type: EventType) -> Option<bool> {
        match &self.get(number)?.test {
            Test::EventTypes(types) => Some(types.contains(event_type)),
            _ => None,
        }
    }

    /// Of which events it may hold.
    pub fn may(&self, number: u32) -> May {
        let Some(entry) = self.all.get(number as usize) else { return May::EITHER };
        match &entry.predicate.test {
            Test::EventTypes(types) => May::exactly(*types),
            _ if is_never_true(&entry.predicate) => May::exactly(EventTypes::NONE),
            _ => May::only_true_of(entry.answered),
        }
    }

    /// As [`may`](Self::may), where only `evt.type` says anything.
    pub fn may_by_type(&self, number: u32) -> May {
        match self.get(number).map(|predicate| &predicate.test) {
            Some(Test::EventTypes(types)) => May::exactly(*types),
            Some(_) if self.get(number).is_some_and(is_never_true) => {
                May::exactly(EventTypes::NONE)
            }
            _ => May::EITHER,
        }
    }

    pub fn cost(&self, number: u32) -> u32 {
        let Some(predicate) = self.get(number) else { return 0 };
        let test = match &predicate.test {
            Test::EventTypes(_) => 1,
            Test::Exists | Test::Number(_) | Test::Bool(_) => 2,
            // Most of these are answered by the look-up of a group.
            Test::Text(TextTest::Equal(_) | TextTest::In(_)) => 2,
            Test::Text(TextTest::AnyCase(_)) => 3,
            Test::Text(TextTest::StartsWith(_) | TextTest::EndsWith(_)) | Test::Address(_) => 4,
            Test::Text(TextTest::Contains(_) | TextTest::Below(_) | TextTest::Glob(_)) => 15,
            Test::Compare(..) | Test::Text(_) | Test::Several(..) => 30,
        };
        let operand = match &predicate.operand {
            Operand::Field(field) if field.spec.values == Values::Any => 4,
            Operand::Field(field) if field.spec.values == Values::Either => 2,
            // What an image is called has to be taken apart.
            Operand::Field(field) if field.spec.name.starts_with("container.image.") => 4,
            Operand::Field(_) => 1,
            _ => 8,
        };
        test * operand
    }

    /// Their numbers anew: `order` holds each number once, and the first becomes 0.
    pub fn reorder(self, order: &[u32]) -> Self {
        let mut old: Vec<Option<Entry>> = self.all.into_iter().map(Some).collect();
        let all: Vec<Entry> =
            order.iter().filter_map(|number| old.get_mut(*number as usize)?.take()).collect();
        let by_text = HashMap::new();
        Self { all, by_text }
    }
}

/// The types that a comparison holds of, where it is the type alone that decides: of `evt.type`, and of
/// what is the same for all events.
fn event_types(predicate: &Predicate) -> Option<EventTypes> {
    let Operand::Field(field) = &predicate.operand else { return None };
    let value: fn(EventType) -> &'static str = match field.spec.id {
        FieldId::Event(EventField::EventType | EventField::SyscallType) => EventType::name,
        FieldId::Event(EventField::Direction) => |_| "<",
        FieldId::Event(EventField::Source) => |_| "syscall",
        _ => return None,
    };
    let Test::Text(test) = &predicate.test else { return None };
    let holds = |one: &EventType| test.holds(value(*one).as_bytes()) != predicate.negated;
    Some(EventType::ALL.iter().copied().filter(holds).collect())
}

/// `evt.num = 0`, as rules say what is never to be.
fn is_never_true(predicate: &Predicate) -> bool {
    let is_number =
        |field: &crate::evaluate::FieldRef| field.spec.id == FieldId::Event(EventField::Number);
    let is_zero = matches!(
        predicate.test,
        Test::Number(NumberTest::Compare(Operator::Equal, number)) if number <= 0
    );
    is_zero
        && !predicate.negated
        && matches!(&predicate.operand, Operand::Field(field) if is_number(field))
}
