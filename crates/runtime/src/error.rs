//! Why a runtime could not be asked.

use std::path::PathBuf;
use std::time::Duration;

/// What can go wrong between us and a runtime.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// None of the usual places has a runtime that speaks CRI v1.
    #[error("no container runtime answers; tried {}", list(.tried))]
    NotFound {
        /// Each socket that is there, and why it was not taken.
        tried: Vec<(PathBuf, String)>,
    },
    /// The name of a socket cannot be used.
    #[error("{0:?} is not the path of a Unix socket")]
    Path(PathBuf),
    /// Nobody listens there, or the connection broke.
    #[error("no connection to {}: {reason}", socket.display())]
    Connection {
        /// The socket.
        socket: PathBuf,
        /// In the system's words.
        reason: String,
    },
    /// No answer in time.
    #[error("{call} had no answer within {within:?}")]
    Slow {
        /// The call, as CRI names it.
        call: &'static str,
        /// The time it was given.
        within: Duration,
    },
    /// The runtime refused.
    #[error("{call} was refused: {code}: {message}")]
    Refused {
        /// The call, as CRI names it.
        call: &'static str,
        /// The gRPC code.
        code: tonic::Code,
        /// In the runtime's words, shortened.
        message: String,
    },
    /// The threads or timers of this process are exhausted.
    #[error("no runtime for asynchronous calls: {0}")]
    Local(#[from] std::io::Error),
}

impl Error {
    /// The runtime says that there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { code: tonic::Code::NotFound, .. })
    }
}

fn list(tried: &[(PathBuf, String)]) -> String {
    if tried.is_empty() {
        return "the usual places, where there is no socket".to_owned();
    }
    let each = tried.iter().map(|(path, reason)| format!("{}: {reason}", path.display()));
    each.collect::<Vec<_>>().join("; ")
}
