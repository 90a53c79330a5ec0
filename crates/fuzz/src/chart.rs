//! Values of the chart: what is accepted of them gives manifests in which they stay values.

use chandra_chart::{render, values};
use serde_json::{Value, json};

/// A file of values, the lines of which are set one by one, too.
pub fn chart_values(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(given) = values::parse(text) {
        renders_as_manifests(&given);
    }
    let mut given = json!({});
    for line in text.lines().take(64) {
        // Let go of: what is wrong is said, and changes nothing.
        let _: Result<(), _> = values::set(&mut given, line);
    }
    renders_as_manifests(&given);
}

fn renders_as_manifests(given: &Value) {
    let Ok(stream) = render("watching", given) else { return };
    let documents = stream.split("\n---\n").map(|document| document.trim_start_matches("---\n"));
    let documents: Vec<_> = documents
        .map(|document| values::parse(document).expect("a document is YAML, whatever is in it"))
        .collect();
    let mut sets = documents.iter().filter(|document| document["kind"] == "DaemonSet");
    let set = sets.next().expect("there is a set of agents");
    assert!(sets.next().is_none(), "there is one");
    let pod = &set["spec"]["template"]["spec"];
    let security = &pod["containers"][0]["securityContext"];
    assert_eq!((&security["privileged"], &security["runAsUser"]), (&false.into(), &0.into()));
    assert_eq!(pod["containers"].as_array().map(Vec::len), Some(1));
    let kinds = documents.iter().map(|document| &document["kind"]);
    assert!(kinds.into_iter().all(Value::is_string), "each has a kind");
}
