//! From what a rule detects to a tree of predicates.
//!
//! A predicate is known by its text, in Sigma's words: what two rules both ask is asked once. No text of
//! Falco's reads so, and a field of Sigma's means the same in all rules.

mod field;
mod test;

use std::sync::Arc;

use super::condition::{self, Expression};
use super::detection::{Detection, Item, Key, Search, Value};
use super::modifier::{Asked, Change, Kind, MODIFIERS};
use super::taxonomy::Category;
use crate::compile::{MAX_CHECKS, Predicates, Tree};
use crate::condition::Span;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::evaluate::{Operand, Predicate, Quantifier, Test};
use crate::reporter::Reporter;
use crate::source::Place;
use crate::text::Text;
use field::Field;

/// Makes the tree of one rule.
pub(crate) struct Lowering<'c> {
    pub reporter: &'c Reporter<'c>,
    pub predicates: &'c mut Predicates,
    pub category: &'static Category,
    /// What is wrong.
    pub issues: Vec<Diagnostic>,
    /// Texts, numbers and so on that are compared with, each search counted as often as it is named.
    pub checks: usize,
    /// Names of the engine's fields that are compared.
    pub fields: Vec<&'static str>,
}

/// A search that may be named several times.
struct Found {
    name: Box<str>,
    tree: Arc<Tree>,
    checks: usize,
    is_used: bool,
}

