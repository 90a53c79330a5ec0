//! Pods that metrics may name, so that their series go some time after them.
//!
//! A pod that is gone may come back under its name (a StatefulSet's), its last flows may come late, and a
//! scraper should read its last counts: so its series stay a while. Only pods of flows are known here, and
//! no more than [`MOST`]: the series of those beyond go when nothing touches them any more.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// More than all metrics together can have series of.
const MOST: usize = 16_384;

/// Names of pods by their namespaces, with when each was found gone.
#[derive(Debug)]
pub struct Pods {
    linger: Duration,
    seen: HashMap<Box<str>, HashMap<Box<str>, Option<Instant>>>,
    count: usize,
}

impl Pods {
    /// None yet; those that are gone for so long are given up.
    pub fn new(linger: Duration) -> Self {
        Self { linger, seen: HashMap::new(), count: 0 }
    }

    /// A flow named this pod.
    pub fn saw(&mut self, namespace: &str, name: &str) {
        let known = self.seen.get(namespace).is_some_and(|names| names.contains_key(name));
        if known || name.is_empty() || self.count >= MOST {
            return;
        }
        self.count += 1;
        self.seen.entry(namespace.into()).or_default().insert(name.into(), None);
    }

    /// Gives up pods that nobody has known for too long, and says which.
    pub fn look(
        &mut self,
        now: Instant,
        is_known: impl Fn(&str, &str) -> bool,
        mut on_gone: impl FnMut(&str, &str),
    ) {
        let Self { linger, seen, count } = self;
        for (namespace, names) in seen.iter_mut() {
            let is_over = |name: &str, gone: &mut Option<Instant>| {
                if is_known(namespace, name) {
                    *gone = None;
                    return false;
                }
                now.saturating_duration_since(*gone.get_or_insert(now)) >= *linger
            };
            for (name, _) in names.extract_if(|name, gone| is_over(name, gone)) {
                *count -= 1;
                on_gone(namespace, &name);
            }
        }
        seen.retain(|_, names| !names.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_given_up_once_when_nobody_has_known_it_for_long_enough() {
        let mut pods = Pods::new(Duration::from_secs(60));
        let start = Instant::now();
        for (namespace, name) in [("shop", "web"), ("shop", "db"), ("back", "web"), ("shop", "")] {
            pods.saw(namespace, name);
            pods.saw(namespace, name);
        }
        let mut look = |seconds, known: &[(&str, &str)]| {
            let mut gone = Vec::new();
            let now = start + Duration::from_secs(seconds);
            let is_known = |namespace: &str, name: &str| known.contains(&(namespace, name));
            pods.look(now, is_known, |namespace, name| gone.push(format!("{namespace}/{name}")));
            gone
        };
        let others = [("shop", "db"), ("back", "web")];
        assert!(look(0, &others).is_empty());
        assert!(look(59, &others).is_empty());
        // It was there again, and goes anew.
        assert!(look(60, &[("shop", "web"), others[0], others[1]]).is_empty());
        assert!(look(61, &others).is_empty());
        assert!(look(120, &others).is_empty());
        assert_eq!(look(121, &others), ["shop/web"]);
        assert!(look(500, &others).is_empty());
        assert!(look(1000, &[]).is_empty());
        let mut rest = look(1060, &[]);
        rest.sort();
        assert_eq!(rest, ["back/web", "shop/db"]);
        assert_eq!((pods.count, pods.seen.len()), (0, 0));
    }

    #[test]
    fn there_are_never_more_than_the_most() {
        let mut pods = Pods::new(Duration::ZERO);
        for number in 0..MOST + 10 {
            pods.saw("shop", &number.to_string());
        }
        assert_eq!(pods.count, MOST);
        pods.look(Instant::now(), |_, _| false, |_, _| {});
        pods.saw("shop", "late");
        assert_eq!(pods.count, 1);
    }
}
