//! What the tables say of a record, as a view into them.

use std::net::{IpAddr, SocketAddr};

use chandra_event::record::{Event, Record};
use chandra_event::socket::Transport;
use chandra_event::tcp::{Happened, Role, Tcp};
use chandra_event::time::Timestamp;
use chandra_event::who::{Container, Parent, Peer, Pod, Service, Who, Workload};

use super::{Identity, OwnNode, Place};
use crate::cluster::{self, PodView, Protocol, ServiceView};
use crate::container::{self, Number};
use crate::description::{ContainerDescription, HostNamespaces, PodDescription, Text};
use crate::dns::Scope;
use crate::names::{self, Here, Names, Question};
use crate::numbers::Reserved;
use crate::process::ProcessEntry;
use crate::selector;

/// Names that tables keep in pieces, put together for one record after another.
#[derive(Debug, Default)]
pub struct Spelled {
    pod: String,
    workload: String,
}

impl Identity {
    /// Who did what a record tells of.
    pub fn who<'a>(&'a mut self, record: &dyn Record, spelled: &'a mut Spelled) -> Who<'a> {
        let number = self.locate(record);
        self.who_in(record, number, spelled)
    }

    /// The container that the process of a record is in, with what was described of it until now.
    pub fn locate(&mut self, record: &dyn Record) -> Option<Number> {
        self.note_end(record);
        self.container_of(record).filter(|number| self.look_up(*number).is_some())
    }

    /// Who did what a record tells of, in the container where it was [located](Self::locate).
    pub fn who_in<'a>(
        &'a self,
        record: &dyn Record,
        number: Option<Number>,
        spelled: &'a mut Spelled,
    ) -> Who<'a> {
        // Tables as large as these are not in the processor's cache: what is looked up in them stands
        // together, so that it waits for memory once and not one after another.
        let boottime_ns = self.processes.boottime_ns_of(record.time());
        let entry = record.process().and_then(|process| self.processes.of(process));
        let backend = self.backend_of(record);
        let peer = self.peer_at(record, number, backend);
        let mut who = Who::default();
        if let Some(process) = record.process() {
            let ran = entry.and_then(|entry| entry.program_at(boottime_ns));
            who.executable = ran.map(|program| &*program.executable).filter(known);
            let parent = self.processes.parent_of(process, entry);
            who.parent = parent.map(|parent| self.parent_view(parent, boottime_ns));
        }
        if let Some(number) = number {
            self.place(number, &mut who);
        }
        let is_loopback = record.peer().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
        // The loopback of a pod is the pod.
        if is_loopback && who.pod.is_some() {
            who.peer = Peer { pod: who.pod, workload: who.workload, ..Peer::default() };
        } else {
            who.backend = backend;
            who.peer = peer.map(|peer| peer_view(&peer, spelled)).unwrap_or_default();
        }
        who
    }

    /// Who is at the other end of what a record of this container tells of; of a connection that was
    /// translated the backend, but the service and the name that were dialled.
    pub fn peer_of(&self, record: &dyn Record, number: Option<Number>) -> Option<names::Peer<'_>> {
        self.peer_at(record, number, self.backend_of(record))
    }

    fn peer_at(
        &self,
        record: &dyn Record,
        number: Option<Number>,
        backend: Option<SocketAddr>,
    ) -> Option<names::Peer<'_>> {
        let dialled = record.peer()?;
        let boottime_ns = self.processes.boottime_ns_of(record.time());
        let scope = scope(number, record);
        let protocol = protocol(record.transport());
        let ask = |end| {
            self.names().peer(&Question { protocol, ..self.question(end, scope, boottime_ns) })
        };
        let peer = ask(dialled);
        Some(match backend {
            None => peer,
            Some(backend) => {
                let (service, dns_name) = (peer.service, peer.dns_name);
                names::Peer { service, dns_name, ..ask(backend) }
            }
        })
    }

    /// Where the connection of a record went, if what its opener dialled was translated on the way.
    fn backend_of(&self, record: &dyn Record) -> Option<SocketAddr> {
        let tcp = opened(record)?;
        self.translations.backend(tcp.connection.local, tcp.connection.peer)
    }

    /// What was translated of a connection that is closed is over, and stays for late records.
    fn note_end(&mut self, record: &dyn Record) {
        if let Some(tcp) = opened(record)
            && matches!(tcp.happened, Happened::Close(_))
        {
            let boottime_ns = self.processes.boottime_ns_of(record.time());
            self.translations.close(tcp.connection.local, tcp.connection.peer, boottime_ns);
        }
    }

    /// Who is at an address, whoever asks.
    pub fn named(&self, end: SocketAddr, transport: Transport, time: Timestamp) -> names::Peer<'_> {
        let question = self.question(end, None, self.processes.boottime_ns_of(time));
        self.names().peer(&Question { protocol: protocol(transport), ..question })
    }

    /// This node has it, or runs the pod that has it.
    pub fn is_here(&self, peer: &names::Peer<'_>) -> bool {
        let name = self.here.name.as_str();
        peer.reserved == Some(Reserved::Host) || peer.node.is_some_and(|node| node == name)
    }

    /// A pod of the own cluster, by its name.
    pub fn pod_named(&self, namespace: &str, name: &str) -> Option<PodView<'_>> {
        self.clusters.get(self.own_cluster?)?.pod_named(namespace, name)
    }

    /// Which container has this number.
    pub fn who_is(&mut self, number: Number) -> Who<'_> {
        match self.look_up(number).is_some() {
            true => self.who_has(number),
            false => Who::default(),
        }
    }

    /// Which container has this number, as it was when it was located or asked for last.
    pub fn who_has(&self, number: Number) -> Who<'_> {
        let mut who = Who::default();
        self.place(number, &mut who);
        who
    }

    fn place<'a>(&'a self, number: Number, who: &mut Who<'a>) {
        if let Some(container) = self.cgroups.by_number(number)
            && let Some(place) = self.places.get(number.index())
        {
            who.container = Some(container_view(container, place));
            who.pod = pod_view(container, place);
            let workload = place.workload.as_ref();
            who.workload = workload.map(|(kind, name)| Workload { kind, name });
        }
    }

    pub(super) fn parent_view<'a>(
        &'a self,
        entry: &'a ProcessEntry,
        boottime_ns: u64,
    ) -> Parent<'a> {
        let parent = entry.process();
        let ran = entry.program_at(boottime_ns);
        Parent {
            pid: parent.pid,
            start_boottime_ns: parent.start_boottime_ns,
            start_time: self.processes.start_time(entry),
            comm: parent.comm,
            executable: ran.map(|program| &*program.executable).filter(known),
        }
    }

    fn question(&self, peer: SocketAddr, scope: Option<Scope>, time_ns: u64) -> Question {
        let (cluster, protocol) = (self.own_cluster, Protocol::Tcp);
        Question { cluster, ip: peer.ip(), port: peer.port(), protocol, scope, time_ns }
    }

    fn names(&self) -> Names<'_> {
        let OwnNode { name, addresses, .. } = &self.here;
        Names {
            clusters: &self.clusters,
            dns: &self.dns,
            ranges: &self.ranges,
            here: Here { node: name, addresses, dual_stack: false },
        }
    }
}

