//! From definitions to what is evaluated: macros and lists put in, types checked, predicates shared.
//!
//! A predicate is made once however many rules have it, and known by its text. So one event answers it
//! once, whatever macro of whatever rule it comes from.

mod checks;
mod detection;
mod exceptions;
mod graph;
mod groups;
mod lists;
mod literals;
mod operands;
mod predicates;
mod tree;

use std::collections::HashMap;
use std::sync::Arc;

use crate::condition::{self, Expression, Span, Word};
use crate::definitions::{Definitions, Macro, Rule};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::items::called;
use crate::reporter::Reporter;
use crate::source::Place;
use crate::text::Text;

pub(crate) use graph::Graph;
pub(crate) use groups::Groups;
pub(crate) use operands::Lookup;
pub(crate) use predicates::Predicates;
pub(crate) use tree::{May, Tree};

/// Parentheses and macros within each other.
const MAX_DEPTH: usize = 300;
/// Comparisons that a rule has with all its macros put in.
pub(crate) const MAX_CHECKS: usize = 10_000;

/// A condition with its macros put in, and what is wrong with it.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    pub tree: Arc<Tree>,
    pub issues: Vec<Diagnostic>,
    /// Comparisons in it.
    checks: usize,
    /// How deep it is.
    depth: usize,
    /// Names of the fields that are compared.
    pub fields: Vec<&'static str>,
}

/// Makes trees of rules, one after the other.
pub(crate) struct Compiler<'d> {
    definitions: &'d Definitions,
    reporter: &'d Reporter<'d>,
    pub predicates: Predicates,
    macros: HashMap<usize, Built>,
    /// What is built is wrong in a way that depends on where it is used, and goes into no macro any
    /// more: those could not be kept, and each would be built as often as it is named.
    gave_up: bool,
    lists: HashMap<usize, Arc<[lists::ListEntry]>>,
}

/// What is built at the moment.
struct Building<'c> {
    /// When the rule was changed last: it sees what was defined first before that.
    changed: usize,
    /// Macros that are put in, from the outermost in.
    within: Vec<usize>,
    built: Partly,
    text: &'c Text,
}

#[derive(Debug, Default)]
struct Partly {
    issues: Vec<Diagnostic>,
    checks: usize,
    depth: usize,
    fields: Vec<&'static str>,
}

impl<'d> Compiler<'d> {
    pub fn new(definitions: &'d Definitions, reporter: &'d Reporter<'d>) -> Self {
        Self {
            definitions,
            reporter,
            predicates: Predicates::default(),
            macros: HashMap::new(),
            gave_up: false,
            lists: HashMap::new(),
        }
    }

    /// The condition of a rule, its exceptions included.
    pub fn rule(&mut self, rule: &Rule) -> Built {
        self.gave_up = false;
        let mut building = Building {
            changed: rule.changed,
            within: Vec::new(),
            built: Partly::default(),
            text: &rule.condition,
        };
        let condition = match &rule.sigma {
            Some(sigma) => self.detection(sigma, &mut building),
            None => self.text(&mut building, 0),
        };
        let tree = self.with_exceptions(condition, rule, &mut building);
        finish(tree, building.built, &called("rule", &rule.name))
    }

    /// What is wrong with a macro that no rule uses.
    pub fn check_macro(&mut self, index: usize) -> Vec<Diagnostic> {
        self.gave_up = false;
        match self.definitions.macros.at(index) {
            Some(one) if !self.macros.contains_key(&index) => {
                self.macro_tree(index, one, usize::MAX, Vec::new()).issues
            }
            _ => Vec::new(),
        }
    }

    /// The tree of the text that is built.
    fn text(&mut self, building: &mut Building<'_>, depth: usize) -> Tree {
        match condition::parse(building.text.as_str()) {
            Ok(expression) => self.expression(&expression, building, depth),
            Err(error) => {
                let place = self.place(building, error.span);
                let diagnostic = self.reporter.error(Code::Syntax, &place, error.message);
                building.built.issues.push(diagnostic.maybe_hint(error.hint));
                Tree::Constant(false)
            }
        }
    }

    fn place(&self, building: &Building<'_>, span: Span) -> Place {
        building.text.place_of(span.range(), self.reporter.sources)
    }

