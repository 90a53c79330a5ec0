use super::*;

const MINUTE: u64 = 29_000_000;

struct Pod<'a> {
    name: &'a str,
    labels: &'a [(&'a str, &'a str)],
    owner: Option<(&'a str, &'a str)>,
    created_at_ns: u64,
}

impl Default for Pod<'_> {
    fn default() -> Self {
        Pod { name: "", labels: &[], owner: None, created_at_ns: MINUTE * NS_PER_MINUTE + 2 }
    }
}

impl<'a> Pod<'a> {
    fn workload(&self) -> (&'a str, &'a str) {
        let label = |key: &str| {
            self.labels.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
        };
        let Pod { name, owner, created_at_ns, .. } = *self;
        let workload = Marks { name, label, owner, created_at_ns }.workload();
        (workload.kind, workload.name)
    }
}

fn by_labels<'a>(name: &'a str, labels: &'a [(&'a str, &'a str)]) -> (&'a str, &'a str) {
    Pod { name, labels, ..Pod::default() }.workload()
}

fn by_owner<'a>(
    name: &'a str,
    owner: (&'a str, &'a str),
    labels: &'a [(&'a str, &'a str)],
) -> (&'a str, &'a str) {
    Pod { name, labels, owner: Some(owner), ..Pod::default() }.workload()
}

#[test]
fn a_replica_set_with_its_hash_is_a_deployments() {
    let hash = [("pod-template-hash", "7d4b9c6f5d")];
    let owner = ("ReplicaSet", "web-7d4b9c6f5d");
    assert_eq!(by_owner("web-7d4b9c6f5d-x2k8q", owner, &hash), ("Deployment", "web"));
    assert_eq!(by_labels("web-7d4b9c6f5d-x2k8q", &hash), ("Deployment", "web"));
}

#[test]
fn a_replica_set_without_that_hash_is_on_its_own() {
    let owner = ("ReplicaSet", "web-7d4b9c6f5d");
    assert_eq!(by_owner("web-7d4b9c6f5d-x2k8q", owner, &[]), owner);
    let other = [("pod-template-hash", "5d7d4b9c6f")];
    assert_eq!(by_owner("web-7d4b9c6f5d-x2k8q", owner, &other), owner);
    // The hash alone leaves no name.
    let bare = ("ReplicaSet", "-7d4b9c6f5d");
    assert_eq!(by_owner("x", bare, &[("pod-template-hash", "7d4b9c6f5d")]), bare);
    let empty = [("pod-template-hash", "")];
    assert_eq!(by_owner("web-x2k8q", ("ReplicaSet", "web-"), &empty), ("ReplicaSet", "web-"));
}

#[test]
fn a_rollout_makes_replica_sets_too() {
    let hash = [("rollouts-pod-template-hash", "7d4b9c6f5d")];
    let owner = ("ReplicaSet", "web-7d4b9c6f5d");
    assert_eq!(by_owner("web-7d4b9c6f5d-x2k8q", owner, &hash), ("Rollout", "web"));
    assert_eq!(by_labels("web-7d4b9c6f5d-x2k8q", &hash), ("Rollout", "web"));
}

#[test]
fn a_deployments_name_survives_the_cut_as_far_as_it_is_there() {
    let hash = "7d4b9c6f5d";
    let labels = [("pod-template-hash", hash)];
    for length in 40..80 {
        let deployment = "d".repeat(length);
        let generated = format!("{deployment}-{hash}-");
        let pod = format!("{}x2k8q", &generated[..generated.len().min(STEM_BYTES)]);
        let replica_set = format!("{deployment}-{hash}");
        let known = by_owner(&pod, ("ReplicaSet", &replica_set), &labels);
        assert_eq!(known, ("Deployment", &*deployment), "with the owner nothing is lost");
        let kept = &deployment[..length.min(STEM_BYTES)];
        assert_eq!(by_labels(&pod, &labels), ("Deployment", kept), "{length}");
    }
    let long = "d".repeat(242);
    let replica_set = format!("{long}-{hash}");
    assert_eq!(replica_set.len(), 253);
    let pod = format!("{}x2k8q", &long[..STEM_BYTES]);
    assert_eq!(by_owner(&pod, ("ReplicaSet", &replica_set), &labels), ("Deployment", &*long));
}

#[test]
fn a_hash_given_by_hand_makes_no_deployment() {
    let labels = [("pod-template-hash", "7d4b9c6f5d")];
    for name in ["web-7d4b9c6f5d-x2k8a", "web-7d4b9c6f5d", "web", "x2k8q", "", "wéb-x2k8q", "é2k8q"]
    {
        assert_eq!(by_labels(name, &labels), ("Pod", name));
    }
}

