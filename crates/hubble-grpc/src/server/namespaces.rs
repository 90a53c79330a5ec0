//! Namespaces that flows were seen of, for an hour after the last one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chandra_hubble::proto::observer::Namespace;

/// How long a namespace is told after its last flow, as in Hubble.
const LIVES: Duration = Duration::from_secs(3600);
/// More than any cluster has; those beyond are not told.
const MOST: usize = 16_384;

/// When each was seen last, by cluster and name.
#[derive(Debug, Default)]
pub struct Namespaces(Mutex<BTreeMap<(String, String), Instant>>);

impl Namespaces {
    /// A flow of this namespace was seen. Once a minute is enough.
    pub fn saw(&self, cluster: &str, namespace: &str) {
        self.saw_at(cluster, namespace, Instant::now());
    }

    fn saw_at(&self, cluster: &str, namespace: &str, now: Instant) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, last| now.duration_since(*last) < LIVES);
        let key = (cluster.to_owned(), namespace.to_owned());
        if seen.len() < MOST || seen.contains_key(&key) {
            seen.insert(key, now);
        }
    }

    /// All of them, by cluster and name.
    pub(super) fn all(&self) -> Vec<Namespace> {
        self.all_at(Instant::now())
    }

    fn all_at(&self, now: Instant) -> Vec<Namespace> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let living = seen.iter().filter(|(_, last)| now.duration_since(**last) < LIVES);
        let namespace = |((cluster, namespace), _): (&(String, String), &Instant)| Namespace {
            cluster: cluster.clone(),
            namespace: namespace.clone(),
        };
        living.map(namespace).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_sorted_and_go_after_an_hour() {
        let namespaces = Namespaces::default();
        let start = Instant::now();
        let at = |minutes: u64| start + Duration::from_secs(60 * minutes);
        for (minutes, name) in [(0, "web"), (1, "shop"), (30, "web")] {
            namespaces.saw_at("", name, at(minutes));
        }
        let names = |minutes| {
            let all = namespaces.all_at(at(minutes)).into_iter();
            all.map(|it| it.namespace).collect::<Vec<_>>()
        };
        assert_eq!(names(31), ["shop", "web"]);
        assert_eq!(names(62), ["web"]);
        assert!(names(91).is_empty());
    }
}
