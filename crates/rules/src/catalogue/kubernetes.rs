//! `k8s.*`: the pod that the container belongs to.

use super::{EventTypes, fields};

const ALL: EventTypes = EventTypes::CAPTURED;

fields! {
    /// Fields of the pod.
    KubernetesField in Kubernetes {
        Namespace = "k8s.ns.name", Text, Nothing, One, ALL, "Namespace of the pod";
        PodName = "k8s.pod.name", Text, Nothing, One, ALL, "Name of the pod";
        PodUid = "k8s.pod.uid", Text, Nothing, One, ALL, "Uid of the pod";
        PodId = "k8s.pod.id", Text, Nothing, One, ALL, "As `k8s.pod.uid`";
        SandboxId = "k8s.pod.sandbox_id", Text, Nothing, One, ALL, "First 12 digits of the id of the pod's sandbox";
        FullSandboxId = "k8s.pod.full_sandbox_id", Text, Nothing, One, ALL, "Whole id of the pod's sandbox";
        Label = "k8s.pod.label", Text, Name, One, ALL, "A label of the pod";
        Labels = "k8s.pod.labels", Text, Nothing, One, ALL, "Labels of the pod: `key:value` with commas between";
        PodIp = "k8s.pod.ip", Text, Nothing, One, ALL, "Primary address of the pod; none in the host's network";
        NetworkJson = "k8s.pod.cni.json", Text, Nothing, One, ALL, "As `container.cni.json`";
        Deployment = "k8s.deployment.name", Text, Nothing, One, ALL, "Deployment that the pod belongs to";
        WorkloadKind = "k8s.workload.kind", Text, Nothing, One, ALL,
        "Kind of what the pod belongs to: `Deployment`, `DaemonSet`, `CronJob`";
        WorkloadName = "k8s.workload.name", Text, Nothing, One, ALL, "Name of what the pod belongs to";
    }
}
