//! Whose a flow is: the process, its parent and its container, shared by all flows of theirs.

use std::sync::Arc;

use chandra_event::process;
use chandra_event::record::Record;
use chandra_event::time::Timestamp;
use chandra_event::who;
use chandra_hubble::flow::{Container, Details, Process, timestamp};
use chandra_identity::container::Number;

use super::cache::Cache;
use crate::follow::Told;

/// A process by pid and start.
type Id = (u32, u64);

/// Processes and containers that were told before.
#[derive(Debug, Default)]
pub struct Whose {
    processes: Cache<Id, Process>,
    containers: Cache<Number, Container>,
}

impl Whose {
    /// Who did what a record tells of.
    pub fn details(&mut self, told: &Told<'_>) -> Details {
        let (record, who) = (told.known, told.known.who);
        let process = record.process().map(|process| self.process(process, who.executable));
        let parent = who.parent.map(|parent| self.parent(&parent));
        let container = who.container.zip(told.container);
        Details {
            process,
            parent,
            container: container.map(|(container, number)| self.container(number, &container)),
            event: record.kind().name,
            ..Details::default()
        }
    }

    fn process(&mut self, process: &process::Process, executable: Option<&[u8]>) -> Arc<Process> {
        let id = (process.pid, process.start_boottime_ns);
        let executable = executable.unwrap_or_default();
        self.named(id, process.start_time, process.comm, executable, Some(process.uid))
    }

    fn parent(&mut self, parent: &who::Parent<'_>) -> Arc<Process> {
        let id = (parent.pid, parent.start_boottime_ns);
        let executable = parent.executable.unwrap_or_default();
        self.named(id, parent.start_time, parent.comm, executable, None)
    }

    fn named(
        &mut self,
        id: Id,
        start_time: Timestamp,
        comm: process::Comm,
        executable: &[u8],
        uid: Option<u32>,
    ) -> Arc<Process> {
        // Of a parent the user is not told: one that is known already is kept.
        let is_same = |kept: &Process| {
            kept.comm.as_bytes() == comm.as_bytes()
                && kept.exe.as_bytes() == executable
                && (uid.is_none() || kept.uid == uid)
        };
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        self.processes.get(id, is_same, || Process {
            pid: id.0,
            start_time: Some(timestamp(start_time.0)),
            comm: text(comm.as_bytes()),
            exe: text(executable),
            uid,
        })
    }

    fn container(&mut self, number: Number, container: &who::Container<'_>) -> Arc<Container> {
        let (name, image) =
            (container.name.unwrap_or_default(), container.image.unwrap_or_default());
        let is_same =
            |kept: &Container| kept.id == container.id && kept.name == name && kept.image == image;
        let make = || Container { id: container.id.into(), name: name.into(), image: image.into() };
        self.containers.get(number, is_same, make)
    }
}
