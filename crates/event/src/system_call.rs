//! Records of the `system_call` signal.

use std::net::SocketAddr;

use crate::file::FileType;
use crate::process::Process;
use crate::time::Timestamp;

mod fields;

pub use fields::{SYSTEM_CALL, SystemCallFields};

/// A path that a system call was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Path<'a> {
    /// Made absolute by the working directory or the descriptor that the call named, not resolved. A text
    /// that is no path (the target of a symbolic link, the name of a memfd) is as it was given.
    pub path: &'a [u8],
    /// As it was given.
    pub name: &'a [u8],
}

/// A socket of IPv4 or IPv6, as the kernel had it when the call was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket {
    /// Number of its protocol, as in an IP header (IANA protocol numbers): 6 for TCP, 17 for UDP.
    pub protocol: u16,
    /// Where it is bound; port 0 for nowhere.
    pub local: SocketAddr,
    /// Whom it is connected to; of a call that sends somewhere, where.
    pub peer: Option<SocketAddr>,
    /// It listens, or was accepted.
    pub is_server: bool,
}

/// `system_call`: a system call was done, well or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemCall<'a> {
    /// When it was done.
    pub time: Timestamp,
    /// Whose call it was; its uid and gid are those after it.
    pub process: Process,
    /// Of so many calls this one was told, drawn at random: it stands for all of them. 1: all are told.
    pub sampled_one_in: u32,
    /// Effective user id after it.
    pub effective_uid: u32,
    /// Its name, as in `man 2`; absent for a number that has none here.
    pub name: Option<&'static str>,
    /// Its number on this architecture.
    pub number: u32,
    /// Its arguments; those that it does not take are whatever was in the registers.
    pub arguments: [u64; 6],
    /// How many of them it takes.
    pub argument_count: u8,
    /// Its first path.
    pub path: Option<Path<'a>>,
    /// Its second one: the new name of a rename or link, the target of a mount.
    pub second_path: Option<Path<'a>>,
    /// The beginning of a path is missing.
    pub path_truncated: bool,
    /// What is behind the descriptor that it was given.
    pub descriptor_type: Option<FileType>,
    /// Where that is a socket, the word for its family.
    pub descriptor_family: Option<&'static str>,
    /// Its path, as the kernel has it: of a file, or what a Unix socket's peer, or else it, is bound to. An
    /// abstract name begins with `@`.
    pub descriptor_path: Option<&'a [u8]>,
    /// Where that is a socket of IPv4 or IPv6, its ends.
    pub socket: Option<Socket>,
    /// What it returned: below 0 a negative errno.
    pub result: i64,
}

impl SystemCall<'_> {
    /// Why it failed, as errno.
    pub fn error(&self) -> Option<u32> {
        let number = u32::try_from(self.result.checked_neg()?).ok()?;
        (1..=4095).contains(&number).then_some(number)
    }

    /// Those that it takes.
    pub fn arguments(&self) -> &[u64] {
        self.arguments.get(..self.argument_count.into()).unwrap_or(&self.arguments)
    }
}
