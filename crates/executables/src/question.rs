//! What an execution's file is a copy of, found out while the process, its parent or the file is still there.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use crate::code::Code;
use crate::known::{Known, Names};
use crate::root::{Root, mount_namespace};

/// Roots whose programs are remembered.
const MAX_ROOTS: usize = 64;
/// Files whose code is remembered. It is forgotten all at once.
const MAX_CODES: usize = 4096;
/// Magic number of overlay file systems (`include/uapi/linux/magic.h`).
const OVERLAYFS_SUPER_MAGIC: u64 = 0x794c_7630;

/// A file as the kernel names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    /// Device of the file system.
    pub device: u32,
    /// Inode number.
    pub inode: u64,
}

/// An execution whose file is to be compared with known programs.
#[derive(Debug, Clone)]
pub struct Question {
    /// The process.
    pub pid: u32,
    /// Its parent, which mostly outlives it.
    pub parent_pid: u32,
    /// Inode of its mount namespace.
    pub mount_namespace: u32,
    /// The file that it runs.
    pub file: FileId,
    /// That file's path in the process's root.
    pub path: Vec<u8>,
    /// It is of an overlay's upper layer, so it was not there in the image.
    pub is_overlay_upper: bool,
    /// In its place the file that a dynamic loader was told to run, an absolute path.
    pub loaded: Option<Vec<u8>>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Process and file were gone.
    Gone,
    /// The file could not be read.
    Unreadable,
}

/// A mount namespace, and a root in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RootId(u32, (u64, u64));

/// A file's content: device, inode, time of its last change, size.
type Content = (u64, u64, i64, i64, u64);

/// What is known of roots and files.
#[derive(Debug, Default)]
pub(crate) struct Knowledge {
    names: Names,
    roots: VecDeque<(RootId, Known)>,
    codes: HashMap<Content, Option<Code>>,
}

impl Knowledge {
    /// Other programs matter from now on. Those of the node's own root are looked for at once.
    pub fn set_names(&mut self, names: Names) {
        self.names = names;
        self.roots.clear();
        // Who may not look at the first process is perhaps in its root himself.
        let mut found = [1, std::process::id()]
            .into_iter()
            .filter_map(|pid| Some((mount_namespace(pid)?, Root::of_process(pid).ok()?)));
        if let Some((namespace, root)) = found.next() {
            let _ = self.known_of(namespace, &root);
        }
    }

    /// The name of the program that the file is a copy of; nothing if it is no copy, or has that name itself.
    pub fn answer(&mut self, question: &Question) -> Result<Option<Arc<[u8]>>, Failure> {
        let pids = [question.pid, question.parent_pid, 1, std::process::id()];
        let (_, root) = Root::in_namespace(question.mount_namespace, pids).ok_or(Failure::Gone)?;
        let (file, path) = match &question.loaded {
            Some(path) => (root.open(path).map_err(|_| Failure::Unreadable)?, path),
            None => (executable(question, &root).ok_or(Failure::Gone)?, &question.path),
        };
        let from_image =
            question.loaded.is_none() && !question.is_overlay_upper && is_overlay(&file);
        // What an image brings is no copy that somebody made.
        let Some(code) = (!from_image).then(|| self.code_of(&file)).transpose()?.flatten() else {
            return Ok(None);
        };
        let known = self.known_of(question.mount_namespace, &root).ok_or(Failure::Unreadable)?;
        let own = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        Ok(known.name_of(code).filter(|name| ***name != *own).cloned())
    }

    fn code_of(&mut self, file: &File) -> Result<Option<Code>, Failure> {
        let it = file.metadata().map_err(|_| Failure::Unreadable)?;
        let content = (it.dev(), it.ino(), it.ctime(), it.ctime_nsec(), it.size());
        if let Some(code) = self.codes.get(&content) {
            return Ok(*code);
        }
        let code = Code::of(file).map_err(|_| Failure::Unreadable)?;
        if self.codes.len() >= MAX_CODES {
            self.codes.clear();
        }
        self.codes.insert(content, code);
        Ok(code)
    }

    /// The known programs of a root, which are looked for once.
    fn known_of(&mut self, namespace: u32, root: &Root) -> Option<&Known> {
        let id = RootId(namespace, root.id().ok()?);
        let place = match self.roots.iter().position(|(known, _)| *known == id) {
            Some(place) => place,
            None => {
                if self.roots.len() >= MAX_ROOTS {
                    self.roots.pop_front();
                }
                self.roots.push_back((id, Known::of(root, &self.names)));
                self.roots.len() - 1
            }
        };
        self.roots.get(place).map(|(_, known)| known)
    }
}

/// The file that a process runs: as the process has it, or where it was found, if it is the same.
fn executable(question: &Question, root: &Root) -> Option<File> {
    let is_it = |file: &File| file.metadata().is_ok_and(|it| it.ino() == question.file.inode);
    let of_process = File::open(format!("/proc/{}/exe", question.pid)).ok().filter(is_it);
    of_process.or_else(|| root.open(&question.path).ok().filter(is_it))
}

fn is_overlay(file: &File) -> bool {
    let kind = rustix::fs::fstatfs(file).map(|it| u64::try_from(it.f_type).unwrap_or_default());
    kind == Ok(OVERLAYFS_SUPER_MAGIC)
}