#[test]
fn a_job_named_by_the_minute_it_was_due_is_a_cron_jobs() {
    let owner = ("Job", "backup-29000000");
    assert_eq!(by_owner("backup-29000000-x2k8q", owner, &[]), ("CronJob", "backup"));
    for label in ["job-name", "batch.kubernetes.io/job-name"] {
        let labels = [(label, "backup-29000000")];
        assert_eq!(by_labels("backup-29000000-x2k8q", &labels), ("CronJob", "backup"));
    }
}

#[test]
fn a_job_whose_number_is_no_such_minute_is_a_job() {
    // Seconds, a date, another time, a number of its own, a name of digits alone.
    for job in ["backup-1740000000", "backup-20250219", "backup-29000011", "backup-1", "-29000000"]
    {
        assert_eq!(by_owner("pod-x2k8q", ("Job", job), &[]), ("Job", job));
    }
    let early = 29_000_000 - LATEST_MINUTES;
    let (in_time, too_early) = (format!("b-{early}"), format!("b-{}", early - 1));
    assert_eq!(by_owner("p", ("Job", &in_time), &[]), ("CronJob", "b"));
    assert_eq!(by_owner("p", ("Job", &too_early), &[]), ("Job", &*too_early));
}

#[test]
fn a_cron_job_of_a_pod_whose_age_is_not_known_goes_by_its_digits() {
    let workload = |job| {
        Pod { name: "p", owner: Some(("Job", job)), created_at_ns: 0, ..Pod::default() }.workload()
    };
    assert_eq!(workload("backup-29000000"), ("CronJob", "backup"));
    assert_eq!(workload("backup-2900000"), ("Job", "backup-2900000"));
}

#[test]
fn a_cut_pod_name_does_not_hide_a_cron_job() {
    let cron_job = "c".repeat(52);
    let job = format!("{cron_job}-29000000");
    let pod = format!("{}x2k8q", &format!("{job}-")[..STEM_BYTES]);
    assert_eq!(by_labels(&pod, &[("job-name", &job)]), ("CronJob", &*cron_job));
}

#[test]
fn a_stateful_sets_pods_are_numbered() {
    let owner = ("StatefulSet", "db");
    assert_eq!(by_owner("db-0", owner, &[]), owner);
    assert_eq!(by_labels("db-0", &[("statefulset.kubernetes.io/pod-name", "db-0")]), owner);
    let index =
        [("apps.kubernetes.io/pod-index", "12"), ("controller-revision-hash", "db-7d4b9c6f5d")];
    assert_eq!(by_labels("db-12", &index), owner);
    for (name, label) in [("db-0", "db-1"), ("db-x", "db-x"), ("db", "db"), ("db-", "db-")] {
        let labels = [("statefulset.kubernetes.io/pod-name", label)];
        assert_eq!(by_labels(name, &labels), ("Pod", name));
    }
}

#[test]
fn a_daemon_sets_pods_have_a_revision_and_a_random_end() {
    let labels = [("controller-revision-hash", "7d4b9c6f5d")];
    assert_eq!(by_labels("agent-x2k8q", &labels), ("DaemonSet", "agent"));
    assert_eq!(by_labels("node-agent-x2k8q", &labels), ("DaemonSet", "node-agent"));
    assert_eq!(by_owner("agent-x2k8q", ("DaemonSet", "agent"), &labels), ("DaemonSet", "agent"));
    for name in ["agent", "agent-aeiou", "agent-x2k8", "x2k8q", "-x2k8q"] {
        assert_eq!(by_labels(name, &labels), ("Pod", name));
    }
    for length in [57, 58, 63] {
        let daemon_set = "d".repeat(length);
        let pod = format!("{}x2k8q", &format!("{daemon_set}-")[..STEM_BYTES]);
        let kept = &daemon_set[..length.min(STEM_BYTES)];
        assert_eq!(by_labels(&pod, &labels), ("DaemonSet", kept));
    }
}

#[test]
fn a_static_pod_is_named_without_its_node() {
    let workload = by_owner("kube-apiserver-node-1", ("Node", "node-1"), &[]);
    assert_eq!(workload, ("StaticPod", "kube-apiserver"));
    assert_eq!(by_owner("odd", ("Node", "node-1"), &[]), ("StaticPod", "odd"));
}

#[test]
fn what_others_make_stays_as_it_is_and_a_bare_pod_is_its_own() {
    assert_eq!(by_owner("web-abc", ("CloneSet", "web"), &[]), ("CloneSet", "web"));
    assert_eq!(by_owner("web-abc", ("CloneSet", ""), &[]), ("Pod", "web-abc"));
    assert_eq!(by_labels("debug", &[("app", "debug")]), ("Pod", "debug"));
    assert_eq!(by_labels("", &[]), ("Pod", ""));
}
