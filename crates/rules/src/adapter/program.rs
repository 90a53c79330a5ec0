//! What a process ran at the time of an event, and what its ancestors ran.

use chandra_event::process::{
    Arguments, Capabilities, Environment, Executable, FileStatus, Namespaces, Standing,
};
use chandra_event::time::Timestamp;

use super::Names;

/// A process and what it runs. What is absent is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Program<'a> {
    /// Its pid in the initial pid namespace.
    pub pid: u32,
    /// Its name as the kernel keeps it.
    pub comm: &'a [u8],
    /// When it started.
    pub start_time: Option<Timestamp>,
    /// The real executable.
    pub executable: Option<Executable<'a>>,
    /// Its arguments, the first one included.
    pub arguments: Option<Arguments<'a>>,
    /// The file as the caller named it.
    pub filename: Option<&'a [u8]>,
    /// For a script, its interpreter; empty for what is none.
    pub interpreter: Option<&'a [u8]>,
    /// Working directory when it was executed.
    pub cwd: Option<&'a [u8]>,
    /// Namespaces when it was executed.
    pub namespaces: Option<Namespaces>,
    /// The known program that the executable has the code of, under another name; empty for what is no copy.
    pub copy_of: Option<&'a [u8]>,
    /// Capabilities when it was executed.
    pub capabilities: Option<&'a Capabilities>,
    /// When it was executed it had rights to which no lawful way led.
    pub cred_jump: Option<bool>,
}

/// What is known of an ancestor.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives on the stack, and nothing is allocated for an event"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ancestor<'a> {
    /// This.
    Known(Program<'a>),
    /// There is none: the one before is the first of all.
    Nobody,
    /// Nothing: it was not seen, or has been forgotten.
    Unknown,
}

/// The processes from which a process comes.
pub trait Lineage {
    /// An ancestor, 1 being the parent; 0 is the process itself.
    fn ancestor(&self, generation: usize) -> Ancestor<'_>;

    /// The known program that the executable of an execution, the process's latest, has the code of, under
    /// another name; empty for what is no copy, nothing if it is not known.
    fn copy_of(&self) -> Option<&[u8]> {
        None
    }

    /// The environment that an ancestor, or the process itself (0), was executed with.
    fn environment(&self, _generation: usize) -> Option<Environment<'_>> {
        None
    }

    /// Where the process stood among others when it was executed, or forked.
    fn standing(&self) -> Option<Standing> {
        None
    }

    /// What the inode of the process's executable said when it was executed.
    fn file_status(&self) -> Option<&FileStatus> {
        None
    }

    /// Users and groups of who is in these namespaces, which are none of the node's.
    fn names(&self, _namespaces: &Namespaces) -> Option<&Names> {
        None
    }
}

/// Nothing is known of any.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLineage;

impl Lineage for NoLineage {
    fn ancestor(&self, _: usize) -> Ancestor<'_> {
        Ancestor::Unknown
    }
}

/// The process, its parent, and so on, as far as they are known.
impl Lineage for Vec<Program<'_>> {
    fn ancestor(&self, generation: usize) -> Ancestor<'_> {
        match self.get(generation) {
            Some(program) => Ancestor::Known(*program),
            None if self.last().is_some_and(|last| last.pid == 1) => Ancestor::Nobody,
            None => Ancestor::Unknown,
        }
    }

    fn copy_of(&self) -> Option<&[u8]> {
        self.first()?.copy_of
    }
}

impl<'a> Program<'a> {
    /// The last part of the real executable's path.
    pub fn real_name(&self) -> Option<&'a [u8]> {
        self.executable.map(|executable| base_name(executable.path)).filter(|name| !name.is_empty())
    }

    /// Its first argument.
    pub fn first_argument(&self) -> Option<&'a [u8]> {
        self.arguments.map(|arguments| arguments.head().next().unwrap_or_default())
    }
}

/// What follows the last slash.
pub(super) fn base_name(path: &[u8]) -> &[u8] {
    let at = memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1);
    path.get(at..).unwrap_or_default()
}
