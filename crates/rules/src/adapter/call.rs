//! `evt.arg.*` of system calls

use chandra_event::system_call::SystemCall;

use super::RecordFacts;
use super::file::path;
use crate::catalogue::{self, EventField, Place};
use crate::evaluate::{PathPart, Value};

/// Bits of permissions, which are all that a mode says here.
const PERMISSIONS: u64 = 0o7777;

impl<'r> RecordFacts<'r> {
    pub(super) fn argument_of_call<'c>(
        &self,
        call: &'c SystemCall<'c>,
        field: EventField,
    ) -> Value<'c> {
        let Some(place) = catalogue::place(self.event_type, field) else { return Value::Absent };
        let argument =
            |index: u8| call.arguments.get(usize::from(index)).copied().unwrap_or_default();
        // Callers leave anything in the upper half of a register.
        let low = |index| u64::from(low_half(argument(index)));
        match place {
            Place::Path(number) => {
                let given = if number == 0 { &call.path } else { &call.second_path };
                given.map_or(Value::Unknown, |given| {
                    path(given.path, call.path_truncated, PathPart::Whole)
                })
            }
            Place::Given => call.path.map_or(Value::Unknown, |given| Value::Text(given.name)),
            Place::Number(index) => Value::Number(low_half(argument(index)).cast_signed().into()),
            Place::Id(index) => match low_half(argument(index)) {
                u32::MAX => Value::Number(-1),
                id => Value::Number(id.into()),
            },
            Place::Returned => Value::Number(call.result),
            Place::Flags(index, names) if field == EventField::ArgMode => {
                Value::Flags(argument(index) & PERMISSIONS, names)
            }
            Place::Flags(index, names) => Value::Flags(low(index), names),
            Place::Name(index, names) => {
                let number = low(index);
                match names.iter().find(|(known, _)| *known == number) {
                    Some((_, name)) => Value::Text(name.as_bytes()),
                    None => Value::Flags(number, &[]),
                }
            }
        }
    }

    /// A number that a call was given, or returned; of what is no number nothing.
    pub(super) fn number_of_call(&self, call: &SystemCall<'_>, field: EventField) -> Value<'r> {
        match catalogue::place(self.event_type, field) {
            Some(Place::Name(index, _)) => {
                let argument = call.arguments.get(usize::from(index)).copied().unwrap_or_default();
                Value::Number(low_half(argument).into())
            }
            Some(Place::Number(_) | Place::Id(_) | Place::Returned) => {
                match self.argument_of_call(call, field) {
                    Value::Number(number) => Value::Number(number),
                    _ => Value::Absent,
                }
            }
            _ => Value::Absent,
        }
    }
}

/// Permissions by their names.
pub(super) fn permissions(mode: u32) -> Value<'static> {
    Value::Flags(u64::from(mode) & PERMISSIONS, catalogue::MODE)
}

fn low_half(register: u64) -> u32 {
    u32::try_from(register & 0xffff_ffff).unwrap_or_default()
}
