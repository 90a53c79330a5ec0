//! What a runtime says of a container and its pod, as lines of a recording: rules ask for it, and no record shows it.
//!
//! Such a line stands before the first record of the container, and again when something of it has changed. A text
//! that was cut says how much of it is missing.

use std::net::IpAddr;

use chandra_event::bounded::{Pairs, Text};
use chandra_event::who::{
    Container, ContainerDetails, HostNamespaces, Mount, Pod, Propagation, Who,
};
use serde_json::{Map, Value, json};

/// The type of such a line.
pub const CONTAINER: &str = "container";

/// What is said of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    details: Option<ContainerDetails>,
    labels: Option<Pairs>,
    sandbox: Option<String>,
    addresses: Option<Vec<IpAddr>>,
    host_namespaces: HostNamespaces,
    network_json: Option<String>,
}

impl Said {
    /// What is known of the container of a record.
    pub fn of(container: &Container<'_>, pod: Option<&Pod<'_>>) -> Self {
        let pod = pod.copied().unwrap_or_default();
        Self {
            details: container.details.cloned(),
            labels: pod.labels.cloned(),
            sandbox: pod.sandbox.map(str::to_owned),
            addresses: pod.addresses.map(<[IpAddr]>::to_vec),
            host_namespaces: pod.host_namespaces,
            network_json: pod.network_json.map(str::to_owned),
        }
    }

    /// It is still so.
    pub fn holds_of(&self, container: &Container<'_>, pod: Option<&Pod<'_>>) -> bool {
        let pod = pod.copied().unwrap_or_default();
        self.details.as_ref() == container.details
            && self.labels.as_ref() == pod.labels
            && self.sandbox.as_deref() == pod.sandbox
            && self.addresses.as_deref() == pod.addresses
            && self.host_namespaces == pod.host_namespaces
            && self.network_json.as_deref() == pod.network_json
    }

    /// Adds it to what a record says of its container.
    pub fn add_to<'s>(&'s self, who: &mut Who<'s>) {
        if let Some(container) = &mut who.container {
            container.details = self.details.as_ref();
        }
        if let Some(pod) = &mut who.pod {
            pod.labels = self.labels.as_ref().or(pod.labels);
            pod.sandbox = self.sandbox.as_deref();
            pod.addresses = self.addresses.as_deref();
            pod.host_namespaces = self.host_namespaces;
            pod.network_json = self.network_json.as_deref();
        }
    }

    /// The line, with its end.
    pub fn line(&self, id: &str) -> String {
        let details = self.details.as_ref().map(details_json);
        let addresses = self.addresses.as_ref();
        let addresses =
            addresses.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
        let object = json!({
            "type": CONTAINER,
            "id": id,
            "details": details,
            "pod": {
                "labels": self.labels.as_ref().map(pairs_json),
                "sandbox": self.sandbox,
                "addresses": addresses,
                "host_namespaces": namespaces_json(&self.host_namespaces),
                "network_json": self.network_json,
            },
        });
        format!("{object}\n")
    }

    /// The container, and what a line says of it.
    pub fn read(object: &Value) -> Option<(String, Self)> {
        let pod = object.get("pod")?;
        let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
        let addresses = pod.get("addresses").and_then(Value::as_array);
        let parsed = |all: &Vec<Value>| {
            all.iter().filter_map(|one| one.as_str()?.parse().ok()).collect::<Vec<IpAddr>>()
        };
        let said = Self {
            details: object.get("details").filter(|it| it.is_object()).map(details_of),
            labels: pod.get("labels").and_then(pairs_of),
            sandbox: text(pod, "sandbox"),
            addresses: addresses.map(parsed),
            host_namespaces: namespaces_of(pod.get("host_namespaces")),
            network_json: text(pod, "network_json"),
        };
        Some((text(object, "id")?, said))
    }
}

fn details_json(details: &ContainerDetails) -> Value {
    let mount = |mount: &Mount| {
        json!({
            "host_path": text_json(&mount.host_path),
            "container_path": text_json(&mount.container_path),
            "read_only": mount.read_only,
            "propagation": mount.propagation.word(),
        })
    };
    let mounts = details.mounts.as_ref();
    json!({
        "image_id": text_json(&details.image_id),
        "image_reference": text_json(&details.image_reference),
        "started_at_ns": details.started_at_ns.map(|ns| ns.to_string()),
        "labels": details.labels.as_ref().map(pairs_json),
        "privileged": details.privileged,
        "mounts": mounts.map(|all| all.iter().map(mount).collect::<Vec<_>>()),
        "mounts_omitted": details.mounts_omitted,
        "host_namespaces": namespaces_json(&details.host_namespaces),
    })
}

fn details_of(object: &Value) -> ContainerDetails {
    let is = |of: &Value, name: &str| of.get(name).and_then(Value::as_bool);
    let mount = |object: &Value| Mount {
        host_path: text_of(object.get("host_path")),
        container_path: text_of(object.get("container_path")),
        read_only: is(object, "read_only").unwrap_or_default(),
        propagation: object.get("propagation").and_then(Value::as_str).map_or(
            Propagation::default(),
            |word| {
                let all = [Propagation::Private, Propagation::Slave, Propagation::Shared];
                all.into_iter().find(|one| one.word() == word).unwrap_or_default()
            },
        ),
    };
    let started = object.get("started_at_ns").and_then(Value::as_str);
    let omitted = object.get("mounts_omitted").and_then(Value::as_u64).unwrap_or_default();
    ContainerDetails {
        image_id: text_of(object.get("image_id")),
        image_reference: text_of(object.get("image_reference")),
        started_at_ns: started.and_then(|digits| digits.parse().ok()),
        labels: object.get("labels").and_then(pairs_of),
        privileged: is(object, "privileged"),
        mounts: object
            .get("mounts")
            .and_then(Value::as_array)
            .map(|all| all.iter().map(mount).collect()),
        mounts_omitted: u32::try_from(omitted).unwrap_or(u32::MAX),
        host_namespaces: namespaces_of(object.get("host_namespaces")),
    }
}

