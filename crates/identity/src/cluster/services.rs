//! Services and their backends, by the addresses that clients dial and by those that they reach.
//!
//! A service is dialled at its own addresses and ports, or at a port of any node; its endpoint slices
//! tell who answers. A slice of a service that is not known (yet) still names it.

use std::net::IpAddr;

use super::claims::{Claims, Key};
use super::objects::{Object, Objects};
use super::{EndpointSlice, Protocol, Service, ServicePort};
use crate::hashing::{HashMap, RandomState};
use crate::intern::{Heap, str_bytes};
use crate::process::slab::{NONE, allocation};

/// Ports, addresses and backends that are kept of one object. Kubernetes' own ceiling is 1000
/// backends per slice.
const MOST_PORTS: usize = 256;
const MOST_ADDRESSES: usize = 64;
const MOST_BACKENDS: usize = 1000;
/// Addresses of the API server that are known as such.
const MOST_API: usize = 64;

#[derive(Debug)]
pub(super) struct Port {
    pub(super) name: Box<str>,
    protocol: Protocol,
    pub(super) port: u16,
    node_port: u16,
}

impl Port {
    fn is(&self, port: u16, protocol: Protocol) -> bool {
        self.protocol == protocol && (self.port == port || self.port == 0)
    }
}

#[derive(Debug, Default)]
pub(super) struct Ports(Box<[Port]>);

impl Ports {
    fn new(ports: &[ServicePort]) -> Self {
        let port = |port: &ServicePort| Port {
            name: port.name.as_str().into(),
            protocol: port.protocol,
            port: port.port,
            node_port: port.node_port,
        };
        Self(ports.iter().take(MOST_PORTS).map(port).collect())
    }

    pub(super) fn find(&self, port: u16, protocol: Protocol) -> Option<&Port> {
        self.0.iter().find(|one| one.is(port, protocol))
    }

    fn node_ports(&self) -> impl Iterator<Item = (Protocol, u16)> {
        self.0.iter().filter(|one| one.node_port != 0).map(|one| (one.protocol, one.node_port))
    }

    fn bytes_of(ports: &[ServicePort]) -> usize {
        let names = ports.iter().take(MOST_PORTS).map(|port| str_bytes(port.name.as_str()));
        allocation(ports.len().min(MOST_PORTS) * size_of::<Port>()) + names.sum::<usize>()
    }
}

impl Heap for Ports {
    fn heap_bytes(&self) -> usize {
        let names = self.0.iter().map(|port| str_bytes(&port.name));
        let list = if self.0.is_empty() { 0 } else { allocation(size_of_val(&*self.0)) };
        list + names.sum::<usize>()
    }
}

#[derive(Debug)]
pub(super) struct Dialled {
    pub(super) ports: Ports,
    claims: u32,
}

impl Heap for Dialled {
    fn heap_bytes(&self) -> usize {
        self.ports.heap_bytes()
    }
}

#[derive(Debug)]
pub(super) struct Slice {
    /// The service's name, in the slice's namespace.
    pub(super) service: Box<str>,
    pub(super) ports: Ports,
    claims: u32,
}

impl Heap for Slice {
    fn heap_bytes(&self) -> usize {
        str_bytes(&self.service) + self.ports.heap_bytes()
    }
}

impl Object<Slice> {
    /// The API server's own.
    fn is_of_api(&self) -> bool {
        self.namespace() == "default" && &*self.value.service == "kubernetes"
    }
}

/// How an address is one of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// All of its ports are the service's.
    Cluster,
    /// It may be shared with other services, port by port.
    External,
}

#[derive(Debug)]
pub(super) struct Services {
    pub(super) services: Objects<Dialled>,
    pub(super) slices: Objects<Slice>,
    addresses: Claims<Kind>,
    backends: Claims<()>,
    /// Where the API server answers, each with its slice: few, and asked for by every look-up.
    api: Vec<(u32, [u8; 16])>,
    node_ports: HashMap<(Protocol, u16), u32>,
    keys: RandomState,
}

