//! Which workload a pod belongs to, told from the pod alone.
//!
//! Why not ask: a Deployment owns a ReplicaSet which owns the pod, so the whole chain needs every
//! ReplicaSet of the cluster. But Kubernetes' controllers name what they make by rules that have not
//! changed for years, and the pod bears the marks of them: its owner's name, its labels, its own name.
//!
//! Invariants: nothing is looked up, nothing allocates, and a rule applies only if all of its marks
//! agree; where they do not, the answer is what is sure: the owner as it is, or the pod itself. The
//! owner is known from the Kubernetes API only; a container runtime tells names and labels, which are
//! enough for what Kubernetes' own controllers make.
//!
//! Generated names are cut to 58 bytes before their random end of 5. Where that took away a part of
//! the workload's own name and no owner and no label has it, the part that is left is the answer.

#[cfg(test)]
mod tests;

/// The workload of a pod: what a person deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Workload<'a> {
    /// `Deployment`, `StatefulSet`, `CronJob`, …; `Pod` if nothing made it, `StaticPod` if a node's
    /// own files did.
    pub kind: &'a str,
    /// Its name, in the namespace of the pod.
    pub name: &'a str,
}

/// What is known of a pod.
#[derive(Debug, Clone, Copy)]
pub struct Marks<'a, L> {
    /// The pod's name.
    pub name: &'a str,
    /// The value of a label, if the pod has it.
    pub label: L,
    /// Kind and name of what made it (`controller: true`); none if it is not known, or nothing did.
    pub owner: Option<(&'a str, &'a str)>,
    /// When it was made, in nanoseconds since 1970; 0 if that is not known.
    pub created_at_ns: u64,
}

/// Letters and digits that Kubernetes takes for random ends and for hashes: no vowels, and nothing
/// that is mistaken for another.
const RANDOM: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Length of a random end.
const RANDOM_BYTES: usize = 5;
/// What is left of a generated name before its random end.
const STEM_BYTES: usize = 58;
const NS_PER_MINUTE: u64 = 60_000_000_000;
/// A run may begin this long after its time: a deadline for starting, a pod that is tried again.
const LATEST_MINUTES: u64 = 14 * 24 * 60;
/// Clocks of two nodes may differ by this.
const EARLIEST_MINUTES: u64 = 10;

impl<'a, L: Fn(&str) -> Option<&'a str>> Marks<'a, L> {
    /// The workload of this pod.
    pub fn workload(&self) -> Workload<'a> {
        let workload = match self.owner {
            Some(("ReplicaSet", name)) => self.of_replica_set(name),
            Some(("Job", name)) => self.of_job(name),
            Some(("Node", node)) => Workload { kind: "StaticPod", name: before(self.name, node) },
            Some((kind, name)) => Workload { kind, name },
            None => self.without_owner(),
        };
        match workload.name {
            "" => Workload { kind: "Pod", name: self.name },
            _ => workload,
        }
    }

    fn label(&self, key: &str) -> Option<&'a str> {
        (self.label)(key).filter(|value| !value.is_empty())
    }

    /// A Deployment names its ReplicaSets by itself and a hash, which it gives to the pods as a label.
    fn of_replica_set(&self, replica_set: &'a str) -> Workload<'a> {
        let made = |kind, label| {
            let name = replica_set.strip_suffix(self.label(label)?)?.strip_suffix('-')?;
            (!name.is_empty()).then_some(Workload { kind, name })
        };
        made("Rollout", "rollouts-pod-template-hash")
            .or_else(|| made("Deployment", "pod-template-hash"))
            .unwrap_or(Workload { kind: "ReplicaSet", name: replica_set })
    }

    /// A CronJob names its Jobs by itself and the minute that each was due.
    fn of_job(&self, job: &'a str) -> Workload<'a> {
        match job.rsplit_once('-') {
            Some((name, minute)) if !name.is_empty() && self.is_due(minute) => {
                Workload { kind: "CronJob", name }
            }
            _ => Workload { kind: "Job", name: job },
        }
    }

    fn is_due(&self, minute: &str) -> bool {
        // Eight digits: from 1989 to 2160.
        if minute.len() != 8 || !minute.bytes().all(|byte| byte.is_ascii_digit()) {
            return false;
        }
        let created = self.created_at_ns / NS_PER_MINUTE;
        let earliest = created.saturating_sub(LATEST_MINUTES);
        let due = minute.parse::<u64>().unwrap_or(0);
        created == 0 || (earliest..=created + EARLIEST_MINUTES).contains(&due)
    }

    fn without_owner(&self) -> Workload<'a> {
        if let Some(job) = self.label("batch.kubernetes.io/job-name").or(self.label("job-name")) {
            return self.of_job(job);
        }
        self.of_stateful_set()
            .or_else(|| self.of_hashed("Rollout", "rollouts-pod-template-hash"))
            .or_else(|| self.of_hashed("Deployment", "pod-template-hash"))
            .or_else(|| self.of_daemon_set())
            .unwrap_or(Workload { kind: "Pod", name: self.name })
    }

    /// Its pods are numbered.
    fn of_stateful_set(&self) -> Option<Workload<'a>> {
        let (name, ordinal) = self.name.rsplit_once('-')?;
        let named = self.label("statefulset.kubernetes.io/pod-name") == Some(self.name);
        let numbered = self.label("apps.kubernetes.io/pod-index") == Some(ordinal)
            && self.label("controller-revision-hash").is_some();
        let digits = !ordinal.is_empty() && ordinal.bytes().all(|byte| byte.is_ascii_digit());
        (digits && (named || numbered)).then_some(Workload { kind: "StatefulSet", name })
    }

    /// `name-hash-random`, of which the stem may be cut anywhere.
    fn of_hashed(&self, kind: &'a str, label: &str) -> Option<Workload<'a>> {
        let hash = self.label(label)?;
        let stem = stem(self.name)?;
        let whole = stem.strip_suffix('-').and_then(|stem| stem.strip_suffix(hash));
        if let Some(name) = whole.and_then(|stem| stem.strip_suffix('-')) {
            return Some(Workload { kind, name });
        }
        if stem.len() != STEM_BYTES {
            // It was not named like that: the hash was given to it by hand.
            return None;
        }
        // As much of `-hash` as is still there: the longest beginning of it that the stem ends with.
        let left = (0..=hash.len()).rev().filter_map(|length| hash.get(..length));
        let mut names = left.filter_map(|part| stem.strip_suffix(part)?.strip_suffix('-'));
        Some(Workload { kind, name: names.next().unwrap_or(stem) })
    }

    /// `name-random` with the hash of a revision, which a StatefulSet's pods have too.
    fn of_daemon_set(&self) -> Option<Workload<'a>> {
        self.label("controller-revision-hash")?;
        if self.label("statefulset.kubernetes.io/pod-name").is_some()
            || self.label("apps.kubernetes.io/pod-index").is_some()
        {
            return None;
        }
        let stem = stem(self.name)?;
        let name = stem.strip_suffix('-').or((stem.len() == STEM_BYTES).then_some(stem))?;
        Some(Workload { kind: "DaemonSet", name })
    }
}

/// A generated name without its random end.
fn stem(name: &str) -> Option<&str> {
    let (stem, random) = name.split_at_checked(name.len().checked_sub(RANDOM_BYTES)?)?;
    random.bytes().all(|byte| RANDOM.contains(&byte)).then_some(stem)
}

/// A name without `-suffix` at its end.
fn before<'a>(name: &'a str, suffix: &str) -> &'a str {
    name.strip_suffix(suffix).and_then(|name| name.strip_suffix('-')).unwrap_or(name)
}
