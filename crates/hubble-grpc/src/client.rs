//! A client of a server of Hubble's: where it is, and how it is reached.
//!
//! A server is `unix:///run/chandra/hubble.sock`, `tls://host:port` or `host:port`; or it has a name and a
//! [way](Way) of its own, such as one through an API server.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::transport::{Channel, Endpoint};

use crate::connection::{Connection, Stream};
use crate::tls::{self, ClientFiles, Failure};

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// At a socket on this machine.
    Unix(PathBuf),
    /// At a host and port.
    Tcp {
        /// `host:port`, with an IPv6 address in brackets.
        authority: String,
        /// Encrypted.
        tls: bool,
    },
    /// Where a way of its own leads.
    Named {
        /// For people.
        name: String,
        /// The name that its certificate must have, if nobody says another.
        host: String,
        /// Encrypted.
        tls: bool,
    },
}

/// What bytes go over to a server, whatever it is.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Io>>> + Send>>;

/// A way to a server that is at no address: connects anew whenever it is called.
#[derive(Clone)]
pub struct Way(Arc<dyn Fn() -> Connecting + Send + Sync>);

impl Way {
    /// This one.
    pub fn new<F>(connect: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Box<dyn Io>>> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(connect())))
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Way")
    }
}

/// A text that names no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no server: it is unix://PATH, tls://HOST:PORT or HOST:PORT")]
pub struct NoAddress(String);

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let wrong = || NoAddress(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return (!path.is_empty()).then(|| Self::Unix(path.into())).ok_or_else(wrong);
        }
        let (tls, authority) = match text.split_once("://") {
            None => (false, text),
            Some(("tls", authority)) => (true, authority),
            Some(("tcp" | "http", authority)) => (false, authority),
            Some(_) => return Err(wrong()),
        };
        let (host, port) = authority.rsplit_once(':').ok_or_else(wrong)?;
        let is_whole = !host.is_empty() && port.parse::<u16>().is_ok();
        let is_bare_ipv6 = host.contains(':') && !host.starts_with('[');
        if !is_whole || is_bare_ipv6 {
            return Err(wrong());
        }
        Ok(Self::Tcp { authority: authority.to_owned(), tls })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { authority, tls: true } => write!(f, "tls://{authority}"),
            Self::Tcp { authority, tls: false } => f.write_str(authority),
            Self::Named { name, .. } => f.write_str(name),
        }
    }
}

impl Address {
    /// What goes there is encrypted.
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tcp { tls: true, .. } | Self::Named { tls: true, .. })
    }

    fn host(&self) -> Option<&str> {
        match self {
            Self::Unix(_) => None,
            Self::Tcp { authority, .. } => {
                let (host, _) = authority.rsplit_once(':')?;
                Some(host.trim_start_matches('[').trim_end_matches(']'))
            }
            Self::Named { host, .. } => Some(host),
        }
    }
}

/// How a server is reached.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it is.
    pub address: Address,
    /// The way there, where it is at no address.
    pub way: Option<Way>,
    /// What is trusted, where it is encrypted.
    pub files: ClientFiles,
    /// The name that its certificate must have; its host where absent.
    pub server_name: Option<String>,
    /// What connecting may take.
    pub timeout: Duration,
}

/// Why a server cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Files cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// The name cannot be that of a certificate.
    #[error("{0:?} cannot be the name in a certificate")]
    ServerName(String),
    /// It was reached, but TLS could not be agreed on.
    #[error("{address}: {}: TLS: {reason}", failure.words())]
    Handshake {
        /// Where.
        address: Address,
        /// What that means.
        failure: Failure,
        /// Why.
        reason: String,
    },
    /// Nobody answers there.
    #[error("{address} does not answer: {reason}")]
    Unreachable {
        /// Where.
        address: Address,
        /// Why.
        reason: String,
    },
}

/// A way to a server.
#[derive(Debug, Clone)]
pub struct Connected {
    /// For requests.
    pub channel: Channel,
    noticed: Noticed,
}

impl Connected {
    /// Why the connection broke, if it was for a reason of TLS: mostly because the server does not accept
    /// who asks, of which requests only learn that there was no answer.
    pub fn tls_failure(&self) -> Option<Failure> {
        self.noticed.get().copied()
    }
}

/// The first failure of TLS that came in on a connection.
pub(crate) type Noticed = Arc<OnceLock<Failure>>;

