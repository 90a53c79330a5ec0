//! From the text of a condition to its tree. By recursion, which is bounded.

use super::cursor::{Cursor, is_bare, is_bare_argument};
use super::{
    Call, Check, Comparison, Expression, Field, Modifier, Operand, Operator, Right, Span,
    Transformer, Word,
};
use crate::diagnostic::nearest;

/// Parentheses within each other, as many as Falco takes.
const MAX_DEPTH: usize = 100;

/// What is wrong with a condition, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
    /// Where.
    pub span: Span,
}

impl SyntaxError {
    fn new(span: Span, message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, span }
    }

    fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

type Parsed<T> = Result<T, SyntaxError>;

/// Parses a condition.
pub fn parse(text: &str) -> Result<Expression, SyntaxError> {
    let mut parser = Parser { cursor: Cursor::new(text), depth: 0 };
    let expression = parser.or()?;
    if !parser.cursor.is_at_end() {
        return Err(parser.unexpected("`and`, `or` or the end"));
    }
    Ok(expression)
}

/// Parses an operand at the start of a text, and says how many bytes it takes: in output strings.
pub(crate) fn parse_operand(text: &str) -> Result<(Operand, usize), SyntaxError> {
    let mut parser = Parser { cursor: Cursor::new(text), depth: 0 };
    let operand = parser.operand()?;
    Ok((operand, parser.cursor.at))
}

/// Whether a macro can be called so.
pub(crate) fn is_name(text: &str) -> bool {
    let mut cursor = Cursor::new(text);
    cursor.name().is_some() && cursor.is_at_end()
}

struct Parser<'t> {
    cursor: Cursor<'t>,
    depth: usize,
}

