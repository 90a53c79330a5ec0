//! Who is at each end of a flow.
//!
//! Invariant: an endpoint is shared as long as nothing of it changes, so that a flow costs pointers.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use chandra_event::record::Record;
use chandra_event::who::{self, Who};
use chandra_hubble::flow::{
    Endpoint, EventType, Flow, FlowType, L4, Service, TcpFlags, TraceObservationPoint,
    TrafficDirection, Verdict, Workload,
};
use chandra_hubble::proto::flow::SctpChunkType;
use chandra_identity::cluster::PodView;
use chandra_identity::container::Number;
use chandra_identity::names::Peer;
use chandra_identity::numbers::{LabelSet, Reserved};

use super::cache::Cache;
use crate::follow::Told;

/// What went over the wire, seen from the end that was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// It left that end.
    pub is_sent: bool,
    /// It answers.
    pub is_reply: Option<bool>,
    /// What IP carried.
    pub carried: Carried,
    /// What became of it.
    pub verdict: Verdict,
}

/// What IP carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// A segment of TCP with these flags.
    Tcp(TcpFlags),
    /// A datagram of UDP.
    Udp,
    /// A packet of SCTP.
    Sctp,
    /// A message of ICMP: type and code.
    Icmpv4(u8, u8),
    /// A message of ICMPv6: type and code.
    Icmpv6(u8, u8),
    /// Something else.
    Other,
}

impl Carried {
    fn l4(self, source_port: u16, destination_port: u16) -> L4 {
        match self {
            Carried::Tcp(flags) => L4::Tcp { source_port, destination_port, flags },
            Carried::Udp => L4::Udp { source_port, destination_port },
            Carried::Sctp => {
                L4::Sctp { source_port, destination_port, chunk_type: SctpChunkType::Unsupported }
            }
            Carried::Icmpv4(kind, code) => L4::Icmpv4 { kind, code },
            Carried::Icmpv6(kind, code) => L4::Icmpv6 { kind, code },
            Carried::Other => L4::Unknown,
        }
    }
}

/// Both ends of a connection.
#[derive(Debug)]
pub struct Ends {
    local: SocketAddr,
    peer: SocketAddr,
    local_endpoint: Arc<Endpoint>,
    peer_endpoint: Arc<Endpoint>,
    peer_service: Option<Arc<Service>>,
    peer_names: Option<Arc<Vec<String>>>,
}

/// Endpoints, services and names that were made before.
#[derive(Debug, Default)]
pub struct Endpoints {
    local: Cache<Option<Number>, Endpoint>,
    peers: Cache<IpAddr, Endpoint>,
    services: Cache<SocketAddr, Service>,
    names: Cache<IpAddr, Vec<String>>,
}

impl Endpoints {
    /// The ends of a connection that a record tells of.
    pub fn ends(&mut self, told: &Told<'_>, local: SocketAddr, peer: SocketAddr) -> Ends {
        let [local, peer] = [local, peer].map(canonical);
        let who = told.known.who;
        let local_endpoint = match told.known.process() {
            Some(_) => self.local(told, who),
            None => self.at(local, told),
        };
        // The loopback of a pod is the pod.
        let is_own = peer.ip().is_loopback() && who.pod.is_some();
        let named = told.identity.peer_of(told.known, told.container);
        let peer_endpoint = match named {
            Some(_) if is_own => Arc::clone(&local_endpoint),
            Some(named) => self.peer(who.backend.unwrap_or(peer).ip(), &named),
            None => self.at(peer, told),
        };
        let peer_service = who.peer.service.map(|service| {
            let is_same =
                |kept: &Service| kept.name == service.name && kept.namespace == service.namespace;
            let make =
                || Service { name: service.name.into(), namespace: service.namespace.into() };
            self.services.get(peer, is_same, make)
        });
        let peer_names = who.peer.name.map(|name| {
            let is_same = |kept: &Vec<String>| kept.first().is_some_and(|kept| kept == name);
            self.names.get(peer.ip(), is_same, || vec![name.to_owned()])
        });
        Ends { local, peer, local_endpoint, peer_endpoint, peer_service, peer_names }
    }

    /// Whoever is at an address, where it is not known whose doing it was.
    fn at(&mut self, end: SocketAddr, told: &Told<'_>) -> Arc<Endpoint> {
        if end.ip().is_loopback() {
            // That of the host, or of any pod.
            return Arc::default();
        }
        let record = told.known;
        let named = told.identity.named(end, record.transport(), record.time());
        self.peer(end.ip(), &named)
    }

    fn local(&mut self, told: &Told<'_>, who: &Who<'_>) -> Arc<Endpoint> {
        let name = who.pod.and_then(|pod| Some((pod.namespace?, pod.name?)));
        let pod = name.and_then(|(namespace, name)| told.identity.pod_named(namespace, name));
        match (pod, who.pod) {
            (Some(pod), _) => {
                self.local.get(told.container, |kept| is_pod(kept, &pod), || of_pod(&pod))
            }
            (None, Some(pod)) => {
                // It was only just described, or no table of pods has room for it.
                let made = of_description(&pod, who.workload.as_ref());
                self.local.get(told.container, |kept| *kept == made, || made.clone())
            }
            (None, None) => {
                let is_host = told.container.is_none();
                let reserved = if is_host { Reserved::Host } else { Reserved::Unmanaged };
                let is_same = |kept: &Endpoint| kept.identity == reserved.number();
                self.local.get(told.container, is_same, || of_reserved(reserved))
            }
        }
    }

