//! Which alerts a person wants to see.

use crate::alert::Priority;
use crate::recent::Kept;

/// The shortest beginning of a container's id that names one.
const ID_DIGITS: usize = 12;

/// What is wanted: any of the values of each list, of all lists that have some. In names `*` stands for
/// anything and `?` for one byte.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Names of rules.
    pub rules: Vec<String>,
    /// Rules that are less urgent are not wanted.
    pub minimum_priority: Option<Priority>,
    /// Tags.
    pub tags: Vec<String>,
    /// Namespaces of pods.
    pub namespaces: Vec<String>,
    /// Pods: their name, or namespace and name with a slash between.
    pub pods: Vec<String>,
    /// Containers: their name in the pod, or at least 12 digits of their id.
    pub containers: Vec<String>,
    /// Events before this moment are not wanted, in nanoseconds since 1970.
    pub since_ns: u64,
}

impl Wanted {
    /// Whether this one is.
    pub fn has(&self, alert: &Kept) -> bool {
        let Kept { time_ns, rule, priority, tags, namespace, pod, container, container_id, .. } =
            alert;
        let any = |patterns: &[String], fits: &dyn Fn(&str) -> bool| {
            patterns.is_empty() || patterns.iter().any(|pattern| fits(pattern))
        };
        *time_ns >= self.since_ns
            && self.minimum_priority.is_none_or(|minimum| *priority <= minimum)
            && any(&self.rules, &|pattern| is_like(rule, pattern))
            && any(&self.tags, &|pattern| tags.iter().any(|tag| is_like(tag, pattern)))
            && any(&self.namespaces, &|pattern| is_like(namespace, pattern))
            && any(&self.pods, &|pattern| match pattern.split_once('/') {
                Some((of, name)) => is_like(namespace, of) && is_like(pod, name),
                None => !pod.is_empty() && is_like(pod, pattern),
            })
            && any(&self.containers, &|pattern| {
                let is_id = pattern.len() >= ID_DIGITS && container_id.starts_with(pattern);
                is_id || !container_id.is_empty() && is_like(container, pattern)
            })
    }
}

/// Whether a name is like a pattern. Takes no more than the product of their lengths.
fn is_like(name: &str, pattern: &str) -> bool {
    let (name, pattern) = (name.as_bytes(), pattern.as_bytes());
    let (mut at, mut within) = (0, 0);
    // Where the last star was, and up to where it stands for the name.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(at) {
        match pattern.get(within) {
            Some(b'*') => {
                star = Some((within, at));
                within += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                at += 1;
                within += 1;
            }
            _ => {
                let Some((place, until)) = star else { return false };
                star = Some((place, until + 1));
                (at, within) = (until + 1, place + 1);
            }
        }
    }
    pattern.get(within..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Alert, Redacted, sample};
    use crate::recent::Recent;

    #[test]
    fn names_are_matched_by_patterns() {
        for (name, pattern, expected) in [
            ("web-1", "web-1", true),
            ("web-1", "web-*", true),
            ("web-1", "*", true),
            ("web-1", "w?b-?", true),
            ("web-1", "web", false),
            ("web", "web-*", false),
            ("", "*", true),
            ("", "?", false),
            ("abcbcd", "a*bcd", true),
            ("abcbce", "a*bcd", false),
            ("Shell of a server", "Shell*server", true),
            ("ä", "??", true),
        ] {
            assert_eq!(is_like(name, pattern), expected, "{name} {pattern}");
        }
        let long = "a".repeat(1000);
        assert!(!is_like(&long, &format!("{}b", "a*".repeat(50))));
    }

    #[test]
    fn every_list_has_to_fit_and_one_of_its_values_does() {
        let alert = Alert { context: sample::context(), ..sample::alert() };
        let recent = Recent::new(usize::MAX);
        recent.add(&Redacted::new(alert, None), b"text", b"{}");
        let is_wanted = |wanted: &Wanted| recent.read(0..u64::MAX, wanted).alerts.len() == 1;
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let none = Wanted::default();
        let fitting = [
            none.clone(),
            Wanted { rules: words(&["other", "Write below*"]), ..none.clone() },
            Wanted { minimum_priority: Some(Priority::Error), ..none.clone() },
            Wanted { tags: words(&["mitre_*"]), ..none.clone() },
            Wanted { namespaces: words(&["shop"]), ..none.clone() },
            Wanted { pods: words(&["shop/web-*"]), ..none.clone() },
            Wanted { pods: words(&["web-1"]), containers: words(&["web"]), ..none.clone() },
            Wanted { since_ns: 1_507_566_716_746_609_046, ..none.clone() },
        ];
        for wanted in fitting {
            assert!(is_wanted(&wanted), "{wanted:?}");
        }
        let others = [
            Wanted { minimum_priority: Some(Priority::Critical), ..none.clone() },
            Wanted { pods: words(&["other/web-1"]), ..none.clone() },
            Wanted { containers: words(&["ab12"]), pods: words(&["db"]), ..none.clone() },
            Wanted { containers: words(&["ab"]), ..none.clone() },
            Wanted { tags: words(&["filesystem"]), rules: words(&["other"]), ..none.clone() },
            Wanted { since_ns: 1_507_566_716_746_609_047, ..none },
        ];
        for wanted in others {
            assert!(!is_wanted(&wanted), "{wanted:?}");
        }
    }
}
