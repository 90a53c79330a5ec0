//! `proc.*` and `thread.*`

use chandra_event::process::{
    Arguments, Capabilities, Exec, Executable, FileStatus, Listening, Namespaces, Standing, Stream,
};
use chandra_event::time::Timestamp;

use super::program::{Ancestor, Program};
use super::started::started;
use super::{Happening, RecordFacts, executable, identity};
use crate::catalogue::{ProcessField, ThreadField};
use crate::evaluate::{Argument, Value, Words};

/// Generations that are looked through for one that fits.
const MAX_GENERATIONS: usize = 64;

/// Names of shells.
const SHELLS: [&[u8]; 12] = [
    b"sh", b"bash", b"rbash", b"dash", b"ash", b"zsh", b"ksh", b"mksh", b"csh", b"tcsh", b"fish",
    b"yash",
];

/// Names that a program has at most.
const NAMES: usize = 4;

impl<'r> RecordFacts<'r> {
    /// The process itself and its ancestors, as far as anything is known of them.
    pub(super) fn program(&self, generation: usize) -> Ancestor<'r> {
        if generation == 0
            && let Some(exec) = self.exec()
        {
            return Ancestor::Known(Program {
                pid: exec.process.pid,
                comm: comm_of(&exec.process.comm),
                start_time: Some(exec.process.start_time),
                executable: Some(exec.executable),
                arguments: Some(exec.arguments),
                filename: Some(exec.filename),
                interpreter: Some(exec.interpreter),
                cwd: Some(exec.cwd),
                namespaces: Some(exec.namespaces),
                copy_of: self.lineage.copy_of(),
                capabilities: Some(&exec.capabilities),
                cred_jump: exec.rights.jumped(),
            });
        }
        match (self.lineage.ancestor(generation), generation) {
            (Ancestor::Unknown, 0) => self.process.map_or(Ancestor::Unknown, |process| {
                Ancestor::Known(Program {
                    start_time: Some(process.start_time),
                    ..little(process.pid, comm_of(&process.comm), self.who.executable)
                })
            }),
            (Ancestor::Unknown, 1) => match &self.who.parent {
                Some(parent) => Ancestor::Known(Program {
                    start_time: Some(parent.start_time),
                    ..little(parent.pid, comm_of(&parent.comm), parent.executable)
                }),
                None if self.process.is_some_and(|process| process.ppid == 0) => Ancestor::Nobody,
                None => Ancestor::Unknown,
            },
            (ancestor, _) => ancestor,
        }
    }

    /// What `of` says of an ancestor.
    fn of(&self, generation: usize, of: impl FnOnce(&Program<'r>) -> Value<'r>) -> Value<'r> {
        match self.program(generation) {
            Ancestor::Known(program) => of(&program),
            Ancestor::Nobody => Value::Absent,
            Ancestor::Unknown => Value::Unknown,
        }
    }

    pub(super) fn process_value(&self, field: ProcessField, argument: &Argument) -> Value<'r> {
        use ProcessField as Of;
        // Without a number, the parent is the first ancestor.
        let ancestor = match argument {
            Argument::Ancestor(number) => *number as usize,
            _ => 1,
        };
        match field {
            Of::Name => self.of(0, |program| Value::Text(program.comm)),
            Of::ParentName => self.of(1, |program| Value::Text(program.comm)),
            Of::AncestorName => self.of(ancestor, |program| Value::Text(program.comm)),
            Of::Exe => self.of(0, first_argument),
            Of::ParentExe => self.of(1, first_argument),
            Of::AncestorExe => self.of(ancestor, first_argument),
            Of::ExePath | Of::ExeReal | Of::Image => self.of(0, exe_path),
            Of::ParentExePath | Of::ParentExeReal | Of::ParentImage => self.of(1, exe_path),
            Of::AncestorExePath | Of::AncestorExeReal => self.of(ancestor, exe_path),
            Of::ExeCopyOf => self.of(0, |program| match program.copy_of {
                Some([]) => Value::Absent,
                copy_of => Value::known_text(copy_of),
            }),
            Of::Interpreter => self.of(0, |program| match program.interpreter {
                Some([]) => Value::Absent,
                interpreter => Value::known_text(interpreter),
            }),
            Of::Args => self.of(0, |program| words(program, None)),
            Of::CmdLine => self.of(0, command_line),
            Of::ParentCmdLine => self.of(1, command_line),
            Of::AncestorCmdLine => self.of(ancestor, command_line),
            Of::ExeLine => self.of(0, |program| words(program, program.first_argument())),
            Of::ParentExeLine => self.of(1, |program| words(program, program.first_argument())),
            Of::ArgCount => self.of(0, |program| match words(program, None) {
                Value::Words(words) if !words.is_cut => {
                    Value::number(words.arguments().count() as u64)
                }
                _ => Value::Unknown,
            }),
            Of::ArgBytes => self.of(0, |program| match words(program, None) {
                Value::Words(words) if !words.is_cut => {
                    Value::number(words.arguments().map(<[u8]>::len).sum::<usize>() as u64)
                }
                _ => Value::Unknown,
            }),
            Of::Cwd => self.of(0, |program| match program.cwd {
                None | Some([]) => Value::Unknown,
                Some(cwd) if cwd.ends_with(b"/") => Value::Text(cwd),
                Some(cwd) => Value::Joined(cwd, b"/"),
            }),
            Of::Tty => self.of_standing(|standing| Value::Number(tty_number(standing.tty()))),
            Of::Pid => self.of(0, |program| Value::Number(program.pid.into())),
            Of::ParentPid => match self.process {
                Some(process) => Value::Number(process.ppid.into()),
                None => Value::Unknown,
            },
            Of::AncestorPid => self.of(ancestor, |program| Value::Number(program.pid.into())),
            Of::SessionId => self.of_standing(|standing| Value::Number(standing.session_id.into())),
            Of::SessionName => self.leader(session, |program| Value::Text(program.comm)),
            Of::SessionExe => self.leader(session, first_argument),
            Of::SessionExePath => self.leader(session, exe_path),
            Of::ProcessGroup => self.id(|standing| standing.groups.process_group),
            Of::VirtualPid => self.id(|standing| standing.groups.virtual_pid),
            Of::VirtualGroup => self.virtual_group(),
            Of::ParentVirtualPid => self.parent_virtual_pid(),
            Of::VirtualGroupName => self.leader(group, |program| Value::Text(program.comm)),
            Of::VirtualGroupExe => self.leader(group, first_argument),
            Of::VirtualGroupExePath => self.leader(group, exe_path),
            Of::IsGroupLeader => match self.standing().map(|standing| standing.groups) {
                Some(groups) if groups.virtual_pid != 0 => {
                    Value::Bool(groups.virtual_pid == groups.virtual_process_group)
                }
                _ => Value::Unknown,
            },
            Of::StandardInput => self.stream(|standing| standing.standard_input),
            Of::StandardOutput => self.stream(|standing| standing.standard_output),
            Of::CredentialJump => {
                self.of(0, |program| program.cred_jump.map_or(Value::Unknown, Value::Bool))
            }
            Of::IsExeWritable => self.executed(executable::is_writable),
            Of::ExeChangeTime => self.inode(|status, _| nanoseconds(status.change_time)),
            Of::ExeModifyTime => self.inode(|status, _| nanoseconds(status.modify_time)),
            Of::ExeChangeToStart => self.inode(executable::change_to_start),
            Of::IsSessionLeader => match self.process {
                Some(process) => {
                    self.of_standing(|standing| Value::Bool(standing.session_id == process.pid))
                }
                None => Value::Unknown,
            },
            Of::Duration => self.of(0, |program| self.since(program)),
            Of::ParentDuration => self.of(1, |program| self.since(program)),
            Of::Start => self.of(0, start),
            Of::ParentStart => self.of(1, start),
            Of::ExeInode => self.file(|file| Value::number(file.inode)),
            Of::IsExeUpperLayer => self.file(|file| Value::Bool(file.is_overlay_upper)),
            Of::IsExeFromMemfd => self.file(|file| Value::Bool(file.is_memfd)),
            Of::IsExeDeleted => self.file(|file| Value::Bool(file.is_deleted)),
            Of::IdentityMismatch => self.of(0, |program| {
                identity::is_mismatch(program).map_or(Value::Unknown, Value::Bool)
            }),
            Of::Listens => self.listens(0),
            Of::ParentListens => self.listens(1),
            Of::AncestorListens => self.listens(ancestor),
            Of::NamespaceMismatch => self.namespace_mismatch(),
            Of::NamespaceStart => self.executed(|exec| {
                Value::known_number(exec.pid_namespace_start.map(|start| start.0))
            }),
            Of::ExeChangeToNamespace => self.executed(executable::change_to_namespace_start),
            Of::LoginShell => self.oldest_shell(),
            Of::Env => self.own_environment(argument),
            Of::AncestorEnv => self.ancestor_environment(argument),
            Of::ExitCode => self.exit(|exit| exit.exit_code),
            Of::ExitSignal => self.exit(|exit| exit.exit_signal),
            // Not answered, as the catalogue says.
            _ => Value::Unknown,
        }
    }

    pub(super) fn another_of_process(
        &self,
        field: ProcessField,
        argument: &Argument,
        number: usize,
    ) -> Option<Value<'r>> {
        use ProcessField as Of;
        match (field, argument) {
            (Of::Name, _) => self.another_name(0, number),
            (Of::ParentName, _) => self.another_name(1, number),
            (Of::Args, _) if number == 1 && !self.node.by_name_only => {
                Some(self.of(0, |program| started_words(program)))
            }
            (Of::Args, _) | (_, Argument::Ancestor(_) | Argument::Name(_) | Argument::Mount(_)) => {
                None
            }
            (Of::Image, _) => (number == 1).then(|| self.of(0, executed_by)),
            (Of::ParentImage, _) => (number == 1).then(|| self.of(1, executed_by)),
            // All names of each ancestor in turn.
            (Of::AncestorName, _) => {
                let generation = self.next_generation(1 + number / NAMES)?;
                Some(match number % NAMES {
                    0 => self.of(generation, |program| Value::Text(program.comm)),
                    name => self.another_name(generation, name).unwrap_or(Value::Absent),
                })
            }
            _ => {
                let generation = self.next_generation(1 + number)?;
                let argument = Argument::Ancestor(u32::try_from(generation).ok()?);
                Some(self.process_value(field, &argument))
            }
        }
    }

    /// A name that a program has beside the one that the kernel keeps, which anybody can choose: that of the
    /// file that really runs, of what a loader or BusyBox was told to run, of what the file is a copy of.
    fn another_name(&self, generation: usize, number: usize) -> Option<Value<'r>> {
        if number >= NAMES || self.node.by_name_only {
            return None;
        }
        Some(self.of(generation, |program| {
            Value::text(match number {
                1 => program.real_name(),
                2 => started(program).map(|started| started.name()),
                _ => program.copy_of.filter(|name| !name.is_empty()),
            })
        }))
    }

    /// A generation of which anything can be said: there is one, or the first that is not known.
    fn next_generation(&self, generation: usize) -> Option<usize> {
        let before = match generation {
            0 | 1 => true,
            other => matches!(self.program(other - 1), Ancestor::Known(_)),
        };
        let is_somebody = before && self.program(generation) != Ancestor::Nobody;
        (generation <= MAX_GENERATIONS && is_somebody).then_some(generation)
    }

    /// The leader of the session or the process group that has this id, if it is the process or an ancestor.
    fn leader(
        &self,
        id: fn(&Standing) -> u32,
        of: impl Fn(&Program<'r>) -> Value<'r>,
    ) -> Value<'r> {
        let Some(standing) = self.standing() else { return Value::Unknown };
        let id = id(&standing);
        for generation in 0..MAX_GENERATIONS {
            match self.program(generation) {
                Ancestor::Known(program) if program.pid == id => return of(&program),
                Ancestor::Known(_) => {}
                Ancestor::Nobody => return Value::Absent,
                Ancestor::Unknown => return Value::Unknown,
            }
        }
        Value::Unknown
    }

    /// The pid of the oldest shell among those that are known.
    fn oldest_shell(&self) -> Value<'r> {
        let mut oldest = None;
        for generation in 0..MAX_GENERATIONS {
            match self.program(generation) {
                Ancestor::Known(program) if SHELLS.contains(&program.comm) => {
                    oldest = Some(program.pid);
                }
                Ancestor::Known(_) => {}
                Ancestor::Nobody if oldest.is_none() => return Value::Absent,
                Ancestor::Nobody | Ancestor::Unknown => break,
            }
        }
        Value::known_number(oldest.map(u64::from))
    }

    /// Where it stood among others when it was executed, or forked.
    pub(super) fn standing(&self) -> Option<Standing> {
        match self.exec() {
            Some(exec) => Some(exec.standing()),
            None => self.lineage.standing(),
        }
    }

    /// What `of` says of that.
    pub(super) fn of_standing(&self, of: impl FnOnce(&Standing) -> Value<'r>) -> Value<'r> {
        self.standing().map_or(Value::Unknown, |standing| of(&standing))
    }

    /// An id that is known where it is not 0.
    fn id(&self, of: fn(&Standing) -> u32) -> Value<'r> {
        match self.standing().map(|standing| of(&standing)) {
            None | Some(0) => Value::Unknown,
            Some(id) => Value::Number(id.into()),
        }
    }

    /// 0, as of getpgid(2), where the group is none of its pid namespace.
    fn virtual_group(&self) -> Value<'r> {
        match self.standing().map(|standing| standing.groups) {
            Some(groups) if groups.virtual_pid != 0 => {
                Value::Number(groups.virtual_process_group.into())
            }
            _ => Value::Unknown,
        }
    }

    fn parent_virtual_pid(&self) -> Value<'r> {
        match self.process {
            Some(process) if process.ppid == 0 => Value::Number(0),
            _ => self.id(|standing| standing.groups.parent_virtual_pid),
        }
    }

    fn stream(&self, of: fn(&Standing) -> Option<Stream>) -> Value<'r> {
        self.of_standing(|standing| Value::text(of(standing).map(Stream::word)))
    }

    /// What `of` says of the executable's inode when it was executed, and of the start of the process.
    fn inode(&self, of: impl FnOnce(&FileStatus, Timestamp) -> Value<'r>) -> Value<'r> {
        let status = match self.exec() {
            Some(exec) => Some(&exec.file_status).filter(|_| exec.executable.inode != 0),
            None => self.lineage.file_status(),
        };
        match status.zip(self.process) {
            Some((status, process)) => of(status, process.start_time),
            None => Value::Unknown,
        }
    }

    /// The namespaces that it was in when it was executed.
    pub(super) fn namespaces(&self) -> Option<Namespaces> {
        match self.program(0) {
            Ancestor::Known(program) => program.namespaces.filter(|own| own.mnt != 0),
            _ => None,
        }
    }

    /// Whether it, or an ancestor, was a server when it executed.
    fn listens(&self, generation: usize) -> Value<'r> {
        let Some(exec) = self.exec() else { return Value::Absent };
        let Listening { itself, parent, grandparent } = exec.listening;
        match (self.program(generation), generation) {
            (Ancestor::Nobody, _) => Value::Absent,
            (_, 0) => itself.map_or(Value::Unknown, Value::Bool),
            (_, 1) => parent.map_or(Value::Unknown, Value::Bool),
            (_, 2) => grandparent.map_or(Value::Unknown, Value::Bool),
            _ => Value::Unknown,
        }
    }

    /// What `of` says of an executed file, where it could be read.
    fn executed(&self, of: impl FnOnce(&Exec<'r>) -> Value<'r>) -> Value<'r> {
        match self.exec() {
            Some(exec) if exec.executable.inode != 0 => of(exec),
            Some(_) => Value::Unknown,
            None => Value::Absent,
        }
    }

    fn since(&self, program: &Program<'_>) -> Value<'r> {
        let start = program.start_time.map(|start| self.time.0.saturating_sub(start.0));
        Value::known_number(start)
    }

    fn file(&self, of: impl FnOnce(&Executable<'r>) -> Value<'r>) -> Value<'r> {
        self.of(0, |program| match &program.executable {
            // No file has inode number 0.
            Some(file) if file.inode != 0 => of(file),
            _ => Value::Unknown,
        })
    }

    fn namespace_mismatch(&self) -> Value<'r> {
        if self.who.container.is_none() {
            return if self.who.is_pending { Value::Unknown } else { Value::Bool(false) };
        }
        let host = self.node.namespaces.map(|host| host.mnt).filter(|inode| *inode != 0);
        self.of(0, |program| {
            let own = program.namespaces.map(|own| own.mnt).filter(|inode| *inode != 0);
            match (own, host) {
                (Some(own), Some(host)) => Value::Bool(own == host),
                _ => Value::Unknown,
            }
        })
    }

    fn exit(&self, of: impl FnOnce(&chandra_event::process::Exit) -> Option<u8>) -> Value<'r> {
        match self.happening {
            Happening::Exit(exit) => {
                of(exit).map_or(Value::Absent, |code| Value::Number(code.into()))
            }
            _ => Value::Absent,
        }
    }

    pub(super) fn thread_value(&self, field: ThreadField) -> Value<'r> {
        let capabilities = |of: fn(&Capabilities) -> u64| {
            self.of(0, |program| {
                program.capabilities.map_or(Value::Unknown, |sets| Value::Capabilities(of(sets)))
            })
        };
        match field {
            ThreadField::CapEffective => return capabilities(|sets| sets.effective),
            ThreadField::CapPermitted => return capabilities(|sets| sets.permitted),
            ThreadField::CapInheritable => return capabilities(|sets| sets.inheritable),
            _ => {}
        }
        let thread = match (self.exec(), self.process) {
            // It is the only one that is left.
            (Some(exec), _) => Some((exec.process.pid, exec.process.pid)),
            (None, Some(process)) if process.thread_id != 0 => {
                Some((process.thread_id, process.pid))
            }
            _ => None,
        };
        match (field, thread) {
            (ThreadField::Id, Some((thread, _))) => Value::Number(thread.into()),
            (ThreadField::IsMain, Some((thread, process))) => Value::Bool(thread == process),
            (ThreadField::VirtualId, _) if self.exec().is_some() => {
                self.id(|standing| standing.groups.virtual_pid)
            }
            (ThreadField::VirtualId, _) => Value::Absent,
            // Not known; the rest is not answered, as the catalogue says.
            _ => Value::Unknown,
        }
    }
}

