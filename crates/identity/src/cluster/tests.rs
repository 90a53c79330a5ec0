//! Whole tables: what is told, and what is answered.

mod behaviour;
mod model;
mod room;

use std::net::IpAddr;

use super::*;
use crate::description::{Pairs, Text};

const SECOND: u64 = 1_000_000_000;
const LINGER: u64 = 30 * SECOND;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn name(namespace: &str, name: &str) -> ObjectName {
    ObjectName { namespace: Text::new(namespace), name: Text::new(name) }
}

fn pairs(list: &[(&str, &str)]) -> Pairs {
    Pairs::collect(list.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes())))
}

/// A pod of namespace `shop`, created at so many seconds, with a UID of its name and that.
fn pod(pod: &str, ips: &[&str], created: u64) -> Pod {
    Pod {
        name: name("shop", pod),
        uid: Text::new(&format!("{pod}-{created}")),
        node: Text::new("node-1"),
        ips: ips.iter().map(|text| ip(text)).collect(),
        host_network: false,
        has_ended: false,
        labels: pairs(&[("app", "web")]),
        owner: None,
        created_at_ns: created * SECOND,
        containers: Vec::new(),
    }
}

fn cluster() -> Cluster {
    Cluster::new("", Limits::default())
}

fn tell(cluster: &mut Cluster, pod: &Pod, now: u64) {
    cluster.apply(Change::Pod(pod.clone()), now);
}

fn gone(cluster: &mut Cluster, pod: &Pod, now: u64) {
    cluster.apply(Change::PodGone(pod.name.clone()), now);
}

/// The name of the pod at an address and a time.
fn at(cluster: &Cluster, address: &str, time: u64) -> Option<String> {
    cluster.pod_at(ip(address), time).map(|pod| pod.name().to_string())
}

fn port(name: &str, port: u16, node_port: u16) -> ServicePort {
    ServicePort { name: Text::new(name), protocol: Protocol::Tcp, port, node_port }
}

fn service(service: &str, cluster_ip: &str, ports: Vec<ServicePort>) -> Service {
    Service {
        name: name("shop", service),
        cluster_ips: vec![ip(cluster_ip)],
        external_ips: Vec::new(),
        ports,
        labels: Pairs::default(),
    }
}

fn slice(slice: ObjectName, service: &str, ips: &[&str], ports: Vec<ServicePort>) -> EndpointSlice {
    let endpoint =
        |text: &&str| Endpoint { ips: vec![ip(text)], ready: true, pod: None, node: None };
    let endpoints = ips.iter().map(endpoint).collect();
    EndpointSlice { name: slice, service: Some(Text::new(service)), endpoints, ports }
}

fn node(node: &str, address: &str, pods: Option<(&str, u8)>) -> Node {
    let range = |(address, prefix_bits)| Cidr { address: ip(address), prefix_bits };
    Node {
        name: Text::new(node),
        addresses: vec![NodeAddress { kind: NodeAddressKind::Internal, ip: ip(address) }],
        pod_cidrs: pods.map(range).into_iter().collect(),
        labels: Pairs::default(),
    }
}

fn kube_system(uid: &str) -> Change {
    let (name, uid) = (Text::new("kube-system"), Text::new(uid));
    Change::Namespace(Namespace { name, uid, labels: Pairs::default() })
}
