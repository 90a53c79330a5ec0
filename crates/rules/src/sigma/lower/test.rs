//! What a field's values are tested for: by the field's type, by modifiers, by how values are written.

use std::sync::Arc;

use memchr::memmem::Finder;
use regex::bytes::RegexBuilder;

use super::field::Field;
use crate::catalogue::{FieldSpec, Type};
use crate::condition::{Modifier, Operator};
use crate::diagnostic::{Code, Diagnostic};
use crate::evaluate::{FieldRef, NumberTest, Operand, Part, Position, Test, TextTest};
use crate::matching::{Glob, Networks};
use crate::reporter::Reporter;
use crate::sigma::detection::Value;
use crate::sigma::modifier::{Asked, Change, Flag, Kind};
use crate::sigma::pattern::{self, Pattern, Shape};
use crate::sigma::taxonomy::{self, Category};

/// Bytes that a regular expression may take once it is compiled.
const REGEX_BYTES: usize = 1 << 20;

/// Makes the test of one item.
pub(super) struct Making<'m> {
    pub reporter: &'m Reporter<'m>,
    pub category: &'static Category,
    pub field: &'m Field,
    pub spec: &'static FieldSpec,
    pub asked: &'m Asked,
}

/// A test of an operand.
pub(super) struct Made {
    pub operand: Operand,
    pub test: Test,
    /// How many values are compared with.
    pub checks: usize,
    /// Fields that are compared with.
    pub others: Vec<&'static FieldSpec>,
}

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

impl Making<'_> {
    pub fn test(&self, values: &[&Value]) -> Result<Made> {
        match self.asked.kind {
            Some(Kind::Regex) => self.regexes(values),
            Some(Kind::Cidr) => self.networks(values),
            Some(Kind::Order(operator)) => self.ordered(operator, values),
            Some(Kind::FieldRef) => self.fields(values),
            // It has been made before.
            Some(Kind::Exists) => Ok(self.made(self.value(), Test::Exists, 1)),
            None => self.equal(values),
        }
    }

    fn wrong(&self, code: Code, value: &Value, message: impl Into<String>) -> Box<Diagnostic> {
        Box::new(self.reporter.error(code, &value.text.place(), message))
    }

    fn made(&self, operand: Operand, test: Test, checks: usize) -> Made {
        Made { operand, test, checks, others: Vec::new() }
    }

    /// Its values as they are.
    fn value(&self) -> Operand {
        self.field.operand().unwrap_or(Operand::Made(Part::Literal(Box::new([]))))
    }

    /// Its values as texts.
    fn text(&self) -> Operand {
        match (&self.field.of, self.spec.value_type) {
            (None, _) | (_, Type::Text | Type::Bytes) => self.value(),
            (Some(of), _) => Operand::Made(Part::Field(of.clone())),
        }
    }

    fn is_address(&self) -> bool {
        matches!(self.spec.value_type, Type::Address | Type::Network)
    }

    /// Without a modifier that compares otherwise.
    fn equal(&self, values: &[&Value]) -> Result<Made> {
        let is_plain =
            |value: &&Value| !pattern::has_wildcards(&pattern::parse(value.text.as_str()));
        let as_they_are = self.asked.changes.is_empty() && values.iter().all(is_plain);
        let count = values.len();
        match self.spec.value_type {
            Type::Bool if !as_they_are => {
                let first = values.first().map(|value| {
                    let message = format!("{} is true or false, and no text", self.field.name);
                    self.wrong(Code::Type, value, message)
                });
                first.map_or_else(|| self.texts(values), Err)
            }
            Type::Bool => {
                let flags = values.iter().map(|value| Ok(self.flag(value)? != self.field.opposite));
                let test = Test::Bool(flags.collect::<Result<_>>()?);
                Ok(self.made(self.value(), test, count))
            }
            Type::Number if as_they_are => {
                let numbers = values.iter().map(|value| self.number(value));
                let test = NumberTest::In(numbers.collect::<Result<_>>()?);
                Ok(self.made(self.value(), Test::Number(test), count))
            }
            Type::Address | Type::Network if as_they_are => self.networks(values),
            _ => self.texts(values),
        }
    }

    fn flag(&self, value: &Value) -> Result<bool> {
        let text = value.text.as_str();
        match text {
            _ if text.eq_ignore_ascii_case("true") => Ok(true),
            _ if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => {
                let message =
                    format!("{text:?} is not true or false, as {} needs", self.field.name);
                Err(self.wrong(Code::Type, value, message))
            }
        }
    }

    fn number(&self, value: &Value) -> Result<i64> {
        let text = value.text.as_str();
        text.parse().map_err(|_| {
            let message = format!("{text:?} is not a whole number, as {} needs", self.field.name);
            self.wrong(Code::Type, value, message)
        })
    }

    fn texts(&self, values: &[&Value]) -> Result<Made> {
        let mut shapes = Vec::new();
        for value in values {
            let start: Vec<Pattern> = vec![pattern::parse(value.text.as_str())];
            let mut changes = self.asked.changes.iter();
            let patterns = changes
                .try_fold(start, |patterns, change: &Change| pattern::changed(patterns, *change));
            let patterns = patterns.map_err(|why| self.wrong(Code::Value, value, why))?;
            shapes.extend(patterns.iter().map(|one| pattern::shape(one)));
        }
        let checks = shapes.len();
        let test = if self.asked.cased { cased(shapes) } else { without_case(shapes) };
        Ok(self.made(self.text(), test, checks))
    }

    fn regexes(&self, values: &[&Value]) -> Result<Made> {
        let flags = [(Flag::IgnoreCase, 'i'), (Flag::MultiLine, 'm'), (Flag::DotAll, 's')];
        let asked = flags.into_iter().filter(|(flag, _)| self.asked.flags.contains(flag));
        let asked: String = asked.map(|(_, letter)| letter).collect();
        let regex = |value: &&Value| {
            let pattern = format!("(?{asked}:{})", value.text.as_str());
            let build = |pattern: &str| RegexBuilder::new(pattern).size_limit(REGEX_BYTES).build();
            // By itself, too: a parenthesis too many must not end the one around it.
            let built = build(value.text.as_str()).and_then(|_| build(&pattern));
            let test = |regex| Test::Text(TextTest::Regex(regex, Arc::default()));
            built.map(test).map_err(|error| {
                let why = error.to_string();
                let last = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
                let message = format!("this regular expression cannot be used: {last}");
                self.wrong(Code::Unsupported, value, message)
            })
        };
        let tests: Vec<Test> = values.iter().map(regex).collect::<Result<_>>()?;
        Ok(self.made(self.text(), any(tests), values.len()))
    }

    fn networks(&self, values: &[&Value]) -> Result<Made> {
        let mut networks = Networks::default();
        for value in values {
            let text = value.text.as_str();
            if !self.is_address() {
                let message = format!("{} is no address that cidr compares", self.field.name);
                return Err(self.wrong(Code::Type, value, message));
            }
            let taken = networks.add(text);
            taken.map_err(|()| {
                let message = format!("{text:?} is no IP address and no network");
                self.wrong(Code::Type, value, message)
            })?;
        }
        Ok(self.made(self.value(), Test::Address(networks), values.len()))
    }

    fn ordered(&self, operator: Operator, values: &[&Value]) -> Result<Made> {
        let test = |value: &&Value| {
            if self.spec.value_type != Type::Number {
                let message = format!("{} is no number", self.field.name);
                return Err(self.wrong(Code::Type, value, message));
            }
            Ok(Test::Number(NumberTest::Compare(operator, self.number(value)?)))
        };
        let tests: Vec<Test> = values.iter().map(test).collect::<Result<_>>()?;
        Ok(self.made(self.value(), any(tests), values.len()))
    }

    /// Other fields.
    fn fields(&self, values: &[&Value]) -> Result<Made> {
        let operator = match self.asked.changes.first() {
            None => Operator::Equal,
            Some(Change::StartsWith) => Operator::StartsWith,
            Some(Change::EndsWith) => Operator::EndsWith,
            Some(_) => Operator::Contains,
        };
        let spelled = |of: &FieldRef| match self.asked.cased {
            true => Operand::Made(Part::Field(of.clone())),
            false => Operand::Made(Part::Lower(Box::new(Part::Field(of.clone())))),
        };
        let (mut tests, mut others) = (Vec::new(), Vec::new());
        for value in values {
            let name = value.text.as_str();
            let known = taxonomy::sigma_field(name).filter(|known| known.is_of(self.category));
            let other = known.and_then(|known| Field::of_sigma(known.name)?.of);
            let Some(other) = other else {
                let message = format!("there is no field {name} of {}", self.category.name);
                return Err(self.wrong(Code::UnknownField, value, message));
            };
            others.push(other.spec);
            tests.push(Test::Compare(operator, spelled(&other)));
        }
        let left = self.field.of.as_ref().map_or_else(|| self.value(), spelled);
        Ok(Made { operand: left, test: any(tests), checks: values.len(), others })
    }
}

