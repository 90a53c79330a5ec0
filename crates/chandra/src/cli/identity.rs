//! Options about who did it: whom to ask, and what to do until they answer.

use std::path::{Path, PathBuf};

use chandra_kubernetes::{Access, RemotePods};
use clap::{Args, ValueEnum};

use crate::follow::{KubernetesChoice, Late, RuntimeChoice, Sources};

/// What happens to records that come before their container is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentityKind {
    /// They wait for it, half a second at most.
    #[default]
    Hold,
    /// They come at once, marked as pending; a record completes them.
    Mark,
    /// Nobody is asked who did what.
    Off,
}

/// Which pods of other nodes are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemotePodsKind {
    /// Every pod's address has a name.
    #[default]
    All,
    /// The addresses of services and nodes have one, and those of this node's pods.
    None,
}

/// Options about who did it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Who did it")]
pub struct IdentityArguments {
    /// What to do with records whose container is not described yet [default: hold]
    #[arg(long, env = "CHANDRA_IDENTITY", value_name = "KIND")]
    pub identity: Option<IdentityKind>,
    /// Socket of the container runtime (CRI) [default: the first of the usual ones that answers]
    #[arg(long, env = "CHANDRA_CRI_SOCKET", value_name = "PATH")]
    pub cri_socket: Option<PathBuf>,
    /// Where the host's files are, in which runtimes keep what they know of containers that CRI does not describe
    /// [default: /proc/1/root, or / where one may not look there]
    #[arg(long, env = "CHANDRA_HOST_ROOT", value_name = "FOLDER")]
    pub host_root: Option<PathBuf>,
    /// Cluster to ask: auto (the one that this runs in), off, or a kubeconfig file [default: auto]
    #[arg(long, env = "CHANDRA_KUBERNETES", value_name = "WHERE")]
    pub kubernetes: Option<PathBuf>,
    /// Which pods of other nodes the cluster is asked for [default: all]
    #[arg(long, env = "CHANDRA_REMOTE_PODS", value_name = "PODS")]
    pub remote_pods: Option<RemotePodsKind>,
    /// Name of this node [default: $NODE_NAME, or else the host's name]
    #[arg(long, env = "CHANDRA_NODE_NAME", value_name = "NAME")]
    pub node_name: Option<String>,
}

/// The same, checked.
#[derive(Debug, Clone)]
pub struct IdentityOptions {
    /// What happens to early records; absent when nobody is to be asked.
    pub late: Option<Late>,
    /// Whom to ask.
    pub sources: Sources,
    /// This node.
    pub node: String,
}

impl IdentityArguments {
    /// Fills in what is not given.
    pub fn options(&self) -> IdentityOptions {
        let late = match self.identity.unwrap_or_default() {
            IdentityKind::Hold => Some(Late::Hold),
            IdentityKind::Mark => Some(Late::Mark),
            IdentityKind::Off => None,
        };
        let runtime = self.cri_socket.clone().map_or(RuntimeChoice::Found, RuntimeChoice::Socket);
        let node = node_name(self.node_name.as_ref());
        let kubernetes = self.kubernetes(&node).filter(|_| late.is_some());
        let (runtime, translations) = (late.map(|_| runtime), late.is_some());
        let host_root = late.map(|_| self.host_root.clone().unwrap_or_else(host_root));
        let sources = Sources { runtime, kubernetes, host_root, translations };
        IdentityOptions { late, sources, node }
    }

    fn kubernetes(&self, node: &str) -> Option<KubernetesChoice> {
        let access = match self.kubernetes.as_deref() {
            Some(off) if off == Path::new("off") => return None,
            Some(file) if file != Path::new("auto") => Access::Kubeconfig(file.to_owned()),
            // Not in a pod: there is no cluster, or none that wants to be asked.
            _ => Access::in_cluster(|name| std::env::var(name).ok()).ok()?,
        };
        let remote_pods = match self.remote_pods.unwrap_or_default() {
            RemotePodsKind::All => RemotePods::All,
            RemotePodsKind::None => RemotePods::None,
        };
        Some(KubernetesChoice { access, node: node.to_owned(), remote_pods })
    }
}

/// The root of the first process, which a container that shares the host's process ids sees the host by.
pub fn host_root() -> PathBuf {
    let root = PathBuf::from("/proc/1/root");
    if root.join("proc").exists() { root } else { PathBuf::from("/") }
}

/// This node's name: as given, or as its pod was told, or the host's.
pub fn node_name(given: Option<&String>) -> String {
    let told = || std::env::var("NODE_NAME").ok().filter(|name| !name.is_empty());
    given.cloned().or_else(told).unwrap_or_else(host_name)
}

/// What the kernel calls this host.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
