//! What a container runtime says of its pods and containers, as plain values.
//!
//! Whoever asks the runtime (`chandra-runtime`) and whoever enriches records meet here, so that
//! neither knows the other.
//!
//! Invariants: nothing here does I/O. Every text and every list has a ceiling, because labels and
//! annotations are written by strangers; what was cut or left out is counted where it was. Text is
//! kept as it came, control characters and all: whoever shows it escapes it.

mod store;

use std::net::IpAddr;
use std::sync::Arc;

pub use chandra_event::bounded::{Pairs, Text};
pub use chandra_event::who::{ContainerDetails, HostNamespaces, Mount, Propagation};
pub use store::{Descriptions, Dropped, Limits};

/// Longest id that is kept; those of runtimes have 64 characters.
pub const MAX_ID_BYTES: usize = 256;
/// Longest list of mounts or of addresses that is kept.
pub const MAX_LIST: usize = 64;

/// The id that the runtime gave to a container or to a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuntimeId(Arc<str>);

impl RuntimeId {
    /// This id, unless it is empty or too long to be one.
    pub fn new(id: &str) -> Option<Self> {
        (!id.is_empty() && id.len() <= MAX_ID_BYTES).then(|| Self(id.into()))
    }

    /// As the runtime writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// Lets a map be asked with a plain string.
impl std::borrow::Borrow<str> for RuntimeId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RuntimeId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

/// How far a container is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContainerState {
    /// Made, not started.
    Created,
    /// Its process lives.
    Running,
    /// Its process ended.
    Exited,
    /// The runtime does not say, or says what we do not know.
    #[default]
    Unknown,
}

/// One container that is not a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerDescription {
    /// Its id.
    pub id: RuntimeId,
    /// The sandbox that it is in: the id of a [`PodDescription`].
    pub sandbox_id: Option<RuntimeId>,
    /// Its name in the pod.
    pub name: Text,
    /// How often it was started anew in the same sandbox.
    pub attempt: u32,
    /// The image as it was asked for: `docker.io/library/nginx:1.27`.
    pub image: Text,
    /// How far it is.
    pub state: ContainerState,
    /// When it was made, in nanoseconds since 1970.
    pub created_at_ns: u64,
    /// Annotations of the container, not of the pod.
    pub annotations: Pairs,
    /// What it is made of.
    pub details: ContainerDetails,
    /// Its first process in the runtime's pid namespace, while it runs.
    pub pid: Option<u32>,
}

impl ContainerDescription {
    /// A container of which nothing is known but its id.
    pub fn new(id: RuntimeId) -> Self {
        Self {
            id,
            sandbox_id: None,
            name: Text::default(),
            attempt: 0,
            image: Text::default(),
            state: ContainerState::Unknown,
            created_at_ns: 0,
            annotations: Pairs::default(),
            details: ContainerDetails::default(),
            pid: None,
        }
    }

    /// The same, and where it says nothing what another one says of the same container.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let text =
            |own: &Text, other: &Text| if own.is_empty() { other.clone() } else { own.clone() };
        let (own, more) = (&self.details, &other.details);
        let (namespaces, theirs) = (own.host_namespaces, more.host_namespaces);
        let (mounts, mounts_omitted) = match &own.mounts {
            Some(mounts) => (Some(mounts.clone()), own.mounts_omitted),
            None => (more.mounts.clone(), more.mounts_omitted),
        };
        let details = ContainerDetails {
            image_id: text(&own.image_id, &more.image_id),
            image_reference: text(&own.image_reference, &more.image_reference),
            started_at_ns: own.started_at_ns.or(more.started_at_ns),
            labels: own.labels.clone().or_else(|| more.labels.clone()),
            privileged: own.privileged.or(more.privileged),
            mounts,
            mounts_omitted,
            host_namespaces: HostNamespaces {
                pid: namespaces.pid.or(theirs.pid),
                network: namespaces.network.or(theirs.network),
                ipc: namespaces.ipc.or(theirs.ipc),
            },
        };
        Self {
            sandbox_id: self.sandbox_id.clone().or_else(|| other.sandbox_id.clone()),
            name: text(&self.name, &other.name),
            image: text(&self.image, &other.image),
            details,
            ..self.clone()
        }
    }

    /// Memory that it takes, nearly.
    pub fn bytes(&self) -> usize {
        let texts = [&self.name, &self.image];
        size_of::<Self>()
            + self.id.as_str().len()
            + self.sandbox_id.as_ref().map_or(0, |id| id.as_str().len())
            + texts.iter().map(|text| text.bytes()).sum::<usize>()
            + self.annotations.bytes()
            + self.details.bytes()
    }
}

