//! `evt.*`

use chandra_event::tcp::Role;

use super::{Happening, RecordFacts};
use crate::catalogue::EventField;
use crate::evaluate::{TimeForm, Value};

/// errno of what has begun and not ended.
const EINPROGRESS: i64 = 115;
const NANOSECONDS: u64 = 1_000_000_000;

impl RecordFacts<'_> {
    pub(super) fn event_value(&self, field: EventField) -> Value<'_> {
        let time = |form| Value::Time(self.time, form);
        match field {
            EventField::Number => Value::number(self.number),
            EventField::EventType | EventField::SyscallType => {
                Value::Text(self.event_type.name().as_bytes())
            }
            EventField::Category => Value::Text(match self.happening {
                Happening::Tcp(_) => b"net",
                _ => b"process",
            }),
            EventField::Source => Value::Text(b"syscall"),
            EventField::Direction => Value::Text(b"<"),
            EventField::Time => time(TimeForm::OfDay),
            EventField::TimeSeconds => time(TimeForm::OfDaySeconds),
            EventField::TimeIso => time(TimeForm::Rfc3339),
            EventField::DateTime => time(TimeForm::DateTime),
            EventField::RawTime => Value::number(self.time.0),
            EventField::RawTimeSeconds => Value::number(self.time.0 / NANOSECONDS),
            EventField::RawTimeNanoseconds => Value::number(self.time.0 % NANOSECONDS),
            EventField::HostName if self.node.hostname.is_empty() => Value::Unknown,
            EventField::HostName => Value::Text(self.node.hostname.as_bytes()),
            EventField::Result => match self.result() {
                Some(0) => Value::Text(b"SUCCESS"),
                Some(_) => Value::Text(b"EINPROGRESS"),
                None => Value::Absent,
            },
            EventField::RawResult => self.result().map_or(Value::Absent, Value::Number),
            EventField::Failed => self.result().map_or(Value::Absent, |_| Value::Bool(false)),
            // Not answered, as the catalogue says.
            _ => Value::Unknown,
        }
    }

    /// What the system call returned, descriptors counting as 0.
    fn result(&self) -> Option<i64> {
        match self.happening {
            Happening::Exec(_) => Some(0),
            Happening::Tcp(tcp) if tcp.connection.role == Some(Role::Acceptor) => Some(0),
            Happening::Tcp(_) => Some(-EINPROGRESS),
            Happening::Fork(_) | Happening::Exit(_) => None,
        }
    }
}
