//! Everything that is known of this node, as one: taught with records and descriptions, asked by
//! whoever shows a record.
//!
//! One thread owns it, so nothing here is locked: whoever watches a runtime or an API hands over
//! values. What is asked for most is found by small numbers: [`Place`]s keep what a container's id
//! stands for, and are looked up anew only when something was described since.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

use chandra_event::cgroup::Happened;
use chandra_event::dns::{Answer, Data, Dns};
use chandra_event::record::{Event, Record};
use chandra_event::socket::Part;
use chandra_event::time::{Clock, Timestamp};

use crate::cidr::CidrNames;
use crate::cluster::{
    self, Cluster, ClusterKey, Clusters, ObjectName, Pod, PodContainer, Resource,
};
use crate::container::{Cgroups, Container, Number, Runtime};
use crate::description::{
    Bundle, Change, ContainerDescription, Descriptions, Pairs, PodDescription, Text,
};
use crate::dns::{DnsNames, Scope};
use crate::process::ProcessTable;
use crate::translation::Translations;
use crate::workload::Marks;

mod kept;
mod own_pods;
mod view;

pub use kept::Kept;
use own_pods::OwnPods;
pub use view::{Spelled, subject};

/// How long after a container came to be its description is waited for.
const PATIENCE_NS: u64 = 500_000_000;

/// The tables of a node.
#[derive(Debug, Default)]
pub struct Identity {
    /// Processes.
    pub processes: ProcessTable,
    /// Cgroups and the containers that they name.
    pub cgroups: Cgroups,
    /// What the runtime says of containers and pods.
    pub descriptions: Descriptions,
    /// Pods, services and nodes by address.
    pub clusters: Clusters,
    /// Which of them this node is in.
    pub own_cluster: Option<ClusterKey>,
    /// Names that were resolved to addresses.
    pub dns: DnsNames,
    /// A name that is being learnt; kept for its memory.
    spelled_name: String,
    /// Ranges of addresses that were given names.
    pub ranges: CidrNames,
    /// Where connections went that were dialled at the address of a service.
    pub translations: Translations,
    /// Pods of this node, as the cluster's API tells of them.
    own_pods: OwnPods,
    here: OwnNode,
    /// A runtime describes containers.
    has_runtime: bool,
    /// A cluster's API describes pods.
    has_cluster: bool,
    /// Bundles of containers are looked for.
    has_bundles: bool,
    /// By container number.
    places: Vec<Place>,
    /// Counts descriptions, so that places know whether they are current.
    described: u64,
}

/// What is known of the container that has a number now.
#[derive(Debug, Default)]
struct Place {
    /// Its id, which tells it from the one that had the number before.
    id: Arc<str>,
    /// When it was first heard of, on CLOCK_BOOTTIME.
    since_boottime_ns: u64,
    /// The hierarchy whose cgroup told of it.
    hierarchy: u32,
    /// [`Identity::described`] when it was looked up.
    looked_up: u64,
    /// What the runtime says, and where it says nothing the bundle.
    container: Option<Arc<ContainerDescription>>,
    pod: Option<Arc<PodDescription>>,
    /// The runtime said so.
    is_by_runtime: bool,
    /// What its bundle says.
    bundle: Option<Arc<Bundle>>,
    /// It was looked for and not found.
    has_no_bundle: bool,
    /// What the cluster's API says.
    own_pod: Option<Arc<Pod>>,
    /// Kind and name.
    workload: Option<(Box<str>, Box<str>)>,
}

/// This node.
#[derive(Debug, Default)]
struct OwnNode {
    name: String,
    addresses: Vec<IpAddr>,
}

/// Whether a container's description can be expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is there.
    Described,
    /// It is on its way.
    Awaited,
    /// Nobody described it in time, or nobody is there to do so.
    Undescribed,
}

impl Identity {
    /// Empty tables for records with times by this clock.
    pub fn new(clock: Clock) -> Self {
        let mut identity = Self::default();
        identity.processes.set_clock(clock);
        identity.own_cluster = identity.clusters.add("", cluster::Limits::default());
        identity
    }

    /// Tells where all of this is seen from.
    pub fn set_here(&mut self, node: &str, addresses: Vec<IpAddr>) {
        self.here = OwnNode { name: node.to_owned(), addresses };
    }

    /// Tells whether a runtime describes containers, and so is worth waiting for. Whether it was thought to.
    pub fn expect_runtime(&mut self, is_there: bool) -> bool {
        std::mem::replace(&mut self.has_runtime, is_there)
    }

