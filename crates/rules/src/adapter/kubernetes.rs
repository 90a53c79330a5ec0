//! `k8s.*`

use chandra_event::who::Container;

use super::RecordFacts;
use super::container::{label, short};
use crate::catalogue::KubernetesField;
use crate::evaluate::{Argument, Value};

impl<'r> RecordFacts<'r> {
    pub(super) fn kubernetes_value(
        &self,
        field: KubernetesField,
        argument: &Argument,
    ) -> Value<'r> {
        use KubernetesField as Of;
        // That it is in no pod is known once the runtime has described the container.
        let described =
            |container: &Container<'_>| container.name.is_some() || container.image.is_some();
        let may_be_in_one =
            self.who.is_pending || self.who.container.as_ref().is_some_and(|one| !described(one));
        let Some(pod) = &self.who.pod else {
            return if may_be_in_one { Value::Unknown } else { Value::Absent };
        };
        let workload = self.who.workload;
        let kind = workload.map(|workload| workload.kind);
        match field {
            Of::Namespace => Value::known_text(pod.namespace),
            Of::PodName => Value::known_text(pod.name),
            Of::PodUid | Of::PodId => Value::known_text(pod.uid),
            Of::SandboxId => Value::known_text(pod.sandbox.map(short)),
            Of::FullSandboxId => Value::known_text(pod.sandbox),
            Of::PodIp => self.pod_address(),
            Of::NetworkJson => self.network_json(),
            Of::Label => match (pod.labels, argument) {
                (None, _) => Value::Unknown,
                (Some(labels), Argument::Name(key)) => label(labels, key),
                _ => Value::Absent,
            },
            Of::Labels => pod.labels.map_or(Value::Unknown, Value::Labels),
            Of::WorkloadKind => Value::known_text(kind),
            Of::WorkloadName => Value::known_text(workload.map(|workload| workload.name)),
            Of::Deployment => match kind {
                Some("Deployment") => Value::text(workload.map(|workload| workload.name)),
                Some(_) => Value::Absent,
                None => Value::Unknown,
            },
        }
    }
}
