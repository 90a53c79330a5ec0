//! What selectors mean, case by case, and against a naive reading of the same rules.

mod cases;
mod errors;
mod model;

use super::{Selector, Subject, Typed};
use crate::description::Pairs;

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn pairs(list: &[(&str, &str)]) -> Pairs {
    Pairs::collect(list.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes())))
}

/// A selector of what is typed for one kind.
fn selector(kind: &str, texts: &[&str]) -> Selector {
    let texts = strings(texts);
    let mut typed = Typed::default();
    let place = match kind {
        "namespace" => &mut typed.namespaces,
        "pod" => &mut typed.pods,
        "label" => &mut typed.labels,
        "workload" => &mut typed.workloads,
        "container" => &mut typed.containers,
        "node" => &mut typed.nodes,
        kind => panic!("no kind {kind}"),
    };
    *place = &texts;
    Selector::parse(&typed).unwrap()
}

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A container of which all is known but its labels.
fn known() -> Subject<'static> {
    Subject {
        place: super::Place::Pod,
        namespace: Some("shop"),
        pod: Some("web-7d4b9-x2x"),
        labels: None,
        workload: Some(("Deployment", "web")),
        container_name: Some("nginx"),
        container_id: Some(ID),
        node: Some("node-1.example"),
    }
}
