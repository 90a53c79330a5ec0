//! One thing that a cluster's API told, and the objects it tells of: only what names an address or a
//! process is kept of them.

use std::net::IpAddr;

use crate::description::{Pairs, Text};

/// A namespaced object by name; the namespace is empty for objects of the whole cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectName {
    /// Its namespace.
    pub namespace: Text,
    /// Its name there.
    pub name: Text,
}

/// The object that made another: the entry of `metadata.ownerReferences` with `controller: true`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// `ReplicaSet`, `DaemonSet`, `Job`, …
    pub kind: Text,
    /// Its name, in the namespace of what it owns.
    pub name: Text,
}

/// A pod of any node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Namespace and name.
    pub name: ObjectName,
    /// `metadata.uid`.
    pub uid: Text,
    /// The node that it is on; empty while it waits for one.
    pub node: Text,
    /// `status.podIPs`, or `status.podIP`.
    pub ips: Vec<IpAddr>,
    /// It shares its node's addresses.
    pub host_network: bool,
    /// It ended (phase `Succeeded` or `Failed`): its addresses may be another's by now.
    pub has_ended: bool,
    /// Its labels.
    pub labels: Pairs,
    /// Who made it.
    pub owner: Option<Owner>,
    /// `metadata.creationTimestamp`, in nanoseconds since 1970; 0 if it does not say.
    pub created_at_ns: u64,
    /// Its containers that were made, those that ended included.
    pub containers: Vec<PodContainer>,
}

/// A container as the status of its pod tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodContainer {
    /// The runtime's id of it.
    pub id: Text,
    /// Its name in the pod.
    pub name: Text,
    /// Its image as it was asked for.
    pub image: Text,
}

/// A transport protocol of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Protocol {
    /// The default.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// A port of a service or of its endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name; empty if there is only one.
    pub name: Text,
    /// The protocol.
    pub protocol: Protocol,
    /// The port that clients dial; of an endpoint, the port that it listens on. 0: every port.
    pub port: u16,
    /// The port on every node; 0 if there is none.
    pub node_port: u16,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Namespace and name.
    pub name: ObjectName,
    /// `spec.clusterIPs`; none of a headless service.
    pub cluster_ips: Vec<IpAddr>,
    /// `spec.externalIPs` and the addresses of its load balancer.
    pub external_ips: Vec<IpAddr>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// Its labels.
    pub labels: Pairs,
}

/// One backend of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its addresses.
    pub ips: Vec<IpAddr>,
    /// It takes new connections.
    pub ready: bool,
    /// The pod behind it (`targetRef` of kind `Pod`), in the namespace of the slice.
    pub pod: Option<Text>,
    /// The node that it is on.
    pub node: Option<Text>,
}

/// Some backends of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSlice {
    /// Namespace and name of the slice.
    pub name: ObjectName,
    /// The service, in the same namespace (label `kubernetes.io/service-name`).
    pub service: Option<Text>,
    /// The backends.
    pub endpoints: Vec<Endpoint>,
    /// The ports that every one of them has.
    pub ports: Vec<ServicePort>,
}

/// What an address of a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeAddressKind {
    /// `InternalIP`.
    Internal,
    /// `ExternalIP`.
    External,
}

/// An address of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeAddress {
    /// What it is for.
    pub kind: NodeAddressKind,
    /// The address.
    pub ip: IpAddr,
}

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    /// An address in it; the bits behind the prefix mean nothing.
    pub address: IpAddr,
    /// Bits that all of them share; no more than the address has.
    pub prefix_bits: u8,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: Text,
    /// Its addresses.
    pub addresses: Vec<NodeAddress>,
    /// Ranges that its pods get their addresses from, if the API knows (`spec.podCIDRs`).
    pub pod_cidrs: Vec<Cidr>,
    /// Its labels.
    pub labels: Pairs,
}

/// A namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: Text,
    /// `metadata.uid`. That of `kube-system` is the identity of the cluster.
    pub uid: Text,
    /// Its labels.
    pub labels: Pairs,
}

/// What is listed and watched on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// Pods.
    Pods,
    /// Services.
    Services,
    /// Endpoint slices.
    EndpointSlices,
    /// Nodes.
    Nodes,
    /// Namespaces.
    Namespaces,
}

impl Resource {
    /// All of them.
    pub const ALL: [Resource; 5] = [
        Resource::Namespaces,
        Resource::Nodes,
        Resource::Services,
        Resource::EndpointSlices,
        Resource::Pods,
    ];

    /// As the API names it: `endpointslices`.
    pub fn word(self) -> &'static str {
        match self {
            Resource::Pods => "pods",
            Resource::Services => "services",
            Resource::EndpointSlices => "endpointslices",
            Resource::Nodes => "nodes",
            Resource::Namespaces => "namespaces",
        }
    }
}

/// One thing that a cluster source found out.
///
/// A list comes as `Listing`, then each object, then `Listed`: what is known of that resource and was
/// not told in between is gone. It comes at the start, and again when a watch could not be resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A pod is new or has changed.
    Pod(Pod),
    /// A pod was removed.
    PodGone(ObjectName),
    /// A service is new or has changed.
    Service(Service),
    /// A service was removed.
    ServiceGone(ObjectName),
    /// A slice is new or has changed.
    EndpointSlice(EndpointSlice),
    /// A slice was removed.
    EndpointSliceGone(ObjectName),
    /// A node is new or has changed.
    Node(Node),
    /// A node was removed.
    NodeGone(Text),
    /// A namespace is new or has changed.
    Namespace(Namespace),
    /// A namespace was removed.
    NamespaceGone(Text),
    /// All objects of this resource follow.
    Listing(Resource),
    /// All objects of this resource have been told; it is up to date.
    Listed(Resource),
    /// This resource is not told of any more, for this reason; what was told may be out of date.
    Stale(Resource, String),
    /// A resource that was stale goes on where it was.
    Fresh(Resource),
}