fn namespaces_json(namespaces: &HostNamespaces) -> Value {
    let HostNamespaces { pid, network, ipc } = namespaces;
    json!({ "pid": pid, "network": network, "ipc": ipc })
}

fn namespaces_of(object: Option<&Value>) -> HostNamespaces {
    let is = |name: &str| object?.get(name)?.as_bool();
    HostNamespaces { pid: is("pid"), network: is("network"), ipc: is("ipc") }
}

/// A text as it is; one that was cut with how much of it is missing.
fn text_json(text: &Text) -> Value {
    match text.cut_bytes() {
        0 => text.as_str().into(),
        cut => json!({ "text": text.as_str(), "cut_bytes": cut }),
    }
}

fn text_of(value: Option<&Value>) -> Text {
    let whole = value.and_then(Value::as_str);
    let kept = || value?.get("text")?.as_str();
    let cut = value.and_then(|it| it.get("cut_bytes")?.as_u64()).unwrap_or_default();
    Text::cut(whole.or_else(kept).unwrap_or_default(), cut)
}

fn pairs_json(pairs: &Pairs) -> Value {
    let map: Map<String, Value> =
        pairs.iter().map(|(key, value)| (key.to_owned(), text_json(value))).collect();
    json!({ "pairs": map, "omitted": pairs.omitted() })
}

fn pairs_of(object: &Value) -> Option<Pairs> {
    let map = object.get("pairs")?.as_object()?;
    let omitted = object.get("omitted").and_then(Value::as_u64).unwrap_or_default();
    let pairs = map.iter().map(|(key, value)| (key.as_str(), text_of(Some(value))));
    Some(Pairs::kept(pairs, u32::try_from(omitted).unwrap_or(u32::MAX)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn long() -> String {
        "x".repeat(Text::MAX_BYTES + 7)
    }

    fn details() -> ContainerDetails {
        let long = long();
        ContainerDetails {
            image_id: Text::new("sha256:ab"),
            image_reference: Text::new("reg/a@sha256:cd"),
            started_at_ns: Some(1_795_338_611_123_456_789),
            labels: Some(Pairs::collect([
                (&b"tier"[..], &b"front"[..]),
                (b"long", long.as_bytes()),
                (&[b'k'; 999][..], b"left out"),
            ])),
            privileged: Some(true),
            mounts: Some(vec![Mount {
                host_path: Text::new("/proc"),
                container_path: Text::new(&long),
                read_only: true,
                propagation: Propagation::Slave,
            }]),
            mounts_omitted: 3,
            host_namespaces: HostNamespaces { pid: Some(true), network: None, ipc: Some(false) },
        }
    }

    fn comes_back(container: &Container<'_>, pod: Option<&Pod<'_>>) {
        let said = Said::of(container, pod);
        let line = said.line(container.id);
        let (id, again) = Said::read(&serde_json::from_str(&line).unwrap()).unwrap();
        assert_eq!((&*id, &again), (container.id, &said));
        let who = Who { container: Some(*container), pod: pod.copied(), ..Who::default() };
        // As a record alone has it.
        let mut shown = who;
        shown.container.as_mut().unwrap().details = None;
        if let Some(pod) = &mut shown.pod {
            let Pod { namespace, name, uid, .. } = *pod;
            *pod = Pod { namespace, name, uid, ..Pod::default() };
        }
        again.add_to(&mut shown);
        assert_eq!(shown, who);
        assert!(again.holds_of(container, pod));
    }

    #[test]
    fn all_that_is_said_comes_back_with_what_is_missing_of_it() {
        let details = details();
        let labels = details.labels.clone().unwrap();
        assert!(labels.omitted() == 1 && labels.get("long").unwrap().cut_bytes() == 7);
        let addresses = ["10.0.0.7".parse().unwrap(), "fd00::7".parse().unwrap()];
        let container = Container {
            id: "c0ffee",
            runtime: "containerd",
            name: Some("app"),
            image: Some("a:1"),
            is_sandbox: false,
            details: Some(&details),
        };
        let pod = Pod {
            namespace: Some("shop"),
            name: Some("web"),
            uid: Some("u"),
            labels: Some(&labels),
            sandbox: Some("5a"),
            addresses: Some(&addresses),
            host_namespaces: HostNamespaces { pid: None, network: Some(true), ipc: None },
            network_json: Some("{\"a\":1}"),
        };
        comes_back(&container, Some(&pod));
        comes_back(&container, None);
        let unknown = ContainerDetails::default();
        comes_back(&Container { details: Some(&unknown), ..container }, Some(&Pod::default()));
        comes_back(&Container { details: None, ..container }, Some(&pod));
        let said = Said::of(&container, Some(&pod));
        assert!(!said.holds_of(&container, None));
        assert!(!said.holds_of(&Container { details: Some(&unknown), ..container }, Some(&pod)));
    }

    #[test]
    fn what_is_no_such_line_says_nothing() {
        for object in [json!({}), json!({ "id": "x" }), json!({ "pod": 1, "id": 5 })] {
            assert!(Said::read(&object).is_none(), "{object}");
        }
        let odd = json!({ "id": "x", "pod": { "addresses": [1, "no"], "labels": { "pairs": [] } }, "details": [] });
        assert_eq!(
            Said::read(&odd).unwrap().1,
            Said { addresses: Some(vec![]), ..Said::default() }
        );
    }
}
