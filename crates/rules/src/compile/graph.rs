//! Trees as graphs of decisions: each instruction asks one predicate and says where to go on.
//!
//! There is no stack and no recursion: `and`, `or` and `not` are in the way the instructions are joined.
//! What is not known goes the way that makes its literal (the predicate, negated or not) false, and the
//! rule does not fire; a second walk, in which it goes the other way, tells whether the rule might have.
//! Because a tree is made of literals joined by `and` and `or` only, the two walks together are Kleene's
//! three-valued logic.

use super::{Predicates, Tree};

/// Asks a predicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub predicate: u32,
    /// The literal is that the predicate does not hold.
    pub negated: bool,
    /// Where to go on if it holds.
    pub if_true: u32,
    /// Where to go on if it does not.
    pub if_false: u32,
}

/// Instructions of all rules.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    pub instructions: Vec<Instruction>,
}

impl Graph {
    /// The end at which a condition holds.
    pub const TRUE: u32 = u32::MAX;
    /// The end at which it does not.
    pub const FALSE: u32 = u32::MAX - 1;

    /// Adds a tree, and says where it begins.
    pub fn add(&mut self, tree: &Tree, predicates: &Predicates) -> u32 {
        self.emit(tree, false, Self::TRUE, Self::FALSE, predicates)
    }

    /// Where to begin if some predicates are known beforehand.
    pub fn skip(&self, mut start: u32, known: impl Fn(u32) -> Option<bool>) -> u32 {
        while let Some(instruction) = self.instructions.get(start as usize)
            && let Some(holds) = known(instruction.predicate)
        {
            start = if holds { instruction.if_true } else { instruction.if_false };
        }
        start
    }

    fn emit(
        &mut self,
        tree: &Tree,
        negated: bool,
        if_true: u32,
        if_false: u32,
        predicates: &Predicates,
    ) -> u32 {
        match tree {
            Tree::Constant(holds) => {
                if *holds {
                    if_true
                } else {
                    if_false
                }
            }
            Tree::Macro(_, tree) => self.emit(tree, negated, if_true, if_false, predicates),
            Tree::Not(part) => self.emit(part, !negated, if_false, if_true, predicates),
            Tree::And(parts) => by_cost(parts, predicates)
                .into_iter()
                .rev()
                .fold(if_true, |next, part| self.emit(part, negated, next, if_false, predicates)),
            Tree::Or(parts) => by_cost(parts, predicates)
                .into_iter()
                .rev()
                .fold(if_false, |next, part| self.emit(part, negated, if_true, next, predicates)),
            Tree::Predicate(predicate) => {
                let at = u32::try_from(self.instructions.len()).unwrap_or(Self::FALSE);
                let predicate = *predicate;
                self.instructions.push(Instruction { predicate, negated, if_true, if_false });
                at
            }
        }
    }
}

/// The cheapest first: the order does not change what holds.
fn by_cost<'t>(parts: &'t [Tree], predicates: &Predicates) -> Vec<&'t Tree> {
    let mut parts: Vec<&Tree> = parts.iter().collect();
    parts.sort_by_cached_key(|part| part.cost(predicates));
    parts
}