fn comm_of(comm: &chandra_event::process::Comm) -> &[u8] {
    comm.as_bytes()
}

/// What a record says of a process that has not been seen to execute anything.
fn little<'r>(pid: u32, comm: &'r [u8], executable: Option<&'r [u8]>) -> Program<'r> {
    Program {
        pid,
        comm,
        start_time: None,
        executable: executable.map(|path| Executable { path, ..Executable::default() }),
        arguments: None,
        filename: None,
        interpreter: None,
        cwd: None,
        namespaces: None,
        copy_of: None,
        capabilities: None,
        cred_jump: None,
    }
}

fn session(standing: &Standing) -> u32 {
    standing.session_id
}

fn group(standing: &Standing) -> u32 {
    standing.groups.process_group
}

fn nanoseconds<'r>(time: Timestamp) -> Value<'r> {
    Value::number(time.0)
}

fn first_argument<'r>(program: &Program<'r>) -> Value<'r> {
    Value::known_text(program.first_argument())
}

fn exe_path<'r>(program: &Program<'r>) -> Value<'r> {
    match program.executable {
        Some(Executable { path, path_truncated: true, .. }) => Value::Cut { head: b"", tail: path },
        Some(Executable { path: [], .. }) | None => Value::Unknown,
        Some(executable) => Value::Text(executable.path),
    }
}

