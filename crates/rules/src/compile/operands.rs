//! Fields and transformers of a condition, looked up and checked.

use super::Compiler;
use crate::catalogue::{self, EventTypes, FieldId, FieldSpec, Takes, Type};
use crate::condition::{self, Call, Field, Span, Transformer};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::evaluate::{Argument, FieldRef, Operand, Part};
use crate::matching::{MountChoice, OptionLetters};
use crate::reporter::Reporter;
use crate::source::Place;
use crate::text::Text;

/// The number of an ancestor that can be asked for.
const MAX_ANCESTOR: u32 = 100;

/// An operand that can be evaluated, and what its values are.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    pub operand: Operand,
    pub value_type: Type,
    /// Events that its fields have values of.
    pub answered: EventTypes,
    /// Its fields.
    pub fields: Vec<&'static FieldSpec>,
}

/// Looks up what stands in a text.
pub(crate) struct Lookup<'l> {
    pub reporter: &'l Reporter<'l>,
    pub text: &'l Text,
    /// Where the operand's text begins in it.
    pub offset: usize,
}

type Found<T> = Result<T, Box<Diagnostic>>;

impl Lookup<'_> {
    fn place(&self, span: Span) -> Place {
        let range = span.start + self.offset..span.end + self.offset;
        self.text.place_of(range, self.reporter.sources)
    }

    fn error(&self, code: Code, span: Span, message: impl Into<String>) -> Box<Diagnostic> {
        Box::new(self.reporter.error(code, &self.place(span), message))
    }

    pub fn operand(&self, operand: &condition::Operand) -> Found<Typed> {
        match operand {
            condition::Operand::Field(field) => self.field(field),
            condition::Operand::Call(call) => self.call(call),
            other => Err(self.error(Code::Type, other.span(), "expected a field or a transformer")),
        }
    }

    pub fn field(&self, field: &Field) -> Found<Typed> {
        let field_ref = self.field_ref(field)?;
        let spec = field_ref.spec;
        Ok(Typed {
            operand: Operand::Field(field_ref),
            value_type: spec.value_type,
            answered: spec.answered,
            fields: vec![spec],
        })
    }

    /// The field of a name, with its argument.
    pub fn field_ref(&self, field: &Field) -> Found<FieldRef> {
        let (name, argument) = dotted(field);
        let Some(spec) = catalogue::field(&name) else {
            let hint = nearest(&name, catalogue::all().map(|spec| spec.name));
            let mut error =
                self.error(Code::UnknownField, field.span, format!("there is no field {name}"));
            error.hint = hint.map(|known| format!("did you mean {known}?"));
            return Err(error);
        };
        let wrong = |why: String| Err(self.error(Code::FieldArgument, field.span, why));
        let argument = match (spec.takes, argument) {
            (Takes::Nothing, Some(_)) => return wrong(format!("{name} takes no argument")),
            (Takes::Name, None) => return wrong(format!("{name} needs an argument: {name}[NAME]")),
            (Takes::Mount, None) => {
                let why =
                    format!("{name} needs a mount's number or path: {name}[0], {name}[/proc*]");
                return wrong(why);
            }
            (Takes::Place, None) => {
                return wrong(format!(
                    "{name} needs an argument's name or place: {name}.fd, {name}[0]"
                ));
            }
            (_, None) => Argument::None,
            (Takes::Place, Some(text)) => match text.parse() {
                Ok(place) => Argument::Place(place),
                Err(_) => return wrong(format!("{name} takes a place, from 0")),
            },
            (Takes::AncestorOrName, Some(text)) => match text.parse() {
                Ok(number) if number <= MAX_ANCESTOR => Argument::Ancestor(number),
                _ => Argument::Name(text.into()),
            },
            (Takes::Ancestor, Some(text)) => match text.parse() {
                Ok(number) if number <= MAX_ANCESTOR => Argument::Ancestor(number),
                _ => {
                    let why =
                        format!("{name} takes the number of an ancestor, 0 to {MAX_ANCESTOR}");
                    return wrong(why);
                }
            },
            (Takes::Name | Takes::MaybeName, Some(text)) => Argument::Name(text.into()),
            (Takes::Mount, Some(text)) => Argument::Mount(MountChoice::new(text)),
        };
        Ok(FieldRef { spec, argument })
    }

    fn call(&self, call: &Call) -> Found<Typed> {
        if call.key.is_some() && call.transformer != Transformer::GetOpt {
            let message = format!("{} takes nothing in brackets", call.transformer.word());
            return Err(self.error(Code::FieldArgument, call.span, message));
        }
        let mut fields = Vec::new();
        let (operand, value_type) = match call.transformer {
            Transformer::Length => self.length(call, &mut fields)?,
            Transformer::GetOpt => (self.options(call, &mut fields)?, Type::Text),
            _ => (Operand::Made(self.part_of_call(call, &mut fields)?), Type::Text),
        };
        let answered = fields
            .iter()
            .fold(EventTypes::ALL, |all, field: &&FieldSpec| all.intersection(field.answered));
        Ok(Typed { operand, value_type, answered, fields })
    }

    fn length(&self, call: &Call, fields: &mut Vec<&'static FieldSpec>) -> Found<(Operand, Type)> {
        let argument = self.only(call)?;
        if let condition::Operand::Field(field) = argument {
            let field = self.field_ref(field)?;
            if has_parts(field.spec.id) {
                fields.push(field.spec);
                return Ok((Operand::Count(field), Type::Number));
            }
        }
        Ok((Operand::Length(self.part(argument, fields)?), Type::Number))
    }

    fn options(&self, call: &Call, fields: &mut Vec<&'static FieldSpec>) -> Found<Operand> {
        let [condition::Operand::Field(field), condition::Operand::Literal(letters)] =
            call.arguments.as_slice()
        else {
            let message = "getopt takes a field of arguments and the letters of options: getopt(proc.args, \"nt:\")";
            return Err(self.error(Code::Type, call.span, message));
        };
        let of = self.field_ref(field)?;
        if !has_parts(of.spec.id) {
            let message = format!("{} is no list of arguments", field.name);
            return Err(self.error(Code::Type, field.span, message));
        }
        fields.push(of.spec);
        let only = match &call.key {
            None => None,
            Some(key) => match key.text.as_bytes() {
                [letter] => Some(*letter),
                _ => return Err(self.error(Code::FieldArgument, key.span, "expected one letter")),
            },
        };
        Ok(Operand::Options { of, letters: OptionLetters::new(&letters.text), only })
    }

    fn only<'c>(&self, call: &'c Call) -> Found<&'c condition::Operand> {
        match call.arguments.as_slice() {
            [argument] => Ok(argument),
            _ => {
                let message = format!("{} takes one argument", call.transformer.word());
                Err(self.error(Code::Type, call.span, message))
            }
        }
    }

    fn part(
        &self,
        operand: &condition::Operand,
        fields: &mut Vec<&'static FieldSpec>,
    ) -> Found<Part> {
        match operand {
            condition::Operand::Field(field) => {
                let field = self.field_ref(field)?;
                fields.push(field.spec);
                Ok(Part::Field(field))
            }
            condition::Operand::Literal(word) => Ok(Part::Literal(word.text.as_bytes().into())),
            condition::Operand::Call(call) => self.part_of_call(call, fields),
            condition::Operand::List(_, span) => {
                Err(self.error(Code::Type, *span, "a list is no text; join makes one of it"))
            }
        }
    }

    fn part_of_call(&self, call: &Call, fields: &mut Vec<&'static FieldSpec>) -> Found<Part> {
        let map = |make: fn(Box<Part>) -> Part, fields: &mut Vec<_>| {
            let argument = self.only(call)?;
            let part = self.part(argument, fields)?;
            match &part {
                Part::Field(field)
                    if !matches!(field.spec.value_type, Type::Text | Type::Bytes) =>
                {
                    let (name, word) = (call.transformer.word(), field.spec.value_type.word());
                    let message =
                        format!("{name} takes text; {} is of type {word}", field.spec.name);
                    Err(self.error(Code::Type, argument.span(), message))
                }
                _ => Ok(make(part.into())),
            }
        };
        match call.transformer {
            Transformer::ToLower => map(Part::Lower, fields),
            Transformer::ToUpper => map(Part::Upper, fields),
            Transformer::Base64 => map(Part::Base64, fields),
            Transformer::BaseName => map(Part::BaseName, fields),
            Transformer::Concat if call.arguments.len() > 1 => {
                let parts = call.arguments.iter().map(|argument| self.part(argument, fields));
                let parts = parts.collect::<Found<Box<[Part]>>>()?;
                Ok(Part::Join(Box::new(Part::Literal(Box::new([]))), parts))
            }
            Transformer::Concat => {
                Err(self.error(Code::Type, call.span, "concat takes two arguments at least"))
            }
            Transformer::Join => self.join(call, fields),
            Transformer::Length | Transformer::GetOpt => {
                let message = format!("{} makes no text", call.transformer.word());
                Err(self.error(Code::Type, call.span, message))
            }
        }
    }

    fn join(&self, call: &Call, fields: &mut Vec<&'static FieldSpec>) -> Found<Part> {
        let [separator, list] = call.arguments.as_slice() else {
            let message = "join takes a text and a list: join(\"-\", (proc.name, proc.pname))";
            return Err(self.error(Code::Type, call.span, message));
        };
        let separator = Box::new(self.part(separator, fields)?);
        let parts = match list {
            condition::Operand::List(parts, _) => {
                parts.iter().map(|part| self.part(part, fields)).collect::<Found<Box<[Part]>>>()?
            }
            condition::Operand::Field(field) => {
                let of = self.field_ref(field)?;
                if !has_parts(of.spec.id) {
                    let message = format!("{} is no list", field.name);
                    return Err(self.error(Code::Type, field.span, message));
                }
                fields.push(of.spec);
                Box::new([Part::Parts(of)])
            }
            other => return Err(self.error(Code::Type, other.span(), "expected a list")),
        };
        Ok(Part::Join(separator, parts))
    }
}

/// It is a text of several parts.
fn has_parts(id: FieldId) -> bool {
    id == FieldId::Process(catalogue::ProcessField::Args)
}

/// `evt.arg[flags]` is `evt.arg.flags`; `evt.arg[0]` goes by the place.
fn dotted(field: &Field) -> (String, Option<&str>) {
    match (field.name.as_str(), &field.argument) {
        ("evt.arg", Some(place)) if place.bytes().all(|byte| byte.is_ascii_digit()) => {
            ("evt.arg".to_owned(), Some(place))
        }
        (name @ ("evt.arg" | "evt.rawarg"), Some(argument)) => (format!("{name}.{argument}"), None),
        (name, argument) => (name.to_owned(), argument.as_deref()),
    }
}

impl Compiler<'_> {
    pub(super) fn lookup<'l>(&'l self, text: &'l Text) -> Lookup<'l> {
        Lookup { reporter: self.reporter, text, offset: 0 }
    }
}
