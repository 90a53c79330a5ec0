//! What was so of processes when a record happened, kept for a record that is told later: by then they
//! may run something else, or be gone from the table.

use std::sync::Arc;

use chandra_event::record::Record;
use chandra_event::who::{Parent, Who};

use super::Identity;
use super::view::known;
use crate::process::{ProcessEntry, Program};

/// What the process of a record ran, and whose child it was. A few pointers; programs are shared.
#[derive(Debug, Default)]
pub struct Kept {
    program: Option<Arc<Program>>,
    parent: Option<KeptParent>,
}

#[derive(Debug)]
struct KeptParent {
    /// Without what it ran.
    parent: Parent<'static>,
    program: Option<Arc<Program>>,
}

impl Identity {
    /// Keeps what is so of the processes of a record by now.
    pub fn keep(&self, record: &dyn Record) -> Kept {
        let Some(process) = record.process() else { return Kept::default() };
        let boottime_ns = self.processes.boottime_ns_of(record.time());
        let ran = |entry: &ProcessEntry| Some(entry.program_at(boottime_ns)?.share());
        let entry = self.processes.of(process);
        let parent = self.processes.parent_of(process, entry).map(|entry| KeptParent {
            parent: Parent { executable: None, ..self.parent_view(entry, boottime_ns) },
            program: ran(entry),
        });
        Kept { program: entry.and_then(ran), parent }
    }
}

impl Kept {
    /// What is known of somebody, but as it was of the processes then.
    pub fn then<'a>(&'a self, who: Who<'a>) -> Who<'a> {
        let parent = self.parent.as_ref();
        Who {
            executable: executable(&self.program),
            parent: parent
                .map(|kept| Parent { executable: executable(&kept.program), ..kept.parent }),
            ..who
        }
    }
}

fn executable(program: &Option<Arc<Program>>) -> Option<&[u8]> {
    program.as_ref().map(|program| &*program.executable).filter(known)
}