fn protocol(transport: Transport) -> Protocol {
    match transport {
        Transport::Tcp => Protocol::Tcp,
        Transport::Udp => Protocol::Udp,
    }
}

/// A record of TCP from another end than the acceptor's.
fn opened(record: &dyn Record) -> Option<&Tcp> {
    match record.event() {
        Event::Tcp(tcp) if tcp.connection.role != Some(Role::Acceptor) => Some(tcp),
        _ => None,
    }
}

/// Whose names hold for a record.
pub(super) fn scope(container: Option<Number>, record: &dyn Record) -> Option<Scope> {
    match (container, record.process()) {
        (Some(number), _) => Some(Scope::Container(number.get())),
        (None, Some(process)) => Some(Scope::Process(process.pid)),
        (None, None) => None,
    }
}

impl Spelled {
    fn spell(&mut self, pod: Option<PodView<'_>>) {
        self.pod.clear();
        self.workload.clear();
        if let Some(pod) = pod {
            pod.name().append_to(&mut self.pod);
            pod.workload_name().append_to(&mut self.workload);
        }
    }
}

/// As records have it.
fn peer_view<'a>(peer: &names::Peer<'a>, spelled: &'a mut Spelled) -> Peer<'a> {
    spelled.spell(peer.pod);
    let spelled: &'a Spelled = spelled;
    let pod = |pod: PodView<'a>| Pod {
        namespace: Some(pod.namespace()),
        name: Some(&spelled.pod),
        ..Pod::default()
    };
    let workload =
        |pod: PodView<'a>| Workload { kind: pod.workload_kind(), name: &spelled.workload };
    Peer {
        pod: peer.pod.map(pod),
        workload: peer.pod.map(workload).filter(|workload| !workload.name.is_empty()),
        service: peer.service.map(service_view),
        node: peer.node,
        name: peer.dns_name,
        entity: peer.reserved.map(|reserved| reserved.word()).filter(|word| *word != "unknown"),
    }
}

