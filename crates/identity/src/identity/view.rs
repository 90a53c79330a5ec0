//! What the tables say of a record, as a view into them.

use std::net::SocketAddr;

use chandra_event::process::Process;
use chandra_event::record::{Event, Record};
use chandra_event::tcp::{Happened, Role};
use chandra_event::who::{Container, Parent, Peer, Pod, Service, Who, Workload};

use super::{Identity, OwnNode, Place};
use crate::cluster::{PodView, Protocol, ServiceView};
use crate::container::{self, Number};
use crate::description::{ContainerDescription, Text};
use crate::dns::Scope;
use crate::names::{Here, Names, Question};
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
        let number = self.container_of(record).filter(|number| self.look_up(*number).is_some());
        let boottime_ns = self.processes.boottime_ns_of(record.time());
        let scope = match (number, record.process()) {
            (Some(number), _) => Some(Scope::Container(number.get())),
            (None, Some(process)) => Some(Scope::Process(process.pid)),
            (None, None) => None,
        };
        let backend = self.backend(record, boottime_ns);
        let mut who = Who::default();
        if let Some(process) = record.process() {
            let ran = self.processes.of(process).and_then(|entry| entry.program_at(boottime_ns));
            who.executable = ran.map(|program| &*program.executable).filter(known);
            who.parent = self.parent(process, boottime_ns);
        }
        if let Some(number) = number {
            self.place(number, &mut who);
        }
        if let Some(peer) = record.peer() {
            let is_own = peer.ip().to_canonical().is_loopback() && who.pod.is_some();
            let ask = |end| self.question(end, scope, boottime_ns);
            who.backend = backend.filter(|_| !is_own);
            who.peer = match who.backend {
                // The loopback of a pod is the pod.
                _ if is_own => Peer { pod: who.pod, workload: who.workload, ..Peer::default() },
                Some(backend) => self.reached(&ask(peer), &ask(backend), spelled),
                None => self.peer(&ask(peer), spelled),
            };
        }
        who
    }

    /// Where the connection of a record went, if what its opener dialled was translated on the way.
    fn backend(&mut self, record: &dyn Record, boottime_ns: u64) -> Option<SocketAddr> {
        let Event::Tcp(tcp) = record.event() else { return None };
        let (client, dialled) = (tcp.connection.local, tcp.connection.peer);
        if tcp.connection.role == Some(Role::Acceptor) {
            return None;
        }
        let backend = self.translations.backend(client, dialled);
        if matches!(tcp.happened, Happened::Close(_)) && backend.is_some() {
            self.translations.close(client, dialled, boottime_ns);
        }
        backend
    }

    /// Which container has this number.
    pub fn who_is(&mut self, number: Number) -> Who<'_> {
        let mut who = Who::default();
        if self.look_up(number).is_some() {
            self.place(number, &mut who);
        }
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

    fn parent(&self, process: &Process, boottime_ns: u64) -> Option<Parent<'_>> {
        let entry = self.processes.parent_of(process)?;
        let parent = entry.process();
        let ran = entry.program_at(boottime_ns);
        Some(Parent {
            pid: parent.pid,
            start_boottime_ns: parent.start_boottime_ns,
            start_time: self.processes.start_time(entry),
            comm: parent.comm,
            executable: ran.map(|program| &*program.executable).filter(known),
        })
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

    /// Who was reached at the backend of what was dialled.
    fn reached<'a>(
        &'a self,
        dialled: &Question,
        backend: &Question,
        spelled: &'a mut Spelled,
    ) -> Peer<'a> {
        let dialled = self.names().peer(dialled);
        let (service, name) = (dialled.service.map(service_view), dialled.dns_name);
        Peer { service, name, ..self.peer(backend, spelled) }
    }

    fn peer<'a>(&'a self, question: &Question, spelled: &'a mut Spelled) -> Peer<'a> {
        let peer = self.names().peer(question);
        spelled.spell(peer.pod);
        let spelled: &'a Spelled = spelled;
        let pod = |pod: PodView<'a>| Pod {
            namespace: Some(pod.namespace()),
            name: Some(&spelled.pod),
            uid: None,
            labels: None,
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
fn known(path: &&[u8]) -> bool {
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
    })
}
