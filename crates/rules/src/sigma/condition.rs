//! The condition of a Sigma rule: how its searches are joined.
//!
//! ```text
//! or         := and ('or' and)*
//! and        := not ('and' not)*
//! not        := 'not'* ( '(' or ')' | ('1' | 'any' | 'all') 'of' ('them' | PATTERN) | SEARCH )
//! ```
//!
//! `them` is every search whose name does not begin with `_`; in a pattern `*` stands for anything.

use crate::condition::Span;
use crate::diagnostic::nearest;
use crate::matching::Glob;

/// Parentheses and `not` within each other.
const MAX_DEPTH: usize = 100;

/// A condition over searches by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    Or(Vec<Expression>),
    And(Vec<Expression>),
    Not(Box<Expression>),
    Search(usize),
}

/// What is wrong with a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Wrong {
    pub span: Span,
    pub message: String,
    pub hint: Option<String>,
    /// It is Sigma, but more than is supported.
    pub is_unsupported: bool,
}

/// Parses a condition over searches of these names.
pub(super) fn parse(text: &str, names: &[&str]) -> Result<Expression, Wrong> {
    let mut parser = Parser { text, names, at: 0, depth: 0 };
    let expression = parser.or()?;
    match parser.word() {
        None => Ok(expression),
        Some(span) if parser.is(span, "|") => Err(Wrong {
            is_unsupported: true,
            ..wrong(span, "aggregations (what follows `|`) are not supported")
        }),
        Some(span) => {
            Err(wrong(span, format!("expected and, or, or the end, found {}", parser.of(span))))
        }
    }
}

fn wrong(span: Span, message: impl Into<String>) -> Wrong {
    Wrong { span, message: message.into(), hint: None, is_unsupported: false }
}

struct Parser<'t> {
    text: &'t str,
    names: &'t [&'t str],
    at: usize,
    depth: usize,
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '*' | '.' | '/' | '\'' | '$')
}

impl Parser<'_> {
    fn of(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }

    fn is(&self, span: Span, word: &str) -> bool {
        self.of(span).eq_ignore_ascii_case(word)
    }

    /// The next word or character, without taking it.
    fn word(&self) -> Option<Span> {
        let rest = self.text.get(self.at..)?;
        let start = self.at + rest.find(|character: char| !character.is_whitespace())?;
        let rest = self.text.get(start..)?;
        let length = match rest.find(|character| !is_of_word(character)) {
            Some(0) => rest.chars().next().map_or(0, char::len_utf8),
            Some(length) => length,
            None => rest.len(),
        };
        Some(Span { start, end: start + length })
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.word().filter(|span| self.is(*span, word));
        if let Some(span) = found {
            self.at = span.end;
        }
        found.is_some()
    }

    fn or(&mut self) -> Result<Expression, Wrong> {
        let mut parts = vec![self.and()?];
        while self.take("or") {
            parts.push(self.and()?);
        }
        Ok(joined(parts, Expression::Or))
    }

    fn and(&mut self) -> Result<Expression, Wrong> {
        let mut parts = vec![self.not()?];
        while self.take("and") {
            parts.push(self.not()?);
        }
        Ok(joined(parts, Expression::And))
    }

    fn not(&mut self) -> Result<Expression, Wrong> {
        let mut negated = false;
        while self.take("not") {
            negated = !negated;
        }
        let primary = self.primary()?;
        Ok(if negated { Expression::Not(Box::new(primary)) } else { primary })
    }

    fn primary(&mut self) -> Result<Expression, Wrong> {
        let Some(span) = self.word() else {
            let end = Span { start: self.text.len(), end: self.text.len() };
            return Err(wrong(end, "expected the name of a search, found the end"));
        };
        self.at = span.end;
        if self.is(span, "(") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(wrong(
                    span,
                    format!("more than {MAX_DEPTH} parentheses within each other"),
                ));
            }
            let inner = self.or()?;
            self.depth -= 1;
            if !self.take(")") {
                return Err(wrong(span, "this parenthesis is not closed"));
            }
            return Ok(inner);
        }
        if self.word().is_some_and(|next| self.is(next, "of")) {
            return self.some_of(span);
        }
        let name = self.of(span);
        match self.names.iter().position(|known| *known == name) {
            Some(index) => Ok(Expression::Search(index)),
            None => Err(Wrong {
                hint: self.near(name),
                ..wrong(span, format!("there is no search {name}"))
            }),
        }
    }

    /// `1 of …`, `any of …`, `all of …`
    fn some_of(&mut self, quantifier: Span) -> Result<Expression, Wrong> {
        let join = match self.of(quantifier) {
            all if all.eq_ignore_ascii_case("all") => Expression::And,
            any if any == "1" || any.eq_ignore_ascii_case("any") => Expression::Or,
            other => {
                let message = format!("{other} of is not supported");
                let hint = Some("1 of, any of or all of".to_owned());
                return Err(Wrong { hint, is_unsupported: true, ..wrong(quantifier, message) });
            }
        };
        self.take("of");
        let Some(span) = self.word() else {
            return Err(wrong(quantifier, "expected them or a pattern of names behind of"));
        };
        self.at = span.end;
        let pattern = self.of(span);
        let is_meant = |name: &str| match pattern.eq_ignore_ascii_case("them") {
            true => !name.starts_with('_'),
            false => named_so(pattern, name),
        };
        let names = self.names.iter().enumerate();
        let found = names.filter(|(_, name)| is_meant(name));
        let found: Vec<_> = found.map(|(index, _)| Expression::Search(index)).collect();
        if found.is_empty() {
            let hint = self.near(pattern.trim_end_matches('*'));
            return Err(Wrong { hint, ..wrong(span, format!("there is no search {pattern}")) });
        }
        Ok(joined(found, join))
    }

    fn near(&self, name: &str) -> Option<String> {
        let hint = nearest(name, self.names.iter().copied());
        hint.map(|known| format!("did you mean {known}?"))
    }
}

