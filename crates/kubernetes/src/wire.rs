//! Objects as the API writes them, with only the fields that are read: what is not named here is
//! skipped without being kept.
//!
//! Everything may be missing or `null`, which the API writes for what is empty.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// One line of a watch, before it is known what it has.
#[derive(Deserialize)]
pub(crate) struct Head {
    #[serde(rename = "type")]
    pub kind: String,
}

/// One line of a watch.
#[derive(Deserialize)]
pub(crate) struct Event<T> {
    pub object: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub uid: Option<String>,
    pub resource_version: Option<String>,
    pub creation_timestamp: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
    pub owner_references: Option<Vec<OwnerReference>>,
}

#[derive(Deserialize)]
pub(crate) struct OwnerReference {
    pub kind: Option<String>,
    pub name: Option<String>,
    pub controller: Option<bool>,
}

/// `metadata` of a list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListMetadata {
    pub resource_version: Option<String>,
    #[serde(rename = "continue")]
    pub next_page: Option<String>,
}

/// Any object.
#[derive(Deserialize)]
pub(crate) struct Object<Spec = IgnoredAny, Status = IgnoredAny> {
    pub metadata: Metadata,
    pub spec: Option<Spec>,
    pub status: Option<Status>,
}

pub(crate) type Pod = Object<PodSpec, PodStatus>;
pub(crate) type Service = Object<ServiceSpec, ServiceStatus>;
pub(crate) type Node = Object<NodeSpec, NodeStatus>;
pub(crate) type Namespace = Object;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PodSpec {
    pub node_name: Option<String>,
    pub host_network: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PodStatus {
    pub phase: Option<String>,
    #[serde(rename = "podIP")]
    pub pod_ip: Option<String>,
    #[serde(rename = "podIPs")]
    pub pod_ips: Option<Vec<Address>>,
    pub init_container_statuses: Option<Vec<ContainerStatus>>,
    pub container_statuses: Option<Vec<ContainerStatus>>,
    pub ephemeral_container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Deserialize)]
pub(crate) struct ContainerStatus {
    pub name: Option<String>,
    pub image: Option<String>,
    /// `containerd://ID`
    #[serde(rename = "containerID")]
    pub container_id: Option<String>,
}

/// `{"ip": …}`, of a pod or of a load balancer.
#[derive(Deserialize)]
pub(crate) struct Address {
    pub ip: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceSpec {
    #[serde(rename = "clusterIP")]
    pub cluster_ip: Option<String>,
    #[serde(rename = "clusterIPs")]
    pub cluster_ips: Option<Vec<String>>,
    #[serde(rename = "externalIPs")]
    pub external_ips: Option<Vec<String>>,
    pub ports: Option<Vec<Port>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceStatus {
    pub load_balancer: Option<LoadBalancer>,
}

#[derive(Deserialize, Default)]
pub(crate) struct LoadBalancer {
    pub ingress: Option<Vec<Address>>,
}

/// A port of a service or of a slice.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Port {
    pub name: Option<String>,
    pub protocol: Option<String>,
    pub port: Option<u16>,
    pub node_port: Option<u16>,
}

#[derive(Deserialize)]
pub(crate) struct EndpointSlice {
    pub metadata: Metadata,
    pub endpoints: Option<Vec<Endpoint>>,
    pub ports: Option<Vec<Port>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Endpoint {
    pub addresses: Option<Vec<String>>,
    pub conditions: Option<Conditions>,
    pub target_ref: Option<TargetReference>,
    pub node_name: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Conditions {
    pub ready: Option<bool>,
}

#[derive(Deserialize)]
pub(crate) struct TargetReference {
    pub kind: Option<String>,
    pub name: Option<String>,
}

#[derive(Deserialize, Default)]
pub(crate) struct NodeSpec {
    #[serde(rename = "podCIDR")]
    pub pod_cidr: Option<String>,
    #[serde(rename = "podCIDRs")]
    pub pod_cidrs: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
pub(crate) struct NodeStatus {
    pub addresses: Option<Vec<NodeAddress>>,
}

#[derive(Deserialize)]
pub(crate) struct NodeAddress {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub address: Option<String>,
}

/// A refusal, as the body of an answer or as the object of an event.
#[derive(Deserialize, Default)]
pub(crate) struct Refusal {
    pub code: Option<u16>,
    pub reason: Option<String>,
    pub message: Option<String>,
}
