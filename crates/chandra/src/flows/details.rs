//! Whose a flow is: the process with its parent and its container, shared by all its flows.

use std::sync::Arc;

use chandra_event::process;
use chandra_event::record::Record;
use chandra_event::time::Timestamp;
use chandra_event::who::{self, Who};
use chandra_hubble::flow::{Actor, Container, Details, Process, timestamp};

use super::cache::Cache;
use crate::follow::Told;

/// Processes that were told before, by pid and start.
#[derive(Debug, Default)]
pub struct Whose(Cache<(u32, u64), Actor>);

impl Whose {
    /// Who did what a record tells of.
    pub fn details(&mut self, told: &Told<'_>) -> Details {
        let (record, who) = (told.known, told.known.who);
        let actor = record.process().map(|process| self.actor(process, who));
        Details { actor, event: record.kind().name, ..Details::default() }
    }

    fn actor(&mut self, process: &process::Process, who: &Who<'_>) -> Arc<Actor> {
        let executable = who.executable.unwrap_or_default();
        let is_same = |kept: &Actor| {
            is_process(&kept.process, process.comm, executable)
                && kept.process.uid == Some(process.uid)
                && is_parent(kept.parent.as_ref(), who.parent.as_ref())
                && is_container(kept.container.as_ref(), who.container.as_ref())
        };
        let make = || Actor {
            process: Process {
                uid: Some(process.uid),
                ..named(process.pid, process.start_time, process.comm, executable)
            },
            parent: who.parent.map(|parent| {
                let executable = parent.executable.unwrap_or_default();
                named(parent.pid, parent.start_time, parent.comm, executable)
            }),
            container: who.container.map(|container| Container {
                id: container.id.into(),
                name: container.name.unwrap_or_default().into(),
                image: container.image.unwrap_or_default().into(),
            }),
        };
        self.0.get((process.pid, process.start_boottime_ns), is_same, make)
    }
}

fn is_process(kept: &Process, comm: process::Comm, executable: &[u8]) -> bool {
    kept.comm.as_bytes() == comm.as_bytes() && kept.exe.as_bytes() == executable
}

fn is_parent(kept: Option<&Process>, parent: Option<&who::Parent<'_>>) -> bool {
    match (kept, parent) {
        (Some(kept), Some(parent)) => {
            kept.pid == parent.pid
                && is_process(kept, parent.comm, parent.executable.unwrap_or_default())
        }
        (kept, parent) => kept.is_none() && parent.is_none(),
    }
}

fn is_container(kept: Option<&Container>, container: Option<&who::Container<'_>>) -> bool {
    match (kept, container) {
        (Some(kept), Some(container)) => {
            kept.id == container.id
                && kept.name == container.name.unwrap_or_default()
                && kept.image == container.image.unwrap_or_default()
        }
        (kept, container) => kept.is_none() && container.is_none(),
    }
}

fn named(pid: u32, start_time: Timestamp, comm: process::Comm, executable: &[u8]) -> Process {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Process {
        pid,
        start_time: Some(timestamp(start_time.0)),
        comm: text(comm.as_bytes()),
        exe: text(executable),
        uid: None,
    }
}