/// Only a star is special.
fn named_so(pattern: &str, name: &str) -> bool {
    Glob::new(&pattern.replace('\\', "\\\\").replace('[', "\\["), false).matches(name.as_bytes())
}

fn joined(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = ["selection", "filter_main_a", "filter_main_b", "sel-2", "_helper"];

    fn shown(expression: &Expression) -> String {
        let all = |parts: &[Expression], word: &str| {
            let parts: Vec<_> = parts.iter().map(shown).collect();
            format!("({})", parts.join(word))
        };
        match expression {
            Expression::Or(parts) => all(parts, "|"),
            Expression::And(parts) => all(parts, "&"),
            Expression::Not(part) => format!("!{}", shown(part)),
            Expression::Search(index) => index.to_string(),
        }
    }

    #[test]
    fn the_shapes_of_conditions() {
        for (text, expected) in [
            ("selection", "0"),
            ("selection and not filter_main_a", "(0&!1)"),
            ("selection or filter_main_a and sel-2", "(0|(1&3))"),
            ("(selection or filter_main_a) and sel-2", "((0|1)&3)"),
            ("not (selection)", "!0"),
            ("not not selection", "0"),
            ("selection and not 1 of filter_main_*", "(0&!(1|2))"),
            ("all of filter_*", "(1&2)"),
            ("1 of them", "(0|1|2|3)"),
            ("all of them", "(0&1&2&3)"),
            ("any of sel*", "(0|3)"),
            ("1 of *_a", "1"),
            ("1 of _helper", "4"),
            ("selection AND NOT sel-2", "(0&!3)"),
            ("1 of selection\n  or\n sel-2", "(0|3)"),
        ] {
            assert_eq!(shown(&parse(text, &NAMES).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        for (text, at, message) in [
            ("", "", "found the end"),
            ("selection and", "", "found the end"),
            ("selektion", "selektion", "no search selektion"),
            ("selection filter_main_a", "filter_main_a", "expected and, or, or the end"),
            ("(selection", "(", "not closed"),
            ("selection)", ")", "expected and"),
            ("1 of nothing*", "nothing*", "no search nothing*"),
            ("2 of them", "2", "2 of is not supported"),
            ("selection | count() > 5", "|", "aggregations"),
            ("not", "", "found the end"),
        ] {
            let wrong = parse(text, &NAMES).unwrap_err();
            assert_eq!(text.get(wrong.span.range()).unwrap(), at, "{text}");
            assert!(wrong.message.contains(message), "{text}: {wrong}");
        }
        assert_eq!(
            parse("selektion", &NAMES).unwrap_err().hint.unwrap(),
            "did you mean selection?"
        );
        let deep = "(".repeat(100_000);
        assert!(parse(&deep, &NAMES).unwrap_err().message.contains("within each other"));
        assert!(parse(&"not ".repeat(100_000), &NAMES).is_err());
    }
}