    /// Tells whether a cluster's API describes pods, and so is worth waiting for.
    pub fn expect_cluster(&mut self, is_there: bool) {
        self.has_cluster = is_there;
    }

    /// Tells whether bundles of containers are looked for, and so are worth waiting for.
    pub fn expect_bundles(&mut self, are_looked_for: bool) {
        self.has_bundles = are_looked_for;
    }

    /// Whether a container's bundle is worth looking for: it may lie on the node, and says what a runtime of
    /// Kubernetes will not.
    pub fn wants_bundle(&self, container: &Container) -> bool {
        let may_lie_here = matches!(
            container.runtime,
            Runtime::Containerd
                | Runtime::CriO
                | Runtime::Cri
                | Runtime::Docker
                | Runtime::Podman
                | Runtime::Unknown
        );
        let is_told = self.has_runtime && container.pod_uid.is_some();
        self.has_bundles && may_lie_here && container.outer.is_none() && !is_told
    }

    /// The cluster that is asked who is who; none where none is.
    pub fn asked_cluster(&self) -> Option<&Cluster> {
        self.clusters.get(self.own_cluster.filter(|_| self.has_cluster)?)
    }

    /// Takes in a record. Returns the container that it is the first to tell of.
    pub fn learn(&mut self, record: &dyn Record, now_boottime_ns: u64) -> Option<&Container> {
        let event = record.event();
        let Event::Cgroup(cgroup) = event else {
            match event {
                Event::Exec(_) | Event::Fork(_) | Event::Exit(_) => self.processes.apply(&event),
                _ => {
                    if let Event::Dns(dns) = event {
                        self.learn_name(dns, record);
                    }
                    if let Some(process) = record.process() {
                        self.processes.sight(process, record.time());
                    }
                }
            }
            return None;
        };
        if let Some(process) = &cgroup.process {
            self.processes.sight(process, cgroup.time);
        }
        self.cgroups.apply(cgroup);
        let made = self.cgroups.get(cgroup.hierarchy, cgroup.id)?;
        let container = made.container?;
        let place = place_of(&mut self.places, container);
        if Arc::ptr_eq(&place.id, &container.id) {
            // A name that people gave may be given again before the container that had it is forgotten.
            let is_another = made.is_own
                && cgroup.happened == Happened::Mkdir
                && cgroup.hierarchy == place.hierarchy;
            if !is_another {
                return None;
            }
            self.descriptions.forget_bundle(&container.id);
            self.described += 1;
        }
        let (id, since_boottime_ns) = (container.id.clone(), now_boottime_ns);
        *place = Place { id, since_boottime_ns, hierarchy: cgroup.hierarchy, ..Place::default() };
        Some(container)
    }

