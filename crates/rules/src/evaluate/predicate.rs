//! A comparison, as it is evaluated: an operand, and what its values are tested for.
//!
//! Falco's way with what is missing: it makes every comparison false, `!=` too, so that `not (x = y)` holds
//! of an event that has no x. Here a comparison with what is not *known* is [`Truth::Unknown`]; the caller
//! takes that for false, or asks for three-valued logic.

use super::operand::Written;
use super::scratch::Made;
use super::test::order_holds;
use super::{Buffers, Facts, Operand, Test, Truth, Value};
use crate::condition::{Modifier, Operator};

/// A comparison.
#[derive(Debug, Clone)]
pub(crate) struct Predicate {
    pub operand: Operand,
    pub test: Test,
    /// The test is not to hold: `!=`.
    pub negated: bool,
    pub quantifier: Quantifier,
}

/// Of how many values of an operand the comparison has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantifier {
    /// Of one.
    Any,
    /// Of each, and there is one.
    All,
}

impl Quantifier {
    /// What is known when all values but these are.
    fn start(self) -> Truth {
        match self {
            Self::Any => Truth::False,
            Self::All => Truth::True,
        }
    }

    fn join(self, one: Truth, other: Truth) -> Truth {
        match self {
            Self::Any => one.or(other),
            Self::All => one.and(other),
        }
    }
}

impl Predicate {
    pub fn holds(&self, facts: &dyn Facts, buffers: &mut Buffers) -> Truth {
        self.test_holds(&self.test, facts, buffers)
    }

    fn test_holds(&self, test: &Test, facts: &dyn Facts, buffers: &mut Buffers) -> Truth {
        match test {
            Test::EventTypes(types) => Truth::from(types.contains(facts.event_type())),
            Test::Several(modifier, tests) => {
                let each = tests.iter().map(|test| self.test_holds(test, facts, buffers));
                several(*modifier, each, tests.is_empty())
            }
            Test::Compare(operator, right) => self.compare(*operator, right, facts, buffers),
            test => {
                let Buffers { left, names, .. } = buffers;
                self.over_values(facts, left, &mut |value| test.holds(value, names))
            }
        }
    }

    /// The truth of all values together; false if there is none.
    fn over_values(
        &self,
        facts: &dyn Facts,
        made: &mut Made,
        holds: &mut dyn FnMut(Value<'_>) -> Truth,
    ) -> Truth {
        let mut all = self.quantifier.start();
        let mut none = true;
        self.operand.each(facts, made, &mut |value| {
            if value == Value::Absent {
                return;
            }
            none = false;
            let holds = holds(value);
            all = self.quantifier.join(all, if self.negated { holds.negate() } else { holds });
        });
        if none { Truth::False } else { all }
    }

    fn compare(
        &self,
        operator: Operator,
        right: &Operand,
        facts: &dyn Facts,
        buffers: &mut Buffers,
    ) -> Truth {
        let Buffers { left, right: made, .. } = buffers;
        let mut none = true;
        right.each(facts, made, &mut |other| none &= other == Value::Absent);
        if none {
            return Truth::False;
        }
        self.over_values(facts, left, &mut |value| {
            let mut any = Truth::False;
            right.each(facts, made, &mut |other| any = any.or(compare(operator, value, other)));
            any
        })
    }
}

fn several(modifier: Modifier, each: impl Iterator<Item = Truth>, none: bool) -> Truth {
    if none {
        return Truth::False;
    }
    match modifier {
        Modifier::AnyOf => each.fold(Truth::False, Truth::or),
        Modifier::AllOf => each.fold(Truth::True, Truth::and),
        Modifier::OneOf => {
            let (mut holding, mut unknown) = (0, 0);
            for truth in each {
                holding += usize::from(truth == Truth::True);
                unknown += usize::from(truth == Truth::Unknown);
            }
            match (holding, unknown) {
                (2.., _) => Truth::False,
                (_, 1..) => Truth::Unknown,
                (holding, _) => Truth::from(holding == 1),
            }
        }
    }
}

/// Two values of the same type.
fn compare(operator: Operator, left: Value<'_>, right: Value<'_>) -> Truth {
    match (left, right) {
        (Value::Absent, _) | (_, Value::Absent) => Truth::False,
        (Value::Text(left), Value::Text(right)) => {
            Truth::from(compare_texts(operator, left, right))
        }
        (Value::Number(left), Value::Number(right)) => {
            Truth::from(order_holds(operator, left.cmp(&right)))
        }
        (Value::Bool(left), Value::Bool(right)) => Truth::from(left == right),
        (Value::Address(left), Value::Address(right)) => {
            Truth::from(left.to_canonical() == right.to_canonical())
        }
        (Value::Capabilities(left), Value::Capabilities(right)) => Truth::from(left == right),
        _ => Truth::Unknown,
    }
}

fn compare_texts(operator: Operator, left: &[u8], right: &[u8]) -> bool {
    match operator {
        Operator::Contains => memchr::memmem::find(left, right).is_some(),
        Operator::IContains => {
            right.is_empty()
                || left.windows(right.len()).any(|part| part.eq_ignore_ascii_case(right))
        }
        Operator::StartsWith => left.starts_with(right),
        Operator::EndsWith => left.ends_with(right),
        Operator::PMatch => {
            let right = right.strip_suffix(b"/").unwrap_or(right);
            left.strip_prefix(right).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
        }
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            order_holds(operator, left.cmp(right))
        }
        _ => left == right,
    }
}