impl Lowering<'_> {
    pub fn tree(&mut self, detection: &Detection) -> Tree {
        let mut searches = Vec::new();
        for (name, search) in &detection.searches {
            let before = std::mem::take(&mut self.checks);
            let tree = Arc::new(self.search(search));
            let checks = std::mem::replace(&mut self.checks, before);
            searches.push(Found { name: name.as_str().into(), tree, checks, is_used: false });
        }
        let names: Vec<&str> = detection.searches.iter().map(|(name, _)| name.as_str()).collect();
        let mut conditions = Vec::new();
        for text in &detection.conditions {
            match condition::parse(text.as_str(), &names) {
                Ok(expression) => conditions.push(self.expression(&expression, &mut searches)),
                Err(wrong) => {
                    let code = if wrong.is_unsupported { Code::Unsupported } else { Code::Syntax };
                    let place = self.place(text, wrong.span);
                    let error = self.reporter.error(code, &place, wrong.message);
                    self.issues.push(error.maybe_hint(wrong.hint));
                    return Tree::Constant(false);
                }
            }
        }
        if self.checks > MAX_CHECKS {
            let place = detection.conditions.first().map(Text::place);
            let message =
                format!("too large: more than {MAX_CHECKS} values with all searches put in");
            let place = place.into_iter();
            self.issues
                .extend(place.map(|place| self.reporter.error(Code::TooLarge, &place, &*message)));
            return Tree::Constant(false);
        }
        for ((name, _), _) in
            detection.searches.iter().zip(&searches).filter(|(_, found)| !found.is_used)
        {
            let message = format!("the condition does not name the search {}", name.as_str());
            self.issues.push(self.reporter.warning(Code::Suspicious, &name.place(), message));
        }
        joined(conditions, Tree::Or)
    }

    fn place(&self, text: &Text, span: Span) -> Place {
        text.place_of(span.range(), self.reporter.sources)
    }

    fn expression(&mut self, expression: &Expression, searches: &mut [Found]) -> Tree {
        let mut all = |parts: &[Expression]| -> Vec<Tree> {
            parts.iter().map(|part| self.expression(part, searches)).collect()
        };
        match expression {
            Expression::Or(parts) => Tree::Or(all(parts)),
            Expression::And(parts) => Tree::And(all(parts)),
            Expression::Not(part) => Tree::Not(Box::new(self.expression(part, searches))),
            Expression::Search(index) => {
                let Some(found) = searches.get_mut(*index) else { return Tree::Constant(false) };
                found.is_used = true;
                self.checks = self.checks.saturating_add(found.checks);
                // What is too large is told of; until then it must not grow.
                if self.checks > MAX_CHECKS {
                    return Tree::Constant(false);
                }
                Tree::Macro(found.name.clone(), Arc::clone(&found.tree))
            }
        }
    }

    fn search(&mut self, search: &Search) -> Tree {
        let mut all = |parts: &[Search]| parts.iter().map(|part| self.search(part)).collect();
        match search {
            Search::All(parts) => joined(all(parts), Tree::And),
            Search::Any(parts) => joined(all(parts), Tree::Or),
            Search::Item(item) => self.item(item).unwrap_or_else(|error| {
                self.issues.push(*error);
                Tree::Constant(false)
            }),
        }
    }

    fn item(&mut self, item: &Item) -> Result<Tree, Box<Diagnostic>> {
        let Some(key) = &item.key else { return self.words(&Asked::default(), None, &item.values) };
        let asked = Asked::of(&key.modifiers).map_err(|unusable| {
            let place = self.place(&key.text, unusable.word.span);
            let hint = nearest(&unusable.word.text, MODIFIERS.iter().map(|one| one.name));
            let hint = hint.filter(|near| *near != unusable.word.text);
            let error = self.reporter.error(Code::Modifier, &place, unusable.why);
            Box::new(error.maybe_hint(hint.map(|near| format!("did you mean {near}?"))))
        })?;
        if key.field.text.is_empty() {
            return self.words(&asked, Some(key), &item.values);
        }
        let field = self.field_of(key)?;
        self.compared(&field, &asked, &modifiers(key), &item.values)
    }

    /// Words that are looked for in all fields of the category.
    fn words(
        &mut self,
        asked: &Asked,
        key: Option<&Key>,
        values: &[Value],
    ) -> Result<Tree, Box<Diagnostic>> {
        let mut asked = asked.clone();
        let mut written = key.map(modifiers).unwrap_or_default();
        match asked.kind {
            None => {
                asked.changes.push(Change::Contains);
                written.push_str("|contains");
            }
            Some(Kind::Regex) => {}
            Some(_) => {
                let place = key.map(|key| key.text.place());
                let place = place.or_else(|| values.first().map(|value| value.text.place()));
                let Some(place) = place else { return Ok(Tree::Constant(false)) };
                let message = "this modifier needs a field to compare";
                return Err(Box::new(self.reporter.error(Code::Modifier, &place, message)));
            }
        }
        let (all, negated) = (std::mem::take(&mut asked.all), std::mem::take(&mut asked.negated));
        let mut together = Vec::new();
        let each: Vec<&[Value]> = if all { values.chunks(1).collect() } else { vec![values] };
        for values in each {
            let fields = self.category.searched.iter().copied().filter_map(Field::of_sigma);
            let fields = fields.map(|field| self.compared(&field, &asked, &written, values));
            together.push(joined(fields.collect::<Result<_, _>>()?, Tree::Or));
        }
        Ok(negated_if(negated, joined(together, Tree::And)))
    }

    /// A field, compared with values.
    fn compared(
        &mut self,
        field: &Field,
        asked: &Asked,
        written: &str,
        values: &[Value],
    ) -> Result<Tree, Box<Diagnostic>> {
        self.fields.extend(field.spec().map(|spec| spec.name));
        if let Some(issue) = field.not_answered(self.reporter) {
            self.issues.push(issue);
        }
        if asked.kind == Some(Kind::Exists) {
            let mut parts = Vec::new();
            for value in values {
                let wanted = self.is_true(value)?;
                let exists = self.exists(field);
                parts.push(negated_if(!wanted, exists));
            }
            return Ok(negated_if(asked.negated, joined(parts, Tree::Or)));
        }
        let (nulls, others): (Vec<_>, Vec<_>) = values.iter().partition(|value| value.is_null);
        let mut parts = Vec::new();
        if !nulls.is_empty() {
            let exists = self.exists(field);
            parts.push(negated_if(true, exists));
        }
        match (asked.all, others.as_slice()) {
            (_, []) => {}
            (true, others) => {
                for one in others.chunks(1) {
                    parts.push(self.predicate(field, asked, written, one)?);
                }
            }
            (false, others) => parts.push(self.predicate(field, asked, written, others)?),
        }
        let join = if asked.all { Tree::And } else { Tree::Or };
        Ok(negated_if(asked.negated, joined(parts, join)))
    }

    fn is_true(&self, value: &Value) -> Result<bool, Box<Diagnostic>> {
        let text = value.text.as_str();
        match text {
            _ if text.eq_ignore_ascii_case("true") => Ok(true),
            _ if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => {
                let message = format!("{text:?} is not true or false");
                Err(Box::new(self.reporter.error(Code::Value, &value.text.place(), message)))
            }
        }
    }

    /// There is a value.
    fn exists(&mut self, field: &Field) -> Tree {
        self.checks += 1;
        let text = format!("{}|exists: true", field.name);
        match field.operand() {
            None => Tree::Constant(false),
            Some(operand) => self.add(text, operand, Test::Exists, field),
        }
    }

    fn predicate(
        &mut self,
        field: &Field,
        asked: &Asked,
        written: &str,
        values: &[&Value],
    ) -> Result<Tree, Box<Diagnostic>> {
        let Some(spec) = field.spec() else {
            self.checks += 1;
            if let Some(value) = values.first() {
                let message =
                    format!("{} never has a value, so that this does not hold", field.name);
                let place = value.text.place();
                self.issues.push(self.reporter.warning(Code::Suspicious, &place, message));
            }
            return Ok(Tree::Constant(false));
        };
        let text = format!("{}{written}: {}", field.name, spelled(values));
        if let Some(known) = self.predicates.of_text(&text) {
            self.checks += values.len();
            return Ok(Tree::Predicate(known));
        }
        let made =
            test::Making { reporter: self.reporter, category: self.category, field, spec, asked };
        let test::Made { operand, test, checks, others } = made.test(values)?;
        self.checks += checks;
        self.fields.extend(others.iter().map(|spec| spec.name));
        let answered =
            others.iter().fold(spec.answered, |all, other| all.intersection(other.answered));
        let predicate = Predicate { operand, test, negated: false, quantifier: Quantifier::Any };
        Ok(Tree::Predicate(self.predicates.add(text, predicate, answered)))
    }

    fn add(&mut self, text: String, operand: Operand, test: Test, field: &Field) -> Tree {
        if let Some(known) = self.predicates.of_text(&text) {
            return Tree::Predicate(known);
        }
        let answered = field.spec().map(|spec| spec.answered).unwrap_or_default();
        let predicate = Predicate { operand, test, negated: false, quantifier: Quantifier::Any };
        Tree::Predicate(self.predicates.add(text, predicate, answered))
    }
}

/// The modifiers of a key that say what a single value is compared by.
fn modifiers(key: &Key) -> String {
    let names = key.modifiers.iter().map(|word| word.text.as_str());
    let names = names.filter(|name| !matches!(*name, "all" | "neq"));
    names.fold(String::new(), |all, name| all + "|" + name)
}

/// Values as YAML has them, so that different ones read differently.
fn spelled(values: &[&Value]) -> String {
    let one = |value: &&Value| format!("'{}'", value.text.as_str().replace('\'', "''"));
    match values {
        [only] => one(only),
        values => format!("[{}]", values.iter().map(one).collect::<Vec<_>>().join(", ")),
    }
}

fn joined(mut parts: Vec<Tree>, join: fn(Vec<Tree>) -> Tree) -> Tree {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}

fn negated_if(negated: bool, tree: Tree) -> Tree {
    if negated { Tree::Not(Box::new(tree)) } else { tree }
}