impl Parser<'_> {
    fn unexpected(&self, expected: &str) -> SyntaxError {
        let here = self.cursor.here();
        match self.cursor.text_of(here) {
            "" => SyntaxError::new(here, format!("expected {expected}, but it ends here")),
            found => SyntaxError::new(here, format!("expected {expected}, found `{found}`")),
        }
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} levels of parentheses");
            return Err(SyntaxError::new(self.cursor.here(), message));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn or(&mut self) -> Parsed<Expression> {
        let all = self.joined("or", Self::and)?;
        Ok(one_or(all, Expression::Or))
    }

    fn and(&mut self) -> Parsed<Expression> {
        let all = self.joined("and", Self::not)?;
        Ok(one_or(all, Expression::And))
    }

    fn joined(
        &mut self,
        keyword: &str,
        part: impl Fn(&mut Self) -> Parsed<Expression>,
    ) -> Parsed<Vec<Expression>> {
        let mut all = vec![part(self)?];
        self.cursor.skip_blanks();
        while self.cursor.take_keyword(keyword) {
            all.push(part(self)?);
            self.cursor.skip_blanks();
        }
        Ok(all)
    }

    fn not(&mut self) -> Parsed<Expression> {
        let mut negated = false;
        self.cursor.skip_blanks();
        while self.cursor.take_keyword("not") {
            negated = !negated;
            self.cursor.skip_blanks();
        }
        let expression = self.primary()?;
        Ok(if negated { Expression::Not(Box::new(expression)) } else { expression })
    }

    fn primary(&mut self) -> Parsed<Expression> {
        let start = self.cursor.at;
        if self.cursor.take("(") {
            let expression = self.deeper(Self::or)?;
            self.close(start)?;
            return Ok(expression);
        }
        let mut ahead = self.cursor;
        let Some(name) = ahead.dotted_name() else {
            return Err(self.unexpected("a field, a macro or `(`"));
        };
        let is_call = Transformer::of_word(name).is_some() && ahead.rest().starts_with('(');
        if !name.contains('.') && !is_call {
            return self.macro_name(name, ahead);
        }
        let left = self.operand()?;
        let (comparison, right) = self.comparison(&left)?;
        let span = self.cursor.span_from(start);
        Ok(Expression::Check(Box::new(Check { left, comparison, right, span })))
    }

    fn macro_name(&mut self, name: &str, mut after: Cursor<'_>) -> Parsed<Expression> {
        let span = after.span_from(self.cursor.at);
        if matches!(name, "and" | "or" | "not") || Operator::of_word(name).is_some() {
            return Err(self.unexpected("a field, a macro or `(`"));
        }
        if after.rest().starts_with('(') {
            let hint = nearest(name, Transformer::ALL.iter().map(|known| known.word()));
            return Err(SyntaxError::new(span, format!("there is no transformer {name}"))
                .hint(hint.map(|known| format!("did you mean {known}?"))));
        }
        after.skip_blanks();
        let at = after.at;
        if operator(&mut after).is_some() {
            let message = format!("{name} is no field: fields have dots in their names");
            return Err(SyntaxError::new(span, message));
        }
        self.cursor.at = span.end;
        debug_assert!(at >= span.end);
        Ok(Expression::Macro(Word { text: name.to_owned(), span }))
    }

    fn close(&mut self, opened: usize) -> Parsed<()> {
        self.cursor.skip_blanks();
        if self.cursor.take(")") {
            return Ok(());
        }
        let error = self.unexpected("`and`, `or` or `)`");
        let open = Span { start: opened, end: opened + 1 };
        Err(if self.cursor.is_at_end() {
            SyntaxError::new(open, "this `(` is not closed")
        } else {
            error
        })
    }

    /// A field or a transformer.
    fn operand(&mut self) -> Parsed<Operand> {
        let start = self.cursor.at;
        let Some(name) = self.cursor.dotted_name() else {
            return Err(self.unexpected("a field or a transformer"));
        };
        match Transformer::of_word(name) {
            Some(transformer) if self.cursor.take("(") => {
                self.call(transformer, start).map(Operand::Call)
            }
            _ => self.field(name, start).map(Operand::Field),
        }
    }

    /// What follows a field's name.
    fn field(&mut self, name: &str, start: usize) -> Parsed<Field> {
        if !name.contains('.') {
            let span = self.cursor.span_from(start);
            return Err(SyntaxError::new(span, format!("{name} is no field")));
        }
        let argument = self.brackets()?.map(|word| word.text);
        let name = name.to_owned();
        Ok(Field { name, argument, span: self.cursor.span_from(start) })
    }

    fn brackets(&mut self) -> Parsed<Option<Word>> {
        if !self.cursor.take("[") {
            return Ok(None);
        }
        let Some(word) = self.string(is_bare_argument)? else {
            return Err(self.unexpected("an argument"));
        };
        if !self.cursor.take("]") {
            return Err(self.unexpected("`]`"));
        }
        Ok(Some(word))
    }

    /// What follows `transformer(`.
    fn call(&mut self, transformer: Transformer, start: usize) -> Parsed<Call> {
        let arguments = self.deeper(|parser| parser.arguments())?;
        let key = self.brackets()?;
        Ok(Call { transformer, arguments, key, span: self.cursor.span_from(start) })
    }

    /// Arguments up to the parenthesis that closes them.
    fn arguments(&mut self) -> Parsed<Vec<Operand>> {
        let mut arguments = Vec::new();
        loop {
            self.cursor.skip_blanks();
            arguments.push(self.argument()?);
            self.cursor.skip_blanks();
            if self.cursor.take(")") {
                return Ok(arguments);
            }
            if !self.cursor.take(",") {
                return Err(self.unexpected("`,` or `)`"));
            }
        }
    }

    fn argument(&mut self) -> Parsed<Operand> {
        let start = self.cursor.at;
        if self.cursor.take("(") {
            let all = self.deeper(|parser| parser.arguments())?;
            return Ok(Operand::List(all, self.cursor.span_from(start)));
        }
        match self.quoted()? {
            Some(word) => Ok(Operand::Literal(word)),
            None => self.operand(),
        }
    }

    fn quoted(&mut self) -> Parsed<Option<Word>> {
        let quoted = self.cursor.quoted().transpose();
        quoted.map_err(|span| SyntaxError::new(span, "this string does not end"))
    }

    fn string(&mut self, is_part: fn(char) -> bool) -> Parsed<Option<Word>> {
        let quoted = self.quoted()?;
        Ok(quoted.or_else(|| self.cursor.bare(is_part)))
    }

    fn comparison(&mut self, left: &Operand) -> Parsed<(Comparison, Right)> {
        self.cursor.skip_blanks();
        let start = self.cursor.at;
        let Some(operator) = operator(&mut self.cursor) else {
            return Err(self.no_operator(left));
        };
        let modifier = if operator.takes_modifier() { self.modifier() } else { None };
        let comparison = Comparison { operator, modifier, span: self.cursor.span_from(start) };
        self.cursor.skip_blanks();
        let right = match operator {
            Operator::Exists => Right::Nothing,
            _ if operator.takes_list() || modifier.is_some() => self.list()?,
            _ if operator.is_ordering() => self.number()?,
            _ => self.value("a string")?,
        };
        Ok((comparison, right))
    }

    fn no_operator(&self, left: &Operand) -> SyntaxError {
        let mut ahead = self.cursor;
        let word = ahead.letters();
        let words = Operator::ALL.iter().map(|known| known.word());
        let hint = nearest(word, words.filter(|known| known.len() > 1));
        let hint = hint.map(|known| format!("did you mean {known}?"));
        let field = match left {
            Operand::Field(field) => field.name.as_str(),
            _ => "it",
        };
        let hint = hint.or_else(|| {
            let ends = matches!(word, "" | "and" | "or");
            ends.then(|| format!("for a field that is true or false: {field} = true"))
        });
        self.unexpected("an operator").hint(hint)
    }

    /// `oneof`, `anyof` or `allof`, if a list follows; else it is a string.
    fn modifier(&mut self) -> Option<Modifier> {
        let mut ahead = self.cursor;
        ahead.skip_blanks();
        let modifier = Modifier::of_word(ahead.letters())?;
        let end = ahead;
        ahead.skip_blanks();
        let is_list = ahead.rest().starts_with('(')
            || ahead.at > end.at && ahead.name().is_some_and(|name| !matches!(name, "and" | "or"));
        is_list.then(|| {
            self.cursor.at = end.at;
            modifier
        })
    }

    /// `val(FIELD)` or a transformer, if that stands here.
    fn right_operand(&mut self) -> Parsed<Option<Right>> {
        let start = self.cursor.at;
        if self.cursor.take("val(") {
            self.cursor.skip_blanks();
            let start = self.cursor.at;
            let Some(name) = self.cursor.dotted_name() else {
                return Err(self.unexpected("a field"));
            };
            let field = self.field(name, start)?;
            self.cursor.skip_blanks();
            if !self.cursor.take(")") {
                return Err(self.unexpected("`)`"));
            }
            return Ok(Some(Right::Field(field)));
        }
        let mut ahead = self.cursor;
        let transformer = ahead.name().and_then(Transformer::of_word);
        let Some(transformer) = transformer.filter(|_| ahead.take("(")) else { return Ok(None) };
        self.cursor.at = ahead.at;
        self.call(transformer, start).map(|call| Some(Right::Call(call)))
    }

    fn value(&mut self, expected: &str) -> Parsed<Right> {
        if let Some(right) = self.right_operand()? {
            return Ok(right);
        }
        match self.string(is_bare)? {
            Some(word) => Ok(Right::Value(word)),
            None => Err(self.unexpected(expected)),
        }
    }

    fn number(&mut self) -> Parsed<Right> {
        let right = self.value("a number")?;
        match &right {
            Right::Value(word) if !is_number(&word.text) => {
                let message = format!("expected a number, found `{}`", word.text);
                Err(SyntaxError::new(word.span, message))
            }
            _ => Ok(right),
        }
    }

    fn list(&mut self) -> Parsed<Right> {
        let start = self.cursor.at;
        if !self.cursor.take("(") {
            if let Some(right) = self.right_operand()? {
                return Ok(right);
            }
            let start = self.cursor.at;
            let Some(name) = self.cursor.name() else {
                return Err(self.unexpected("`(` or the name of a list"));
            };
            let span = self.cursor.span_from(start);
            return Ok(Right::ListName(Word { text: name.to_owned(), span }));
        }
        let mut items = Vec::new();
        self.cursor.skip_blanks();
        if self.cursor.take(")") {
            return Ok(Right::List(items, self.cursor.span_from(start)));
        }
        loop {
            self.cursor.skip_blanks();
            let Some(item) = self.string(is_bare)? else {
                return Err(self.unexpected("an item of the list"));
            };
            items.push(item);
            self.cursor.skip_blanks();
            if self.cursor.take(")") {
                return Ok(Right::List(items, self.cursor.span_from(start)));
            }
            if !self.cursor.take(",") {
                return Err(self.unexpected("`,` or `)`"));
            }
        }
    }
}

fn one_or(mut all: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match all.pop() {
        Some(only) if all.is_empty() => only,
        Some(last) => {
            all.push(last);
            join(all)
        }
        None => join(all),
    }
}

/// The operator that stands here.
fn operator(cursor: &mut Cursor<'_>) -> Option<Operator> {
    for symbol in ["<=", "<", ">=", ">", "==", "=", "!="] {
        if cursor.take(symbol) {
            return Operator::of_word(if symbol == "==" { "=" } else { symbol });
        }
    }
    let mut ahead = *cursor;
    let operator = Operator::of_word(ahead.letters())?;
    // `in(…)` needs no blank; `startswith /etc` does.
    let ends = ahead.rest().chars().next().is_none_or(|next| !is_bare(next));
    ends.then(|| {
        *cursor = ahead;
        operator
    })
}

/// Decimal or hexadecimal, with a sign, a point and an exponent if need be.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(hexadecimal) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return !hexadecimal.is_empty() && hexadecimal.chars().all(|c| c.is_ascii_hexdigit());
    }
    digits.starts_with(|first: char| first.is_ascii_digit()) && digits.parse::<f64>().is_ok()
}
