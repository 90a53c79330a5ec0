//! What stands on the right of a comparison, checked against the type of the left.

use std::collections::HashSet;
use std::sync::Arc;

use memchr::memmem::Finder;
use regex::bytes::RegexBuilder;

use super::lists::ListEntry;
use crate::catalogue::Type;
use crate::condition::Operator;
use crate::evaluate::{NumberTest, Test, TextTest};
use crate::matching::{Glob, Networks, Prefixes};

/// A value that cannot be compared with, by its number among those that are given, and why.
pub(super) struct Unusable {
    pub index: usize,
    pub why: String,
}

/// Whether values of a type can be compared so; if not, with what they can.
pub(super) fn allowed(operator: Operator, value_type: Type) -> Result<(), Vec<&'static str>> {
    let is_allowed = |operator: Operator| match operator {
        Operator::Exists
        | Operator::Equal
        | Operator::NotEqual
        | Operator::In
        | Operator::Intersects => true,
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            value_type == Type::Number
        }
        Operator::Contains
        | Operator::IContains
        | Operator::BContains
        | Operator::StartsWith
        | Operator::BStartsWith
        | Operator::EndsWith => matches!(value_type, Type::Text | Type::Bytes),
        Operator::Glob | Operator::IGlob | Operator::Regex | Operator::PMatch => {
            value_type == Type::Text
        }
    };
    if is_allowed(operator) {
        return Ok(());
    }
    let all = Operator::ALL.iter().filter(|operator| is_allowed(**operator));
    Err(all.map(|operator| operator.word()).collect())
}

/// The test of one value, or of a list of them.
pub(super) fn test(
    operator: Operator,
    value_type: Type,
    entries: &[ListEntry],
) -> Result<Test, Unusable> {
    match value_type {
        Type::Text | Type::Bytes => text(operator, entries).map(Test::Text),
        Type::Number => number(operator, entries).map(Test::Number),
        Type::Bool => {
            let flags = each(entries, "true or false", |text| match text {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            });
            flags.map(Test::Bool)
        }
        Type::Address | Type::Network => {
            let mut networks = Networks::default();
            for (index, entry) in entries.iter().enumerate() {
                networks.add(&entry.text).map_err(|()| {
                    let text = &entry.text;
                    Unusable { index, why: format!("{text:?} is no IP address and no network") }
                })?;
            }
            Ok(Test::Address(networks))
        }
    }
}

fn each<T: std::hash::Hash + Eq>(
    entries: &[ListEntry],
    wanted: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<HashSet<T>, Unusable> {
    let parsed = entries.iter().enumerate().map(|(index, entry)| {
        let text = &entry.text;
        parse(text).ok_or_else(|| Unusable { index, why: format!("{text:?} is not {wanted}") })
    });
    parsed.collect()
}

fn number(operator: Operator, entries: &[ListEntry]) -> Result<NumberTest, Unusable> {
    let mut numbers = each(entries, "a whole number", whole_number)?;
    if operator.takes_list() {
        return Ok(NumberTest::In(numbers));
    }
    let number = numbers.drain().next().unwrap_or_default();
    let operator = if operator == Operator::NotEqual { Operator::Equal } else { operator };
    Ok(NumberTest::Compare(operator, number))
}

fn whole_number(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let number = match hexadecimal {
        Some(digits) => i128::from_str_radix(digits, 16),
        None if digits.starts_with(|first: char| first.is_ascii_digit()) => digits.parse(),
        None => return None,
    };
    i64::try_from(sign * number.ok()?).ok()
}

fn text(operator: Operator, entries: &[ListEntry]) -> Result<TextTest, Unusable> {
    let texts = || entries.iter().map(|entry| entry.text.as_str());
    let only = || texts().next().unwrap_or_default();
    let bytes = || only().as_bytes().into();
    let wrong = |why| Unusable { index: 0, why };
    Ok(match operator {
        Operator::In | Operator::Intersects => {
            TextTest::In(texts().map(|text| text.as_bytes().into()).collect())
        }
        Operator::PMatch => TextTest::Below(Prefixes::new(texts())),
        Operator::Contains => TextTest::Contains(Box::new(Finder::new(only()).into_owned())),
        Operator::IContains => TextTest::ContainsAnyCase(bytes()),
        Operator::StartsWith => TextTest::StartsWith(bytes()),
        Operator::EndsWith => TextTest::EndsWith(bytes()),
        Operator::BContains | Operator::BStartsWith => {
            let Some(bytes) = hexadecimal(only()) else {
                return Err(wrong(format!("{:?} is not bytes in hexadecimal digits", only())));
            };
            match operator {
                Operator::BContains => {
                    TextTest::Contains(Box::new(Finder::new(&bytes).into_owned()))
                }
                _ => TextTest::StartsWith(bytes.into()),
            }
        }
        Operator::Glob => TextTest::Glob(Glob::new(only(), false)),
        Operator::IGlob => TextTest::Glob(Glob::new(only(), true)),
        Operator::Regex => {
            // The whole text, as RE2's FullMatch.
            let whole = format!("^(?:{})$", only());
            let built = RegexBuilder::new(&whole).size_limit(1 << 20).build();
            // Unless it is a comment without an end that makes the parenthesis one too many.
            let alone = RegexBuilder::new(only()).size_limit(1 << 20).build();
            match (built, alone) {
                (Ok(regex), Ok(_)) => TextTest::Regex(regex, Arc::default()),
                (_, Err(error)) | (Err(error), _) => {
                    let why = error.to_string();
                    let last = why.lines().last().unwrap_or_default();
                    let last = last.trim_start_matches("error: ");
                    return Err(wrong(format!("{:?} is no regular expression: {last}", only())));
                }
            }
        }
        _ => TextTest::Equal(bytes()),
    })
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let value = |digit: &u8| char::from(*digit).to_digit(16);
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(value(high)? << 4 | value(low)?).ok(),
        _ => None,
    });
    pairs.collect()
}