impl Operand {
    /// What `with` makes of the first value.
    pub fn first<T>(
        &self,
        facts: &dyn Facts,
        made: &mut Made,
        mut with: impl FnMut(Value<'_>) -> T,
    ) -> T {
        let mut result = None;
        self.each(facts, made, &mut |value| {
            if result.is_none() {
                result = Some(with(value));
            }
        });
        result.unwrap_or_else(|| with(Value::Absent))
    }

    /// Calls `each` for every value.
    fn each(&self, facts: &dyn Facts, made: &mut Made, each: &mut dyn FnMut(Value<'_>)) {
        let Made(buffer) = made;
        match self {
            Self::Field(field) => {
                each(field.value(facts));
                let (id, argument) = (field.spec.id, &field.argument);
                if field.spec.has_several(argument) {
                    let mut others = (1..).map_while(|number| facts.another(id, argument, number));
                    others.by_ref().for_each(each);
                }
            }
            Self::Made(part) => {
                buffer.clear();
                each(match part.write(facts, buffer) {
                    Written::Yes => Value::Text(buffer),
                    Written::Absent => Value::Absent,
                    Written::Unknown => Value::Unknown,
                });
            }
            Self::Length(part) => {
                buffer.clear();
                each(match part.write(facts, buffer) {
                    Written::Yes => Value::number(buffer.len() as u64),
                    Written::Absent => Value::Absent,
                    Written::Unknown => Value::Unknown,
                });
            }
            Self::Count(field) => each(match field.value(facts) {
                Value::Words(words) if !words.is_cut => {
                    Value::number(words.arguments().count() as u64)
                }
                Value::Absent => Value::Absent,
                _ => Value::Unknown,
            }),
            Self::Options { of, letters, only } => {
                let words = match of.value(facts) {
                    Value::Words(words) if !words.is_cut => words,
                    Value::Absent => return each(Value::Absent),
                    _ => return each(Value::Unknown),
                };
                let mut last = None;
                letters.each(words.arguments(), |letter, value| match only {
                    Some(only) if letter == [*only] => last = Some(value.unwrap_or(letter)),
                    Some(_) => {}
                    None => {
                        each(Value::Text(letter));
                        if let Some(value) = value {
                            each(Value::Text(value));
                        }
                    }
                });
                if let Some(last) = last {
                    each(Value::Text(last));
                }
            }
        }
    }
}
