//! What a descriptor stands for, as far as it says who is at the other end.

use crate::names::socket_family;

const TYPE: u32 = 0o170_000;
const FIFO: u32 = 0o010_000;
const CHARACTER_DEVICE: u32 = 0o020_000;
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SOCKET: u32 = 0o140_000;

/// What a descriptor stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A pipe, with or without a name.
    Pipe,
    /// A terminal.
    Tty,
    /// `/dev/null`
    Null,
    /// A socket of IPv4.
    Ipv4,
    /// A socket of IPv6.
    Ipv6,
    /// A socket within the machine, also one end of a pair.
    Unix,
    /// A socket of another family.
    Socket,
    /// Anything else.
    Other,
}

impl Stream {
    /// All of them.
    pub const ALL: [Stream; 10] = [
        Self::File,
        Self::Directory,
        Self::Pipe,
        Self::Tty,
        Self::Null,
        Self::Ipv4,
        Self::Ipv6,
        Self::Unix,
        Self::Socket,
        Self::Other,
    ];

    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Pipe => "pipe",
            Self::Tty => "tty",
            Self::Null => "null",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Unix => "unix",
            Self::Socket => "socket",
            Self::Other => "other",
        }
    }

    /// That of a [`word`](Self::word).
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| stream.word() == word)
    }

    /// That of a file of this mode (`st_mode`), which is this device (major << 20 | minor) or a socket of
    /// this family (`AF_*`). Nothing for no mode: no file is open.
    pub fn of(mode: u32, device: u32, family: u16) -> Option<Self> {
        Some(match mode & TYPE {
            _ if mode == 0 => return None,
            REGULAR => Self::File,
            DIRECTORY => Self::Directory,
            FIFO => Self::Pipe,
            CHARACTER_DEVICE => of_device(device >> 20, device & 0xf_ffff),
            SOCKET => match socket_family(family) {
                "ipv4" => Self::Ipv4,
                "ipv6" => Self::Ipv6,
                "unix" => Self::Unix,
                _ => Self::Socket,
            },
            _ => Self::Other,
        })
    }
}

/// Majors of Documentation/admin-guide/devices.txt: consoles and serial lines 4, the terminal of whoever
/// asks 5, pseudo-terminals 136 to 143, a virtual machine's console 229.
fn of_device(major: u32, minor: u32) -> Stream {
    match (major, minor) {
        (1, 3) => Stream::Null,
        (4 | 5 | 136..=143 | 229, _) => Stream::Tty,
        _ => Stream::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_told_by_its_family_and_a_device_by_its_number() {
        assert_eq!(Stream::of(0, 0, 0), None);
        assert_eq!(Stream::of(0o140_777, 0, 2), Some(Stream::Ipv4));
        assert_eq!(Stream::of(0o140_777, 0, 10), Some(Stream::Ipv6));
        assert_eq!(Stream::of(0o140_777, 0, 1), Some(Stream::Unix));
        assert_eq!(Stream::of(0o140_777, 0, 16), Some(Stream::Socket));
        assert_eq!(Stream::of(0o020_666, 1 << 20 | 3, 0), Some(Stream::Null));
        assert_eq!(Stream::of(0o020_666, 1 << 20 | 5, 0), Some(Stream::Other));
        assert_eq!(Stream::of(0o020_620, 136 << 20 | 1, 0), Some(Stream::Tty));
        assert_eq!(Stream::of(0o060_660, 8 << 20, 0), Some(Stream::Other));
    }

    #[test]
    fn every_word_is_found_again() {
        for stream in Stream::ALL {
            assert_eq!(Stream::of_word(stream.word()), Some(stream));
        }
    }
}
