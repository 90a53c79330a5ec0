//! Records of the `file_open` signal.

use crate::process::Process;
use crate::time::Timestamp;

mod fields;

pub use fields::{FILE_OPEN, FileOpenFields};

/// `O_CREAT`, the same on all architectures here (`include/uapi/asm-generic/fcntl.h`).
const CREATE: u32 = 0o100;
/// `__O_TMPFILE`.
const TEMPORARY: u32 = 0o20_000_000;
/// Access modes; what is left is flags.
const ACCESS: u32 = 0o3;
const READ_ONLY: u32 = 0;
const WRITE_ONLY: u32 = 1;
/// `O_PATH`: the descriptor can neither be read nor written.
const PATH: u32 = 0o10_000_000;
/// `O_TRUNC`.
const TRUNCATE: u32 = 0o1000;

/// The type of a file (`S_IFMT` of its mode, stat(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileType {
    /// `regular`
    Regular,
    /// `directory`
    Directory,
    /// `character_device`
    CharacterDevice,
    /// `block_device`
    BlockDevice,
    /// `fifo`
    Fifo,
    /// `socket`
    Socket,
    /// `symbolic_link`, opened itself with O_PATH
    SymbolicLink,
    /// `other`: it has none, as files of the kernel's own have
    Other,
}

impl FileType {
    /// That of a mode.
    pub fn of_mode(mode: u32) -> Self {
        match mode & 0o170_000 {
            0o100_000 => Self::Regular,
            0o040_000 => Self::Directory,
            0o020_000 => Self::CharacterDevice,
            0o060_000 => Self::BlockDevice,
            0o010_000 => Self::Fifo,
            0o140_000 => Self::Socket,
            0o120_000 => Self::SymbolicLink,
            _ => Self::Other,
        }
    }

    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Directory => "directory",
            Self::CharacterDevice => "character_device",
            Self::BlockDevice => "block_device",
            Self::Fifo => "fifo",
            Self::Socket => "socket",
            Self::SymbolicLink => "symbolic_link",
            Self::Other => "other",
        }
    }
}

impl FileType {
    /// All of them.
    pub const ALL: [FileType; 8] = [
        Self::Regular,
        Self::Directory,
        Self::CharacterDevice,
        Self::BlockDevice,
        Self::Fifo,
        Self::Socket,
        Self::SymbolicLink,
        Self::Other,
    ];

    /// That of a [`word`](Self::word).
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|file_type| file_type.word() == word)
    }
}

/// A file as the kernel found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// What it is.
    pub file_type: FileType,
    /// Its permissions, with set-uid, set-gid and sticky bit: twelve bits.
    pub permissions: u32,
    /// Device of its file system (major << 20 | minor).
    pub device: u32,
    /// Its inode number.
    pub inode: u64,
    /// The call made it.
    pub is_created: bool,
}

/// `file_open`: a file was opened, or could not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileOpen<'a> {
    /// When the call was done.
    pub time: Timestamp,
    /// Who opened it.
    pub process: Process,
    /// Of so many opens this one was told, drawn at random: it stands for all of them. 1: all are told.
    pub sampled_one_in: u32,
    /// Where the kernel arrived, from the process's root; of what could not be opened the path that was
    /// asked for, made absolute but not resolved.
    pub path: &'a [u8],
    /// The beginning of `path` is missing.
    pub path_truncated: bool,
    /// The name that the caller gave.
    pub name: &'a [u8],
    /// `O_*` of open(2) as the caller gave them.
    pub flags: u32,
    /// The mode that the caller gave for a file that is made.
    pub mode: u32,
    /// The file; absent where it could not be opened.
    pub opened: Option<Opened>,
    /// Why it could not be opened, as errno; 0 where it was.
    pub error: u32,
    /// The descriptor that it was opened as, where the hook knows it.
    pub descriptor: Option<u32>,
}

impl FileOpen<'_> {
    /// It may be read through the descriptor.
    pub fn is_read(&self) -> bool {
        self.flags & PATH == 0 && self.flags & ACCESS != WRITE_ONLY
    }

    /// It may be written through the descriptor.
    pub fn is_write(&self) -> bool {
        self.flags & PATH == 0 && self.flags & ACCESS != READ_ONLY
    }

    /// What is in it was to be cut off.
    pub fn truncates(&self) -> bool {
        self.flags & TRUNCATE != 0
    }

    /// The mode that the caller gave, where it counts: a file may be made.
    pub fn given_mode(&self) -> Option<u32> {
        (self.flags & (CREATE | TEMPORARY) != 0).then_some(self.mode & 0o7777)
    }
}
