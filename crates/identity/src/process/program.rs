//! What a process runs: the facts of an exec, kept once for all processes that share them.

use std::hash::{Hash, Hasher};

use chandra_event::process::{
    Arguments, Capabilities, Comm, Environment, Exec, FileStatus, Namespaces, strings,
};

use super::pool::{Handle, Pool};

/// The longest path that is kept; the kernel's own limit.
const PATH_BYTES: usize = 4096;

/// Bytes that are kept once.
pub type Text = Handle<[u8]>;

/// What an exec made of a process. Shared by its forks and by every like exec.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// Name of the process as the exec left it.
    pub comm: Comm,
    /// Path of the real executable (`mm->exe_file`).
    pub executable: Text,
    /// What else is known of the executable.
    pub file: File,
    /// The file as the caller named it; empty when the process was found running.
    pub filename: Text,
    /// For a script: its interpreter. Empty otherwise.
    pub interpreter: Text,
    /// Working directory at the exec.
    pub cwd: Text,
    /// The first bytes of the arguments, each ended by NUL.
    pub arguments_head: Text,
    /// True length of all arguments in bytes.
    pub arguments_bytes: u64,
    /// Namespaces at the exec.
    pub namespaces: Namespaces,
    /// Capabilities at the exec.
    pub capabilities: Capabilities,
    /// At the exec it had rights to which no lawful way led, if that is known.
    pub cred_jump: Option<bool>,
    /// What the inode of the executable said at the exec; nothing if it could not be read.
    pub file_status: Option<FileStatus>,
    /// The first bytes of the environment; nothing if nobody asked for it.
    pub environment_head: Option<Text>,
    /// True length of the environment in bytes.
    pub environment_bytes: u64,
}

/// The executable beside its path, as in [`chandra_event::process::Executable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct File {
    /// Inode number.
    pub inode: u64,
    /// Device of the file system.
    pub device: u32,
    /// The beginning of the path is missing.
    pub path_truncated: bool,
    /// An anonymous file of memfd_create(2).
    pub is_memfd: bool,
    /// No name is left for it.
    pub is_deleted: bool,
    /// On an overlay file system, from its upper layer.
    pub is_overlay_upper: bool,
}

/// Like programs hash alike; of the namespaces and rights those that differ in practice.
impl Hash for Program {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Program { comm, executable, file, filename, interpreter, cwd, .. } = self;
        (comm, executable, file, filename, interpreter, cwd).hash(state);
        let Namespaces { pid, mnt, net, .. } = self.namespaces;
        (&self.arguments_head, self.arguments_bytes, pid, mnt, net).hash(state);
        (self.capabilities.permitted, &self.environment_head).hash(state);
    }
}

impl Program {
    /// The arguments that are kept, the last one perhaps cut.
    pub fn arguments(&self) -> impl Iterator<Item = &[u8]> {
        strings(&self.arguments_head)
    }

    /// Its environment, where somebody asked for it.
    pub fn environment(&self) -> Option<Environment<'_>> {
        let head = self.environment_head.as_deref()?;
        Some(Environment { head, total_bytes: self.environment_bytes })
    }

    /// Some arguments, or the end of one, are not kept.
    pub fn arguments_are_cut(&self) -> bool {
        self.arguments_bytes > self.arguments_head.len() as u64
    }
}

/// All programs, and the strings in them.
#[derive(Debug)]
pub(super) struct Programs {
    texts: Pool<[u8]>,
    programs: Pool<Program>,
    arguments_limit: usize,
}

/// The last bytes of a path: its beginning is what the kernel leaves out too.
fn path_end(path: &[u8]) -> &[u8] {
    path.get(path.len().saturating_sub(PATH_BYTES)..).unwrap_or_default()
}

fn head(bytes: &[u8], limit: usize) -> &[u8] {
    bytes.get(..limit).unwrap_or(bytes)
}

impl Programs {
    pub(super) fn new(arguments_limit: usize) -> Programs {
        Programs { texts: Pool::new(), programs: Pool::new(), arguments_limit }
    }

    pub(super) fn intern(&mut self, exec: &Exec<'_>) -> Handle<Program> {
        let Arguments { head: arguments, total_bytes, .. } = exec.arguments;
        let file = &exec.executable;
        let program = Program {
            comm: exec.process.comm,
            executable: self.texts.intern(path_end(file.path)).0,
            file: File {
                inode: file.inode,
                device: file.device,
                path_truncated: file.path_truncated || file.path.len() > PATH_BYTES,
                is_memfd: file.is_memfd,
                is_deleted: file.is_deleted,
                is_overlay_upper: file.is_overlay_upper,
            },
            filename: self.texts.intern(head(exec.filename, PATH_BYTES)).0,
            interpreter: self.texts.intern(head(exec.interpreter, PATH_BYTES)).0,
            cwd: self.texts.intern(path_end(exec.cwd)).0,
            arguments_head: self.texts.intern(head(arguments, self.arguments_limit)).0,
            arguments_bytes: total_bytes.max(arguments.len() as u64),
            namespaces: exec.namespaces,
            capabilities: exec.capabilities,
            cred_jump: exec.rights.jumped(),
            file_status: (file.inode != 0).then_some(exec.file_status),
            environment_head: exec.environment.map(|it| self.texts.intern(it.head).0),
            environment_bytes: exec.environment.map_or(0, |it| it.total_bytes),
        };
        let (handle, new) = self.programs.intern(program);
        if !new {
            // A like program was there with these very strings: the uses of the copy end.
            self.release_texts(&handle);
        }
        handle
    }

    pub(super) fn again(&mut self, program: &Handle<Program>) -> Handle<Program> {
        self.programs.again(program)
    }

    pub(super) fn release(&mut self, program: &Handle<Program>) {
        if self.programs.release(program) {
            self.release_texts(program);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.programs.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.texts.bytes() + self.programs.bytes()
    }

    /// Bytes that this exec may add.
    pub(super) fn growth(&self, exec: &Exec<'_>) -> usize {
        let strings = [
            exec.executable.path.len(),
            exec.filename.len(),
            exec.interpreter.len(),
            exec.cwd.len(),
        ];
        let paths: usize = strings.iter().map(|length| (*length).min(PATH_BYTES)).sum();
        let arguments = exec.arguments.head.len().min(self.arguments_limit);
        let environment = exec.environment.map_or(0, |it| it.head.len());
        // 48: what the allocator and the counts of an `Arc` add to a string at most.
        self.texts.growth(6)
            + self.programs.growth(1)
            + size_of::<Program>()
            + paths
            + arguments
            + environment
            + 7 * 48
    }

    fn release_texts(&mut self, program: &Program) {
        let Program { executable, filename, interpreter, cwd, arguments_head, .. } = program;
        let always = [executable, filename, interpreter, cwd, arguments_head];
        for text in always.into_iter().chain(&program.environment_head) {
            self.texts.release(text);
        }
    }
}
