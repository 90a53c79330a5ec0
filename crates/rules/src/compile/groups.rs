//! Predicates that ask one field for texts, put together.
//!
//! A thousand rules that each name another program are a thousand comparisons of `proc.name`, or one
//! look-up of it: the value leads to the predicates of the group that hold, and no other does. A thousand that
//! look for texts in a command line without regard to case are one pass over it.

mod patterns;

use std::collections::HashMap;

use super::Predicates;
use crate::evaluate::{AnyCase, FieldRef, Operand, Predicate, Quantifier, Test, TextTest};
use patterns::Patterns;

/// Predicates that are answered together: those numbered from `first` on.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub field: FieldRef,
    pub first: u32,
    pub count: u32,
    holding: Holding,
}

/// The predicates that hold of a value, counted from the first of their group.
#[derive(Debug, Clone)]
enum Holding {
    Of(HashMap<Box<[u8]>, Box<[u32]>>),
    With(Patterns),
}

impl Group {
    /// Calls `each` with every predicate that holds of a text.
    pub fn holding(&self, text: &[u8], mut each: impl FnMut(u32)) {
        match &self.holding {
            Holding::Of(texts) => texts.get(text).into_iter().flatten().copied().for_each(each),
            Holding::With(patterns) => patterns.find(text, &mut each),
        }
    }

    /// It answers what the value of its field is not a text of, but can be spelled.
    pub fn takes_spelled(&self) -> bool {
        matches!(self.holding, Holding::With(_))
    }
}

/// All groups, in the order of their predicates, which are the first of all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Groups(Vec<Group>);

/// A group of fewer is no gain.
const FEWEST: usize = 4;

/// How predicates of a group ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Exactly,
    InAnyCase,
}

impl Groups {
    /// Finds groups, and says in which order predicates have to be numbered.
    pub fn find(predicates: &Predicates) -> (Self, Vec<u32>) {
        let numbers = 0..u32::try_from(predicates.len()).unwrap_or(u32::MAX);
        let mut by_field: Vec<((&FieldRef, Asks), Vec<u32>)> = Vec::new();
        let mut others = Vec::new();
        for number in numbers {
            match predicates.get(number).and_then(asked_field) {
                None => others.push(number),
                Some(asked) => match by_field.iter_mut().find(|(known, _)| *known == asked) {
                    Some((_, numbers)) => numbers.push(number),
                    None => by_field.push((asked, vec![number])),
                },
            }
        }
        let (mut groups, mut order) = (Vec::new(), Vec::new());
        for ((field, asks), numbers) in by_field {
            let members = numbers.iter().filter_map(|number| predicates.get(*number));
            let holding = match asks {
                _ if numbers.len() < FEWEST => None,
                Asks::Exactly => Some(exactly(members)),
                Asks::InAnyCase => {
                    Patterns::new(members.filter_map(in_any_case)).map(Holding::With)
                }
            };
            let Some(holding) = holding else {
                others.extend(numbers);
                continue;
            };
            let first = u32::try_from(order.len()).unwrap_or(u32::MAX);
            let count = u32::try_from(numbers.len()).unwrap_or(0);
            groups.push(Group { field: field.clone(), first, count, holding });
            order.extend(numbers);
        }
        order.extend(others);
        (Self(groups), order)
    }

    /// The group of a predicate.
    pub fn of(&self, predicate: u32) -> Option<&Group> {
        let index = self.0.partition_point(|group| group.first <= predicate).checked_sub(1)?;
        self.0.get(index).filter(|group| predicate - group.first < group.count)
    }
}

/// The field of a predicate that asks for nothing but texts of one field's one value.
fn asked_field(predicate: &Predicate) -> Option<(&FieldRef, Asks)> {
    let Operand::Field(field) = &predicate.operand else { return None };
    let asks = match &predicate.test {
        Test::Text(TextTest::Equal(_) | TextTest::In(_)) => Asks::Exactly,
        // An empty text is found everywhere, and would be told of every byte.
        Test::Text(TextTest::AnyCase(any))
            if any.texts().iter().all(|(_, text)| !text.is_empty()) =>
        {
            Asks::InAnyCase
        }
        _ => return None,
    };
    let is_plain = !predicate.negated && predicate.quantifier == Quantifier::Any;
    is_plain.then_some((field, asks))
}

fn exactly<'p>(predicates: impl Iterator<Item = &'p Predicate>) -> Holding {
    let mut holding: HashMap<Box<[u8]>, Vec<u32>> = HashMap::new();
    for (place, predicate) in (0..).zip(predicates) {
        for text in texts(predicate) {
            holding.entry(text).or_default().push(place);
        }
    }
    Holding::Of(holding.into_iter().map(|(text, places)| (text, places.into())).collect())
}

fn texts(predicate: &Predicate) -> Vec<Box<[u8]>> {
    match &predicate.test {
        Test::Text(TextTest::Equal(text)) => vec![text.clone()],
        Test::Text(TextTest::In(texts)) => texts.iter().cloned().collect(),
        _ => Vec::new(),
    }
}

fn in_any_case(predicate: &Predicate) -> Option<&AnyCase> {
    match &predicate.test {
        Test::Text(TextTest::AnyCase(any)) => Some(any),
        _ => None,
    }
}
