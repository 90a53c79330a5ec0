//! One cluster: what its API told, asked by address and by name.
//!
//! Invariants:
//! - Time is that of events, given by the caller and never read from a clock; it does not go back.
//! - Number and bytes stay under [`Limits`]: what lingers goes first, then what is new is refused.
//!   Both are counted. What is known is never evicted, because it would not be told again.
//! - No call takes long: [`Cluster::advance`] looks at some dozens of entries, and says if there is
//!   more to do.
//! - What is stale is kept and marked ([`Cluster::resource`]).
//! - A table is of one cluster. If its `kube-system` turns out to be another, so is the cluster, and
//!   everything that was told before is forgotten.

use std::net::IpAddr;

use super::claims::Key;
use super::lists::{Lists, ResourceState};
use super::nodes::Nodes;
use super::objects::Object;
use super::pods::{Incoming, Pods};
use super::services::{Dialled, Port, Services, Slice};
use super::stats::{Limits, Stats};
use super::views::{PodView, ServiceView};
use super::{Change, ObjectName, Protocol, Resource};
use crate::container::PodUid;
use crate::description::Text;
use crate::hashing::RandomState;
use crate::numbers::{Collision, LabelSet};

/// Entries that one step of [`Cluster::advance`] looks at.
const STEP: u32 = 64;
/// Lingering addresses that are forgotten beside a change, more than one can bring.
const BESIDE: u32 = 16;
const LEAST_BYTES: usize = 1 << 20;
/// Bytes that are kept of a cluster's name.
const NAME_BYTES: usize = 253;
/// Where the namespace is whose UID is the cluster's.
const KUBE_SYSTEM: &str = "kube-system";

/// Which cluster: the UID of its namespace `kube-system`.
pub type ClusterUid = PodUid;

/// One cluster's pods, services and nodes.
#[derive(Debug)]
pub struct Cluster {
    name: Box<str>,
    uid: Option<ClusterUid>,
    limits: Limits,
    pods: Pods,
    services: Services,
    nodes: Nodes,
    lists: Lists,
    keys: RandomState,
    now_ns: u64,
    counts: Stats,
}

impl Cluster {
    /// An empty one. Its name becomes a label of every pod, and so a part of their identities; give
    /// it none if there is but one cluster.
    pub fn new(name: &str, limits: Limits) -> Self {
        let keys = RandomState::default();
        Self {
            name: name.get(..name.floor_char_boundary(NAME_BYTES)).unwrap_or_default().into(),
            uid: None,
            limits: Limits { bytes: limits.bytes.max(LEAST_BYTES), ..limits },
            pods: Pods::new(keys.clone()),
            services: Services::new(keys.clone()),
            nodes: Nodes::new(keys.clone()),
            lists: Lists::default(),
            keys,
            now_ns: 0,
            counts: Stats::default(),
        }
    }

    /// Its name; may be empty.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which cluster it is, once that was told.
    pub fn uid(&self) -> Option<ClusterUid> {
        self.uid
    }

    /// Takes in what a source found out at this time, in nanoseconds of event time.
    pub fn apply(&mut self, change: Change, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
        let now_ns = self.now_ns;
        let generation = |resource| self.lists.of(resource).generation;
        match change {
            Change::Pod(pod) => {
                let incoming = Incoming::new(&self.name, &pod);
                let known = self.pods.find_same(&pod);
                let generation = generation(Resource::Pods);
                let growth = self.pods.growth(&incoming);
                if self.make_room(growth + self.pods.lingering_growth(), known.is_none()) {
                    self.pods.put(incoming, generation, now_ns, &mut self.counts);
                } else if let Some(slot) = known {
                    self.pods.keep(slot, generation);
                }
            }
            Change::Service(service) => {
                let generation = generation(Resource::Services);
                let growth = self.services.growth(&service);
                let known = find(&self.services.services, &service.name);
                if self.make_room(growth, known.is_none()) {
                    self.counts.omitted += self.services.put(&service, generation);
                } else if let Some(slot) = known {
                    self.services.services.change(slot, |object| object.generation = generation);
                }
            }
            Change::EndpointSlice(slice) => {
                let generation = generation(Resource::EndpointSlices);
                let growth = self.services.slice_growth(&slice);
                let known = find(&self.services.slices, &slice.name);
                if self.make_room(growth, known.is_none()) {
                    self.counts.omitted += self.services.put_slice(&slice, generation);
                } else if let Some(slot) = known {
                    self.services.slices.change(slot, |object| object.generation = generation);
                }
            }
            Change::Node(node) => {
                let generation = generation(Resource::Nodes);
                let growth = self.nodes.growth(&node);
                let known = self.nodes.nodes.find("", node.name.as_str());
                if self.make_room(growth, known.is_none()) {
                    self.counts.omitted += self.nodes.put(&node, generation);
                } else if let Some(slot) = known {
                    self.nodes.nodes.change(slot, |object| object.generation = generation);
                }
            }
            Change::PodGone(name) => {
                let slot = self.pods.find(name.namespace.as_str(), name.name.as_str());
                slot.into_iter().for_each(|slot| self.remove_pod(slot));
            }
            Change::ServiceGone(name) => {
                let slot = find(&self.services.services, &name);
                slot.into_iter().for_each(|slot| self.services.remove(slot));
            }
            Change::EndpointSliceGone(name) => {
                let slot = find(&self.services.slices, &name);
                slot.into_iter().for_each(|slot| self.services.remove_slice(slot));
            }
            Change::NodeGone(name) => {
                let slot = self.nodes.nodes.find("", name.as_str());
                slot.into_iter().for_each(|slot| self.nodes.remove(slot));
            }
            Change::Namespace(namespace) if namespace.name.as_str() == KUBE_SYSTEM => {
                self.identify(&namespace.uid);
            }
            Change::Namespace(_) | Change::NamespaceGone(_) => {}
            Change::Listing(resource) => self.lists.listing(resource),
            Change::Listed(resource) => self.lists.listed(resource, now_ns),
            Change::Stale(resource, reason) => self.lists.stale(resource, &reason, now_ns),
            Change::Fresh(resource) => self.lists.of_mut(resource).stale = None,
        }
        self.expire(BESIDE);
    }

