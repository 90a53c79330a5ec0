//! Objects as the API writes them, with what matters to who is who.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Cluster;
use crate::cgroup::{self, Nested};
use crate::scratch::unique;

/// A pod.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pod<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its uid.
    pub uid: &'a str,
    /// Where it runs.
    pub node: &'a str,
    /// Its address, if it has one yet.
    pub ip: Option<&'a str>,
    /// Its labels.
    pub labels: &'a [(&'a str, &'a str)],
    /// Kind and name of what made it.
    pub owner: Option<(&'a str, &'a str)>,
    /// Name, image and id of each of its containers.
    pub containers: &'a [(&'a str, &'a str, &'a str)],
}

impl Pod<'_> {
    /// It as the API writes it.
    pub fn object(&self) -> Value {
        let labels: BTreeMap<_, _> = self.labels.iter().copied().collect();
        let owner = self
            .owner
            .map(|(kind, name)| json!([{"kind": kind, "name": name, "controller": true}]));
        let container = |(name, image, id): &(&str, &str, &str)| json!({"name": name, "image": image, "containerID": format!("containerd://{id}")});
        let containers: Vec<_> = self.containers.iter().map(container).collect();
        json!({
            "metadata": {
                "namespace": self.namespace,
                "uid": self.uid,
                "labels": labels,
                "ownerReferences": owner,
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {"nodeName": self.node},
            "status": {"phase": "Running", "podIP": self.ip, "containerStatuses": containers},
        })
    }
}

impl Cluster {
    /// Adds or changes a pod.
    pub fn put_pod(&self, pod: &Pod<'_>) {
        self.put("pods", pod.name, pod.object());
    }

    /// Adds a pod with one container on the node `own`, and makes that container's cgroup as the kubelet would.
    pub fn put_pod_with_cgroup(&self, namespace: &str, name: &str) -> Nested {
        let uid = format!("6f1e0c5a-3b0d-4c57-9f0e-{:012x}", unique());
        let id = format!("{:064x}", unique());
        let containers = [("server", "registry.example/web:1", id.as_str())];
        let pod = Pod { namespace, name, uid: &uid, node: "own", ..Pod::default() };
        self.put_pod(&Pod { containers: &containers, ..pod });
        let names = ["kubepods", "burstable", &format!("pod{uid}"), &id];
        Nested::new(&cgroup::mount(), &names)
    }

    /// Adds or changes a service with one port.
    pub fn put_service(&self, namespace: &str, name: &str, ip: &str, port: (&str, u16)) {
        let ports = json!([{"name": port.0, "protocol": "TCP", "port": port.1}]);
        let object = json!({
            "metadata": {"namespace": namespace}, "spec": {"clusterIP": ip, "ports": ports},
        });
        self.put("services", name, object);
    }

    /// Adds or changes the slice with the one endpoint of a service.
    pub fn put_endpoint(&self, namespace: &str, service: &str, ip: &str, port: (&str, u16)) {
        let object = json!({
            "metadata": {
                "namespace": namespace, "labels": {"kubernetes.io/service-name": service},
            },
            "endpoints": [{"addresses": [ip], "conditions": {"ready": true}}],
            "ports": [{"name": port.0, "protocol": "TCP", "port": port.1}],
        });
        self.put("endpointslices", service, object);
    }

    /// Adds or changes a node.
    pub fn put_node(&self, name: &str, ip: &str, pod_cidr: &str) {
        let object = json!({
            "metadata": {},
            "spec": {"podCIDR": pod_cidr},
            "status": {"addresses": [{"type": "InternalIP", "address": ip}]},
        });
        self.put("nodes", name, object);
    }
}
