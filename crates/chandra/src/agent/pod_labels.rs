//! The labels of families that tell of containers one by one: whose it is, down to its name.

use chandra_event::who::Who;
use chandra_metrics::Values;

/// Their names.
pub const LABELS: [&str; 5] = ["namespace", "workload_kind", "workload", "pod", "container"];

/// Their values, as far as they are known; empty ones for what is in no pod.
pub fn spell(who: &Who<'_>, values: &mut Values) {
    spell_to(LABELS.len(), who, values);
}

/// The values of the first so many labels.
pub fn spell_to(most: usize, who: &Who<'_>, values: &mut Values) {
    values.clear();
    let (pod, workload) = (who.pod, who.workload);
    let all = [
        pod.and_then(|pod| pod.namespace),
        workload.map(|workload| workload.kind),
        workload.map(|workload| workload.name),
        pod.and_then(|pod| pod.name.or(pod.uid)),
        who.container.map(|container| container.name.unwrap_or(container.id)),
    ];
    for value in all.into_iter().take(most) {
        values.push(value.unwrap_or_default());
    }
}
