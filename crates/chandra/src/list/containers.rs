//! Containers as columns or as JSON.

use std::collections::HashMap;

use chandra_event::text::escape;
use chandra_event::who::Who;
use serde_json::json;

use super::{Now, pods};
use crate::cli::list::ListFormat;

/// The list.
pub fn text(now: &mut Now<'_>) -> String {
    let mut containers: Vec<_> = now
        .identity
        .cgroups
        .containers()
        .map(|container| (container.id.clone(), container.number))
        .collect();
    containers.sort();
    containers.retain(|(_, number)| now.selects(Some(*number)));
    let mut processes: HashMap<_, usize> = HashMap::new();
    for container in now.identity.processes.iter().filter_map(|entry| now.container(entry)) {
        *processes.entry(container.number).or_default() += 1;
    }
    let is_json = now.options.format == ListFormat::Json;
    let mut text = String::new();
    if !is_json {
        text =
            row(["CONTAINER", "RUNTIME", "NAME", "POD", "IMAGE", "PROCESSES"].map(str::to_owned));
    }
    for (_, number) in containers {
        let count = processes.get(&number).copied().unwrap_or_default();
        let who = now.identity.who_is(number);
        text += &if is_json { object(&who, count) } else { columns(&who, count) };
    }
    text
}

fn columns(who: &Who<'_>, processes: usize) -> String {
    let Some(container) = who.container else { return String::new() };
    let shown =
        |text: Option<&str>| text.map_or_else(|| "-".to_owned(), |text| escape(text.as_bytes()));
    let pod = match who.pod {
        Some(pod) if pod.name.is_some() => {
            format!("{}/{}", shown(pod.namespace), shown(pod.name))
        }
        pod => shown(pod.and_then(|pod| pod.uid)),
    };
    let name = if container.is_sandbox { "(sandbox)".to_owned() } else { shown(container.name) };
    let (id, runtime) = (short(container.id).to_owned(), container.runtime.to_owned());
    row([id, runtime, name, pod, shown(container.image), processes.to_string()])
}

fn row([id, runtime, name, pod, image, processes]: [String; 6]) -> String {
    format!("{id:<14} {runtime:<12} {name:<20} {pod:<40} {image:<30} {processes:>9}\n")
}

/// An id as runtimes abbreviate it.
pub fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// The objects that say which container it is, as on every record.
fn object(who: &Who<'_>, processes: usize) -> String {
    let mut object = pods::who(who);
    object["processes"] = json!(processes);
    format!("{object}\n")
}