    /// Keeps which name the addresses of an answer were resolved from, for whoever asked. An answer that
    /// nobody was seen to ask for is not believed.
    fn learn_name(&mut self, dns: &Dns<'_>, record: &dyn Record) {
        let is_answer = dns.ends.part == Some(Part::Client) && dns.latency_ns.is_some();
        let Some(question) = dns.message.question.filter(|_| is_answer) else { return };
        let address = |answer: Answer<'_>| match answer.data {
            Data::Address(address) => Some((address, answer.ttl_seconds)),
            Data::Target(_) | Data::Other => None,
        };
        let addresses = dns.message.answers.iter().filter_map(address);
        let Some(ttl_seconds) = addresses.clone().map(|(_, ttl_seconds)| ttl_seconds).min() else {
            return;
        };
        self.spelled_name.clear();
        let _ = write!(self.spelled_name, "{}", question.name);
        let scope = view::scope(self.container_of(record), record).unwrap_or(Scope::Node);
        self.dns.resolved(
            scope,
            self.spelled_name.as_bytes(),
            addresses.map(|(address, _)| address),
            u64::from(ttl_seconds) * 1_000_000_000,
            self.processes.boottime_ns_of(dns.time),
        );
    }

    /// Takes in what the runtime said.
    pub fn describe(&mut self, change: Change, now_boottime_ns: u64) {
        self.described += 1;
        if let Change::NotFound(id) = &change {
            let places = self.places.iter_mut().filter(|place| &*place.id == id.as_str());
            places.for_each(|place| place.has_no_bundle = true);
        }
        self.name_addresses(&change, now_boottime_ns);
        self.descriptions.apply(change, now_boottime_ns);
    }

    /// What a pod belongs to, as far as the runtime's word tells: kind and name.
    pub fn workload_of(&self, pod: &PodDescription) -> Option<(Box<str>, Box<str>)> {
        workload(&pod.name, &pod.labels, None, pod.created_at_ns)
    }

    /// A pod of this name is there, or was until just now, by what the cluster's API or the runtime says.
    pub fn knows_pod(&self, namespace: &str, name: &str) -> bool {
        let cluster = self.own_cluster.and_then(|key| self.clusters.get(key));
        let is_it = |pod: &Arc<PodDescription>| {
            pod.ready && pod.name.as_str() == name && pod.namespace.as_str() == namespace
        };
        cluster.is_some_and(|cluster| cluster.pod_named(namespace, name).is_some())
            || self.descriptions.pods().any(is_it)
    }

    /// Takes in what the API of the own cluster said.
    pub fn describe_cluster(&mut self, change: cluster::Change, now_boottime_ns: u64) {
        let is_own = self.own_pods.apply(&change, &self.here.name, now_boottime_ns);
        self.described += u64::from(is_own);
        if let Some(key) = self.own_cluster {
            self.clusters.apply(key, change, now_boottime_ns);
        }
    }

    /// The runtime knows the addresses of this node's pods, too, which is something where no API does.
    fn name_addresses(&mut self, change: &Change, now_boottime_ns: u64) {
        let Some(key) = self.own_cluster else { return };
        let is_listed = |cluster: &Cluster| cluster.resource(Resource::Pods).listed_at_ns.is_some();
        if self.clusters.get(key).is_some_and(is_listed) {
            return;
        }
        let change = match change {
            Change::PodSeen(pod) => cluster::Change::Pod(self.as_told_by_api(pod)),
            Change::PodGone(id) => match self.descriptions.pod(id.as_str()) {
                Some(pod) => cluster::Change::PodGone(name_of(pod)),
                None => return,
            },
            _ => return,
        };
        self.clusters.apply(key, change, now_boottime_ns);
    }

    fn as_told_by_api(&self, pod: &PodDescription) -> Pod {
        Pod {
            name: name_of(pod),
            uid: pod.uid.clone(),
            node: Text::new(&self.here.name),
            ips: pod.ips.clone(),
            host_network: pod.host_network,
            has_ended: !pod.ready,
            labels: pod.labels.clone(),
            owner: None,
            created_at_ns: pod.created_at_ns,
            containers: Vec::new(),
        }
    }

    /// Tells that every record up to this moment (CLOCK_BOOTTIME) has been learnt and shown.
    pub fn advance(&mut self, drained_until_boottime_ns: u64, drained_until: Timestamp) {
        while self.processes.advance(drained_until_boottime_ns) {}
        self.cgroups.advance(drained_until);
        self.descriptions.expire(drained_until_boottime_ns);
        self.own_pods.expire(drained_until_boottime_ns);
        self.translations.advance(drained_until_boottime_ns);
        // One step each: what is left is forgotten next time.
        self.clusters.advance(drained_until_boottime_ns);
        self.dns.advance(drained_until_boottime_ns);
    }

    /// Tells that what is there is looked at anew, because records about it were lost: what is learnt
    /// from now on as running is what such a walk meets. Both tables take part; one of which the walk
    /// meets nothing stays as it is.
    pub fn begin_sweep(&mut self, now_boottime_ns: u64, now: Timestamp) {
        self.processes.begin_sweep(now_boottime_ns);
        self.cgroups.begin_sweep(now);
    }

    /// Tells that the walk is over. What it did not meet is gone once [`Self::advance`] gets here.
    pub fn end_sweep(&mut self, now_boottime_ns: u64, now: Timestamp) {
        self.processes.end_sweep(now_boottime_ns);
        self.cgroups.end_sweep(now);
    }

    /// The container that the process of a record is in.
    pub fn container_of(&self, record: &dyn Record) -> Option<Number> {
        let process = record.process()?;
        let container = self.cgroups.container(process.cgroup_hierarchy, process.cgroup_id);
        container.map(|container| container.number)
    }

    /// Whether the description of a container is there or worth waiting for.
    pub fn standing(&mut self, number: Number, now_boottime_ns: u64) -> Standing {
        let Some(container) = self.cgroups.by_number(number) else { return Standing::Undescribed };
        let can_be = (self.has_runtime || self.has_cluster) && can_be_described(container);
        let wants_bundle = self.wants_bundle(container);
        let has_runtime = self.has_runtime;
        let Some(place) = self.look_up(number) else { return Standing::Undescribed };
        let can_be = can_be || wants_bundle && !place.has_no_bundle;
        let is_young = now_boottime_ns < place.since_boottime_ns.saturating_add(PATIENCE_NS);
        match place.is_described(has_runtime) {
            false if can_be && is_young => Standing::Awaited,
            false => Standing::Undescribed,
            true => Standing::Described,
        }
    }

    /// What is known of the container of this number, looked up anew if something was described
    /// since; absent while the number is nobody's.
    fn look_up(&mut self, number: Number) -> Option<&Place> {
        let container = self.cgroups.by_number(number)?;
        let place = place_of(&mut self.places, container);
        if !Arc::ptr_eq(&place.id, &container.id) {
            // Its cgroup was there before anyone told of it here: nothing is waited for.
            *place = Place { id: container.id.clone(), ..Place::default() };
        }
        if place.looked_up != self.described {
            place.looked_up = self.described;
            let by_runtime = self.descriptions.container(&place.id);
            let pod = self.descriptions.pod_of(&place.id);
            place.is_by_runtime = by_runtime.is_some() || pod.is_some();
            place.bundle = self.descriptions.bundle(&place.id).cloned();
            let bundle = place.bundle.as_deref();
            place.container = match (by_runtime, bundle.and_then(|it| it.container.as_ref())) {
                (Some(told), Some(found)) => Some(Arc::new(told.or(found))),
                (told, found) => told.or(found).cloned(),
            };
            place.pod = pod.or(bundle.and_then(|it| it.pod.as_ref())).cloned();
            place.own_pod = container.pod_uid.and_then(|uid| self.own_pods.get(uid)).cloned();
            place.workload = place.find_workload();
        }
        Some(place)
    }
}