impl Services {
    pub(super) fn new(keys: RandomState) -> Self {
        Self {
            services: Objects::new(keys.clone()),
            slices: Objects::new(keys.clone()),
            addresses: Claims::new(keys.clone()),
            backends: Claims::new(keys.clone()),
            api: Vec::new(),
            node_ports: HashMap::default(),
            keys,
        }
    }

    /// The service that is dialled at this address and port.
    pub(super) fn dialled(
        &self,
        key: &Key,
        port: u16,
        protocol: Protocol,
    ) -> Option<(&Object<Dialled>, Option<&Port>)> {
        let service = |slot| self.services.get(slot);
        let port_of =
            |slot| service(slot).and_then(|service| service.value.ports.find(port, protocol));
        let exact = self.addresses.find(key, |claim| port_of(claim.owner()).is_some());
        let own = || self.addresses.find(key, |claim| claim.extra == Kind::Cluster);
        let slot = exact.or_else(own)?.owner();
        Some((service(slot)?, port_of(slot)))
    }

    /// The service that has this port on every node.
    pub(super) fn at_node_port(
        &self,
        port: u16,
        protocol: Protocol,
    ) -> Option<(&Object<Dialled>, Option<&Port>)> {
        let service = self.services.get(*self.node_ports.get(&(protocol, port))?)?;
        let ports = &service.value.ports.0;
        Some((service, ports.iter().find(|one| one.node_port == port && one.protocol == protocol)))
    }

    /// The slice with the best name for who answers at this address and port: always the same one of
    /// several.
    pub(super) fn backend(
        &self,
        key: &Key,
        port: u16,
        protocol: Protocol,
    ) -> Option<(&Object<Slice>, Option<&Port>)> {
        let slice = |slot| self.slices.get(slot);
        let port_of = |slot| slice(slot).and_then(|slice| slice.value.ports.find(port, protocol));
        let name = |slot| slice(slot).map(|slice| (slice.namespace(), &*slice.value.service));
        let best = self.backends.best(key, |new, known| {
            let rank = |slot| (port_of(slot).is_none(), name(slot));
            rank(new.owner()) < rank(known.owner())
        });
        let slot = best?.owner();
        let port = port_of(slot)?;
        Some((slice(slot)?, Some(port)))
    }

