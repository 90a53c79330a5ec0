//! Texts that are put together from other fields when they are read.

use super::{Happening, RecordFacts};
use crate::catalogue::{self, ContainerField, EventField, FieldId, FileField, ThreadField};
use crate::evaluate::{Argument, Compose, Composed, Facts, Value, Written, write_value};

const DESCRIPTOR: FieldId = FieldId::Event(EventField::ArgDescriptor);

impl RecordFacts<'_> {
    /// The value of a field that is put together; nothing if it is none of those.
    pub(super) fn composed(&self, field: FieldId) -> Option<Value<'_>> {
        let parts: &[FieldId] = match field {
            FieldId::Event(EventField::Arguments | EventField::Information) => {
                return Some(match catalogue::in_order(self.event_type) {
                    [] => Value::Absent,
                    _ => Value::Composed(Composed { by: self, field }),
                });
            }
            // Where nothing is known of it, it is its number.
            DESCRIPTOR if !self.is_open_known() => return None,
            DESCRIPTOR => &[FieldId::File(FileField::Name)],
            FieldId::File(FileField::UniqueId) => {
                &[FieldId::Thread(ThreadField::Id), FieldId::File(FileField::Number)]
            }
            FieldId::File(FileField::ContainerName) => &[CONTAINER, FieldId::File(FileField::Name)],
            FieldId::File(FileField::ContainerDirectory) => {
                &[CONTAINER, FieldId::File(FileField::Directory)]
            }
            _ => return None,
        };
        // It is there if all of it is.
        for part in parts {
            match self.value(*part, &Argument::None) {
                Value::Absent => return Some(Value::Absent),
                Value::Unknown | Value::NotNegative | Value::Cut { .. } => {
                    return Some(Value::Unknown);
                }
                _ => {}
            }
        }
        Some(Value::Composed(Composed { by: self, field }))
    }

    /// Whether it is known what the descriptor of the event stands for.
    fn is_open_known(&self) -> bool {
        let has = |field| {
            !matches!(self.file_value(field), Value::Absent | Value::Unknown | Value::Cut { .. })
        };
        let may_be = match self.happening {
            Happening::Open(open) => open.opened.is_some(),
            Happening::Call(_) => catalogue::place(self.event_type, EventField::ArgDescriptor)
                .is_some_and(|place| place != catalogue::Place::Returned),
            _ => false,
        };
        may_be && has(FileField::Name) && has(FileField::TypeCharacter)
    }

    fn write(&self, field: FieldId, out: &mut Vec<u8>) -> bool {
        write_value(self.value(field, &Argument::None), out) == Written::Yes
    }

    /// `name=value` for each argument that is known.
    fn write_arguments(&self, out: &mut Vec<u8>) {
        let start = out.len();
        for (name, field) in catalogue::in_order(self.event_type) {
            let Some(field) = field else { continue };
            let before = out.len();
            if before > start {
                out.push(b' ');
            }
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
            let is_written = match self.value(*field, &Argument::None) {
                // The beginning says something, too.
                Value::Words(words) if words.is_cut => {
                    words.write_head(out);
                    out.extend_from_slice("…".as_bytes());
                    true
                }
                value => write_value(value, out) == Written::Yes,
            };
            if !is_written {
                out.truncate(before);
            }
        }
    }
}

const CONTAINER: FieldId = FieldId::Container(ContainerField::Id);

impl Compose for RecordFacts<'_> {
    fn compose(&self, field: FieldId, out: &mut Vec<u8>) -> bool {
        let file = FieldId::File;
        match field {
            FieldId::Event(EventField::Arguments | EventField::Information) => {
                self.write_arguments(out);
                true
            }
            DESCRIPTOR => {
                out.push(b'<');
                let letter = self.write(file(FileField::TypeCharacter), out);
                out.push(b'>');
                letter && self.write(file(FileField::Name), out)
            }
            FieldId::File(FileField::UniqueId) => {
                self.write(FieldId::Thread(ThreadField::Id), out)
                    && self.write(file(FileField::Number), out)
            }
            FieldId::File(of @ (FileField::ContainerName | FileField::ContainerDirectory)) => {
                let is_name = of == FileField::ContainerName;
                let of = if is_name { FileField::Name } else { FileField::Directory };
                let is_written = self.write(CONTAINER, out);
                out.push(b':');
                is_written && self.write(file(of), out)
            }
            _ => false,
        }
    }
}
