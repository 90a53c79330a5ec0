//! Each kind of object.

use std::net::IpAddr;

use chandra_identity::cluster::{
    Change, Cidr, Endpoint, EndpointSlice, Namespace, Node, NodeAddress, NodeAddressKind,
    ObjectName, Owner, Pod, PodContainer, Protocol, Service, ServicePort,
};
use chandra_identity::description::{MAX_LIST, Pairs, Text};

use super::Malformed;
use crate::wire;

/// The label of a slice that names its service.
const SERVICE_LABEL: &str = "kubernetes.io/service-name";
/// What the API allows in a slice.
const MAX_ENDPOINTS: usize = 1000;
/// What is kept of a service or slice; few have more than ten.
const MAX_PORTS: usize = 1024;

impl wire::Metadata {
    /// Its name, which no object is without.
    pub(crate) fn own_name(&self) -> Result<Text, Malformed> {
        let name = self.name.as_deref().filter(|name| !name.is_empty());
        name.map(Text::new).ok_or(Malformed)
    }

    pub(crate) fn named(&self) -> Result<ObjectName, Malformed> {
        Ok(ObjectName { namespace: text(self.namespace.as_ref()), name: self.own_name()? })
    }

    fn pairs(&self) -> Pairs {
        let labels = self.labels.iter().flatten();
        Pairs::collect(labels.map(|(key, value)| (key.as_bytes(), value.as_bytes())))
    }

    fn controller(&self) -> Option<Owner> {
        let mut owners = self.owner_references.iter().flatten();
        let owner = owners.find(|owner| owner.controller == Some(true))?;
        Some(Owner { kind: text(owner.kind.as_ref()), name: text(owner.name.as_ref()) })
    }

    fn created_at_ns(&self) -> u64 {
        let told = self.creation_timestamp.as_deref();
        let time = told.and_then(|told| told.parse::<jiff::Timestamp>().ok());
        time.and_then(|time| u64::try_from(time.as_nanosecond()).ok()).unwrap_or(0)
    }
}

pub(crate) fn pod(object: &wire::Pod, omitted: &mut u64) -> Result<Change, Malformed> {
    let (spec, status) = (object.spec.as_ref(), object.status.as_ref());
    let phase = status.and_then(|status| status.phase.as_deref());
    let all = status.and_then(|status| status.pod_ips.as_ref()).into_iter().flatten();
    let mut ips = addresses(all.filter_map(|each| each.ip.as_ref()), omitted);
    if ips.is_empty() {
        ips = addresses(status.and_then(|status| status.pod_ip.as_ref()), omitted);
    }
    Ok(Change::Pod(Pod {
        name: object.metadata.named()?,
        uid: text(object.metadata.uid.as_ref()),
        node: text(spec.and_then(|spec| spec.node_name.as_ref())),
        ips,
        host_network: spec.and_then(|spec| spec.host_network).unwrap_or(false),
        has_ended: matches!(phase, Some("Succeeded" | "Failed")),
        labels: object.metadata.pairs(),
        owner: object.metadata.controller(),
        created_at_ns: object.metadata.created_at_ns(),
        containers: status.map(|status| containers(status, omitted)).unwrap_or_default(),
    }))
}

/// Those that have an id: the others were not made yet.
fn containers(status: &wire::PodStatus, omitted: &mut u64) -> Vec<PodContainer> {
    let kinds = [
        &status.init_container_statuses,
        &status.container_statuses,
        &status.ephemeral_container_statuses,
    ];
    let told = kinds.into_iter().flatten().flatten().filter_map(|told| {
        let (_, id) = told.container_id.as_deref()?.split_once("://")?;
        let (name, image) = (text(told.name.as_ref()), text(told.image.as_ref()));
        Some(PodContainer { id: Text::new(id), name, image })
    });
    let mut containers: Vec<_> = told.collect();
    *omitted += containers.len().saturating_sub(MAX_LIST) as u64;
    containers.truncate(MAX_LIST);
    containers
}

pub(crate) fn service(object: &wire::Service, omitted: &mut u64) -> Result<Change, Malformed> {
    let spec = object.spec.as_ref();
    // That of a headless service is `None`, which is no address.
    let all = spec.and_then(|spec| spec.cluster_ips.as_ref()).into_iter().flatten();
    let mut cluster_ips = addresses(all, omitted);
    if cluster_ips.is_empty() {
        cluster_ips = addresses(spec.and_then(|spec| spec.cluster_ip.as_ref()), omitted);
    }
    let own = spec.and_then(|spec| spec.external_ips.as_ref()).into_iter().flatten();
    let balancer = object.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let balancer = balancer.and_then(|balancer| balancer.ingress.as_ref()).into_iter().flatten();
    let external = own.chain(balancer.filter_map(|each| each.ip.as_ref()));
    Ok(Change::Service(Service {
        name: object.metadata.named()?,
        cluster_ips,
        external_ips: addresses(external, omitted),
        ports: ports(spec.and_then(|spec| spec.ports.as_ref()), omitted),
        labels: object.metadata.pairs(),
    }))
}