/// One of them holds.
fn any(mut tests: Vec<Test>) -> Test {
    match tests.len() {
        1 => tests.remove(0),
        _ => Test::Several(Modifier::AnyOf, tests.into()),
    }
}

fn without_case(shapes: Vec<Shape>) -> Test {
    let (texts, globs) = pattern::without_case(shapes);
    let texts = texts.map(|texts| Test::Text(TextTest::AnyCase(texts)));
    let globs = globs.into_iter().map(|glob| Test::Text(TextTest::Glob(glob)));
    any(texts.into_iter().chain(globs).collect())
}

fn cased(shapes: Vec<Shape>) -> Test {
    let whole: Option<std::collections::HashSet<Box<[u8]>>> = shapes
        .iter()
        .map(|shape| match shape {
            Shape::Text(Position::Whole, text) => Some(text.clone()),
            _ => None,
        })
        .collect();
    if let Some(texts) = whole {
        return Test::Text(TextTest::In(texts));
    }
    let test = |shape| match shape {
        Shape::Text(Position::Whole, text) => TextTest::Equal(text),
        Shape::Text(Position::Start, text) => TextTest::StartsWith(text),
        Shape::Text(Position::End, text) => TextTest::EndsWith(text),
        Shape::Text(Position::Within, text) => {
            TextTest::Contains(Box::new(Finder::new(&text).into_owned()))
        }
        Shape::Glob(parts) => TextTest::Glob(Glob::of_parts(parts, false)),
    };
    any(shapes.into_iter().map(test).map(Test::Text).collect())
}
