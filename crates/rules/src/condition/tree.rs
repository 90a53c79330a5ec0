//! A condition as a tree.

use std::ops::Range;

use super::{Modifier, Operator, Transformer};

/// Where something stands in the text of a condition, in bytes.
///
/// All spans are equal: two conditions are the same if they say the same, wherever they say it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// The bytes.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

impl PartialEq for Span {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Span {}

/// What has to hold of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// One of them, at least two are given.
    Or(Vec<Expression>),
    /// All of them, at least two are given.
    And(Vec<Expression>),
    /// It does not hold.
    Not(Box<Expression>),
    /// What a macro of this name says.
    Macro(Word),
    /// A comparison.
    Check(Box<Check>),
}

/// A word, as it reads without quotes and escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// A field of the event, compared with something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is compared.
    pub left: Operand,
    /// How.
    pub comparison: Comparison,
    /// With what.
    pub right: Right,
    /// Where all of it stands.
    pub span: Span,
}

/// How a check compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// The operator.
    pub operator: Operator,
    /// How many of a list's items it has to hold with.
    pub modifier: Option<Modifier>,
    /// Where it stands.
    pub span: Span,
}

/// Something that an event gives a value for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// A field.
    Field(Field),
    /// What a transformer makes of others.
    Call(Call),
    /// A text; an argument of a transformer only.
    Literal(Word),
    /// Several; an argument of a transformer only.
    List(Vec<Operand>, Span),
}

impl Operand {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Field(field) => field.span,
            Self::Call(call) => call.span,
            Self::Literal(word) => word.span,
            Self::List(_, span) => *span,
        }
    }
}

/// A field by its name: `proc.aname[2]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name: `proc.aname`.
    pub name: String,
    /// What stands in brackets: `2`.
    pub argument: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// A transformer with its arguments: `tolower(proc.name)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Which.
    pub transformer: Transformer,
    /// Its arguments, one at least.
    pub arguments: Vec<Operand>,
    /// What stands in brackets behind it.
    pub key: Option<Word>,
    /// Where it stands.
    pub span: Span,
}

/// What a check compares with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// Nothing: `exists`.
    Nothing,
    /// A text or number.
    Value(Word),
    /// `val(FIELD)`.
    Field(Field),
    /// What a transformer makes.
    Call(Call),
    /// A list as written.
    List(Vec<Word>, Span),
    /// The list of this name.
    ListName(Word),
}
