//! From the words of a label selector to requirements, and what keys and values may be.

use super::super::{Why, names};
use super::words::{Word, Words};
use super::{Operator, Requirement};

/// Where in a text, and why.
type Fault = (usize, Why);

/// All requirements of a text.
pub fn requirements(text: &str) -> Result<Vec<Requirement>, Fault> {
    let mut words = Words::new(text);
    let mut requirements = Vec::new();
    if words.peek().1 == Word::End {
        return Ok(requirements);
    }
    loop {
        requirements.push(requirement(&mut words)?);
        match words.next() {
            (_, Word::End) => return Ok(requirements),
            (_, Word::Comma) => {}
            (at, _) => return Err((at, Why::Expected("a comma or the end"))),
        }
    }
}

fn requirement(words: &mut Words<'_>) -> Result<Requirement, Fault> {
    let (first, word) = words.next();
    let must_not_exist = word == Word::Not;
    let (at, word) = if must_not_exist { words.next() } else { (first, word) };
    let Word::Text(key) = word else {
        let wanted = if must_not_exist { "a key" } else { "a key or !" };
        return Err((at, Why::Expected(wanted)));
    };
    check_key(at, key)?;
    let operator = if must_not_exist { Operator::DoesNotExist } else { operator(words)? };
    Ok(Requirement { key: key.into(), operator })
}

fn operator(words: &mut Words<'_>) -> Result<Operator, Fault> {
    let (at, word) = words.peek();
    if matches!(word, Word::End | Word::Comma) {
        return Ok(Operator::Exists);
    }
    words.next();
    match word {
        Word::Is => Ok(Operator::In(vec![value(words)?.1.into()])),
        Word::IsNot => Ok(Operator::NotIn(vec![value(words)?.1.into()])),
        Word::Text("in") => Ok(Operator::In(values(words)?)),
        Word::Text("notin") => Ok(Operator::NotIn(values(words)?)),
        Word::Greater => Ok(Operator::Greater(number(words)?)),
        Word::Less => Ok(Operator::Less(number(words)?)),
        _ => Err((at, Why::Expected("=, ==, !=, in, notin, <, >, a comma or the end"))),
    }
}

/// A value with its place; it may be empty.
fn value<'a>(words: &mut Words<'a>) -> Result<(usize, &'a str), Fault> {
    match words.peek() {
        (at, Word::End | Word::Comma | Word::Close) => Ok((at, "")),
        (at, Word::Text(value)) => {
            words.next();
            check_name(at, value)?;
            Ok((at, value))
        }
        (at, _) => Err((at, Why::Expected("a value"))),
    }
}

fn values(words: &mut Words<'_>) -> Result<Vec<Box<str>>, Fault> {
    let (at, word) = words.next();
    if word != Word::Open {
        return Err((at, Why::Expected("(")));
    }
    if let (at, Word::Close) = words.peek() {
        return Err((at, Why::NoValues));
    }
    let mut values = Vec::new();
    loop {
        values.push(value(words)?.1.into());
        match words.next() {
            (_, Word::Comma) => {}
            (_, Word::Close) => break,
            (at, _) => return Err((at, Why::Expected("a comma or )"))),
        }
    }
    values.sort_unstable();
    values.dedup();
    Ok(values)
}

fn number(words: &mut Words<'_>) -> Result<i64, Fault> {
    let (at, value) = value(words)?;
    value.parse().map_err(|_| (at, Why::NotANumber))
}

const MOST_OF_NAME: usize = 63;
const NAME: &str = "keys and values have letters, digits, -, _ and .";

/// `[prefix/]name`, where the prefix is a name of the DNS.
fn check_key(at: usize, key: &str) -> Result<(), Fault> {
    let Some((prefix, name)) = key.split_once('/') else { return check_name(at, key) };
    names::subdomain(prefix).map_err(|(place, why)| (at + place, why))?;
    let at = at + prefix.len() + 1;
    if name.is_empty() {
        return Err((at, Why::Expected("a name behind the /")));
    }
    check_name(at, name)
}

/// The name of a key, or a value.
fn check_name(at: usize, name: &str) -> Result<(), Fault> {
    let is_inner = |found: char| found.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&found);
    if let Some((place, found)) = name.char_indices().find(|(_, found)| !is_inner(*found)) {
        return Err((at + place, Why::Character { found, allowed: NAME }));
    }
    if name.len() > MOST_OF_NAME {
        return Err((at + MOST_OF_NAME, Why::TooLong { most: MOST_OF_NAME }));
    }
    let ends = [(0, name.chars().next()), (name.len() - 1, name.chars().next_back())];
    let wrong = ends.iter().find(|(_, end)| !end.is_some_and(|end| end.is_ascii_alphanumeric()));
    wrong.map_or(Ok(()), |(place, _)| Err((at + place, Why::Expected("a letter or a digit"))))
}
