//! Why a cluster cannot be asked: what ends [`Source::connect`](crate::Source::connect), and what makes
//! a resource stale.

use std::path::PathBuf;
use std::time::Duration;

use chandra_identity::cluster::Resource;

use crate::read::Refusal;

/// How much of what a server or a library says is kept.
const MAX_REASON_BYTES: usize = 300;

/// Without which no cluster can be asked at all. A server that does not answer is none of these: it is
/// waited for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not in a pod.
    #[error("not in a cluster: the variable {variable} is not set")]
    NotInCluster {
        /// What Kubernetes sets in each container.
        variable: &'static str,
    },
    /// The name of the server cannot be used.
    #[error("{0:?} is not the address of an API server")]
    Server(String),
    /// A file of the pod's service account cannot be read.
    #[error("the service account has no {}: {reason}", file.display())]
    ServiceAccount {
        /// The token, or the authority's certificate.
        file: PathBuf,
        /// In the system's words.
        reason: std::io::Error,
    },
    /// A kubeconfig is missing or wrong.
    #[error("no usable kubeconfig: {0}")]
    Kubeconfig(String),
    /// The kubeconfig asks for a proxy.
    #[error("the kubeconfig names a proxy, {0}, and proxies are not spoken")]
    Proxy(String),
    /// Certificates or credentials cannot be used.
    #[error("no client for the API server: {0}")]
    Client(String),
    /// Only this node's pods are wanted, and it has no name that a node can have.
    #[error("{0:?} is not the name of a node")]
    Node(String),
    /// The server does not answer; only what does not wait for it says so.
    #[error("{server} does not answer: {reason}")]
    Away {
        /// Its address.
        server: String,
        /// Why.
        reason: String,
    },
    /// The threads or timers of this process are exhausted.
    #[error("no runtime for asynchronous calls: {0}")]
    Local(#[from] std::io::Error),
}

impl Error {
    /// What to do next.
    pub fn next(&self) -> &'static str {
        match self {
            Self::Away { .. } => "see whether it is there: kubectl get --raw /readyz",
            Self::NotInCluster { .. } => "run it in a pod, or name a kubeconfig",
            Self::Server(_) => "look at KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT",
            Self::ServiceAccount { .. } => {
                "give the pod a service account with automountServiceAccountToken: true"
            }
            Self::Kubeconfig(_) => "try the same file with: kubectl --kubeconfig FILE get nodes",
            Self::Proxy(_) => "name a kubeconfig whose cluster has no proxy-url",
            Self::Client(_) => "look at the certificates and the user in the kubeconfig",
            Self::Node(_) => "set the node's name from the pod's field spec.nodeName",
            Self::Local(_) => "look at the limits of this process: ulimit -a",
        }
    }
}

/// Why a resource is not told of at the moment.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("no connection to the API server: {0}")]
    Connection(String),
    #[error("{verb} of {} had no answer within {within:?}", resource.word())]
    Slow { verb: &'static str, resource: Resource, within: Duration },
    #[error("{verb} of {} broke off: {reason}", resource.word())]
    Cut { verb: &'static str, resource: Resource, reason: String },
    #[error("watch of {} brought nothing for {for_long:?}", resource.word())]
    Silent { resource: Resource, for_long: Duration },
    #[error("watch of {} ends as soon as it begins", resource.word())]
    Brief { resource: Resource },
    #[error("{verb} of {} was refused: {}{}", resource.word(), words(.refusal), grant(.refusal))]
    Refused { verb: &'static str, resource: Resource, refusal: Refusal, retry_after: Duration },
    #[error("the answer is not a list of {}", .0.word())]
    NotAList(Resource),
    #[error("the list of {} does not end", .0.word())]
    Endless(Resource),
    #[error("the version of {} that was known is too old for the API server", .0.word())]
    Expired(Resource),
}

impl Lost {
    /// A refusal, or what it says about the version.
    pub fn refused(
        verb: &'static str,
        resource: Resource,
        refusal: Refusal,
        retry_after: Duration,
    ) -> Self {
        match refusal.is_expired() {
            true => Self::Expired(resource),
            false => Self::Refused { verb, resource, refusal, retry_after },
        }
    }

    /// Somebody has to change something before it can work.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Refused { refusal, .. } if [401, 403, 404].contains(&refusal.code))
    }

    /// The server makes nothing of what was asked.
    pub fn is_misunderstood(&self) -> bool {
        matches!(self, Self::Refused { refusal, .. } if [400, 422].contains(&refusal.code))
    }

    /// How long the server wants to be left alone.
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => Duration::ZERO,
        }
    }
}

fn words(refusal: &Refusal) -> String {
    let said = if refusal.message.is_empty() { &refusal.reason } else { &refusal.message };
    match said.as_str() {
        "" => refusal.code.to_string(),
        said => format!("{}: {}", refusal.code, shortened(said)),
    }
}

fn grant(refusal: &Refusal) -> &'static str {
    match refusal.code {
        401 => "; the token is not valid for this server",
        403 => "; grant it as docs/reference/rbac.md says",
        _ => "",
    }
}

/// The cause that says most: layers above it say "service error".
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    shortened(&error.to_string())
}

/// One line that does no harm in a terminal.
pub(crate) fn shortened(text: &str) -> String {
    let kept = &text[..text.floor_char_boundary(MAX_REASON_BYTES)];
    let end = if kept.len() < text.len() { "…" } else { "" };
    kept.chars().map(|each| if each.is_control() { ' ' } else { each }).chain(end.chars()).collect()
}
