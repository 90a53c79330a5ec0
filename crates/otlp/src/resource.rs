//! Who tells: the attributes of the resource, by OpenTelemetry's semantic conventions (1.44).

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use crate::wire::text_attribute;

/// Of which instances' ids are made that are to stay the same: the namespace that the conventions give.
const INSTANCES: Uuid = Uuid::from_u128(0x4d63_009a_8d0f_11ee_aad7_4c79_6ed8_e320);
/// Of `Resource`.
const ATTRIBUTES: u32 = 1;

/// The machine, as the agent knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The node's name.
    pub name: String,
    /// It is a node of Kubernetes.
    pub is_of_kubernetes: bool,
    /// What the kernel calls the machine.
    pub host_name: String,
    /// `/etc/machine-id`, where there is one.
    pub machine_id: Option<String>,
}

impl Node {
    /// This one, by its files.
    pub fn here(name: &str, is_of_kubernetes: bool) -> Self {
        let read = |path: &str| std::fs::read_to_string(Path::new(path)).ok();
        let line = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let machine_id = read("/etc/machine-id").or_else(|| read("/var/lib/dbus/machine-id"));
        Self {
            name: name.to_owned(),
            is_of_kubernetes,
            host_name: read("/proc/sys/kernel/hostname").and_then(line).unwrap_or_default(),
            machine_id: machine_id.and_then(line),
        }
    }
}

/// Attributes by their names, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource(pub Vec<(String, String)>);

impl Resource {
    /// What is known of the node and of the agent, and what the environment says, which goes before.
    pub fn new(node: &Node, version: &str, said: &[(String, String)]) -> Self {
        let source = node.machine_id.as_ref().unwrap_or(&node.name);
        let instance = Uuid::new_v5(&INSTANCES, source.as_bytes()).to_string();
        let known = [
            ("service.name", "chandra"),
            ("service.version", version),
            ("service.instance.id", &instance),
            ("k8s.node.name", if node.is_of_kubernetes { &node.name } else { "" }),
            ("host.name", &node.host_name),
            ("host.id", node.machine_id.as_deref().unwrap_or_default()),
            ("host.arch", architecture()),
            ("os.type", "linux"),
        ];
        let known = known.into_iter().filter(|(_, value)| !value.is_empty());
        let mut all: Vec<_> = known.map(|(key, value)| (key.into(), value.into())).collect();
        for (key, value) in said {
            all.retain(|(known, _): &(String, String)| known != key);
            all.push((key.clone(), value.clone()));
        }
        Self(all)
    }

    /// Fields of the message `Resource`.
    pub(crate) fn fields(&self) -> Arc<[u8]> {
        fields(&self.0).into()
    }

    /// Fields of the message `Resource`, of something on the node that is not the agent.
    pub(crate) fn fields_of(&self, attributes: &[(String, String)]) -> Vec<u8> {
        let is_of_node = |(key, _): &&(String, String)| !key.starts_with("service.");
        let mut out = fields(self.0.iter().filter(is_of_node));
        out.append(&mut fields(attributes));
        out
    }
}

fn fields<'a>(attributes: impl IntoIterator<Item = &'a (String, String)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in attributes {
        text_attribute(ATTRIBUTES, key, value, &mut out);
    }
    out
}

/// As the conventions write it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "x86",
        "arm" => "arm32",
        "powerpc64" => "ppc64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_goes_before_what_is_known() {
        let node = Node {
            name: "node-1".into(),
            is_of_kubernetes: true,
            host_name: "host-1".into(),
            machine_id: None,
        };
        let said = [("service.name".into(), "mine".into()), ("a".into(), "b".into())];
        let Resource(all) = Resource::new(&node, "1.2.3", &said);
        let value = |key: &str| {
            let mut found = all.iter().filter(|(known, _)| known == key);
            let value = found.next().map(|(_, value)| value.as_str());
            assert_eq!(found.next(), None, "{key} twice");
            value
        };
        assert_eq!((value("service.name"), value("a")), (Some("mine"), Some("b")));
        assert_eq!((value("k8s.node.name"), value("host.id")), (Some("node-1"), None));
        let before = value("service.instance.id").unwrap();
        let again = Resource::new(&Node { host_name: "other".into(), ..node }, "2", &[]);
        assert!(
            again.0.contains(&("service.instance.id".into(), before.into())),
            "it stays the same"
        );
    }
}
