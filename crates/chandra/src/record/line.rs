//! A record as a line of a recording: as every output has it, with what only rules ask for at the end of the object
//! of its process.

use chandra_event::json::Line;
use chandra_event::process::Exec;
use chandra_event::record::{Event, Record, Shown};
use chandra_event::value::Value;
use chandra_event::who::Known;

const PROCESS: &str = "process.";

/// Appends a record; of an execution also the program that it is a copy of, empty for none, if that is known.
pub fn write(known: &Known<'_>, node: &str, copy_of: Option<&[u8]>, out: &mut Vec<u8>) {
    let mut line = Line::begin(known.kind(), known.time(), Some(node), out);
    let mut exec = match known.event() {
        Event::Exec(exec) => Some(exec),
        _ => None,
    };
    let mut is_inside = false;
    known.visit(&mut |field, value| {
        let leaves = is_inside && !field.path.starts_with(PROCESS);
        if leaves && let Some(exec) = exec.take() {
            add(exec, copy_of, &mut line);
        }
        is_inside = field.path.starts_with(PROCESS);
        if field.shown != Shown::TableOnly {
            line.field(field.path, value);
        }
    });
    if is_inside && let Some(exec) = exec.take() {
        add(exec, copy_of, &mut line);
    }
    line.end();
}

fn add(exec: &Exec<'_>, copy_of: Option<&[u8]>, line: &mut Line<'_>) {
    if let Some(start) = exec.pid_namespace_start {
        line.field("process.pid_namespace_start", Value::Time(start));
    }
    if let Some(environment) = &exec.environment {
        line.field("process.environment", Value::Strings(environment.head));
        line.field("process.environment_bytes", Value::Number(environment.total_bytes));
    }
    if let Some(name) = copy_of {
        line.field("process.exe_copy_of", Value::Bytes(name));
    }
}