    /// All slices whose backends answer at this address and port, given to `each`.
    pub(super) fn each_backend<'a>(
        &'a self,
        key: &Key,
        port: u16,
        protocol: Protocol,
        mut each: impl FnMut(&'a Object<Slice>, &'a Port),
    ) {
        self.backends.each(key, |claim| {
            if let Some(slice) = self.slices.get(claim.owner())
                && let Some(port) = slice.value.ports.find(port, protocol)
            {
                each(slice, port);
            }
        });
    }

    /// The API server answers at this address.
    pub(super) fn is_api(&self, key: &Key) -> bool {
        self.api.iter().any(|(_, ip)| *ip == key.ip)
    }

    pub(super) fn growth(&self, service: &Service) -> usize {
        let addresses = service.cluster_ips.len() + service.external_ips.len();
        let ports = service.ports.len().min(MOST_PORTS);
        let full = self.node_ports.len() + ports > self.node_ports.capacity();
        let node_ports = if full { 2 * self.node_port_bytes() + 64 * ports } else { 0 };
        self.services.growth(&service.name)
            + self.addresses.growth(addresses.min(2 * MOST_ADDRESSES))
            + Ports::bytes_of(&service.ports)
            + node_ports
    }

    pub(super) fn slice_growth(&self, slice: &EndpointSlice) -> usize {
        let backends = slice.endpoints.iter().map(|endpoint| endpoint.ips.len()).sum::<usize>();
        let service = slice.service.as_ref().map_or(0, |name| str_bytes(name.as_str()));
        self.slices.growth(&slice.name)
            + self.backends.growth(backends.min(MOST_BACKENDS))
            + Ports::bytes_of(&slice.ports)
            + service
    }

    /// Takes a service in, new or changed. Gives how much of it was left out.
    pub(super) fn put(&mut self, service: &Service, generation: u8) -> u64 {
        let name = &service.name;
        let known = self.services.find(name.namespace.as_str(), name.name.as_str());
        let slot = known.unwrap_or_else(|| {
            let empty = Dialled { ports: Ports::default(), claims: NONE };
            self.services.add(name, generation, empty)
        });
        self.withdraw(slot);
        let ports = Ports::new(&service.ports);
        for at in ports.node_ports() {
            self.node_ports.insert(at, slot);
        }
        let mut head = NONE;
        let of = |ips: &[IpAddr], kind| -> Vec<(IpAddr, Kind)> {
            ips.iter().take(MOST_ADDRESSES).map(|ip| (*ip, kind)).collect()
        };
        let clusters = of(&service.cluster_ips, Kind::Cluster);
        for (ip, kind) in clusters.into_iter().chain(of(&service.external_ips, Kind::External)) {
            self.addresses.add(&Key::new(&self.keys, ip), slot, &mut head, kind);
        }
        self.services.change(slot, |object| {
            object.generation = generation;
            object.value = Dialled { ports, claims: head };
        });
        let beyond = |all: usize, most: usize| all.saturating_sub(most) as u64;
        beyond(service.ports.len(), MOST_PORTS)
            + beyond(service.cluster_ips.len(), MOST_ADDRESSES)
            + beyond(service.external_ips.len(), MOST_ADDRESSES)
    }

    /// Takes away what a service claims.
    fn withdraw(&mut self, slot: u32) {
        let Self { services, addresses, node_ports, .. } = self;
        services.change(slot, |object| {
            addresses.clear(&mut object.value.claims);
            for at in object.value.ports.node_ports() {
                if node_ports.get(&at) == Some(&slot) {
                    node_ports.remove(&at);
                }
            }
        });
    }

    pub(super) fn remove(&mut self, slot: u32) {
        self.withdraw(slot);
        self.services.remove(slot);
    }

    /// Takes a slice in, new or changed. Gives how much of it was left out.
    pub(super) fn put_slice(&mut self, slice: &EndpointSlice, generation: u8) -> u64 {
        let name = &slice.name;
        let Some(service) = &slice.service else {
            // It names nobody.
            let known = self.slices.find(name.namespace.as_str(), name.name.as_str());
            known.into_iter().for_each(|slot| self.remove_slice(slot));
            return 0;
        };
        let known = self.slices.find(name.namespace.as_str(), name.name.as_str());
        let slot = known.unwrap_or_else(|| {
            let empty = Slice { service: "".into(), ports: Ports::default(), claims: NONE };
            self.slices.add(name, generation, empty)
        });
        let Self { slices, backends, api, keys, .. } = self;
        api.retain(|(owner, _)| *owner != slot);
        let ips = slice.endpoints.iter().flat_map(|endpoint| &endpoint.ips);
        let beyond = ips.clone().count().saturating_sub(MOST_BACKENDS)
            + slice.ports.len().saturating_sub(MOST_PORTS);
        slices.change(slot, |object| {
            backends.clear(&mut object.value.claims);
            let service: Box<str> = service.as_str().into();
            object.value = Slice { service, ports: Ports::new(&slice.ports), claims: NONE };
            object.generation = generation;
            for ip in ips.take(MOST_BACKENDS) {
                let key = Key::new(keys, *ip);
                if object.is_of_api() && api.len() < MOST_API {
                    api.push((slot, key.ip));
                }
                backends.add(&key, slot, &mut object.value.claims, ());
            }
        });
        beyond as u64
    }

    pub(super) fn remove_slice(&mut self, slot: u32) {
        let Self { slices, backends, api, .. } = self;
        api.retain(|(owner, _)| *owner != slot);
        slices.change(slot, |object| backends.clear(&mut object.value.claims));
        slices.remove(slot);
    }

    pub(super) fn backends(&self) -> usize {
        self.backends.len()
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.services.bytes()
            + self.slices.bytes()
            + self.addresses.bytes()
            + self.backends.bytes()
            + self.node_port_bytes()
    }

    fn node_port_bytes(&self) -> usize {
        // Seven eighths of the places may be filled; each has a byte beside it.
        self.node_ports.capacity() * 8 / 7 * (size_of::<((Protocol, u16), u32)>() + 1)
    }
}
