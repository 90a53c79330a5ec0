//! Chandra's records as events that rules can be asked about.
//!
//! A [`RecordFacts`] borrows a record, what is known of who did it, and the programs of its process and of
//! its ancestors. It answers each field from there when it is asked, and makes nothing beforehand.

mod argument;
mod call;
mod composed;
mod container;
mod environment;
mod event;
mod executable;
mod file;
mod identity;
mod kubernetes;
mod mounts;
mod names;
mod network;
mod process;
mod program;
mod started;
mod user;

#[cfg(test)]
mod tests;

use chandra_event::file::FileOpen;
use chandra_event::process::{Exec, Exit, Fork, Namespaces, Process};
use chandra_event::record::{Event, Record};
use chandra_event::system_call::SystemCall;
use chandra_event::tcp::{Happened, Tcp};
use chandra_event::time::Timestamp;
use chandra_event::udp::{self, Udp};
use chandra_event::who::Who;

use crate::catalogue::{EventField, EventType, EventTypes, FieldId};
use crate::evaluate::{Argument, Facts, Value};

pub use names::{Account, IdMap, MAX_ENTRIES, Names, Services};
pub use program::{Ancestor, Lineage, NoLineage, Program};
pub use started::loaded_file;

/// What is the same for all events of a node.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// Its name.
    pub hostname: String,
    /// Its users and groups.
    pub names: Names,
    /// Services by their ports.
    pub services: Services,
    /// Namespaces of its first process, if they are known.
    pub namespaces: Option<Namespaces>,
    /// `proc.name` is compared by the kernel's name of a process only, as Falco does, and not also by the
    /// name of what really runs.
    pub by_name_only: bool,
}

/// Numbers of protocols in an IP header, the second one inside the kernel only.
const TCP: u16 = 6;
const MPTCP: u16 = 262;

/// What happened, as far as rules can be asked of it.
#[derive(Debug, Clone, Copy)]
enum Happening<'r> {
    Exec(&'r Exec<'r>),
    Fork(&'r Fork),
    Exit(&'r Exit),
    Tcp(&'r Tcp),
    Udp(&'r Udp),
    Open(&'r FileOpen<'r>),
    Call(&'r SystemCall<'r>),
}

/// A record as an event of rules.
#[derive(Clone, Copy)]
pub struct RecordFacts<'r> {
    happening: Happening<'r>,
    event_type: EventType,
    time: Timestamp,
    number: u64,
    /// When the first event happened, and the one before this.
    moments: Option<(Timestamp, Timestamp)>,
    process: Option<&'r Process>,
    who: &'r Who<'r>,
    lineage: &'r dyn Lineage,
    node: &'r Node,
}

impl std::fmt::Debug for RecordFacts<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { happening, event_type, number, who, .. } = self;
        out.debug_struct("RecordFacts")
            .field("happening", happening)
            .field("event_type", event_type)
            .field("number", number)
            .field("who", who)
            .finish_non_exhaustive()
    }
}

impl<'r> RecordFacts<'r> {
    /// A record that rules can be asked about; nothing for others. `number` counts events from 1, and
    /// `lineage` is that of who did it: of a fork the parent's.
    pub fn new(
        record: &'r dyn Record,
        number: u64,
        who: &'r Who<'r>,
        lineage: &'r dyn Lineage,
        node: &'r Node,
    ) -> Option<Self> {
        let (event_type, happening) = match record.event() {
            Event::Exec(exec) if !exec.running => (EventType::Execve, Happening::Exec(exec)),
            Event::Fork(fork) => (EventType::Clone, Happening::Fork(fork)),
            Event::Exit(exit) => (EventType::ProcExit, Happening::Exit(exit)),
            Event::Tcp(tcp) => match tcp.happened {
                Happened::Connect => (EventType::Connect, Happening::Tcp(tcp)),
                Happened::Accept { .. } => (EventType::Accept, Happening::Tcp(tcp)),
                _ => return None,
            },
            // Which call it was is not told.
            Event::Udp(udp) if udp.happened == udp::Happened::Open => match udp.received_first {
                true => (EventType::Recvfrom, Happening::Udp(udp)),
                false => (EventType::FirstSent, Happening::Udp(udp)),
            },
            // Which call it was is not told; most are openat, which the C libraries make of the others.
            Event::FileOpen(open) => (EventType::Openat, Happening::Open(open)),
            Event::SystemCall(call) => (type_of_call(call)?, Happening::Call(call)),
            _ => return None,
        };
        // Who does it: for a fork, the parent.
        let process = match happening {
            Happening::Fork(fork) => Some(&fork.parent),
            Happening::Exec(exec) => Some(&exec.process),
            Happening::Exit(exit) => Some(&exit.process),
            Happening::Tcp(tcp) => tcp.process.as_ref(),
            Happening::Udp(udp) => udp.process.as_ref(),
            Happening::Open(open) => Some(&open.process),
            Happening::Call(call) => Some(&call.process),
        };
        let time = record.time();
        let moments = None;
        Some(Self { happening, event_type, time, number, moments, process, who, lineage, node })
    }

    /// The same, where it is known when the first event happened, and the one before this.
    #[must_use]
    pub fn after(self, first: Timestamp, before: Timestamp) -> Self {
        Self { moments: Some((first, before)), ..self }
    }

    /// When it happened.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    fn is_connect(&self) -> bool {
        self.event_type == EventType::Connect
    }

    fn exec(&self) -> Option<&'r Exec<'r>> {
        match self.happening {
            Happening::Exec(exec) => Some(exec),
            _ => None,
        }
    }
}

/// Connections over TCP are told when their handshake begins, however they were asked for.
fn type_of_call(call: &SystemCall<'_>) -> Option<EventType> {
    let event_type = EventType::of_name(call.name?)?;
    if event_type == EventType::Connect {
        let is_tcp = call.socket.is_some_and(|socket| [TCP, MPTCP].contains(&socket.protocol));
        return (!is_tcp).then_some(event_type);
    }
    EventTypes::CALLS.contains(event_type).then_some(event_type)
}

impl Facts for RecordFacts<'_> {
    fn event_type(&self) -> EventType {
        self.event_type
    }

    fn value(&self, field: FieldId, argument: &Argument) -> Value<'_> {
        if let Some(composed) = self.composed(field) {
            return composed;
        }
        match field {
            FieldId::Event(EventField::Argument) => self.argument_at(argument),
            FieldId::Event(field) => self.event_value(field),
            FieldId::Raw(field) => self.raw_value(field),
            FieldId::Process(field) => self.process_value(field, argument),
            FieldId::Thread(field) => self.thread_value(field),
            FieldId::User(field) => self.user_value(field),
            FieldId::File(field) => self.file_value(field),
            FieldId::Container(field) => self.container_value(field, argument),
            FieldId::Kubernetes(field) => self.kubernetes_value(field, argument),
        }
    }

    fn another(&self, field: FieldId, argument: &Argument, number: usize) -> Option<Value<'_>> {
        match field {
            FieldId::Process(field) => self.another_of_process(field, argument, number),
            FieldId::File(field) => self.another_of_file(field, number),
            _ => None,
        }
    }
}
