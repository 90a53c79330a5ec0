//! What has to be watched for a set of rules: the kinds of events, and of opens and system calls which.
//!
//! Invariant: an event of which a rule fires lies within the needs. They are drawn from what a condition
//! cannot hold without, so they may ask for more than that, and never for less. A rule that is *undecided*
//! of an event (three-valued logic) may be so of events outside of them.

mod connects;
mod ways;

#[cfg(test)]
mod tests;

use chandra_event::file::FileOpen;
use chandra_event::record::{Event, Record};

use crate::catalogue::{EventType, EventTypes};
use crate::rules::{Rule, Ruleset, State};

/// Flags of open(2), the same on all architectures here (`include/uapi/asm-generic/fcntl.h`).
const CREATE_OR_TRUNCATE: u32 = 0o1100;

/// What has to be watched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// Programs that are executed.
    pub exec: bool,
    /// The environment of those programs.
    pub environment: bool,
    /// Processes that are made.
    pub fork: bool,
    /// Processes that end.
    pub exit: bool,
    /// TCP connections that are opened and accepted.
    pub tcp: bool,
    /// First datagrams of conversations over UDP.
    pub udp: bool,
    /// Opens, of which one of these says something; nothing if no rule is about opens.
    pub opens: Option<Vec<Opens>>,
    /// System calls by their names, as in `man 2`.
    pub calls: Vec<&'static str>,
}

/// Opens of files that lie somewhere and are used somehow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opens {
    /// What the path begins with; nothing for all paths.
    pub path: Vec<u8>,
    /// Those that read.
    pub read: bool,
    /// Those that write, or may make or cut the file.
    pub write: bool,
    /// Those that only name the file: `O_PATH`.
    pub none: bool,
    /// Also opens that fail, *wherever* their path begins: it is as it was asked for, and only rules
    /// make it normal (`/tmp/../etc/shadow` is below `/etc` for them).
    pub failed: bool,
}

impl Opens {
    /// It is one of these.
    pub fn has(&self, open: &FileOpen<'_>) -> bool {
        let is_named_only = !open.is_read() && !open.is_write();
        let writes = open.is_write() || open.flags & CREATE_OR_TRUNCATE != 0;
        let is_used_so = match is_named_only {
            true => self.none,
            false => self.read && open.is_read() || self.write && writes,
        };
        is_used_so
            && match open.opened {
                Some(_) => open.path.starts_with(&self.path),
                None => self.failed,
            }
    }
}

impl Needs {
    /// What the rules that are on need.
    pub fn of(rules: &Ruleset) -> Self {
        let types = rules.event_types();
        let some_of = |group: EventTypes| !types.intersection(group).is_empty();
        // Connections over TCP are told without their call.
        let calls = match connects::may_be_of_others_than_tcp(rules) {
            true => EventTypes::CALLS.union(EventTypes::only(EventType::Connect)),
            false => EventTypes::CALLS,
        };
        let calls = types.intersection(calls);
        Self {
            exec: some_of(EventTypes::EXEC),
            environment: rules.rules().iter().any(asks_for_environment),
            fork: some_of(EventTypes::FORK),
            exit: some_of(EventTypes::EXIT),
            tcp: some_of(EventTypes::NETWORK),
            udp: some_of(EventTypes::UDP),
            opens: some_of(EventTypes::OPEN).then(|| ways::opens(rules)),
            calls: calls.iter().map(EventType::name).collect(),
        }
    }

    /// A record is among what is needed.
    pub fn has(&self, record: &dyn Record) -> bool {
        match record.event() {
            Event::Exec(_) => self.exec,
            Event::Fork(_) => self.fork,
            Event::Exit(_) => self.exit,
            Event::Tcp(_) => self.tcp,
            Event::Udp(_) => self.udp,
            Event::FileOpen(open) => self.opens.iter().flatten().any(|opens| opens.has(open)),
            Event::SystemCall(call) => call.name.is_some_and(|name| self.calls.contains(&name)),
            _ => false,
        }
    }
}

/// A rule that compares variables, or tells them. They are read when a program is executed, whatever it is
/// that the rule is about.
fn asks_for_environment(rule: &Rule) -> bool {
    const FIELDS: [&str; 2] = ["proc.env", "proc.aenv"];
    rule.state == State::Active
        && FIELDS.iter().any(|of| {
            rule.fields.contains(of)
                || rule.output.fields.iter().any(|field| field.name.contains(of))
        })
}
