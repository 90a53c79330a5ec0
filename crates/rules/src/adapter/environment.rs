//! `proc.env` and `proc.aenv`: the variables that a program was executed with, where a rule asked for them.

use chandra_event::process::Environment;

use super::RecordFacts;
use super::program::Ancestor;
use crate::evaluate::{Argument, Value, Words};

/// Ancestors that are looked through for a variable, as Falco does.
const GENERATIONS: usize = 20;

impl<'r> RecordFacts<'r> {
    /// That of the process itself (0) or of an ancestor.
    fn environment(&self, generation: usize) -> Option<Environment<'r>> {
        match self.exec() {
            Some(exec) if generation == 0 => exec.environment,
            _ => self.lineage.environment(generation),
        }
    }

    /// All variables of the process, or the value of the one that is named.
    pub(super) fn own_environment(&self, argument: &Argument) -> Value<'r> {
        match (self.environment(0), argument) {
            (None, _) => Value::Unknown,
            (Some(environment), Argument::Name(name)) => variable(&environment, name),
            (Some(environment), _) => all(&environment),
        }
    }

    /// All variables of an ancestor; or the value of one, in the nearest ancestor that has it.
    pub(super) fn ancestor_environment(&self, argument: &Argument) -> Value<'r> {
        let name = match argument {
            Argument::Name(name) => name,
            Argument::Ancestor(number) => return self.environment_of(*number as usize, all),
            _ => return self.environment_of(1, all),
        };
        for generation in 1..=GENERATIONS {
            match self.environment_of(generation, |environment| variable(environment, name)) {
                Value::Absent if self.program(generation) == Ancestor::Nobody => break,
                Value::Absent => {}
                found => return found,
            }
        }
        Value::Absent
    }

    fn environment_of(
        &self,
        generation: usize,
        of: impl FnOnce(&Environment<'r>) -> Value<'r>,
    ) -> Value<'r> {
        match (self.program(generation), self.environment(generation)) {
            (Ancestor::Nobody, _) => Value::Absent,
            (_, Some(environment)) => of(&environment),
            (_, None) => Value::Unknown,
        }
    }
}

fn all<'r>(environment: &Environment<'r>) -> Value<'r> {
    let (head, is_cut) = (environment.head, environment.is_cut());
    Value::Words(Words { first: None, head, tail: b"", is_cut })
}

fn variable<'r>(environment: &Environment<'r>, name: &str) -> Value<'r> {
    match environment.get(name.as_bytes()) {
        Some((value, false)) => Value::Text(value),
        Some((head, true)) => Value::Cut { head, tail: b"" },
        None if environment.is_cut() => Value::Unknown,
        None => Value::Absent,
    }
}
