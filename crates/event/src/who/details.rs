//! What a container is made of, beyond its names: its image by content, its rights, its mounts, its labels.
//!
//! Invariant: bounded, because strangers write most of it. What is not known is absent, which says nothing of
//! whether it is so.

use crate::bounded::{Pairs, Text};

/// What a runtime says of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContainerDetails {
    /// The image by its content: the digest of its configuration, `sha256:…`; empty if it is not known.
    pub image_id: Text,
    /// The image as a registry has it, `REPOSITORY@sha256:…`, or else as `image_id`; empty if it is not known.
    pub image_reference: Text,
    /// When its first process was started, in nanoseconds since 1970.
    pub started_at_ns: Option<u64>,
    /// Labels of the container, not of the pod; absent if they are not known.
    pub labels: Option<Pairs>,
    /// It was asked to be privileged.
    pub privileged: Option<bool>,
    /// Host paths in it; absent if they are not known.
    pub mounts: Option<Vec<Mount>>,
    /// Mounts beyond those that are kept.
    pub mounts_omitted: u32,
    /// Namespaces that are the host's.
    pub host_namespaces: HostNamespaces,
}

/// Whether namespaces of a container are those of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HostNamespaces {
    /// That of process ids.
    pub pid: Option<bool>,
    /// That of network devices and sockets.
    pub network: Option<bool>,
    /// That of System V IPC.
    pub ipc: Option<bool>,
}

/// A path of the host in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// On the host.
    pub host_path: Text,
    /// In the container.
    pub container_path: Text,
    /// The container cannot write there.
    pub read_only: bool,
    /// Which later mounts are seen on the other side.
    pub propagation: Propagation,
}

/// Which way later mounts below a mount travel (mount_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Propagation {
    /// None.
    #[default]
    Private,
    /// Those of the host are seen in the container.
    Slave,
    /// Also those of the container on the host.
    Shared,
}

impl Propagation {
    /// The word that Falco has for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Slave => "rslave",
            Self::Shared => "rshared",
        }
    }
}

impl ContainerDetails {
    /// Memory on the heap, nearly.
    pub fn bytes(&self) -> usize {
        let mounts = self.mounts.iter().flatten().map(|mount| {
            size_of::<Mount>() + mount.host_path.bytes() + mount.container_path.bytes()
        });
        self.image_id.bytes()
            + self.image_reference.bytes()
            + self.labels.as_ref().map_or(0, Pairs::bytes)
            + mounts.sum::<usize>()
    }
}

impl Mount {
    /// A path of it was cut: what was cut off may be anything.
    pub fn is_cut(&self) -> bool {
        self.host_path.cut_bytes() > 0 || self.container_path.cut_bytes() > 0
    }
}
