//! A process and those that it comes from, as rules ask for them.

use chandra_event::process::{
    Arguments, Environment, Executable, FileStatus, Namespaces, Process, Standing,
};
use chandra_event::record::{Event, Record};
use chandra_identity::process::{ProcessEntry, ProcessTable, Program as Ran};
use chandra_rules::adapter::{Ancestor, Lineage, Names, Program};

use super::accounts::Accounts;
use super::copies::Copies;
use crate::follow::Told;

/// The lineage of whoever did what a record tells of: for a fork, of the parent.
#[derive(Debug, Clone, Copy)]
pub struct ProcessLineage<'a> {
    table: &'a ProcessTable,
    acting: Option<&'a ProcessEntry>,
    boottime_ns: u64,
    copies: &'a Copies,
    accounts: &'a Accounts,
}

impl<'a> ProcessLineage<'a> {
    /// That of a record.
    pub fn of(told: &Told<'a>, copies: &'a Copies, accounts: &'a Accounts) -> Self {
        let table = &told.identity.processes;
        let acting: Option<&Process> = match told.known.event() {
            Event::Fork(fork) => Some(&fork.parent),
            _ => told.known.record.process(),
        };
        let acting = acting.and_then(|process| table.of(process));
        let boottime_ns = table.boottime_ns_of(told.known.time());
        Self { table, acting, boottime_ns, copies, accounts }
    }

    /// Who did it, with what it ran then.
    pub fn acting(&self) -> Option<Program<'a>> {
        self.acting.map(|entry| self.program(entry))
    }

    /// Those it comes from, its parent first.
    pub fn ancestors(&self) -> impl Iterator<Item = Program<'a>> + use<'a> {
        let this = *self;
        let entries = this.acting.map(|entry| this.table.ancestors(entry.id()));
        entries.into_iter().flatten().map(move |entry| this.program(entry))
    }

    /// The process itself (0), or an ancestor.
    fn entry(&self, generation: usize) -> Option<&'a ProcessEntry> {
        let acting = self.acting?;
        match generation.checked_sub(1) {
            None => Some(acting),
            Some(before) => self.table.ancestors(acting.id()).nth(before),
        }
    }

    /// What it ran when that happened which the record tells of.
    fn ran(&self, entry: &'a ProcessEntry) -> Option<&'a Ran> {
        entry.program_at(self.boottime_ns).map(|program| &**program)
    }

    fn program(&self, entry: &'a ProcessEntry) -> Program<'a> {
        let process = entry.process();
        let ran = self.ran(entry);
        let executable = ran.map(|ran| Executable {
            path: &ran.executable,
            path_truncated: ran.file.path_truncated,
            device: ran.file.device,
            inode: ran.file.inode,
            is_memfd: ran.file.is_memfd,
            is_deleted: ran.file.is_deleted,
            is_overlay_upper: ran.file.is_overlay_upper,
        });
        Program {
            pid: process.pid,
            comm: process_name(process),
            start_time: Some(self.table.start_time(entry)),
            executable,
            arguments: ran.map(|ran| Arguments {
                head: &ran.arguments_head,
                tail: &[],
                total_bytes: ran.arguments_bytes,
            }),
            filename: ran.map(|ran| &*ran.filename),
            interpreter: ran.map(|ran| &*ran.interpreter),
            cwd: ran.map(|ran| &*ran.cwd),
            namespaces: ran.map(|ran| ran.namespaces),
            copy_of: executable.and_then(|file| self.copies.of_file(&file)),
            capabilities: ran.map(|ran| &ran.capabilities),
            cred_jump: ran.and_then(|ran| ran.cred_jump),
        }
    }
}

fn process_name(process: &Process) -> &[u8] {
    process.comm.as_bytes()
}

impl Lineage for ProcessLineage<'_> {
    fn copy_of(&self) -> Option<&[u8]> {
        self.copies.current()
    }

    fn environment(&self, generation: usize) -> Option<Environment<'_>> {
        self.ran(self.entry(generation)?)?.environment()
    }

    fn standing(&self) -> Option<Standing> {
        self.acting?.standing().copied()
    }

    fn file_status(&self) -> Option<&FileStatus> {
        self.ran(self.acting?)?.file_status.as_ref()
    }

    fn names(&self, namespaces: &Namespaces) -> Option<&Names> {
        self.accounts.of(namespaces)
    }

    fn ancestor(&self, generation: usize) -> Ancestor<'_> {
        let Some(acting) = self.acting else { return Ancestor::Unknown };
        if let Some(entry) = self.entry(generation) {
            return Ancestor::Known(self.program(entry));
        }
        let last = self.table.ancestors(acting.id()).last().unwrap_or(acting);
        match last.original_parent().pid {
            0 => Ancestor::Nobody,
            _ => Ancestor::Unknown,
        }
    }
}
