//! Containers as columns or as JSON.

use chandra_identity::container::Container;
use serde_json::{Value, json};

use super::Now;
use crate::cli::list::ListFormat;

/// The list.
pub fn text(now: &Now, format: ListFormat) -> String {
    let mut containers: Vec<_> = now.cgroups.containers().collect();
    containers.sort_by(|left, right| left.id.cmp(&right.id));
    if format == ListFormat::Json {
        let objects = containers.iter().map(|container| json!({ "container": object(container) }));
        return objects.map(|object| format!("{object}\n")).collect();
    }
    let mut text =
        format!("{:<14} {:<12} {:<36} {:>9}\n", "CONTAINER", "RUNTIME", "POD_UID", "PROCESSES");
    for container in containers {
        let inside = now.processes.iter().filter(|entry| {
            let process = entry.process();
            let of = now.cgroups.container(process.cgroup_hierarchy, process.cgroup_id);
            of.is_some_and(|of| of.number == container.number)
        });
        let pod = container.pod_uid.as_ref().map_or("-", |uid| uid.as_str());
        let (id, runtime) = (short(&container.id), container.runtime.word());
        text += &format!("{id:<14} {runtime:<12} {pod:<36} {:>9}\n", inside.count());
    }
    text
}

/// An id as runtimes abbreviate it.
pub fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// A container as every record has it.
pub fn object(container: &Container) -> Value {
    let mut object = json!({ "id": container.id, "runtime": container.runtime.word() });
    if let Some(uid) = &container.pod_uid {
        object["pod_uid"] = uid.as_str().into();
    }
    object
}
