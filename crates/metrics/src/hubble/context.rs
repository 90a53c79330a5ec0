//! Labels that say who is at each end of a flow.
//!
//! What a source or destination is called by is chosen by who configures the metric: `pod|dns|ip` is the
//! pod where there is one, else the names, else the address. Egress and ingress can have contexts of
//! their own, so that only the end on this node is called by its pod.

use std::fmt::Write;
use std::net::IpAddr;

use chandra_hubble::flow::{Endpoint, Flow, TrafficDirection, Workload};

use super::options::words;
use crate::values::Values;

words! {
    /// What an end is called by.
    Identifier {
        /// All its labels.
        Identity = "identity",
        Namespace = "namespace",
        /// `namespace/name`
        Pod = "pod",
        PodName = "pod-name",
        /// All names that were resolved to its address.
        Dns = "dns",
        Ip = "ip",
        /// `reserved:world` and the like.
        ReservedIdentity = "reserved-identity",
        /// `namespace/name`
        Workload = "workload",
        WorkloadName = "workload-name",
        /// What its labels say the application is.
        App = "app",
    }
}

words! {
    /// A label with a name of its own.
    Label {
        SourceIp = "source_ip",
        SourcePod = "source_pod",
        SourceNamespace = "source_namespace",
        SourceWorkload = "source_workload",
        SourceWorkloadKind = "source_workload_kind",
        SourceApp = "source_app",
        DestinationIp = "destination_ip",
        DestinationPod = "destination_pod",
        DestinationNamespace = "destination_namespace",
        DestinationWorkload = "destination_workload",
        DestinationWorkloadKind = "destination_workload_kind",
        DestinationApp = "destination_app",
        TrafficDirection = "traffic_direction",
    }
}

/// What the ends of a flow are called by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Contexts {
    pub source: Side,
    pub destination: Side,
    /// In the order in which they are written.
    pub labels: Vec<Label>,
}

/// What one end is called by: the first that is not empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Side {
    pub any: Option<Vec<Identifier>>,
    pub egress: Option<Vec<Identifier>>,
    pub ingress: Option<Vec<Identifier>>,
}

impl Side {
    fn is_used(&self) -> bool {
        self.any.is_some() || self.egress.is_some() || self.ingress.is_some()
    }

    fn has(&self, identifier: Identifier) -> bool {
        let all = [&self.any, &self.egress, &self.ingress];
        all.into_iter().flatten().any(|identifiers| identifiers.contains(&identifier))
    }

    fn of(&self, direction: TrafficDirection) -> &[Identifier] {
        let own = match direction {
            TrafficDirection::Ingress => &self.ingress,
            TrafficDirection::Egress => &self.egress,
            TrafficDirection::Unknown => &None,
        };
        own.as_ref().or(self.any.as_ref()).map(Vec::as_slice).unwrap_or_default()
    }
}

/// One end of a flow.
struct End<'a> {
    endpoint: Option<&'a Endpoint>,
    ip: Option<IpAddr>,
    names: &'a [String],
}

impl<'a> End<'a> {
    fn source(flow: &'a Flow) -> Self {
        let names = flow.source_names.as_deref().map(Vec::as_slice).unwrap_or_default();
        Self { endpoint: flow.source.as_deref(), ip: flow.source_ip, names }
    }

    fn destination(flow: &'a Flow) -> Self {
        let names = flow.destination_names.as_deref().map(Vec::as_slice).unwrap_or_default();
        Self { endpoint: flow.destination.as_deref(), ip: flow.destination_ip, names }
    }

    fn text(&self, field: impl FnOnce(&'a Endpoint) -> &'a str) -> &'a str {
        self.endpoint.map(field).unwrap_or_default()
    }

    fn labels(&self) -> &'a [String] {
        self.endpoint.map(|endpoint| endpoint.labels.as_slice()).unwrap_or_default()
    }

    fn workload(&self) -> Option<&'a Workload> {
        self.endpoint?.workloads.first()
    }

    /// Adds to a value; nothing where it is not called so.
    fn write(&self, identifier: Identifier, out: &mut Values) {
        let namespaced = |name: &str, out: &mut Values| {
            let namespace = self.text(|endpoint| &endpoint.namespace);
            if !name.is_empty() && !namespace.is_empty() {
                out.add(namespace);
                out.add("/");
            }
            out.add(name);
        };
        match identifier {
            Identifier::Identity => joined(self.labels(), out),
            Identifier::Namespace => out.add(self.text(|endpoint| &endpoint.namespace)),
            Identifier::Pod => namespaced(self.text(|endpoint| &endpoint.pod_name), out),
            Identifier::PodName => out.add(self.text(|endpoint| &endpoint.pod_name)),
            Identifier::Dns => joined(self.names, out),
            Identifier::Ip => ip(self.ip, out),
            Identifier::ReservedIdentity => out.add(reserved(self.labels())),
            Identifier::Workload => {
                namespaced(self.workload().map_or("", |workload| &workload.name), out);
            }
            Identifier::WorkloadName => {
                out.add(self.workload().map_or("", |workload| &workload.name));
            }
            Identifier::App => out.add(app(self.labels())),
        }
    }

    fn push(&self, identifiers: &[Identifier], out: &mut Values) {
        for identifier in identifiers {
            self.write(*identifier, out);
            if !out.is_value_empty() {
                break;
            }
        }
        out.end();
    }
}

