//! The pods of this node as the cluster's API tells of them, by uid: what a cgroup's path names.
//!
//! Why beside the cluster's table: that one keeps a hundred thousand pods in little room, and finds them
//! by address and by name; of the few of this node everything is kept.

use std::collections::HashMap;
use std::sync::Arc;

use crate::cluster::{Change, ObjectName, Pod, Resource};
use crate::container::PodUid;

/// More pods than any node runs; those beyond are found by address only.
const MOST: usize = 4096;
/// How long a pod that was removed is found by its late records.
const LINGER_NS: u64 = 30_000_000_000;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct OwnPods {
    pods: HashMap<PodUid, Entry>,
    /// Counts lists, so that what the last one did not tell is known to be gone.
    list: u64,
}

#[derive(Debug)]
struct Entry {
    pod: Arc<Pod>,
    list: u64,
    gone_at_ns: Option<u64>,
}

impl OwnPods {
    /// The pod of this uid.
    pub fn get(&self, uid: PodUid) -> Option<&Arc<Pod>> {
        self.pods.get(&uid).map(|entry| &entry.pod)
    }

    /// Takes in what the source found out, if it is of a pod of this node. True if something changed.
    pub fn apply(&mut self, change: &Change, node: &str, now_ns: u64) -> bool {
        match change {
            Change::Pod(pod) if pod.node.as_str() == node => self.put(pod),
            Change::PodGone(name) => self.remove(name, now_ns),
            Change::Listing(Resource::Pods) => {
                self.list += 1;
                false
            }
            Change::Listed(Resource::Pods) => {
                let list = self.list;
                for entry in self.pods.values_mut().filter(|entry| entry.list != list) {
                    entry.gone_at_ns.get_or_insert(now_ns);
                }
                true
            }
            _ => false,
        }
    }

    /// Forgets those that are gone for long enough.
    pub fn expire(&mut self, now_ns: u64) {
        let stays = |entry: &Entry| {
            entry.gone_at_ns.is_none_or(|gone| gone.saturating_add(LINGER_NS) > now_ns)
        };
        if self.pods.values().any(|entry| !stays(entry)) {
            self.pods.retain(|_, entry| stays(entry));
        }
    }

    fn put(&mut self, pod: &Pod) -> bool {
        let Some(uid) = PodUid::parse(pod.uid.as_str().as_bytes()) else { return false };
        if self.pods.len() >= MOST && !self.pods.contains_key(&uid) {
            return false;
        }
        let entry = Entry { pod: Arc::new(pod.clone()), list: self.list, gone_at_ns: None };
        self.pods.insert(uid, entry);
        true
    }

    fn remove(&mut self, name: &ObjectName, now_ns: u64) -> bool {
        let found = self
            .pods
            .values_mut()
            .find(|entry| entry.pod.name == *name && entry.gone_at_ns.is_none());
        found.map(|entry| entry.gone_at_ns = Some(now_ns)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::{Pairs, Text};

    const UID: &str = "6f1e0c5a-3b0d-4c57-9f0e-2a4d8c7b6e12";

    fn pod(node: &str) -> Pod {
        Pod {
            name: ObjectName { namespace: Text::new("shop"), name: Text::new("web-1") },
            uid: Text::new(UID),
            node: Text::new(node),
            ips: Vec::new(),
            host_network: false,
            has_ended: false,
            labels: Pairs::default(),
            owner: None,
            created_at_ns: 0,
            containers: Vec::new(),
        }
    }

    #[test]
    fn only_those_of_this_node_are_kept_and_a_list_says_which_are_gone() {
        let uid = PodUid::parse(UID.as_bytes()).unwrap();
        let mut pods = OwnPods::default();
        assert!(!pods.apply(&Change::Pod(pod("other")), "own", 0));
        assert!(pods.apply(&Change::Pod(pod("own")), "own", 0));
        assert_eq!(pods.get(uid).unwrap().name.name.as_str(), "web-1");
        for round in [0, 1] {
            pods.apply(&Change::Listing(Resource::Pods), "own", 1);
            if round == 0 {
                pods.apply(&Change::Pod(pod("own")), "own", 1);
            }
            pods.apply(&Change::Listed(Resource::Pods), "own", 1);
            pods.expire(1 + LINGER_NS);
            assert_eq!(pods.get(uid).is_some(), round == 0);
        }
        pods.apply(&Change::Pod(pod("own")), "own", 2);
        assert!(pods.apply(&Change::PodGone(pod("own").name), "own", 2));
        pods.expire(1 + LINGER_NS);
        assert!(pods.get(uid).is_some(), "late records find it");
        pods.expire(2 + LINGER_NS);
        assert!(pods.get(uid).is_none());
    }
}
