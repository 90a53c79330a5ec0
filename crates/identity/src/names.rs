//! Who is at an address: the one question that records ask.
//!
//! The answer is what Hubble would show: a pod, or one of its reserved identities, or a range of
//! addresses that was given a name. In this order, the first that fits:
//!
//! 1. a pod that has the address at that time, never one that shares its node's;
//! 2. this node: its own addresses, those that the cluster has of it (a cloud's external address is on no
//!    device), and loopback, which is `host` (a pod's own loopback is the pod: who knows the network
//!    namespace does not ask);
//! 3. a node where the API server answers: `kube-apiserver`, whatever the port, as in Hubble;
//! 4. another node: `remote-node`;
//! 5. an address of a service: `unknown`, because who is behind it was not chosen yet, and `world` would
//!    be wrong; the service itself is in the answer;
//! 6. an address that a node gives to its pods: `unknown`, a pod that was not told of yet;
//! 7. a range that was given a name: its number;
//! 8. `world`, or in a cluster of both families `world-ipv4` and `world-ipv6`.
//!
//! The service that a client dialled and the pod that it reached are asked for one by one, with the
//! address of each. Nothing allocates here, and no other cluster than the asked one is looked at.

mod peer;

use std::net::IpAddr;

pub use peer::{Peer, PeerLabel};

use crate::cidr::CidrNames;
use crate::cluster::{Cluster, ClusterKey, Clusters, Protocol, ServiceView};
use crate::dns::{DnsNames, Scope};
use crate::numbers::Reserved;

/// This node, from which everything is seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Here<'a> {
    /// Its name; empty if it has none.
    pub node: &'a str,
    /// Its addresses.
    pub addresses: &'a [IpAddr],
    /// The cluster has both IPv4 and IPv6.
    pub dual_stack: bool,
}

/// An address as a record has it.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// The cluster that the record is of; none outside of any.
    pub cluster: Option<ClusterKey>,
    /// The address.
    pub ip: IpAddr,
    /// The port; 0 if there is none.
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// Who the record is of, if it may have resolved the address.
    pub scope: Option<Scope>,
    /// When, in nanoseconds of event time.
    pub time_ns: u64,
}

/// Everything that names addresses.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// Pods, services and nodes.
    pub clusters: &'a Clusters,
    /// What was resolved.
    pub dns: &'a DnsNames,
    /// Ranges that were given names.
    pub ranges: &'a CidrNames,
    /// This node.
    pub here: Here<'a>,
}

impl<'a> Names<'a> {
    /// Who is at this address.
    pub fn peer(&self, question: &Question) -> Peer<'a> {
        let ip = question.ip.to_canonical();
        let cluster = question.cluster.and_then(|key| self.clusters.get(key));
        let key = cluster.map(|cluster| (cluster, cluster.key(ip)));
        if let Some(pod) = key.and_then(|(cluster, key)| cluster.pod_of(&key, question.time_ns)) {
            return Peer { pod: Some(pod), node: pod.node(), ..Peer::new(pod.identity()) };
        }
        let service = key
            .and_then(|(cluster, key)| cluster.service_of(&key, question.port, question.protocol));
        let own_node = Some(self.here.node).filter(|node| !node.is_empty());
        let node = key.and_then(|(cluster, key)| cluster.node_of(&key));
        if self.is_here(ip) || (node.is_some() && node == own_node) {
            let node = own_node;
            return Peer { node, service, ..Peer::reserved(Reserved::Host) };
        }
        if let Some((cluster, key)) = key {
            // A node that serves the API is asked for first, and it may not be a node of the cluster.
            let reserved = match (cluster.is_api(&key), node, service) {
                (true, ..) => Some(Reserved::KubeApiserver),
                (_, Some(_), _) => Some(Reserved::RemoteNode),
                (.., Some(_)) => Some(Reserved::Unknown),
                _ => cluster.node_around(&key).map(|_| Reserved::Unknown),
            };
            if let Some(reserved) = reserved {
                return Peer { node, service, ..Peer::reserved(reserved) };
            }
        }
        self.outside(ip, question)
    }

    /// The service that is dialled at this address and port.
    pub fn dialled(&self, question: &Question) -> Option<ServiceView<'a>> {
        self.cluster(question)?.service(question.ip, question.port, question.protocol)
    }

    /// The service that is answered from this address and port: where a record shows the backend only.
    pub fn answering(&self, question: &Question) -> Option<ServiceView<'a>> {
        self.cluster(question)?.backend(question.ip, question.port, question.protocol)
    }

    fn cluster(&self, question: &Question) -> Option<&'a Cluster> {
        self.clusters.get(question.cluster?)
    }

    fn is_here(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.here.addresses.iter().any(|own| own.to_canonical() == ip)
    }

    fn outside(&self, ip: IpAddr, question: &Question) -> Peer<'a> {
        let names: &'a DnsNames = self.dns;
        let dns_name =
            question.scope.and_then(|scope| names.name_here(scope, ip, question.time_ns));
        let ranges: &'a CidrNames = self.ranges;
        let range = ranges.around(ip);
        let world = match ip {
            _ if ip.is_unspecified() => Reserved::Unknown,
            IpAddr::V4(_) if self.here.dual_stack => Reserved::WorldIpv4,
            IpAddr::V6(_) if self.here.dual_stack => Reserved::WorldIpv6,
            _ => Reserved::World,
        };
        let identity = range.map_or(world.number(), |range| range.number());
        Peer { dns_name, range, reserved: Some(world), ..Peer::new(identity) }
    }
}

#[cfg(test)]
mod tests;