/// Connects.
///
/// # Errors
/// When files cannot be used, or nobody answers.
pub async fn connect(options: &Options) -> Result<Connected, Error> {
    let noticed = Noticed::default();
    let connector = Connector::new(options, Arc::clone(&noticed))?;
    let unreachable =
        |reason: String| Error::Unreachable { address: options.address.clone(), reason };
    // What an endpoint has to have; where it leads is the connector's choice.
    let endpoint = Endpoint::from_static("http://hubble").connect_timeout(options.timeout);
    let connecting = endpoint.connect_with_connector(tower::service_fn(move |_| {
        let connector = connector.clone();
        async move { connector.connect().await.map(TokioIo::new) }
    }));
    match tokio::time::timeout(options.timeout, connecting).await {
        Ok(Ok(channel)) => Ok(Connected { channel, noticed }),
        Ok(Err(error)) => Err(match noticed.get().copied() {
            Some(failure) => {
                let (address, reason) = (options.address.clone(), innermost(&error));
                Error::Handshake { address, failure, reason }
            }
            None => unreachable(innermost(&error)),
        }),
        Err(_) => Err(unreachable(format!("nothing within {:?}", options.timeout))),
    }
}

#[derive(Clone)]
struct Connector {
    address: Address,
    way: Option<Way>,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    noticed: Noticed,
}

impl Connector {
    fn new(options: &Options, noticed: Noticed) -> Result<Self, Error> {
        let address = options.address.clone();
        let tls = address.is_tls().then(|| {
            let host = address.host().unwrap_or_default();
            let name = options.server_name.clone().unwrap_or_else(|| host.to_owned());
            let parsed = ServerName::try_from(name.clone());
            let parsed = parsed.map_err(|_| Error::ServerName(name))?;
            Ok::<_, Error>((options.files.read()?, parsed))
        });
        Ok(Self { tls: tls.transpose()?, address, way: options.way.clone(), noticed })
    }

    async fn connect(&self) -> io::Result<Connection> {
        match (&self.way, &self.address) {
            (Some(way), _) => match &self.tls {
                None => Ok(Stream::Other(way.0().await?).into()),
                Some(tls) => {
                    self.encrypt(way.0().await?, tls, |stream| Stream::Other(Box::new(stream)))
                        .await
                }
            },
            (None, Address::Unix(path)) => {
                Ok(Stream::Unix(UnixStream::connect(path).await?).into())
            }
            (None, Address::Tcp { authority, .. }) => {
                let stream = TcpStream::connect(authority.as_str()).await?;
                stream.set_nodelay(true)?;
                match &self.tls {
                    None => Ok(Stream::Tcp(stream).into()),
                    Some(tls) => {
                        let wrap = |stream: TlsStream<_>| Stream::Tls(Box::new(stream.into()));
                        self.encrypt(stream, tls, wrap).await
                    }
                }
            }
            (None, Address::Named { .. }) => Err(io::ErrorKind::AddrNotAvailable.into()),
        }
    }

    async fn encrypt<S: Io>(
        &self,
        stream: S,
        (config, name): &(Arc<ClientConfig>, ServerName<'static>),
        wrap: impl FnOnce(TlsStream<S>) -> Stream,
    ) -> io::Result<Connection> {
        let connector = TlsConnector::from(Arc::clone(config));
        match connector.connect(name.clone(), stream).await {
            Ok(stream) => Ok(Connection::noticing(wrap(stream), Arc::clone(&self.noticed))),
            Err(error) => {
                // A server that says nothing at all does not speak it either.
                let failure = Failure::of(&error).unwrap_or(Failure::NoTls);
                let _ = self.noticed.set(failure);
                Err(error)
            }
        }
    }
}

/// What lies behind an error, which alone says why.
pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_as_hubbles_are() {
        for (text, shown, host) in [
            ("unix:///run/chandra/hubble.sock", "unix:///run/chandra/hubble.sock", None),
            ("unix:/run/x.sock", "unix:///run/x.sock", None),
            ("localhost:4245", "localhost:4245", Some("localhost")),
            ("tls://hubble.example:443", "tls://hubble.example:443", Some("hubble.example")),
            ("[::1]:4244", "[::1]:4244", Some("::1")),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.to_string().as_str(), address.host()), (shown, host));
        }
    }

    #[test]
    fn what_is_no_server_is_said() {
        for text in
            ["", "unix://", "localhost", "localhost:", ":4245", "ftp://x:1", "::1:4244", "x:99999"]
        {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}
