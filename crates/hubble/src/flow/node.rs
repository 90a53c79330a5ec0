//! What all flows of a node have alike.

use crate::proto::flow::Emitter;

/// The node that observes.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// `cluster/node`, or `node` where no cluster has a name.
    pub name: String,
    /// The node's labels, `key=value`.
    pub labels: Vec<String>,
    /// Who makes the flows.
    pub emitter: Emitter,
}

impl Node {
    /// A node of a cluster; an empty cluster is none.
    pub fn new(cluster: &str, node: &str, labels: Vec<String>) -> Self {
        let name = if cluster.is_empty() { node.into() } else { format!("{cluster}/{node}") };
        let emitter = Emitter { name: "Chandra".into(), version: env!("CARGO_PKG_VERSION").into() };
        Self { name, labels, emitter }
    }
}
