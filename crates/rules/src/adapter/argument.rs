//! `evt.arg.*` and `evt.rawarg.*` of all events, and arguments by their places.

use chandra_event::process::Exit;

use super::file::open_value;
use super::{Happening, RecordFacts};
use crate::catalogue::{
    self, EventField, FileField, ProcessField, RawField, ThreadField, UserField,
};
use crate::evaluate::{Argument, Facts, Value};

impl<'r> RecordFacts<'r> {
    pub(super) fn argument(&self, field: EventField) -> Value<'r> {
        match (self.happening, field) {
            (Happening::Open(_), EventField::ArgResult) => Value::Absent,
            (_, EventField::ArgResult) => self.event_value(EventField::Result),
            (Happening::Exec(_), field) => self.argument_of_exec(field),
            (Happening::Exit(exit), field) => argument_of_exit(exit, field),
            (_, EventField::ArgTuple) if self.tells_ends() => self.file_value(FileField::Name),
            (Happening::Open(open), field) => open_value(open, field),
            (Happening::Call(_), EventField::ArgAddress) => match self.event_type {
                catalogue::EventType::Bind => self.file_value(FileField::Name),
                _ => Value::Absent,
            },
            (Happening::Call(call), field) => self.argument_of_call(call, field),
            _ => Value::Absent,
        }
    }

    /// Events that have an argument of Falco's with both ends of a socket.
    fn tells_ends(&self) -> bool {
        use catalogue::EventTypes;
        EventTypes::NETWORK
            .union(EventTypes::UDP)
            .union(EventTypes::SENDS)
            .contains(self.event_type)
    }

    fn argument_of_exec(&self, field: EventField) -> Value<'r> {
        use EventField as Of;
        let process = |field| self.process_value(field, &Argument::None);
        match field {
            Of::ArgExe => process(ProcessField::Exe),
            Of::ArgArgs => process(ProcessField::Args),
            Of::ArgCwd => process(ProcessField::Cwd),
            Of::ArgComm => process(ProcessField::Name),
            Of::ArgPid => process(ProcessField::Pid),
            Of::ArgParent => process(ProcessField::ParentPid),
            Of::ArgProcessGroup => process(ProcessField::ProcessGroup),
            Of::ArgThread => self.thread_value(ThreadField::Id),
            Of::ArgUid => self.user_value(UserField::Id),
            Of::ArgGid => self.user_value(UserField::GroupId),
            _ => Value::Absent,
        }
    }

    /// The argument at a place in Falco's order.
    pub(super) fn argument_at(&self, argument: &Argument) -> Value<'_> {
        let Argument::Place(place) = argument else { return Value::Absent };
        match catalogue::in_order(self.event_type).get(*place as usize) {
            Some((_, Some(field))) => self.value(*field, &Argument::None),
            // It has its place, and no record carries it.
            Some((_, None)) => Value::Unknown,
            None => Value::Absent,
        }
    }

    pub(super) fn raw_value(&self, field: RawField) -> Value<'r> {
        match (self.happening, field) {
            (Happening::Open(_), RawField::Descriptor) => self.raw_result(),
            (Happening::Open(_), RawField::Result) => Value::Absent,
            (_, RawField::Result) => self.raw_result(),
            (Happening::Exec(_), field) => self.argument_of_exec(field.argument()),
            (Happening::Exit(exit), RawField::Signal) => {
                Value::Number(exit.exit_signal.unwrap_or_default().into())
            }
            (Happening::Exit(exit), RawField::Status) => {
                argument_of_exit(exit, EventField::ArgStatus)
            }
            (Happening::Call(call), field) => self.number_of_call(call, field.argument()),
            _ => Value::Absent,
        }
    }
}

fn argument_of_exit(exit: &Exit, field: EventField) -> Value<'static> {
    let signal = exit.exit_signal.unwrap_or_default();
    let code = exit.exit_code.unwrap_or_default();
    match field {
        EventField::ArgReturn => Value::Number(code.into()),
        EventField::ArgSignal => catalogue::signal(signal.into()),
        EventField::ArgCore => Value::Number(exit.core_dumped.into()),
        EventField::ArgStatus => {
            let core = if exit.core_dumped { 0x80 } else { 0 };
            Value::Number(i64::from(code) << 8 | core | i64::from(signal))
        }
        _ => Value::Absent,
    }
}