    fn expression(
        &mut self,
        expression: &Expression,
        building: &mut Building<'_>,
        depth: usize,
    ) -> Tree {
        building.built.depth = building.built.depth.max(depth);
        let mut all = |parts: &[Expression]| {
            parts.iter().map(|part| self.expression(part, building, depth + 1)).collect()
        };
        match expression {
            Expression::Or(parts) => Tree::Or(all(parts)),
            Expression::And(parts) => Tree::And(all(parts)),
            Expression::Not(part) => {
                Tree::Not(Box::new(self.expression(part, building, depth + 1)))
            }
            Expression::Macro(name) => self.macro_of_name(name, building, depth),
            Expression::Check(check) => {
                building.built.checks += 1;
                self.check(check, building)
            }
        }
    }

    fn macro_of_name(&mut self, name: &Word, building: &mut Building<'_>, depth: usize) -> Tree {
        let place = self.place(building, name.span);
        let found = self.definitions.macros.index(&name.text);
        let Some((index, one)) =
            found.and_then(|index| Some((index, self.definitions.macros.at(index)?)))
        else {
            let hint = nearest(&name.text, self.definitions.macros.names());
            let hint = match hint {
                Some(known) => Some(format!("did you mean {known}?")),
                None if self.definitions.lists.get(&name.text).is_some() => {
                    Some(format!("{} is a list: FIELD in ({0})", name.text))
                }
                None => None,
            };
            let message = format!("there is no macro {}", name.text);
            let error = self.reporter.error(Code::UnknownMacro, &place, message);
            building.built.issues.push(error.maybe_hint(hint));
            return Tree::Constant(false);
        };
        if building.within.contains(&index) {
            let names =
                building.within.iter().filter_map(|index| self.definitions.macros.at(*index));
            let names: Vec<&str> = names.map(|one| one.name.as_str()).collect();
            let message = format!("the macro {} is made of itself", name.text);
            let error = self.reporter.error(Code::RecursiveMacro, &place, message);
            let chain = format!("{} → {}", names.join(" → "), name.text);
            building.built.issues.push(error.hint(chain));
            self.gave_up = true;
            return Tree::Constant(false);
        }
        if one.defined > building.changed {
            let defined = self.reporter.sources.spell(&one.name.place());
            let message = format!("the macro {} is defined only after this", name.text);
            let error = self.reporter.error(Code::UnknownMacro, &place, message);
            building.built.issues.push(error.hint(format!("at {defined}: move it before")));
            self.gave_up = true;
            return Tree::Constant(false);
        }
        let built = match self.macros.get(&index) {
            Some(built) => built.clone(),
            None if self.gave_up => return Tree::Constant(false),
            None => self.macro_tree(index, one, building.changed, building.within.clone()),
        };
        let partly = &mut building.built;
        partly.issues.extend(built.issues);
        partly.checks = partly.checks.saturating_add(built.checks);
        partly.depth = partly.depth.max(depth + built.depth);
        partly.fields.extend(built.fields);
        if self.gave_up {
            return Tree::Constant(false);
        }
        if partly.checks > MAX_CHECKS || partly.depth > MAX_DEPTH {
            let message = format!(
                "too large: more than {MAX_CHECKS} comparisons or {MAX_DEPTH} levels with all macros put in"
            );
            partly.issues.push(self.reporter.error(Code::TooLarge, &place, message));
            self.gave_up = true;
            return Tree::Constant(false);
        }
        Tree::Macro(name.text.as_str().into(), built.tree)
    }

    fn macro_tree(
        &mut self,
        index: usize,
        one: &'d Macro,
        changed: usize,
        mut within: Vec<usize>,
    ) -> Built {
        within.push(index);
        let text = &one.condition;
        let mut building = Building { changed, within, built: Partly::default(), text };
        let tree = if building.within.len() > MAX_DEPTH {
            let place = one.name.place();
            let message = format!("too large: more than {MAX_DEPTH} macros within each other");
            building.built.issues.push(self.reporter.error(Code::TooLarge, &place, message));
            self.gave_up = true;
            Tree::Constant(false)
        } else {
            self.text(&mut building, 1)
        };
        let built = finish(tree, building.built, &called("macro", &one.name));
        if !self.gave_up {
            self.macros.insert(index, built.clone());
        }
        built
    }
}

fn finish(tree: Tree, mut built: Partly, within: &str) -> Built {
    let mut issues: Vec<Diagnostic> = Vec::new();
    for mut issue in built.issues {
        issue.within.get_or_insert_with(|| within.to_owned());
        // A macro that is named twice is wrong once.
        if !issues.contains(&issue) {
            issues.push(issue);
        }
    }
    built.fields.sort_unstable();
    built.fields.dedup();
    let Partly { checks, depth, fields, .. } = built;
    Built { tree: Arc::new(tree), issues, checks, depth, fields }
}
