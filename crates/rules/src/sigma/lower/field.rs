//! The field that a key names: Sigma's by the taxonomy, or one of the engine's.

use super::Lowering;
use crate::catalogue::{self, FieldSpec};
use crate::compile::Lookup;
use crate::condition::{self, Operand as Written};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::evaluate::{Argument, FieldRef, Operand, Part};
use crate::reporter::Reporter;
use crate::sigma::detection::Key;
use crate::sigma::taxonomy::{self, FIELDS, Means};
use crate::source::Place;

/// A field, ready to be compared.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// As it is written.
    pub name: Box<str>,
    /// Which of the engine's it is; none: it never has a value.
    pub of: Option<FieldRef>,
    pub without_slash: bool,
    /// `true` is compared with false.
    pub opposite: bool,
    /// Where it is written; nowhere if it is one of those that words are looked for in.
    pub place: Option<Place>,
}

impl Field {
    /// A field of the taxonomy.
    pub fn of_sigma(name: &str) -> Option<Self> {
        let means = taxonomy::sigma_field(name)?.means;
        let of = match means {
            Means::Field(name) | Means::WithoutSlash(name) | Means::Opposite(name) => {
                catalogue::field(name).map(|spec| FieldRef { spec, argument: Argument::None })
            }
            Means::Nothing => None,
        };
        Some(Self {
            name: name.into(),
            of,
            without_slash: matches!(means, Means::WithoutSlash(_)),
            opposite: matches!(means, Means::Opposite(_)),
            place: None,
        })
    }

    pub fn spec(&self) -> Option<&'static FieldSpec> {
        self.of.as_ref().map(|of| of.spec)
    }

    /// Its values as they are.
    pub fn operand(&self) -> Option<Operand> {
        let of = self.of.clone()?;
        Some(match self.without_slash {
            true => Operand::Made(Part::WithoutSlash(Box::new(Part::Field(of)))),
            false => Operand::Field(of),
        })
    }

    /// A field of the engine's that no event answers.
    pub fn not_answered(&self, reporter: &Reporter<'_>) -> Option<Diagnostic> {
        let (spec, place) = (self.spec()?, self.place.as_ref()?);
        let message = format!("no event that is captured answers {}", spec.name);
        let error = || reporter.error(Code::UnansweredField, place, message);
        spec.answered.is_empty().then(error)
    }
}

impl Lowering<'_> {
    /// The field of a key, or that there is none.
    pub(super) fn field_of(&self, key: &Key) -> Result<Field, Box<Diagnostic>> {
        let (name, span) = (key.field.text.as_str(), key.field.span);
        let place = self.place(&key.text, span);
        if name.contains('.') {
            let lookup = Lookup { reporter: self.reporter, text: &key.text, offset: span.start };
            let parsed = condition::parse_operand(name).ok();
            if let Some((Written::Field(field), length)) = parsed
                && length == name.len()
            {
                let of = lookup.field_ref(&field)?;
                return Ok(Field {
                    name: name.into(),
                    of: Some(of),
                    without_slash: false,
                    opposite: false,
                    place: Some(place),
                });
            }
        }
        let unknown = |message: String, hint: Option<String>| {
            let error = self.reporter.error(Code::UnknownField, &place, message);
            Err(Box::new(error.maybe_hint(hint)))
        };
        let category = self.category.name;
        match taxonomy::sigma_field(name) {
            Some(known) if known.is_of(self.category) => Ok(Field {
                place: Some(place),
                ..Field::of_sigma(name).unwrap_or_else(|| Field::nothing(name))
            }),
            Some(known) => {
                let hint = format!("it is one of {}", known.of.join(", "));
                unknown(format!("there is no field {name} of {category}"), Some(hint))
            }
            None => {
                let names = FIELDS.iter().filter(|one| one.is_of(self.category));
                let near = nearest(name, names.map(|one| one.name));
                let hint = near.map(|near| format!("did you mean {near}?"));
                unknown(format!("there is no field {name} of {category}"), hint)
            }
        }
    }
}

impl Field {
    fn nothing(name: &str) -> Self {
        Self { name: name.into(), of: None, without_slash: false, opposite: false, place: None }
    }
}