pub(crate) fn slice(object: &wire::EndpointSlice, omitted: &mut u64) -> Result<Change, Malformed> {
    let labels = object.metadata.labels.as_ref();
    let service = labels.and_then(|labels| labels.get(SERVICE_LABEL));
    let endpoints = object.endpoints.as_deref().unwrap_or_default();
    *omitted += endpoints.len().saturating_sub(MAX_ENDPOINTS) as u64;
    Ok(Change::EndpointSlice(EndpointSlice {
        name: object.metadata.named()?,
        service: service.filter(|name| !name.is_empty()).map(|name| Text::new(name)),
        endpoints: endpoints.iter().take(MAX_ENDPOINTS).map(|it| endpoint(it, omitted)).collect(),
        ports: ports(object.ports.as_ref(), omitted),
    }))
}

fn endpoint(told: &wire::Endpoint, omitted: &mut u64) -> Endpoint {
    let ready = told.conditions.as_ref().and_then(|conditions| conditions.ready);
    let pod = told.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"));
    Endpoint {
        ips: addresses(told.addresses.iter().flatten(), omitted),
        // Not told means that it is.
        ready: ready.unwrap_or(true),
        pod: pod.and_then(|pod| pod.name.as_deref()).map(Text::new),
        node: told.node_name.as_deref().map(Text::new),
    }
}

pub(crate) fn node(object: &wire::Node, omitted: &mut u64) -> Result<Change, Malformed> {
    let told = object.status.as_ref().and_then(|status| status.addresses.as_ref());
    let addresses = told.into_iter().flatten().filter_map(|told| {
        let kind = match told.kind.as_deref()? {
            "InternalIP" => NodeAddressKind::Internal,
            "ExternalIP" => NodeAddressKind::External,
            _ => return None,
        };
        Some(NodeAddress { kind, ip: told.address.as_deref()?.parse().ok()? })
    });
    let spec = object.spec.as_ref();
    let all = spec.and_then(|spec| spec.pod_cidrs.as_ref()).into_iter().flatten();
    let mut pod_cidrs = bounded(all.filter_map(|told| cidr(told)), MAX_LIST, omitted);
    if pod_cidrs.is_empty() {
        pod_cidrs.extend(spec.and_then(|spec| cidr(spec.pod_cidr.as_deref()?)));
    }
    Ok(Change::Node(Node {
        name: object.metadata.own_name()?,
        addresses: bounded(addresses, MAX_LIST, omitted),
        pod_cidrs,
        labels: object.metadata.pairs(),
    }))
}

pub(crate) fn namespace(object: &wire::Namespace) -> Result<Change, Malformed> {
    Ok(Change::Namespace(Namespace {
        name: object.metadata.own_name()?,
        uid: text(object.metadata.uid.as_ref()),
        labels: object.metadata.pairs(),
    }))
}

fn ports(told: Option<&Vec<wire::Port>>, omitted: &mut u64) -> Vec<ServicePort> {
    let ports = told.into_iter().flatten().map(|port| ServicePort {
        name: text(port.name.as_ref()),
        protocol: match port.protocol.as_deref() {
            Some("UDP") => Protocol::Udp,
            Some("SCTP") => Protocol::Sctp,
            _ => Protocol::Tcp,
        },
        port: port.port.unwrap_or(0),
        node_port: port.node_port.unwrap_or(0),
    });
    bounded(ports, MAX_PORTS, omitted)
}

fn addresses<'a>(told: impl IntoIterator<Item = &'a String>, omitted: &mut u64) -> Vec<IpAddr> {
    bounded(told.into_iter().filter_map(|told| told.parse().ok()), MAX_LIST, omitted)
}

fn cidr(told: &str) -> Option<Cidr> {
    let (address, prefix) = told.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let prefix_bits: u8 = prefix.parse().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    (prefix_bits <= bits).then_some(Cidr { address, prefix_bits })
}

fn bounded<T>(mut all: impl Iterator<Item = T>, max: usize, omitted: &mut u64) -> Vec<T> {
    let mut kept: Vec<T> = all.by_ref().take(max).collect();
    kept.shrink_to_fit();
    *omitted += all.count() as u64;
    kept
}

fn text(told: Option<&String>) -> Text {
    Text::new(told.map_or("", |told| told))
}