/// The path as the caller named it.
fn executed_by<'r>(program: &Program<'r>) -> Value<'r> {
    match program.filename {
        None | Some([]) => Value::Unknown,
        Some(name) => Value::Text(name),
    }
}

fn start<'r>(program: &Program<'_>) -> Value<'r> {
    Value::known_number(program.start_time.map(|start| start.0))
}

fn command_line<'r>(program: &Program<'r>) -> Value<'r> {
    words(program, Some(program.comm))
}

/// The arguments behind the first, and a word before them.
fn words<'r>(program: &Program<'r>, first: Option<&'r [u8]>) -> Value<'r> {
    let Some(arguments) = program.arguments else { return Value::Unknown };
    let Arguments { head, tail, .. } = arguments;
    let end = memchr::memchr(0, head).map_or(head.len(), |end| end + 1);
    let head = head.get(end..).unwrap_or_default();
    Value::Words(Words { first, head, tail, is_cut: arguments.is_cut() })
}

/// The arguments of what a loader or BusyBox was told to run, where its name stands before them.
fn started_words<'r>(program: &Program<'r>) -> Value<'r> {
    match (started(program).and_then(|started| started.arguments), program.arguments) {
        (Some(head), Some(arguments)) => {
            let (tail, is_cut) = (arguments.tail, arguments.is_cut());
            Value::Words(Words { first: None, head, tail, is_cut })
        }
        _ => Value::Absent,
    }
}