    fn peer(&mut self, ip: IpAddr, peer: &Peer<'_>) -> Arc<Endpoint> {
        match &peer.pod {
            Some(pod) => self.peers.get(ip, |kept| is_pod(kept, pod), || of_pod(pod)),
            None => {
                let is_same =
                    |kept: &Endpoint| kept.identity == peer.identity && kept.pod_name.is_empty();
                let make = || Endpoint {
                    identity: peer.identity,
                    labels: peer.labels().map(|label| label.to_string()).collect(),
                    ..Endpoint::default()
                };
                self.peers.get(ip, is_same, make)
            }
        }
    }
}

impl Ends {
    /// The flow of what was seen: it goes from who sent it to who got it.
    pub fn flow(&self, seen: &Seen) -> Flow {
        let Ends { local, peer, .. } = *self;
        let (local_endpoint, peer_endpoint) =
            (self.local_endpoint.clone(), self.peer_endpoint.clone());
        let (peer_service, peer_names) = (self.peer_service.clone(), self.peer_names.clone());
        let observed = match seen.is_sent {
            true => (TraceObservationPoint::ToStack, TrafficDirection::Egress),
            false => (TraceObservationPoint::ToEndpoint, TrafficDirection::Ingress),
        };
        // Without a packet that passed there is no point where it was seen.
        let (point, event_type) = match seen.verdict {
            Verdict::Forwarded => (observed.0, EventType::trace(observed.0)),
            _ => (TraceObservationPoint::UnknownPoint, EventType::default()),
        };
        let l4 = |source: SocketAddr, destination: SocketAddr| {
            seen.carried.l4(source.port(), destination.port())
        };
        let flow = Flow {
            verdict: seen.verdict,
            flow_type: FlowType::L3L4,
            event_type,
            trace_observation_point: point,
            traffic_direction: observed.1,
            is_reply: seen.is_reply,
            ..Flow::default()
        };
        match seen.is_sent {
            true => Flow {
                source_ip: Some(local.ip()),
                destination_ip: Some(peer.ip()),
                l4: l4(local, peer),
                source: Some(local_endpoint),
                destination: Some(peer_endpoint),
                destination_service: peer_service,
                destination_names: peer_names,
                ..flow
            },
            false => Flow {
                source_ip: Some(peer.ip()),
                destination_ip: Some(local.ip()),
                l4: l4(peer, local),
                source: Some(peer_endpoint),
                destination: Some(local_endpoint),
                source_service: peer_service,
                source_names: peer_names,
                ..flow
            },
        }
    }
}

/// IPv4 as IPv4 also on a socket of IPv6.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn is_pod(kept: &Endpoint, pod: &PodView<'_>) -> bool {
    kept.identity == pod.identity()
        && pod.name() == kept.pod_name.as_str()
        && kept.namespace == pod.namespace()
}

fn of_pod(pod: &PodView<'_>) -> Endpoint {
    let workload = pod.workload_name().to_string();
    Endpoint {
        identity: pod.identity(),
        namespace: pod.namespace().into(),
        pod_name: pod.name().to_string(),
        labels: texts(pod.labels().into_iter().flat_map(LabelSet::iter)),
        workloads: workloads(pod.workload_kind(), &workload),
        ..Endpoint::default()
    }
}

fn of_description(pod: &who::Pod<'_>, workload: Option<&who::Workload<'_>>) -> Endpoint {
    let namespace = pod.namespace.unwrap_or_default();
    let labels = pod.labels.map(|labels| LabelSet::new("", namespace, labels));
    Endpoint {
        identity: labels.as_ref().map_or(Reserved::Init.number(), LabelSet::number),
        namespace: namespace.into(),
        pod_name: pod.name.unwrap_or_default().into(),
        labels: match &labels {
            Some(labels) => texts(labels.iter()),
            None => reserved_label(Reserved::Init),
        },
        workloads: workload
            .map(|workload| workloads(workload.kind, workload.name))
            .unwrap_or_default(),
        ..Endpoint::default()
    }
}

fn of_reserved(reserved: Reserved) -> Endpoint {
    let (identity, labels) = (reserved.number(), reserved_label(reserved));
    Endpoint { identity, labels, ..Endpoint::default() }
}

fn reserved_label(reserved: Reserved) -> Vec<String> {
    vec![format!("reserved:{}", reserved.word())]
}

fn texts(labels: impl Iterator<Item = impl Display>) -> Vec<String> {
    labels.map(|label| label.to_string()).collect()
}

fn workloads(kind: &str, name: &str) -> Vec<Workload> {
    let is_known = !name.is_empty();
    is_known.then(|| Workload { name: name.into(), kind: kind.into() }).into_iter().collect()
}