/// What can be selected by of somebody.
pub fn subject<'a>(who: &Who<'a>, is_awaited: bool, node: &'a str) -> selector::Subject<'a> {
    let place = match (&who.container, &who.pod) {
        (None, _) => selector::Place::Host,
        (Some(_), Some(_)) => selector::Place::Pod,
        (Some(_), None) if is_awaited => selector::Place::Unknown,
        (Some(_), None) => selector::Place::Alone,
    };
    selector::Subject {
        place,
        namespace: who.pod.and_then(|pod| pod.namespace),
        pod: who.pod.and_then(|pod| pod.name),
        labels: who.pod.and_then(|pod| pod.labels),
        workload: who.workload.map(|workload| (workload.kind, workload.name)),
        container_name: who.container.and_then(|container| container.name),
        container_id: who.container.map(|container| container.id),
        node: Some(node),
    }
}

/// Kernel threads run no file.
pub(super) fn known(path: &&[u8]) -> bool {
    !path.is_empty()
}

/// What is there and not empty.
fn said(text: Option<&Text>) -> Option<&str> {
    text.map(Text::as_str).filter(|text| !text.is_empty())
}

fn container_view<'a>(container: &'a container::Container, place: &'a Place) -> Container<'a> {
    let described: Option<&ContainerDescription> = place.container.as_deref();
    let told = place.told_by_api();
    Container {
        id: &container.id,
        runtime: container.runtime.word(),
        name: said(described.map(|it| &it.name)).or(said(told.map(|it| &it.name))),
        image: said(described.map(|it| &it.image)).or(said(told.map(|it| &it.image))),
        is_sandbox: place.container.is_none() && place.pod.is_some(),
        details: described.map(|it| &it.details),
    }
}

fn service_view(service: ServiceView<'_>) -> Service<'_> {
    Service {
        namespace: service.namespace,
        name: service.name,
        port: service.port_name.filter(|port| !port.is_empty()),
    }
}

/// The runtime's word, or else the API's, or else the uid that the cgroup's path has.
fn pod_view<'a>(container: &'a container::Container, place: &'a Place) -> Option<Pod<'a>> {
    let uid = container.pod_uid.as_ref().map(|uid| uid.as_str());
    let (pod, own) = (place.pod.as_deref(), place.own_pod.as_deref());
    (pod.is_some() || own.is_some() || uid.is_some()).then(|| Pod {
        namespace: said(pod.map(|pod| &pod.namespace)).or(said(own.map(|pod| &pod.name.namespace))),
        name: said(pod.map(|pod| &pod.name)).or(said(own.map(|pod| &pod.name.name))),
        uid: said(pod.map(|pod| &pod.uid)).or(uid),
        // The API's are as they are now; the runtime's as they were when the pod was made.
        labels: own.map(|pod| &pod.labels).or(pod.map(|pod| &pod.labels)),
        sandbox: pod.map(|pod| pod.sandbox_id.as_str()),
        addresses: addresses(pod, own),
        host_namespaces: HostNamespaces {
            pid: pod.and_then(|pod| pod.host_pid),
            network: pod.map(|pod| pod.host_network).or(own.map(|pod| pod.host_network)),
            ipc: pod.and_then(|pod| pod.host_ipc),
        },
        network_json: pod.and_then(|pod| pod.network_json.as_deref()),
    })
}

/// Addresses of a pod, once it has some or will have none.
fn addresses<'a>(
    described: Option<&'a PodDescription>,
    own: Option<&'a cluster::Pod>,
) -> Option<&'a [IpAddr]> {
    let of_runtime = described.map(|pod| (pod.ips.as_slice(), pod.host_network));
    let of_api = own.map(|pod| (pod.ips.as_slice(), pod.host_network));
    // Of a pod in the host's network the API says the node's address, which is not the pod's.
    let known = |(addresses, in_host_network): (&'a [IpAddr], bool)| match in_host_network {
        true => Some(&[][..]),
        false => (!addresses.is_empty()).then_some(addresses),
    };
    of_runtime.and_then(known).or(of_api.and_then(known))
}