/// The device number of a terminal by its name, as `tty_nr` of proc(5) has it.
fn tty_number(name: &[u8]) -> i64 {
    const OTHER: i64 = 1;
    let number = |prefix: &str| -> Option<i64> {
        std::str::from_utf8(name).ok()?.strip_prefix(prefix)?.parse().ok()
    };
    // Majors of Documentation/admin-guide/devices.txt; 256 pseudo-terminals for each of 136 to 143.
    match name {
        b"" => 0,
        b"console" => (5 << 8) | 1,
        _ => {
            let device = |major: i64, minor: i64| (major << 8) | minor;
            let pts = number("pts").map(|number| device(136 + number / 256, number % 256));
            let serial = || number("ttyS").map(|number| device(4, 64 + number));
            let virtual_terminal = || number("tty").map(|number| device(4, number));
            pts.or_else(serial).or_else(virtual_terminal).unwrap_or(OTHER)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_have_the_numbers_that_proc_has() {
        assert_eq!(tty_number(b""), 0);
        assert_eq!(tty_number(b"pts0"), 34_816);
        assert_eq!(tty_number(b"pts3"), 34_819);
        assert_eq!(tty_number(b"tty1"), 1025);
        assert_eq!(tty_number(b"ttyS0"), 1088);
        assert_eq!(tty_number(b"hvc0"), 1);
    }
}
