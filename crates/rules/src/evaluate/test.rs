//! What a value is tested for.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use memchr::memmem::Finder;
use regex::bytes::Regex;

use super::{AnyCase, Gap, Operand, Truth, Value, Written, write_value};
use crate::catalogue::EventTypes;
use crate::condition::{Modifier, Operator};
use crate::matching::{Glob, Networks, Prefixes};

/// A test of one value.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// There is one.
    Exists,
    /// The event is of one of these, whatever the value.
    EventTypes(EventTypes),
    Text(TextTest),
    Number(NumberTest),
    Bool(HashSet<bool>),
    Address(Networks),
    /// It is compared with what another operand has.
    Compare(Operator, Operand),
    /// As many of them hold as is asked for.
    Several(Modifier, Box<[Test]>),
}

/// A test of a text.
#[derive(Debug, Clone)]
pub(crate) enum TextTest {
    Equal(Box<[u8]>),
    In(HashSet<Box<[u8]>>),
    Contains(Box<Finder<'static>>),
    ContainsAnyCase(Box<[u8]>),
    StartsWith(Box<[u8]>),
    EndsWith(Box<[u8]>),
    Glob(Glob),
    /// With what decides it of a text that is cut, made when there is one.
    Regex(Regex, Arc<OnceLock<Gap>>),
    Below(Prefixes),
    AnyCase(AnyCase),
}

/// A test of a number.
#[derive(Debug, Clone)]
pub(crate) enum NumberTest {
    Compare(Operator, i64),
    In(HashSet<i64>),
}

impl NumberTest {
    pub fn holds(&self, number: i64) -> bool {
        match self {
            Self::Compare(operator, other) => order_holds(*operator, number.cmp(other)),
            Self::In(set) => set.contains(&number),
        }
    }

    /// Of a number of which no more is known than that.
    fn holds_of_not_negative(&self) -> Truth {
        let (of_zero, of_the_highest) = (self.holds(0), self.holds(i64::MAX));
        match self {
            // What holds of both ends holds between them, and what holds of neither of none, but for
            // one number that is asked for.
            Self::Compare(Operator::Equal, other) if *other < 0 => Truth::False,
            Self::In(set) if set.iter().all(|other| *other < 0) => Truth::False,
            Self::Compare(Operator::Equal, _) | Self::In(_) => Truth::Unknown,
            Self::Compare(..) if of_zero == of_the_highest => Truth::from(of_zero),
            Self::Compare(..) => Truth::Unknown,
        }
    }
}

/// What an operator that orders, or asks for the same, says of an order.
pub(crate) fn order_holds(operator: Operator, order: std::cmp::Ordering) -> bool {
    match operator {
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        _ => order.is_eq(),
    }
}

impl TextTest {
    pub fn holds(&self, text: &[u8]) -> bool {
        match self {
            Self::Equal(wanted) => **wanted == *text,
            Self::In(set) => set.contains(text),
            Self::Contains(finder) => finder.find(text).is_some(),
            Self::ContainsAnyCase(wanted) => {
                wanted.is_empty()
                    || text.windows(wanted.len()).any(|part| part.eq_ignore_ascii_case(wanted))
            }
            Self::StartsWith(wanted) => text.starts_with(wanted),
            Self::EndsWith(wanted) => text.ends_with(wanted),
            Self::Glob(glob) => glob.matches(text),
            Self::Regex(regex, _) => regex.is_match(text),
            Self::Below(prefixes) => prefixes.matches(text),
            Self::AnyCase(texts) => texts.holds(text),
        }
    }

    /// Of a text with nothing known between its head and its tail.
    fn holds_of_cut(&self, head: &[u8], tail: &[u8]) -> Truth {
        let may_be = |wanted: &[u8]| {
            wanted.len() >= head.len().max(tail.len())
                && wanted.starts_with(head)
                && wanted.ends_with(tail)
        };
        let unless = |impossible: bool| if impossible { Truth::False } else { Truth::Unknown };
        match self {
            Self::Equal(wanted) => unless(!may_be(wanted)),
            Self::In(set) => unless(!set.iter().any(|wanted| may_be(wanted))),
            Self::Contains(_) | Self::ContainsAnyCase(_) => {
                if self.holds(head) || self.holds(tail) { Truth::True } else { Truth::Unknown }
            }
            Self::StartsWith(wanted) => match head.get(..wanted.len()) {
                Some(start) => Truth::from(start == &**wanted),
                None => unless(!wanted.starts_with(head)),
            },
            Self::EndsWith(wanted) => match tail.len().checked_sub(wanted.len()) {
                Some(_) => Truth::from(tail.ends_with(wanted)),
                None => unless(!wanted.ends_with(tail)),
            },
            Self::AnyCase(texts) => texts.holds_of_cut(head, tail),
            Self::Regex(regex, gap) => {
                gap.get_or_init(|| Gap::new(regex.as_str())).holds(head, tail)
            }
            Self::Glob(_) | Self::Below(_) => Truth::Unknown,
        }
    }
}

impl Test {
    /// Whether it holds of a value. [`Compare`](Test::Compare) and [`Several`](Test::Several) are the
    /// predicate's.
    pub fn holds(&self, value: Value<'_>, names: &mut Vec<u8>) -> Truth {
        if matches!(value, Value::Unknown) {
            return Truth::Unknown;
        }
        match (self, value) {
            (Self::Exists, value) => Truth::from(value != Value::Absent),
            (Self::Text(test), Value::Text(text)) => Truth::from(test.holds(text)),
            (Self::Text(test), Value::Cut { head, tail }) => test.holds_of_cut(head, tail),
            (Self::Text(test), Value::Words(words)) => {
                names.clear();
                words.write_head(names);
                if !words.is_cut {
                    return Truth::from(test.holds(names));
                }
                let length = names.len();
                words.write_tail(names);
                let (head, tail) = names.split_at(length);
                test.holds_of_cut(head, tail)
            }
            (
                Self::Text(test),
                Value::Capabilities(_)
                | Value::Time(..)
                | Value::Connection { .. }
                | Value::Endpoint(_)
                | Value::Joined(..)
                | Value::Path(..)
                | Value::Flags(..)
                | Value::OpenFlags(_)
                | Value::Address(_)
                | Value::Mounts(_)
                | Value::Labels(_)
                | Value::Number(_)
                | Value::Composed(_),
            ) => {
                names.clear();
                match write_value(value, names) {
                    Written::Yes => Truth::from(test.holds(names)),
                    Written::Absent => Truth::False,
                    Written::Unknown => Truth::Unknown,
                }
            }
            (Self::Number(test), Value::NotNegative) => test.holds_of_not_negative(),
            (Self::Number(test), Value::Number(number)) => Truth::from(test.holds(number)),
            (Self::Bool(wanted), Value::Bool(holds)) => Truth::from(wanted.contains(&holds)),
            (Self::Address(networks), Value::Address(address)) => {
                Truth::from(networks.contains(address))
            }
            _ => Truth::False,
        }
    }
}
