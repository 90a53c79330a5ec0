//! Several clusters side by side.
//!
//! Invariants: every look-up names its cluster, and no other one is ever asked, because two clusters
//! may use the same addresses. A cluster is its UID; until its source told that, it has a key only.

use super::{Change, Cluster, ClusterUid, Limits};

/// A cluster by its place here, for as long as [`Clusters`] lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterKey(usize);

/// Clusters, each told of by a source of its own.
#[derive(Debug, Default)]
pub struct Clusters(Vec<Cluster>);

impl Clusters {
    /// Most clusters; each has its own [`Limits`].
    pub const MOST: usize = 64;

    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a cluster that nothing is known of; none if there are too many.
    pub fn add(&mut self, name: &str, limits: Limits) -> Option<ClusterKey> {
        let key = ClusterKey(self.0.len());
        (key.0 < Self::MOST).then(|| {
            self.0.push(Cluster::new(name, limits));
            key
        })
    }

    /// A cluster.
    pub fn get(&self, key: ClusterKey) -> Option<&Cluster> {
        self.0.get(key.0)
    }

    /// The cluster with this UID; none if no source told it yet. If two sources tell of the same
    /// cluster, the first one's.
    pub fn by_uid(&self, uid: ClusterUid) -> Option<ClusterKey> {
        self.0.iter().position(|cluster| cluster.uid() == Some(uid)).map(ClusterKey)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (ClusterKey, &Cluster)> {
        self.0.iter().enumerate().map(|(at, cluster)| (ClusterKey(at), cluster))
    }

    /// Takes in what a cluster's source found out, at this time in nanoseconds of event time.
    pub fn apply(&mut self, key: ClusterKey, change: Change, now_ns: u64) {
        if let Some(cluster) = self.0.get_mut(key.0) {
            cluster.apply(change, now_ns);
        }
    }

    /// A small step of forgetting in each ([`Cluster::advance`]). True if there may be more to do now.
    pub fn advance(&mut self, now_ns: u64) -> bool {
        let mut has_more = false;
        for cluster in &mut self.0 {
            has_more |= cluster.advance(now_ns);
        }
        has_more
    }

    /// Memory on the heap.
    pub fn bytes(&self) -> usize {
        let own = self.0.capacity() * size_of::<Cluster>();
        own + self.0.iter().map(Cluster::bytes).sum::<usize>()
    }
}
