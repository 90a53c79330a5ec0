//! Which known program an executed file is a copy of, for rules that ask by name.
//!
//! A program that runs from where programs are (`/usr`, `/bin`, …) is compared once. Anything else (written
//! since the container started, in memory, deleted, in a home) is compared each time it is executed: its inode
//! may be another file's by then. That costs a wait for the thread that compares, which is bounded
//! (`chandra_executables`).

use std::collections::HashMap;
use std::sync::Arc;

use chandra_event::process::{Exec, Executable};
use chandra_event::record::{Event, Record};
use chandra_executables::{Comparer, Figures, FileId, Names, Question};
use chandra_rules::adapter::loaded_file;
use chandra_rules::rules::Ruleset;

/// Folders in which only somebody with every right makes files.
const PROGRAMS: [&[u8]; 6] = [b"/usr/", b"/bin/", b"/sbin/", b"/lib", b"/opt/", b"/nix/store/"];

/// What files are copies of; by default nothing is compared.
#[derive(Debug, Default)]
pub struct Copies {
    comparer: Option<Comparer>,
    /// Of the execution at hand.
    current: Option<Arc<[u8]>>,
    /// What somebody else found out.
    told: HashMap<FileId, Arc<[u8]>>,
}

impl Copies {
    /// Those of programs that these rules name; none where they are not asked for, or there can be no thread.
    pub fn of(rules: &Ruleset, is_asked: bool) -> Self {
        let names = names(rules);
        let is_asked = is_asked && !names.is_empty();
        let comparer = is_asked.then(|| Comparer::start(names)).transpose();
        let comparer = comparer.unwrap_or_else(|error| {
            eprintln!("warning: copies of programs are not told from others: {error}");
            None
        });
        Self { comparer, ..Self::default() }
    }

    /// Other rules are in force.
    pub fn set_rules(&self, rules: &Ruleset) {
        if let Some(comparer) = &self.comparer {
            comparer.set_names(names(rules));
        }
    }

    /// Looks at what a record executes, before rules are asked about it.
    pub fn look(&mut self, record: &dyn Record) {
        let (Event::Exec(exec), Some(comparer)) = (record.event(), &mut self.comparer) else {
            return;
        };
        let file = id(&exec.executable);
        let loaded = loaded_file(&exec.executable, &exec.arguments);
        self.current = if loaded.is_none() && is_usual(&exec.executable) && comparer.knows(file) {
            comparer.copy_of(file).map(Arc::from)
        } else {
            comparer.compare(question(exec, file, loaded))
        };
    }

    /// What was found out when a recording was made, of an execution that is about to be asked about: the program's
    /// name, empty for no copy, nothing if it is not known.
    pub fn tell(&mut self, exec: &Exec<'_>, copy_of: Option<&[u8]>) {
        self.current = copy_of.map(Arc::from);
        // What a dynamic loader was told to run is another file.
        if let (Some(name), None) = (&self.current, loaded_file(&exec.executable, &exec.arguments))
        {
            self.told.insert(id(&exec.executable), Arc::clone(name));
        }
    }

    /// Of the execution that was looked at last: the program's name, empty for no copy.
    pub fn current(&self) -> Option<&[u8]> {
        self.current.as_deref()
    }

    /// Of a file that was executed before.
    pub fn of_file(&self, executable: &Executable<'_>) -> Option<&[u8]> {
        let told = || self.told.get(&id(executable)).map(|name| &**name);
        self.comparer.as_ref().and_then(|it| it.copy_of(id(executable))).or_else(told)
    }

    /// What became of comparisons.
    pub fn figures(&self) -> Figures {
        self.comparer.as_ref().map(Comparer::figures).unwrap_or_default()
    }
}

fn names(rules: &Ruleset) -> Names {
    rules.program_names().map(Box::from).collect()
}

fn id(executable: &Executable<'_>) -> FileId {
    FileId { device: executable.device, inode: executable.inode }
}

fn is_usual(executable: &Executable<'_>) -> bool {
    let Executable { path, is_memfd, is_deleted, is_overlay_upper, path_truncated, .. } =
        *executable;
    let is_odd = is_memfd || is_deleted || is_overlay_upper || path_truncated;
    !is_odd && PROGRAMS.iter().any(|folder| path.starts_with(folder))
}

fn question(exec: &Exec<'_>, file: FileId, loaded: Option<&[u8]>) -> Question {
    let absolute = |path: &[u8]| match path.first() {
        Some(b'/') => path.to_vec(),
        _ => [exec.cwd, b"/", path].concat(),
    };
    Question {
        pid: exec.process.pid,
        parent_pid: exec.process.ppid,
        mount_namespace: exec.namespaces.mnt,
        file,
        path: exec.executable.path.to_vec(),
        is_overlay_upper: exec.executable.is_overlay_upper,
        loaded: loaded.map(absolute),
    }
}
