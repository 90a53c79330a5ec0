//! Containers as columns or as JSON.

use std::collections::HashMap;

use chandra_event::text::escape;
use chandra_identity::container::Container;
use chandra_identity::description::Text;
use serde_json::{Map, Value, json};

use super::{Now, pods};
use crate::cli::list::ListFormat;

/// The list.
pub fn text(now: &Now, format: ListFormat) -> String {
    let mut containers: Vec<_> = now.cgroups.containers().collect();
    containers.sort_by(|left, right| left.id.cmp(&right.id));
    if format == ListFormat::Json {
        let objects = containers.iter().map(|container| object(now, container));
        return objects.map(|object| format!("{}\n", Value::Object(object))).collect();
    }
    let mut text = format!(
        "{:<14} {:<12} {:<20} {:<40} {:<30} {:>9}\n",
        "CONTAINER", "RUNTIME", "NAME", "POD", "IMAGE", "PROCESSES"
    );
    let mut processes: HashMap<_, usize> = HashMap::new();
    for container in now.processes.iter().filter_map(|entry| now.container(entry)) {
        *processes.entry(container.number).or_default() += 1;
    }
    for container in containers {
        let described = now.descriptions.container(&container.id);
        let (name, image) = described.map_or_else(
            || ("-".to_owned(), "-".to_owned()),
            |described| (shown(&described.name), shown(&described.image)),
        );
        let pod = match (now.descriptions.pod_of(&container.id), &container.pod_uid) {
            (Some(pod), _) => format!("{}/{}", shown(&pod.namespace), shown(&pod.name)),
            (None, Some(uid)) => uid.as_str().to_owned(),
            (None, None) => "-".to_owned(),
        };
        let (id, runtime) = (short(&container.id), container.runtime.word());
        let processes = processes.get(&container.number).copied().unwrap_or_default();
        text +=
            &format!("{id:<14} {runtime:<12} {name:<20} {pod:<40} {image:<30} {processes:>9}\n");
    }
    text
}

fn shown(text: &Text) -> String {
    escape(text.as_str().as_bytes())
}

/// An id as runtimes abbreviate it.
pub fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// The objects `container` and `pod` that say which container this is.
pub fn object(now: &Now, container: &Container) -> Map<String, Value> {
    let mut object = json!({ "id": container.id, "runtime": container.runtime.word() });
    if let Some(described) = now.descriptions.container(&container.id) {
        object["name"] = described.name.as_str().into();
        object["image"] = described.image.as_str().into();
    }
    let mut objects = Map::new();
    match (now.descriptions.pod_of(&container.id), &container.pod_uid) {
        (Some(pod), _) => {
            objects.insert("pod".to_owned(), pods::object(pod));
        }
        (None, Some(uid)) => {
            objects.insert("pod".to_owned(), json!({ "uid": uid.as_str() }));
        }
        (None, None) => {}
    }
    objects.insert("container".to_owned(), object);
    objects
}
