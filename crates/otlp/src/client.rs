//! One request at a time, over a connection that is kept: gRPC over HTTP/2, or HTTP/1.1.

mod connection;
mod grpc;
mod http_answer;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use crate::batch::Batch;
use crate::settings::{Destination, Protocol};
use crate::wire::answer::Partial;
use connection::Connection;

/// So much of an answer is read, in bytes.
const MAX_ANSWER: usize = 64 << 10;
/// No collector may ask for a longer wait.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The collector took it, but for what it says.
    Taken(Partial),
    /// It will not take this one.
    Refused(Failure),
    /// It may take it later; after such a time, where it said so.
    Again(Failure, Option<Duration>),
}

/// Why a request was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// As a label of a metric.
    pub reason: String,
    /// For people.
    pub why: String,
}

impl Failure {
    fn new(reason: impl Into<String>, why: impl Into<String>) -> Self {
        Self { reason: reason.into(), why: why.into() }
    }

    /// The connection failed in the middle.
    fn broken(error: impl std::fmt::Display) -> Self {
        Self::new("broken", error.to_string())
    }
}

/// What a collector answered.
#[derive(Debug)]
struct Answer {
    status: http::StatusCode,
    headers: HeaderMap,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

/// What is told of an answer, whatever it is, and how long is waited after it: for who tries out what
/// collectors may say.
#[doc(hidden)]
pub fn understood(
    protocol: Protocol,
    status: http::StatusCode,
    headers: HeaderMap,
    body: Bytes,
) -> (String, Option<Duration>) {
    let outcome = match protocol {
        Protocol::Grpc => {
            let trailers = Some(headers);
            grpc::outcome(&Answer { status, headers: HeaderMap::new(), body, trailers })
        }
        Protocol::Http => http_answer::outcome(&Answer { status, headers, body, trailers: None }),
    };
    match outcome {
        Outcome::Taken(partial) => (partial.why, None),
        Outcome::Refused(failure) => (failure.why, None),
        Outcome::Again(failure, after) => (failure.why, after),
    }
}

/// A client with its connection.
#[derive(Debug)]
pub(crate) struct Client {
    destination: Destination,
    connection: Option<Connection>,
}

impl Client {
    pub fn new(destination: Destination) -> Self {
        Self { destination, connection: None }
    }

    /// Sends a request and waits for the answer, no longer than the timeout for all of it.
    pub async fn send(&mut self, batch: &Batch) -> Outcome {
        let timeout = self.destination.timeout;
        let connection = self.connection.take();
        let sent = send(&self.destination, connection, batch);
        match tokio::time::timeout(timeout, sent).await {
            Ok(Ok((answer, connection))) => {
                self.connection = connection;
                match self.destination.protocol {
                    Protocol::Grpc => grpc::outcome(&answer),
                    Protocol::Http => http_answer::outcome(&answer),
                }
            }
            Ok(Err(failure)) => Outcome::Again(failure, None),
            Err(_) => {
                let why = format!("no answer within {timeout:?}");
                Outcome::Again(Failure::new("timeout", why), None)
            }
        }
    }
}

/// The answer, and the connection where it can be used again.
async fn send(
    destination: &Destination,
    connection: Option<Connection>,
    batch: &Batch,
) -> Result<(Answer, Option<Connection>), Failure> {
    // One that was kept may have been closed meanwhile.
    let mut connection = match connection.filter(|connection| !connection.is_closed()) {
        Some(connection) => connection,
        None => Connection::open(destination).await?,
    };
    let answer = connection.send(request(destination, batch)?).await?;
    let (head, body) = answer.into_parts();
    let (body, trailers, is_whole) = read(body).await?;
    let answer = Answer { status: head.status, headers: head.headers, body, trailers };
    Ok((answer, is_whole.then_some(connection)))
}

fn request(destination: &Destination, batch: &Batch) -> Result<Request<Full<Bytes>>, Failure> {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = Method::POST;
    head.headers = destination.headers.clone();
    let own = HeaderValue::from_static(concat!("chandra/", env!("CARGO_PKG_VERSION")));
    // Who wants to be called otherwise says so by a header.
    head.headers.entry(USER_AGENT).or_insert(own);
    let endpoint = &destination.endpoint;
    let body = match destination.protocol {
        Protocol::Grpc => {
            let scheme = if endpoint.is_https { "https" } else { "http" };
            let uri = Uri::builder().scheme(scheme).authority(endpoint.authority.clone());
            head.uri =
                uri.path_and_query(endpoint.path.clone()).build().map_err(Failure::broken)?;
            grpc::headers(destination.timeout, batch.is_gzip, &mut head.headers);
            grpc::framed(batch)
        }
        Protocol::Http => {
            head.uri = endpoint.path.clone().into();
            http_headers(endpoint.authority.as_str(), batch.is_gzip, &mut head)?;
            batch.body.clone()
        }
    };
    Ok(Request::from_parts(head, Full::new(body)))
}

fn http_headers(authority: &str, is_gzip: bool, head: &mut Parts) -> Result<(), Failure> {
    let mut set = |name: HeaderName, value| head.headers.insert(name, value);
    set(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    if is_gzip {
        set(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let host = HeaderValue::from_str(authority).map_err(Failure::broken)?;
    head.headers.entry(HOST).or_insert(host);
    Ok(())
}

/// What comes of a body, with what comes after it, and whether that was all.
async fn read(mut body: Incoming) -> Result<(Bytes, Option<HeaderMap>, bool), Failure> {
    let (mut bytes, mut trailers) = (BytesMut::new(), None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(Failure::broken)?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > MAX_ANSWER {
                return Ok((bytes.freeze(), trailers, false));
            }
            bytes.extend_from_slice(data);
        } else if let Ok(after) = frame.into_trailers() {
            trailers = Some(after);
        }
    }
    Ok((bytes.freeze(), trailers, true))
}

/// A header as text.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}