    /// Forgets some of what lingered long enough and of what the last lists did not tell. True if
    /// there may be more to do now.
    pub fn advance(&mut self, now_ns: u64) -> bool {
        self.now_ns = self.now_ns.max(now_ns);
        let has_more = self.expire(STEP);
        // One resource at a time.
        let resource =
            Resource::ALL.into_iter().find(|resource| self.lists.of(*resource).sweep.is_some());
        let Some(resource) = resource else { return has_more };
        self.sweep(resource);
        true
    }

    /// The pod that has this address at this time, or had it last. Never one that shares its node's.
    pub fn pod_at(&self, ip: IpAddr, time_ns: u64) -> Option<PodView<'_>> {
        self.pod_of(&self.key(ip), time_ns)
    }

    /// The pod that has this address now, or had it last.
    pub fn pod(&self, ip: IpAddr) -> Option<PodView<'_>> {
        self.pod_at(ip, u64::MAX)
    }

    /// A pod by its name; one that was removed for as long as its addresses linger.
    pub fn pod_named(&self, namespace: &str, name: &str) -> Option<PodView<'_>> {
        PodView::new(&self.pods, self.pods.find(namespace, name)?)
    }

    /// The service that a client dials at this address and port: a cluster's or an external address
    /// of the service, or a node's address and the service's port there.
    pub fn service(&self, ip: IpAddr, port: u16, protocol: Protocol) -> Option<ServiceView<'_>> {
        self.service_of(&self.key(ip), port, protocol)
    }

    /// The service that is answered from this address and port; of several, always the same one.
    pub fn backend(&self, ip: IpAddr, port: u16, protocol: Protocol) -> Option<ServiceView<'_>> {
        self.services.backend(&self.key(ip), port, protocol).map(of_slice)
    }

    /// All services that are answered from this address and port; one may be given more than once.
    pub fn each_backend<'a>(
        &'a self,
        ip: IpAddr,
        port: u16,
        protocol: Protocol,
        mut each: impl FnMut(ServiceView<'a>),
    ) {
        let key = self.key(ip);
        self.services.each_backend(&key, port, protocol, |slice, port| {
            each(of_slice((slice, Some(port))));
        });
    }

    /// The node that has this address.
    pub fn node(&self, ip: IpAddr) -> Option<&str> {
        self.nodes.at(&self.key(ip)).map(Object::name)
    }

    /// All nodes with the first address that each was told with.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, IpAddr)> {
        self.nodes.each()
    }

    /// How far the source is with a resource, and since when it is stale.
    pub fn resource(&self, resource: Resource) -> &ResourceState {
        self.lists.of(resource)
    }

    /// Label sets that turned out to have the same number.
    pub fn collisions(&self) -> &[Collision] {
        self.pods.labels().collisions()
    }

    /// The labels behind a number, while a pod has them.
    pub fn labels_of(&self, number: u32) -> Option<&LabelSet> {
        self.pods.labels().by_number(number)
    }

    /// Figures.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            services: self.services.services.len() as u64,
            endpoint_slices: self.services.slices.len() as u64,
            backends: self.services.backends() as u64,
            nodes: self.nodes.nodes.len() as u64,
            bytes: self.bytes() as u64,
            ..self.counts
        };
        self.pods.count(&mut stats);
        stats
    }

    /// Memory on the heap.
    pub fn bytes(&self) -> usize {
        self.pods.bytes() + self.services.bytes() + self.nodes.bytes()
    }

    pub(crate) fn key(&self, ip: IpAddr) -> Key {
        Key::new(&self.keys, ip)
    }

    pub(crate) fn pod_of(&self, key: &Key, time_ns: u64) -> Option<PodView<'_>> {
        PodView::new(&self.pods, self.pods.holder(key, time_ns)?.owner)
    }

    pub(crate) fn service_of(
        &self,
        key: &Key,
        port: u16,
        protocol: Protocol,
    ) -> Option<ServiceView<'_>> {
        let at_node = || {
            self.nodes.at(key)?;
            self.services.at_node_port(port, protocol)
        };
        self.services.dialled(key, port, protocol).or_else(at_node).map(of_service)
    }

    pub(crate) fn node_of(&self, key: &Key) -> Option<&str> {
        self.nodes.at(key).map(Object::name)
    }

    /// The node that this address would be given to a pod by.
    pub(crate) fn node_around(&self, key: &Key) -> Option<&str> {
        self.nodes.around(key).map(Object::name)
    }

    pub(crate) fn is_api(&self, key: &Key) -> bool {
        self.services.is_api(key)
    }

    /// Its `kube-system` has this UID. Forgets everything if it had another one.
    fn identify(&mut self, uid: &Text) {
        // One that is not told, or is none, says nothing.
        let Some(uid) = PodUid::parse(uid.as_str().as_bytes()) else { return };
        if self.uid.is_some_and(|known| known != uid) {
            let counts = Stats { replaced: self.counts.replaced + 1, ..self.counts };
            let (name, now_ns) = (std::mem::take(&mut self.name), self.now_ns);
            *self = Self { counts, now_ns, ..Self::new(&name, self.limits) };
        }
        self.uid = Some(uid);
    }

    fn entries(&self) -> usize {
        let services = self.services.services.len() + self.services.slices.len();
        self.pods.len() + services + self.nodes.nodes.len()
    }

    /// Makes room for so many bytes more, and for an entry; false if that cannot be.
    fn make_room(&mut self, growth: usize, is_new: bool) -> bool {
        let more = usize::from(is_new);
        let fits = |this: &Self| {
            this.entries() + more <= this.limits.entries
                && this.bytes() + growth <= this.limits.bytes
        };
        for _ in 0..STEP {
            if fits(self) {
                return true;
            }
            match self.pods.forget_lingering(u64::MAX) {
                (false, _) => break,
                (true, forgotten) => self.counts.evicted += u64::from(forgotten),
            }
        }
        let fits = fits(self);
        self.counts.refused += u64::from(!fits);
        fits
    }

    fn remove_pod(&mut self, slot: u32) {
        // A list of what lingers that cannot grow begins anew from its front.
        if self.bytes() + self.pods.lingering_growth() > self.limits.bytes {
            self.counts.evicted += u64::from(self.pods.forget_lingering(u64::MAX).1);
        }
        self.pods.remove(slot, self.now_ns);
    }

    /// True if there may be more.
    fn expire(&mut self, most: u32) -> bool {
        let Some(until_ns) = self.now_ns.checked_sub(self.limits.linger_ns) else { return false };
        (0..most).all(|_| self.pods.forget_lingering(until_ns).0)
    }

    fn sweep(&mut self, resource: Resource) {
        let state = self.lists.of(resource);
        let (generation, start) = (state.generation, state.sweep.unwrap_or(0));
        let slots = start..start.saturating_add(STEP);
        let is_old = |told: Option<u8>| told.is_some_and(|told| told != generation);
        let mut swept = 0;
        for slot in slots.clone() {
            match resource {
                Resource::Pods if self.pods.is_older(slot, generation) => self.remove_pod(slot),
                Resource::Services if is_old(told(self.services.services.get(slot))) => {
                    self.services.remove(slot);
                }
                Resource::EndpointSlices if is_old(told(self.services.slices.get(slot))) => {
                    self.services.remove_slice(slot);
                }
                Resource::Nodes if is_old(told(self.nodes.nodes.get(slot))) => {
                    self.nodes.remove(slot);
                }
                _ => continue,
            }
            swept += 1;
        }
        self.counts.swept += swept;
        let end = match resource {
            Resource::Pods => self.pods.end(),
            Resource::Services => self.services.services.end(),
            Resource::EndpointSlices => self.services.slices.end(),
            Resource::Nodes => self.nodes.nodes.end(),
            Resource::Namespaces => 0,
        };
        self.lists.of_mut(resource).sweep = (slots.end < end).then_some(slots.end);
    }

    /// Nothing that is shared is left over: for tests.
    #[cfg(test)]
    pub(super) fn is_clean(&self) -> bool {
        self.pods.is_clean()
    }
}

fn find<T: crate::intern::Heap>(
    objects: &super::objects::Objects<T>,
    name: &ObjectName,
) -> Option<u32> {
    objects.find(name.namespace.as_str(), name.name.as_str())
}

fn told<T>(object: Option<&Object<T>>) -> Option<u8> {
    object.map(|object| object.generation)
}

fn of_service<'a>((service, port): (&'a Object<Dialled>, Option<&'a Port>)) -> ServiceView<'a> {
    let port_name = port.map(|port| &*port.name);
    ServiceView { namespace: service.namespace(), name: service.name(), port_name }
}

fn of_slice<'a>((slice, port): (&'a Object<Slice>, Option<&'a Port>)) -> ServiceView<'a> {
    let port_name = port.map(|port| &*port.name);
    ServiceView { namespace: slice.namespace(), name: &slice.value.service, port_name }
}