impl Contexts {
    /// Names of the labels.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.labels.iter().map(|label| label.word()).collect();
        names.extend(self.source.is_used().then_some("source"));
        names.extend(self.destination.is_used().then_some("destination"));
        names
    }

    /// Their values. Turned around, the source is called by what the destination of the flow is.
    pub fn push(&self, flow: &Flow, is_turned: bool, out: &mut Values) {
        let (source, destination) = (End::source(flow), End::destination(flow));
        let (from, to) = if is_turned { (&destination, &source) } else { (&source, &destination) };
        for label in &self.labels {
            label.write(from, to, flow.traffic_direction, out);
            out.end();
        }
        let direction = flow.traffic_direction;
        let sides = [(&self.source, &source), (&self.destination, &destination)];
        let [first, second] = if is_turned { [1, 0] } else { [0, 1] };
        if self.source.is_used() {
            let (side, end) = sides[first];
            end.push(side.of(direction), out);
        }
        if self.destination.is_used() {
            let (side, end) = sides[second];
            end.push(side.of(direction), out);
        }
    }

    /// Values may name pods, by which [`Self::name_pod`] knows them.
    pub fn can_name_pods(&self) -> bool {
        let has = |labels: [Label; 2]| labels.iter().all(|label| self.labels.contains(label));
        self.source.has(Identifier::Pod)
            || self.destination.has(Identifier::Pod)
            || has([Label::SourcePod, Label::SourceNamespace])
            || has([Label::DestinationPod, Label::DestinationNamespace])
    }

    /// Some of these values name this pod.
    pub fn name_pod(
        &self,
        values: &mut dyn Iterator<Item = &str>,
        namespace: &str,
        name: &str,
    ) -> bool {
        let (mut source, mut destination) = ([false; 2], [false; 2]);
        for label in &self.labels {
            let value = values.next().unwrap_or_default();
            match label {
                Label::SourcePod => source[0] = value == name,
                Label::SourceNamespace => source[1] = value == namespace,
                Label::DestinationPod => destination[0] = value == name,
                Label::DestinationNamespace => destination[1] = value == namespace,
                _ => {}
            }
        }
        let is_pod = |value: &str| value.split_once('/') == Some((namespace, name));
        let used = [&self.source, &self.destination].into_iter().filter(|side| side.is_used());
        // All of them are looked at, lest the next side is given this one's value.
        let mut is_named = source == [true; 2] || destination == [true; 2];
        for (side, value) in used.zip(values) {
            is_named |= side.has(Identifier::Pod) && is_pod(value);
        }
        is_named
    }
}

impl Label {
    fn write(self, from: &End<'_>, to: &End<'_>, direction: TrafficDirection, out: &mut Values) {
        let kind = |end: &End<'_>, out: &mut Values| {
            out.add(end.workload().map_or("", |workload| &workload.kind));
        };
        match self {
            Self::SourceIp => from.write(Identifier::Ip, out),
            Self::SourcePod => from.write(Identifier::PodName, out),
            Self::SourceNamespace => from.write(Identifier::Namespace, out),
            Self::SourceWorkload => from.write(Identifier::WorkloadName, out),
            Self::SourceWorkloadKind => kind(from, out),
            Self::SourceApp => from.write(Identifier::App, out),
            Self::DestinationIp => to.write(Identifier::Ip, out),
            Self::DestinationPod => to.write(Identifier::PodName, out),
            Self::DestinationNamespace => to.write(Identifier::Namespace, out),
            Self::DestinationWorkload => to.write(Identifier::WorkloadName, out),
            Self::DestinationWorkloadKind => kind(to, out),
            Self::DestinationApp => to.write(Identifier::App, out),
            Self::TrafficDirection => out.add(match direction {
                TrafficDirection::Ingress => "ingress",
                TrafficDirection::Egress => "egress",
                TrafficDirection::Unknown => "unknown",
            }),
        }
    }
}

fn joined(texts: &[String], out: &mut Values) {
    for (index, text) in texts.iter().enumerate() {
        out.add(if index > 0 { "," } else { "" });
        out.add(text);
    }
}

fn ip(ip: Option<IpAddr>, out: &mut Values) {
    if let Some(ip) = ip {
        let _ = write!(out, "{ip}");
    }
}

/// That of the API server, else the first that is reserved.
fn reserved(labels: &[String]) -> &str {
    let reserved = || labels.iter().filter(|label| label.starts_with("reserved:"));
    let api_server = reserved().find(|label| *label == "reserved:kube-apiserver");
    api_server.or_else(|| reserved().next()).map(String::as_str).unwrap_or_default()
}

/// By the label that Kubernetes recommends, else by those that came before it.
fn app(labels: &[String]) -> &str {
    let of = |key: &str| {
        let value = |label: &'_ String| -> Option<usize> {
            let value = label.strip_prefix("k8s:")?.strip_prefix(key)?.strip_prefix('=')?;
            (!value.is_empty()).then_some(label.len() - value.len())
        };
        labels.iter().find_map(|label| label.get(value(label)?..))
    };
    let keys = ["app.kubernetes.io/name", "k8s-app", "app"];
    keys.into_iter().find_map(of).unwrap_or_default()
}