/// One pod: the sandbox that its containers share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodDescription {
    /// The sandbox. Where it has a process (pause), this is that container's id too.
    pub sandbox_id: RuntimeId,
    /// The namespace in Kubernetes' sense.
    pub namespace: Text,
    /// The pod's name.
    pub name: Text,
    /// The pod's uid, which outlives sandboxes.
    pub uid: Text,
    /// How many sandboxes the pod had before.
    pub attempt: u32,
    /// The sandbox is up. A pod whose sandbox is not will get another.
    pub ready: bool,
    /// When the sandbox was made, in nanoseconds since 1970.
    pub created_at_ns: u64,
    /// The pod's labels.
    pub labels: Pairs,
    /// The pod's annotations.
    pub annotations: Pairs,
    /// Its addresses, the first is the primary. Empty when it shares the host's network.
    pub ips: Vec<IpAddr>,
    /// It shares the host's network namespace.
    pub host_network: bool,
    /// It shares the host's namespace of process ids, where the runtime says so.
    pub host_pid: Option<bool>,
    /// That of System V IPC.
    pub host_ipc: Option<bool>,
    /// What its network plugins answered, as JSON; nothing if the runtime does not say, or too much.
    pub network_json: Option<Box<str>>,
    /// The runtime handler it was asked to run with; empty is the default one.
    pub runtime_handler: Text,
    /// The pause process in the runtime's pid namespace, where there is one.
    pub pid: Option<u32>,
}

impl PodDescription {
    /// A pod of which nothing is known but its sandbox.
    pub fn new(sandbox_id: RuntimeId) -> Self {
        Self {
            sandbox_id,
            namespace: Text::default(),
            name: Text::default(),
            uid: Text::default(),
            attempt: 0,
            ready: false,
            created_at_ns: 0,
            labels: Pairs::default(),
            annotations: Pairs::default(),
            ips: Vec::new(),
            host_network: false,
            host_pid: None,
            host_ipc: None,
            network_json: None,
            runtime_handler: Text::default(),
            pid: None,
        }
    }

    /// Memory that it takes, nearly.
    pub fn bytes(&self) -> usize {
        let texts = [&self.namespace, &self.name, &self.uid, &self.runtime_handler];
        size_of::<Self>()
            + self.sandbox_id.as_str().len()
            + texts.iter().map(|text| text.bytes()).sum::<usize>()
            + self.ips.len() * size_of::<IpAddr>()
            + self.network_json.as_ref().map_or(0, |json| json.len())
            + self.labels.bytes()
            + self.annotations.bytes()
    }
}

/// What the files that a runtime keeps on the node say of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Whose it is.
    pub id: RuntimeId,
    /// The container; absent for a sandbox.
    pub container: Option<Arc<ContainerDescription>>,
    /// Its pod, or the pod whose sandbox it is.
    pub pod: Option<Arc<PodDescription>>,
    /// It was made for Kubernetes, so that a runtime of Kubernetes says more of it.
    pub is_of_kubernetes: bool,
}

impl Bundle {
    /// Memory that it takes, nearly.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.id.as_str().len()
            + self.container.as_ref().map_or(0, |container| container.bytes())
            + self.pod.as_ref().map_or(0, |pod| pod.bytes())
    }
}

/// One thing that a runtime source found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A pod is new or has changed. Told before its containers.
    PodSeen(Arc<PodDescription>),
    /// A container is new or has changed.
    Seen(Arc<ContainerDescription>),
    /// The runtime has removed this container.
    Gone(RuntimeId),
    /// The runtime has removed this sandbox.
    PodGone(RuntimeId),
    /// A container's bundle was found.
    Found(Box<Bundle>),
    /// A container has no bundle that says anything.
    NotFound(RuntimeId),
    /// A bundle that was found is gone.
    Lost(RuntimeId),
    /// The runtime does not answer, for this reason; what was told may be out of date.
    Stale(String),
    /// All that the runtime has now has been told: at the start, and after [`Change::Stale`].
    Fresh,
}
