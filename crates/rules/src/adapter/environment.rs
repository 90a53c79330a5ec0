//! `proc.env`: the variables that a program was executed with, where a rule asked for them.

use chandra_event::process::Exec;

use crate::evaluate::{Argument, Value, Words};

/// All of them, or the value of the one that is named.
pub(super) fn value<'r>(exec: Option<&Exec<'r>>, argument: &Argument) -> Value<'r> {
    let Some(exec) = exec else { return Value::Absent };
    let Some(environment) = exec.environment else { return Value::Unknown };
    let Argument::Name(name) = argument else {
        let (head, is_cut) = (environment.head, environment.is_cut());
        return Value::Words(Words { first: None, head, tail: b"", is_cut });
    };
    match environment.get(name.as_bytes()) {
        Some((value, false)) => Value::Text(value),
        Some((head, true)) => Value::Cut { head, tail: b"" },
        None if environment.is_cut() => Value::Unknown,
        None => Value::Absent,
    }
}
