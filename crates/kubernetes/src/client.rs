//! Requests to the API server, and their answers piece by piece.
//!
//! Invariants: the beginning of an answer has a ceiling in time, a refusal one in bytes; nothing is
//! read ahead of who takes it.

use std::time::Duration;

use bytes::Bytes;
use chandra_identity::cluster::Resource;
use http::header::{ACCEPT, RETRY_AFTER, USER_AGENT};
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::{Lost, innermost};
use crate::read;

/// What is read of a refusal.
const MAX_REFUSAL_BYTES: usize = 64 << 10;
/// The longest that a server is obeyed when it asks to be left alone.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(120);

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    pub verb: &'static str,
    pub resource: Resource,
    /// With its query.
    pub path: String,
}

/// Sends requests.
pub(crate) struct Client {
    kube: kube::Client,
    within: Duration,
}

impl Client {
    pub fn new(kube: kube::Client, within: Duration) -> Self {
        Self { kube, within }
    }

    /// Sends this request; the answer begins with what was asked for.
    pub async fn open(&self, request: &Request) -> Result<Answer, Lost> {
        let (verb, resource, within) = (request.verb, request.resource, self.within);
        let sent = http::Request::get(&request.path)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("chandra/", env!("CARGO_PKG_VERSION")))
            .body(Body::empty())
            .map_err(|error| Lost::Connection(error.to_string()))?;
        let answered = timeout(within, self.kube.send(sent)).await;
        let response = answered
            .map_err(|_| Lost::Slow { verb, resource, within })?
            .map_err(|error| Lost::Connection(innermost(&error)))?;
        let (parts, body) = response.into_parts();
        let mut answer = Answer { body, verb, resource };
        if parts.status.is_success() {
            return Ok(answer);
        }
        let asked =
            parts.headers.get(RETRY_AFTER).and_then(|told| told.to_str().ok()?.parse().ok());
        let retry_after = asked.map_or(Duration::ZERO, Duration::from_secs).min(MAX_RETRY_AFTER);
        let words = answer.beginning(Instant::now() + within).await;
        let refusal = read::refusal(parts.status.as_u16(), &words);
        Err(Lost::refused(verb, resource, refusal, retry_after))
    }
}

/// What is left of an answer. Dropping it closes its connection.
#[derive(Debug)]
pub(crate) struct Answer {
    body: Body,
    verb: &'static str,
    resource: Resource,
}

impl Answer {
    /// Its next piece; `None` when it is whole.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Lost> {
        loop {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(self.cut(innermost(&error))),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    pub fn cut(&self, reason: String) -> Lost {
        Lost::Cut { verb: self.verb, resource: self.resource, reason }
    }

    /// As much as comes in time and below the ceiling.
    async fn beginning(&mut self, until: Instant) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Ok(Ok(Some(piece))) = timeout_at(until, self.next()).await {
            bytes.extend_from_slice(&piece);
            if bytes.len() > MAX_REFUSAL_BYTES {
                break;
            }
        }
        bytes
    }
}
