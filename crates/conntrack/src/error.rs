//! Why connection tracking does not tell.

use std::io;

use rustix::io::Errno;

/// What can go wrong between us and the kernel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Connection tracking tells only who may administer the network.
    #[error("the kernel tells of translated connections only to who has CAP_NET_ADMIN")]
    NotPermitted,
    /// The kernel has no part that tells.
    #[error("this kernel does not tell of tracked connections (nf_conntrack_netlink is missing)")]
    Missing,
    /// Anything else, in the system's words.
    #[error("connection tracking does not tell: {0}")]
    System(#[source] io::Error),
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::PERM | Errno::ACCESS => Self::NotPermitted,
            // Of the socket, and of a request that no module takes.
            Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT | Errno::INVAL => Self::Missing,
            errno => Self::System(errno.into()),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(errno) => errno.into(),
            None => Self::System(error),
        }
    }
}
