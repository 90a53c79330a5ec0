//! A connection to a collector, over which requests go.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::Failure;
use crate::settings::{Destination, Protocol};

/// What requests go over.
pub(super) enum Connection {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// Plain, or with TLS.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Connection {
    /// Connects. What drives the connection ends with it, or with the other end.
    pub async fn open(destination: &Destination) -> Result<Self, Failure> {
        let io = TokioIo::new(stream(destination).await?);
        match destination.protocol {
            Protocol::Http => {
                let (sender, driver) = http1::handshake(io).await.map_err(Failure::broken)?;
                tokio::spawn(driver);
                Ok(Self::Http1(sender))
            }
            Protocol::Grpc => {
                let handshake = http2::handshake(TokioExecutor::new(), io).await;
                let (sender, driver) = handshake.map_err(Failure::broken)?;
                tokio::spawn(driver);
                Ok(Self::Http2(sender))
            }
        }
    }

    pub fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }

    pub async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Failure> {
        let answer = match self {
            Self::Http1(sender) => {
                sender.ready().await.map_err(broken)?;
                sender.send_request(request).await
            }
            Self::Http2(sender) => {
                sender.ready().await.map_err(broken)?;
                sender.send_request(request).await
            }
        };
        answer.map_err(broken)
    }
}

/// Why a connection broke stands behind the error, as a rule.
fn broken(error: hyper::Error) -> Failure {
    use std::error::Error;
    match error.source() {
        Some(source) => Failure::broken(format!("{error}: {source}")),
        None => Failure::broken(error),
    }
}

async fn stream(destination: &Destination) -> Result<Box<dyn Io>, Failure> {
    let endpoint = &destination.endpoint;
    let tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await;
    let tcp = tcp.map_err(|error| Failure::new("unreachable", error.to_string()))?;
    tcp.set_nodelay(true).map_err(Failure::broken)?;
    let Some(config) = &destination.tls else { return Ok(Box::new(tcp)) };
    let failed = |error: &dyn fmt::Display| Failure::new("tls", format!("TLS: {error}"));
    let server = ServerName::try_from(endpoint.host.clone()).map_err(|error| failed(&error))?;
    let connector = TlsConnector::from(Arc::clone(config));
    let tls = connector.connect(server, tcp).await.map_err(|error| failed(&error))?;
    Ok(Box::new(tls))
}

impl fmt::Debug for Connection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Http1(_) => "Http1",
            Self::Http2(_) => "Http2",
        })
    }
}
