//! Whether a rule about `connect` may fire of another connection than one over TCP: then the call has to be
//! watched, which costs more than to be told of handshakes.

use crate::catalogue::{EventType, FieldId, FileField};
use crate::compile::Tree;
use crate::evaluate::Operand;
use crate::rules::Ruleset;

use super::ways::whole_texts;

/// Some rule may.
pub(super) fn may_be_of_others_than_tcp(rules: &Ruleset) -> bool {
    rules.active(EventType::Connect).any(|rule| may(rules, &rule.tree, true))
}

/// A tree may be true, or not true, of such a connection.
fn may(rules: &Ruleset, tree: &Tree, truth: bool) -> bool {
    match (tree, truth) {
        (Tree::Constant(holds), _) => *holds == truth,
        (Tree::Not(part), _) => may(rules, part, !truth),
        (Tree::Macro(_, tree), _) => may(rules, tree, truth),
        (Tree::And(parts), true) | (Tree::Or(parts), false) => {
            parts.iter().all(|part| may(rules, part, truth))
        }
        (Tree::And(parts), false) | (Tree::Or(parts), true) => {
            parts.iter().any(|part| may(rules, part, truth))
        }
        (Tree::Predicate(number), _) => predicate_may(rules, *number, truth),
    }
}

fn predicate_may(rules: &Ruleset, number: u32, truth: bool) -> bool {
    let Some(place) = rules.places.get(number as usize) else { return true };
    if let Some(holds) = rules.predicates.of_type(*place, EventType::Connect) {
        return holds == truth;
    }
    !truth
        || !rules.predicates.get(*place).is_some_and(|predicate| {
            let asks_for_protocol = matches!(&predicate.operand,
            Operand::Field(field) if field.spec.id == FieldId::File(FileField::Protocol));
            let is_tcp = |texts: Vec<&[u8]>| texts.iter().all(|text| **text == *b"tcp");
            asks_for_protocol
                && !predicate.negated
                && whole_texts(&predicate.test).is_some_and(is_tcp)
        })
}
