//! What stands between the braces, and what it comes to.

use serde_json::Value;

use super::{Error, json};

/// An expression, and where it is.
#[derive(Debug)]
pub struct Expression {
    line: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// A text or a number.
    Literal(Value),
    /// `.A.B` of what is gone through, or of the top: nothing but a dot is empty.
    Field(Vec<String>),
    /// `$name.A`
    Variable(String, Vec<String>),
    /// A function with what it takes.
    Call(String, Vec<Expression>),
}

impl Expression {
    /// Of what is written.
    pub fn parse(text: &str, line: usize) -> Result<Self, Error> {
        let mut rest = text.trim();
        let expression = call(&mut rest, line)?;
        match rest.trim_start().chars().next() {
            None => Ok(expression),
            Some(letter) => {
                Err(Error { line, why: format!("{:?} is not understood", letter.to_string()) })
            }
        }
    }

    /// That this is wrong with it.
    pub fn error(&self, why: impl Into<String>) -> Error {
        Error { line: self.line, why: why.into() }
    }
}

/// A function with all that follows, or one operand.
fn call(rest: &mut &str, line: usize) -> Result<Expression, Error> {
    let word_end = rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(rest.len());
    let (word, behind) = rest.split_at(word_end);
    let is_file = rest.strip_prefix(".Files.Get");
    let name = match (is_file, word) {
        (Some(behind), _) => {
            *rest = behind;
            "Get".to_owned()
        }
        (None, "" | "true" | "false") => return operand(rest, line),
        (None, word) if word.starts_with(|first: char| first.is_ascii_digit()) => {
            return operand(rest, line);
        }
        (None, word) => {
            let name = word.to_owned();
            *rest = behind;
            name
        }
    };
    let mut operands = Vec::new();
    loop {
        *rest = rest.trim_start();
        if rest.is_empty() || rest.starts_with(')') || rest.starts_with('|') {
            return Ok(Expression { line, kind: Kind::Call(name, operands) });
        }
        operands.push(operand(rest, line)?);
    }
}

fn operand(rest: &mut &str, line: usize) -> Result<Expression, Error> {
    let wrong = |why: String| Error { line, why };
    let expression = |kind| Expression { line, kind };
    if let Some(inside) = rest.strip_prefix('(') {
        *rest = inside.trim_start();
        let inner = call(rest, line)?;
        *rest =
            rest.trim_start().strip_prefix(')').ok_or_else(|| wrong("( without )".to_owned()))?;
        return Ok(inner);
    }
    if let Some(inside) = rest.strip_prefix('"') {
        let no_end = || wrong("a text without its end".to_owned());
        let (text, behind) = inside.split_once('"').ok_or_else(no_end)?;
        if text.contains('\\') {
            return Err(wrong("a text with a backslash".to_owned()));
        }
        *rest = behind;
        return Ok(expression(Kind::Literal(Value::from(text))));
    }
    let end = rest.find([' ', ')', '|', '\n']).unwrap_or(rest.len());
    let (word, behind) = rest.split_at(end);
    *rest = behind;
    let names =
        |path: &str| path.split('.').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if word.starts_with('.') {
        return Ok(expression(Kind::Field(names(word))));
    }
    if let Some(path) = word.strip_prefix('$') {
        let (name, path) = path.split_once('.').unwrap_or((path, ""));
        return Ok(expression(Kind::Variable(name.to_owned(), names(path))));
    }
    match word {
        "true" | "false" => Ok(expression(Kind::Literal(Value::from(word == "true")))),
        _ => match word.parse::<u32>() {
            Ok(number) => Ok(expression(Kind::Literal(Value::from(number)))),
            Err(_) if word.is_empty() => Err(wrong(format!(
                "{:?} is not understood",
                behind.chars().take(1).collect::<String>()
            ))),
            Err(_) => Err(wrong(format!("{word:?} is not understood"))),
        },
    }
}

/// Whether Go takes it for true: all that is not empty.
pub fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is_true) => *is_true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(items) => !items.is_empty(),
    }
}

/// What names stand for.
#[derive(Debug)]
pub struct Scope<'a> {
    top: &'a Value,
    dot: &'a Value,
    variables: Vec<(&'a str, Value)>,
}

