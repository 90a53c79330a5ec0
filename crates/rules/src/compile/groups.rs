//! Predicates that ask whether one field is one of some texts, put together.
//!
//! A thousand rules that each name another program are a thousand comparisons of `proc.name`, or one
//! look-up of it: the value leads to the predicates of the group that hold, and no other does.

use std::collections::HashMap;

use super::Predicates;
use crate::evaluate::{FieldRef, Operand, Predicate, Quantifier, Test, TextTest};

/// Predicates that are answered together: those numbered from `first` on.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub field: FieldRef,
    pub first: u32,
    pub count: u32,
    /// The predicates that hold of a value, counted from `first`.
    pub holding: HashMap<Box<[u8]>, Box<[u32]>>,
}

/// All groups, in the order of their predicates, which are the first of all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Groups(Vec<Group>);

/// A group of fewer is no gain.
const FEWEST: usize = 4;

impl Groups {
    /// Finds groups, and says in which order predicates have to be numbered.
    pub fn find(predicates: &Predicates) -> (Self, Vec<u32>) {
        let numbers = 0..u32::try_from(predicates.len()).unwrap_or(u32::MAX);
        let mut by_field: Vec<(FieldRef, Vec<u32>)> = Vec::new();
        let mut others = Vec::new();
        for number in numbers {
            match predicates.get(number).and_then(asked_field) {
                None => others.push(number),
                Some(field) => match by_field.iter_mut().find(|(known, _)| known == field) {
                    Some((_, numbers)) => numbers.push(number),
                    None => by_field.push((field.clone(), vec![number])),
                },
            }
        }
        let (mut groups, mut order) = (Vec::new(), Vec::new());
        for (field, numbers) in by_field {
            if numbers.len() < FEWEST {
                others.extend(numbers);
                continue;
            }
            let first = u32::try_from(order.len()).unwrap_or(u32::MAX);
            let count = u32::try_from(numbers.len()).unwrap_or(0);
            let mut holding: HashMap<Box<[u8]>, Vec<u32>> = HashMap::new();
            for (place, number) in (0..).zip(&numbers) {
                for text in predicates.get(*number).map(texts).unwrap_or_default() {
                    holding.entry(text).or_default().push(place);
                }
            }
            let holding = holding.into_iter().map(|(text, places)| (text, places.into())).collect();
            groups.push(Group { field, first, count, holding });
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
fn asked_field(predicate: &Predicate) -> Option<&FieldRef> {
    let Operand::Field(field) = &predicate.operand else { return None };
    let is_of_texts = matches!(predicate.test, Test::Text(TextTest::Equal(_) | TextTest::In(_)));
    let is_plain = !predicate.negated && predicate.quantifier == Quantifier::Any;
    (is_of_texts && is_plain).then_some(field)
}

fn texts(predicate: &Predicate) -> Vec<Box<[u8]>> {
    match &predicate.test {
        Test::Text(TextTest::Equal(text)) => vec![text.clone()],
        Test::Text(TextTest::In(texts)) => texts.iter().cloned().collect(),
        _ => Vec::new(),
    }
}
