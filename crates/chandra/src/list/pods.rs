//! Pods as columns or as JSON.

use chandra_event::text::escape;
use chandra_identity::description::{Pairs, PodDescription};
use serde_json::{Map, Value, json};

use super::Now;
use crate::cli::list::ListFormat;

/// The list.
pub fn text(now: &Now, format: ListFormat) -> String {
    let mut pods: Vec<_> = now.descriptions.pods().collect();
    pods.sort_by_key(|pod| (pod.namespace.as_str().to_owned(), pod.name.as_str().to_owned()));
    if format == ListFormat::Json {
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

fn containers(now: &Now, pod: &PodDescription) -> Vec<String> {
    let inside = now
        .descriptions
        .containers()
        .filter(|container| container.sandbox_id.as_ref() == Some(&pod.sandbox_id));
    inside.map(|container| escape(container.name.as_str().as_bytes())).collect()
}

/// A pod as every record has it.
pub fn object(pod: &PodDescription) -> Value {
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

fn pairs(pairs: &Pairs) -> Value {
    let object: Map<String, Value> =
        pairs.iter().map(|(key, value)| (key.to_owned(), value.as_str().into())).collect();
    Value::Object(object)
}