impl<'a> Scope<'a> {
    /// Outside of every `range`.
    pub fn new(top: &'a Value) -> Self {
        Self { top, dot: top, variables: Vec::new() }
    }

    /// Within a `range`, at one of what it goes through.
    pub fn inside<'b>(
        &'b self,
        names: &'b Option<[String; 2]>,
        name: Value,
        item: &'b Value,
    ) -> Scope<'b> {
        let mut variables: Vec<_> = self.variables.clone();
        if let Some([first, second]) = names {
            variables.push((first, name));
            variables.push((second, item.clone()));
        }
        Scope { top: self.top, dot: item, variables }
    }

    /// What an expression comes to.
    pub fn value(&self, expression: &Expression) -> Result<Value, Error> {
        match &expression.kind {
            Kind::Literal(value) => Ok(value.clone()),
            Kind::Field(path) => within(self.dot, path, "", expression),
            Kind::Variable(name, path) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                let no_such = || expression.error(format!("there is no variable ${name}"));
                let (_, value) = found.ok_or_else(no_such)?;
                within(value, path, &format!("${name}"), expression)
            }
            Kind::Call(name, operands) => {
                let values = operands.iter().map(|operand| self.value(operand));
                self.call(expression, name, &values.collect::<Result<Vec<_>, _>>()?)
            }
        }
    }

    fn call(&self, at: &Expression, name: &str, values: &[Value]) -> Result<Value, Error> {
        let text = |value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            _ => Err(at.error(format!("{name} takes a text, not {value}"))),
        };
        match (name, values) {
            ("toJson", [value]) => Ok(json::text(value).into()),
            ("not", [value]) => Ok((!is_true(value)).into()),
            ("eq", [left, right]) => Ok((left == right).into()),
            ("and", [first, .., last]) => {
                let untrue = values.iter().find(|value| !is_true(value));
                Ok(untrue.unwrap_or(if is_true(first) { last } else { first }).clone())
            }
            ("or", [.., last]) if values.len() > 1 => {
                Ok(values.iter().find(|value| is_true(value)).unwrap_or(last).clone())
            }
            ("default", [usual, value]) => Ok(if is_true(value) { value } else { usual }.clone()),
            ("indent", [Value::Number(width), value]) => {
                let blanks =
                    " ".repeat(width.as_u64().and_then(|it| it.try_into().ok()).unwrap_or(0));
                let text = text(value)?;
                Ok(format!("{blanks}{}", text.replace('\n', &format!("\n{blanks}"))).into())
            }
            ("Get", [file]) => {
                let file = text(file)?;
                let found = self.top.get("Files").and_then(|files| files.get(&file));
                found.cloned().ok_or_else(|| at.error(format!("there is no file {file}")))
            }
            ("printf", [pattern, values @ ..]) => {
                let pattern = text(pattern)?;
                let mut parts = pattern.split("%s");
                let mut whole = parts.next().unwrap_or_default().to_owned();
                let (places, given) = (parts.clone().count(), values.len());
                if places != given {
                    return Err(at.error(format!("printf has {places} places for {given} values")));
                }
                for (part, value) in parts.zip(values) {
                    whole = whole + &text(value)? + part;
                }
                Ok(whole.into())
            }
            ("toJson" | "not", _) => {
                Err(at.error(format!("{name} takes 1 value, not {}", values.len())))
            }
            ("eq" | "and" | "or" | "default" | "indent" | "Get" | "printf", _) => {
                Err(at.error(format!("{name} does not take these {} values", values.len())))
            }
            _ => Err(at.error(format!("there is no function {name}"))),
        }
    }
}

/// What is at a path. The last name may be missing, which is null, as with Go's maps.
fn within(value: &Value, path: &[String], prefix: &str, at: &Expression) -> Result<Value, Error> {
    let mut place = value;
    for name in path {
        let wrong =
            |what| at.error(format!("{prefix}.{}: {what} has no names in it", path.join(".")));
        place = match place {
            Value::Object(names) => names.get(name).unwrap_or(&Value::Null),
            Value::Null => return Err(wrong("nothing")),
            Value::String(_) => return Err(wrong("a text")),
            _ => return Err(wrong("what is there")),
        };
    }
    Ok(place.clone())
}
