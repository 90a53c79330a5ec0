//! Pods as columns or as JSON.

use chandra_event::bounded::Pairs;
use chandra_event::text::escape;
use chandra_event::who::Who;
use chandra_identity::description::PodDescription;
use chandra_identity::selector::{Place, Subject, Verdict};
use serde_json::{Map, Value, json};

use super::Now;
use crate::cli::list::ListFormat;

/// The list.
pub fn text(now: &Now<'_>) -> String {
    let pods = now.identity.descriptions.pods().map(AsRef::as_ref);
    let mut pods: Vec<&PodDescription> = pods.filter(|pod| is_selected(now, pod)).collect();
    pods.sort_by_key(|pod| (pod.namespace.as_str().to_owned(), pod.name.as_str().to_owned()));
    if now.options.format == ListFormat::Json {
        let lines = pods
            .iter()
            .map(|pod| json!({ "pod": object(pod), "containers": containers(now, pod) }));
        return lines.map(|line| format!("{line}\n")).collect();
    }
    let mut text = format!(
        "{:<20} {:<40} {:<6} {:<16} {}\n",
        "NAMESPACE", "POD", "READY", "ADDRESS", "CONTAINERS"
    );
    for pod in pods {
        let (namespace, name) =
            (escape(pod.namespace.as_str().as_bytes()), escape(pod.name.as_str().as_bytes()));
        let address = pod.ips.first().map_or_else(|| "host".to_owned(), ToString::to_string);
        let ready = if pod.ready { "yes" } else { "no" };
        let containers = containers(now, pod).join(", ");
        text += &format!("{namespace:<20} {name:<40} {ready:<6} {address:<16} {containers}\n");
    }
    text
}

/// A pod is selected by itself, or by one of its containers.
fn is_selected(now: &Now<'_>, pod: &PodDescription) -> bool {
    let workload = now.identity.workload_of(pod);
    let names = containers(now, pod);
    let names = names.iter().map(|name| Some(name.as_str()));
    let mut subjects = names.chain([None]).map(|container_name| Subject {
        place: Place::Pod,
        namespace: Some(pod.namespace.as_str()),
        pod: Some(pod.name.as_str()),
        labels: Some(&pod.labels),
        workload: workload.as_ref().map(|(kind, name)| (&**kind, &**name)),
        container_name,
        container_id: None,
        node: Some(&now.options.node),
    });
    subjects.any(|subject| now.options.selector.matches(&subject) == Verdict::Yes)
}

fn containers(now: &Now<'_>, pod: &PodDescription) -> Vec<String> {
    let inside = now
        .identity
        .descriptions
        .containers()
        .filter(|container| container.sandbox_id.as_ref() == Some(&pod.sandbox_id));
    inside.map(|container| escape(container.name.as_str().as_bytes())).collect()
}

/// A pod as every record has it, and what only a list tells.
fn object(pod: &PodDescription) -> Value {
    json!({
        "namespace": pod.namespace.as_str(),
        "name": pod.name.as_str(),
        "uid": pod.uid.as_str(),
        "labels": pairs(&pod.labels),
        "addresses": pod.ips.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "host_network": pod.host_network,
        "ready": pod.ready,
    })
}

/// The objects `container`, `pod` and `workload`.
pub fn who(who: &Who<'_>) -> Value {
    let mut objects = Map::new();
    if let Some(container) = who.container {
        let mut object = json!({ "id": container.id, "runtime": container.runtime });
        for (name, value) in [("name", container.name), ("image", container.image)] {
            if let Some(value) = value {
                object[name] = value.into();
            }
        }
        if container.is_sandbox {
            object["is_sandbox"] = true.into();
        }
        objects.insert("container".to_owned(), object);
    }
    if let Some(pod) = who.pod {
        let mut object = Map::new();
        for (name, value) in [("namespace", pod.namespace), ("name", pod.name), ("uid", pod.uid)] {
            object.extend(value.map(|value| (name.to_owned(), value.into())));
        }
        object.extend(pod.labels.map(|labels| ("labels".to_owned(), pairs(labels))));
        objects.insert("pod".to_owned(), object.into());
    }
    if let Some(workload) = who.workload {
        let object = json!({ "kind": workload.kind, "name": workload.name });
        objects.insert("workload".to_owned(), object);
    }
    objects.into()
}

fn pairs(pairs: &Pairs) -> Value {
    let object: Map<String, Value> =
        pairs.iter().map(|(key, value)| (key.to_owned(), value.as_str().into())).collect();
    Value::Object(object)
}