impl Place {
    /// Somebody said what the container is. Where no runtime will, its pod has to do: the API tells of
    /// containers late.
    fn is_described(&self, has_runtime: bool) -> bool {
        let by_api =
            if has_runtime { self.told_by_api().is_some() } else { self.own_pod.is_some() };
        let by_bundle =
            self.bundle.as_ref().is_some_and(|bundle| !(has_runtime && bundle.is_of_kubernetes));
        self.is_by_runtime || by_bundle || by_api
    }

    /// What the API says of the container itself.
    fn told_by_api(&self) -> Option<&PodContainer> {
        self.own_pod
            .as_ref()?
            .containers
            .iter()
            .find(|container| container.id.as_str() == &*self.id)
    }

    /// What the pod belongs to, by its owner where that is known.
    fn find_workload(&self) -> Option<(Box<str>, Box<str>)> {
        match (self.own_pod.as_deref(), self.pod.as_deref()) {
            (Some(pod), _) => {
                let owner = pod.owner.as_ref();
                let owner = owner.map(|owner| (owner.kind.as_str(), owner.name.as_str()));
                workload(&pod.name.name, &pod.labels, owner, pod.created_at_ns)
            }
            (None, Some(pod)) => workload(&pod.name, &pod.labels, None, pod.created_at_ns),
            (None, None) => None,
        }
    }
}

/// Kind and name.
fn workload(
    name: &Text,
    labels: &Pairs,
    owner: Option<(&str, &str)>,
    created_at_ns: u64,
) -> Option<(Box<str>, Box<str>)> {
    let label = |key: &str| labels.get(key).map(Text::as_str);
    let workload = Marks { name: name.as_str(), label, owner, created_at_ns }.workload();
    (!workload.name.is_empty()).then(|| (workload.kind.into(), workload.name.into()))
}

fn name_of(pod: &PodDescription) -> ObjectName {
    ObjectName { namespace: pod.namespace.clone(), name: pod.name.clone() }
}

/// Runtimes of Kubernetes are asked; an engine beside them has containers of its own.
fn can_be_described(container: &Container) -> bool {
    let may_be_kubernetes =
        matches!(container.runtime, Runtime::Containerd | Runtime::CriO | Runtime::Cri);
    container.pod_uid.is_some() || may_be_kubernetes || container.runtime == Runtime::Unknown
}

/// The place of a container's number; there is one for each number so far.
fn place_of<'a>(places: &'a mut Vec<Place>, container: &Container) -> &'a mut Place {
    let index = container.number.index();
    if places.len() <= index {
        places.resize_with(index + 1, Place::default);
    }
    &mut places[index]
}
