//! What rules ask of an event.

use super::{Argument, Value};
use crate::catalogue::{EventType, FieldId};

/// An event that answers for its fields.
pub trait Facts {
    /// What it is of.
    fn event_type(&self) -> EventType;

    /// The value of a field; the first, if it has several.
    fn value(&self, field: FieldId, argument: &Argument) -> Value<'_>;

    /// The value of a field that has several; nothing behind the last. The first is
    /// [`value`](Self::value).
    fn another(&self, _field: FieldId, _argument: &Argument, _number: usize) -> Option<Value<'_>> {
        None
    }
}
