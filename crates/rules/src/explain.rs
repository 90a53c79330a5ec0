//! Why a rule fires of an event, or does not: what each part of its condition says.

use std::fmt;

use chandra_event::text::escape;

use crate::compile::Tree;
use crate::evaluate::{Facts, Operand, Scratch, Truth};
use crate::output::json_value;
use crate::rules::{Rule, Ruleset};

/// A part of a condition, and what it says of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What it says.
    pub truth: Truth,
    /// What it is.
    pub part: Part,
}

/// A part of a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// All of these.
    And(Vec<Explanation>),
    /// One of these.
    Or(Vec<Explanation>),
    /// Not this.
    Not(Box<Explanation>),
    /// A macro.
    Macro(String, Box<Explanation>),
    /// A comparison as it is written, and the first value of what it compares; null if it is missing.
    Comparison(String, serde_json::Value),
    /// What could not be evaluated.
    Constant,
}

impl Ruleset {
    /// What each part of a rule's condition says of an event.
    pub fn explain(&self, rule: &Rule, facts: &dyn Facts, scratch: &mut Scratch) -> Explanation {
        scratch.memo.clear();
        scratch.memo.resize(self.predicates.len(), 0);
        self.explain_tree(&rule.tree, facts, scratch)
    }

    fn explain_tree(&self, tree: &Tree, facts: &dyn Facts, scratch: &mut Scratch) -> Explanation {
        let mut all = |parts: &[Tree]| -> Vec<Explanation> {
            parts.iter().map(|part| self.explain_tree(part, facts, scratch)).collect()
        };
        match tree {
            Tree::And(parts) => {
                let parts = all(parts);
                let truth = parts.iter().fold(Truth::True, |truth, part| truth.and(part.truth));
                Explanation { truth, part: Part::And(parts) }
            }
            Tree::Or(parts) => {
                let parts = all(parts);
                let truth = parts.iter().fold(Truth::False, |truth, part| truth.or(part.truth));
                Explanation { truth, part: Part::Or(parts) }
            }
            Tree::Not(part) => {
                let part = self.explain_tree(part, facts, scratch);
                Explanation { truth: part.truth.negate(), part: Part::Not(Box::new(part)) }
            }
            Tree::Macro(name, tree) => {
                let part = self.explain_tree(tree, facts, scratch);
                Explanation {
                    truth: part.truth,
                    part: Part::Macro(name.to_string(), Box::new(part)),
                }
            }
            Tree::Predicate(number) => self.explain_comparison(*number, facts, scratch),
            Tree::Constant(holds) => {
                Explanation { truth: Truth::from(*holds), part: Part::Constant }
            }
        }
    }

    fn explain_comparison(
        &self,
        number: u32,
        facts: &dyn Facts,
        scratch: &mut Scratch,
    ) -> Explanation {
        let place = self.places.get(number as usize).copied().unwrap_or_default();
        let truth = match self.ask(place, facts, scratch) {
            Truth::Unknown if !self.is_strict() => Truth::False,
            truth => truth,
        };
        let operand = self.predicates.get(place).map(|predicate| &predicate.operand);
        let value = operand.map_or(serde_json::Value::Null, |operand: &Operand| {
            operand.first(facts, &mut scratch.buffers.left, json_value)
        });
        let text = self.predicates.text(place).to_owned();
        Explanation { truth, part: Part::Comparison(text, value) }
    }
}

impl Explanation {
    /// The parts that decide: of an `and` that does not hold those that do not, of one that does all; of
    /// an `or` the other way round. The whole without the rest.
    pub fn deciding(&self) -> Explanation {
        let kept = |parts: &[Explanation]| -> Vec<Explanation> {
            let deciding = parts.iter().filter(|part| part.truth == self.truth);
            deciding.map(Explanation::deciding).collect()
        };
        let part = match &self.part {
            Part::And(parts) => Part::And(kept(parts)),
            Part::Or(parts) => Part::Or(kept(parts)),
            Part::Not(part) => Part::Not(Box::new(part.deciding())),
            Part::Macro(name, part) => Part::Macro(name.clone(), Box::new(part.deciding())),
            other => other.clone(),
        };
        Explanation { truth: self.truth, part }
    }
}

/// Each part on a line, with what it says; parts below are indented.
impl fmt::Display for Explanation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(1, out)
    }
}

impl Explanation {
    fn write(&self, depth: usize, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (indent, truth) = ("  ".repeat(depth), self.truth.word());
        match &self.part {
            Part::And(parts) | Part::Or(parts) => {
                parts.iter().try_for_each(|part| part.write(depth, out))
            }
            Part::Not(part) => {
                writeln!(out, "{indent}{truth}: not")?;
                part.write(depth + 1, out)
            }
            Part::Macro(name, part) => {
                writeln!(out, "{indent}{truth}: {name}")?;
                part.write(depth + 1, out)
            }
            Part::Comparison(comparison, value) => {
                write!(out, "{indent}{truth}: {}", escape(comparison.as_bytes()))?;
                match value {
                    serde_json::Value::Null => writeln!(out, "  (no value)"),
                    value => writeln!(out, "  (is {value})"),
                }
            }
            Part::Constant => writeln!(out, "{indent}{truth}: left out"),
        }
    }
}
