//! Records of the `http_request` signal.

use crate::process::Process;
use crate::socket::Ends;
use crate::time::Timestamp;

mod fields;
mod head;
mod trace_context;

pub use fields::HTTP_REQUEST;
pub use head::{Head, Method, Version};
pub use trace_context::TraceContext;

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An answer began: `answered`.
    Answered,
    /// This end closed the connection before one began: `closed`.
    Closed,
    /// It was sent before the answer to one before it; its own was not looked for: `pipelined`.
    Pipelined,
    /// Something came back whose beginning was not seen as an answer's: `unseen`.
    Unseen,
    /// An answer to a request that was not seen: `unasked`.
    Unasked,
}

impl Outcome {
    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Answered => "answered",
            Outcome::Closed => "closed",
            Outcome::Pipelined => "pipelined",
            Outcome::Unseen => "unseen",
            Outcome::Unasked => "unasked",
        }
    }
}

/// A request over HTTP/1 in clear with what came of it, at the socket that sent or received it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpRequest<'a> {
    /// When that came of it.
    pub time: Timestamp,
    /// Whose socket it is, when known: who asked, at the client; who answered, at the server.
    pub process: Option<Process>,
    /// The socket.
    pub ends: Ends,
    /// The connection key of docs/concepts, when known.
    pub key: Option<u64>,
    /// What came of it.
    pub outcome: Outcome,
    /// The status of the answer.
    pub status: Option<u16>,
    /// From the request's first byte at this end to the answer's first, or to the close, in nanoseconds.
    pub duration_ns: Option<u64>,
    /// What is kept of the request's head.
    pub head: Head<'a>,
}
