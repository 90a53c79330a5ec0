//! One request at a time, over a connection that is kept: HTTP/1.1, with TLS or without.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// So much of an answer is read, so that the connection can be used again, in bytes.
const MAX_ANSWER: usize = 64 << 10;
/// No receiver may ask for a longer wait.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Where requests go.
#[derive(Debug)]
pub(super) struct Target {
    host: String,
    port: u16,
    path: String,
    headers: HeaderMap,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Target {
    /// What the address and the headers say. The reason, where they cannot be.
    pub fn new(
        url: &str,
        headers: &[(String, String)],
        tls: impl FnOnce() -> Result<Arc<ClientConfig>, String>,
    ) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{error}"))?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err("it begins with neither http:// nor https://".into()),
        };
        let authority = uri.authority().ok_or("it names no host")?;
        if authority.as_str().contains('@') {
            return Err(
                "what comes before the host is not sent; use the header Authorization".into()
            );
        }
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let mut all = HeaderMap::new();
        let fixed = |text: &str| HeaderValue::from_str(text).map_err(|error| error.to_string());
        all.insert(HOST, fixed(authority.as_str())?);
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        all.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("chandra/", env!("CARGO_PKG_VERSION"))),
        );
        for (name, value) in headers {
            let known: HeaderName =
                name.parse().map_err(|_| format!("no header is named {name:?}"))?;
            // The value may be a secret.
            let mut value =
                HeaderValue::from_str(value).map_err(|_| format!("the value of {name} is none"))?;
            value.set_sensitive(true);
            all.insert(known, value);
        }
        let tls = if is_https {
            let server = ServerName::try_from(host.clone()).map_err(|error| error.to_string())?;
            Some((tls()?, server))
        } else {
            None
        };
        Ok(Self { host, port, path, headers: all, tls })
    }
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The receiver has it.
    Delivered,
    /// The receiver will not have this one; another request may be taken.
    Refused(StatusCode),
    /// It may be taken later; after such a time, where the receiver said so.
    Retry(String, Option<Duration>),
}

type Connection = SendRequest<Full<Bytes>>;

/// A client with its connection.
#[derive(Debug)]
pub(super) struct Client {
    target: Target,
    timeout: Duration,
    connection: Option<Connection>,
}

impl Client {
    pub fn new(target: Target, timeout: Duration) -> Self {
        Self { target, timeout, connection: None }
    }

    /// Sends an alert and waits for the answer, no longer than the timeout for all of it.
    pub async fn post(&mut self, body: Bytes) -> Outcome {
        let connection = self.connection.take();
        let tried = tokio::time::timeout(self.timeout, post(&self.target, connection, body)).await;
        match tried {
            Ok(Ok((outcome, connection))) => {
                self.connection = connection;
                outcome
            }
            Ok(Err(error)) => Outcome::Retry(error, None),
            Err(_) => Outcome::Retry(format!("no answer within {:?}", self.timeout), None),
        }
    }
}

async fn post(
    target: &Target,
    connection: Option<Connection>,
    body: Bytes,
) -> Result<(Outcome, Option<Connection>), String> {
    // One that was kept may have been closed meanwhile.
    let mut connection = match connection.filter(|connection| !connection.is_closed()) {
        Some(connection) => connection,
        None => connect(target).await?,
    };
    connection.ready().await.map_err(|error| error.to_string())?;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target.path.parse().map_err(|error| format!("{error}"))?;
    *request.headers_mut() = target.headers.clone();
    let answer = connection.send_request(request).await.map_err(|error| error.to_string())?;
    let (head, mut body) = answer.into_parts();
    let outcome = outcome(head.status, &head.headers);
    let mut left = MAX_ANSWER;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Ok((outcome, None)) };
        let size = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(size) {
            Some(less) => left = less,
            None => return Ok((outcome, None)),
        }
    }
    Ok((outcome, Some(connection)))
}

/// A status that is about this alert alone is final; any other may change, also by somebody who puts
/// right an address or a token.
fn outcome(status: StatusCode, headers: &HeaderMap) -> Outcome {
    match status.as_u16() {
        200..=299 => Outcome::Delivered,
        400 | 413 | 415 | 422 => Outcome::Refused(status),
        _ => {
            let after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let after = after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
            Outcome::Retry(status.to_string(), after.map(|after| after.min(LONGEST_WAIT)))
        }
    }
}

async fn connect(target: &Target) -> Result<Connection, String> {
    let tcp = TcpStream::connect((target.host.as_str(), target.port)).await;
    let tcp = tcp.map_err(|error| format!("{}:{}: {error}", target.host, target.port))?;
    tcp.set_nodelay(true).map_err(|error| error.to_string())?;
    let stream = match &target.tls {
        None => Stream::Plain(tcp),
        Some((config, server)) => {
            let connector = TlsConnector::from(Arc::clone(config));
            let tls = connector.connect(server.clone(), tcp).await;
            Stream::Tls(Box::new(tls.map_err(|error| format!("TLS: {error}"))?))
        }
    };
    let (sender, connection) =
        handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // It ends with the sender, or with the peer.
    tokio::spawn(connection);
    Ok(sender)
}

/// A connection, with TLS or without.
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str, headers: &[(&str, &str)]) -> Result<Target, String> {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Target::new(url, &headers, || Err("no TLS here".into()))
    }

    #[test]
    fn an_address_is_taken_apart() {
        let target = target("http://sidekick.falco:2801/in?a=1", &[("X-Key", "k")]).unwrap();
        assert_eq!(
            (&*target.host, target.port, &*target.path),
            ("sidekick.falco", 2801, "/in?a=1")
        );
        assert_eq!(target.headers[HOST], "sidekick.falco:2801");
        let told = format!("{target:?}");
        assert!(!told.contains("\"k\""), "a header may be a secret: {told}");
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        let why = |url: &str| target(url, &[]).unwrap_err();
        assert!(why("ftp://a/").contains("neither http"));
        assert!(why("http://ann:pw@a/").contains("Authorization"));
        assert!(why("https://a/").contains("no TLS here"));
        assert!(target("http://a/", &[("a b", "c")]).unwrap_err().contains("no header"));
        let told = target("http://a/", &[("X-Key", "secret\n")]).unwrap_err();
        assert!(!told.contains("secret"), "{told}");
    }

    #[test]
    fn statuses_about_this_alert_are_final_and_others_are_not() {
        let of = |status: u16| outcome(StatusCode::from_u16(status).unwrap(), &HeaderMap::new());
        assert_eq!(of(202), Outcome::Delivered);
        assert!([400, 413, 415, 422].into_iter().all(|it| matches!(of(it), Outcome::Refused(_))));
        let later = [301, 401, 403, 404, 408, 429, 500, 502, 503];
        assert!(later.into_iter().all(|it| matches!(of(it), Outcome::Retry(_, None))));
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        let busy = outcome(StatusCode::TOO_MANY_REQUESTS, &headers);
        assert!(matches!(busy, Outcome::Retry(_, Some(after)) if after == Duration::from_secs(7)));
    }
}
