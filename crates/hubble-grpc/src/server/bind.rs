//! Taking the places where a server listens, before anything else starts.
//!
//! Invariant: a socket that another server answers on is never taken away from it; one that a server
//! left behind is.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::tls::{self, Reloading, ServerFiles};

/// Why it cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no way to have the socket.
    #[error("{path}: {reason}", path = path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The address cannot be had.
    #[error("{address}: {reason}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// Why.
        reason: io::Error,
    },
    /// The files of TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::Error),
}

/// Places that are taken.
#[derive(Debug, Default)]
pub struct Bound {
    pub(super) unix: Option<UnixListener>,
    pub(super) tcp: Option<TcpListener>,
    pub(super) tls: Option<Reloading>,
    /// The Unix socket, removed when it ends.
    path: Option<PathBuf>,
    address: Option<SocketAddr>,
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

impl Bound {
    /// Listens at a Unix socket, whose folder is made.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn listen_at(&mut self, path: &Path) -> Result<(), Error> {
        self.unix = Some(bind_unix(path)?);
        self.path = Some(path.to_owned());
        Ok(())
    }

    /// Listens at an address, encrypted by these files.
    ///
    /// # Errors
    /// When the files cannot be used, or the address cannot be had.
    pub fn listen_on(
        &mut self,
        address: SocketAddr,
        files: Option<ServerFiles>,
    ) -> Result<(), Error> {
        self.tls = files.map(Reloading::new).transpose()?;
        let listener = bind_tcp(address)?;
        self.address = listener.local_addr().ok();
        self.tcp = Some(listener);
        Ok(())
    }

    /// Where it listens on TCP, with the port that the kernel chose.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// What comes to the address is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Where it listens, for people.
    pub fn places(&self) -> Vec<String> {
        let unix = self.path.as_ref().map(|path| format!("unix://{}", path.display()));
        let scheme = if self.is_encrypted() { "tls://" } else { "" };
        let tcp = self.address.map(|address| format!("{scheme}{address}"));
        unix.into_iter().chain(tcp).collect()
    }
}

fn bind_tcp(address: SocketAddr) -> Result<TcpListener, Error> {
    let listener = TcpListener::bind(address);
    let listener = listener.and_then(|it| it.set_nonblocking(true).map(|()| it));
    listener.map_err(|reason| Error::Address { address, reason })
}

fn bind_unix(path: &Path) -> Result<UnixListener, Error> {
    let failed = |reason: String| Error::Socket { path: path.to_owned(), reason };
    let failed_io = |error: io::Error| failed(error.to_string());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed_io)?;
    }
    let bound = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if UnixStream::connect(path).is_ok() {
                return Err(failed("another server answers there".into()));
            }
            fs::remove_file(path).map_err(failed_io)?;
            UnixListener::bind(path)
        }
        bound => bound,
    };
    let listener = bound.map_err(failed_io)?;
    listener.set_nonblocking(true).map_err(failed_io)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660)).map_err(failed_io)?;
    Ok(listener)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use chandra_tests::scratch::Scratch;

    use super::*;

    fn at(path: &Path) -> Result<Bound, Error> {
        let mut bound = Bound::default();
        bound.listen_at(path).map(|()| bound)
    }

    #[test]
    fn a_socket_that_was_left_behind_is_taken_and_one_in_use_is_not() {
        let folder = Scratch::new();
        let path = folder.at("new/hubble.sock");
        let first = at(&path).unwrap();
        let error = at(&path).unwrap_err();
        assert!(error.to_string().ends_with("another server answers there"), "{error}");
        assert!(path.exists());
        drop(first);
        assert!(!path.exists());
        // As after a crash: the file is there and nobody listens.
        drop(UnixListener::bind(&path).unwrap());
        assert!(at(&path).is_ok());
    }

    #[test]
    fn an_address_in_use_is_said() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = Bound::default().listen_on(address, None).unwrap_err().to_string();
        assert!(error.starts_with(&address.to_string()), "{error}");
    }
}
