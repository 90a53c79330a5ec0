//! Who did it, beyond what the kernel told with a record: the parent, the container, the pod and its
//! workload, and who is at the other end of a connection.
//!
//! A [`Who`] is a view into tables that others keep; [`Known`] shows a record together with it, in
//! every output alike, so that no signal has to know of containers or pods.

mod details;
mod fields;

use std::net::{IpAddr, SocketAddr};

use crate::bounded::Pairs;
use crate::process::Comm;
use crate::record::{Event, Field, Kind, Record, Shown};
use crate::time::Timestamp;
use crate::value::Value;

pub use details::{ContainerDetails, HostNamespaces, Mount, Propagation};
pub use fields::{BackendFields, CONTAINER_DESCRIBED, WhoFields};

/// What is known of who did it. What is absent is not known, or is not so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Who<'a> {
    /// What the process ran at that time, for records that do not say it themselves.
    pub executable: Option<&'a [u8]>,
    /// Its parent at that time.
    pub parent: Option<Parent<'a>>,
    /// The innermost container that it was in.
    pub container: Option<Container<'a>>,
    /// The pod of that container.
    pub pod: Option<Pod<'a>>,
    /// What the pod belongs to.
    pub workload: Option<Workload<'a>>,
    /// Where the connection went, if what was dialled was translated on the way.
    pub backend: Option<SocketAddr>,
    /// The other end of the connection; of a translated one the backend, but the service and the name
    /// that were dialled.
    pub peer: Peer<'a>,
    /// The container is not described yet; a record `container_described` may follow.
    pub is_pending: bool,
}

/// A parent process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent<'a> {
    /// Its pid.
    pub pid: u32,
    /// Its start, nanoseconds of CLOCK_BOOTTIME.
    pub start_boottime_ns: u64,
    /// Its start as wall-clock time.
    pub start_time: Timestamp,
    /// Its name.
    pub comm: Comm,
    /// What it ran at that time.
    pub executable: Option<&'a [u8]>,
}

/// A container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Container<'a> {
    /// The runtime's id of it.
    pub id: &'a str,
    /// The runtime: `containerd`, `cri-o`, …
    pub runtime: &'a str,
    /// Its name in its pod.
    pub name: Option<&'a str>,
    /// Its image as it was asked for.
    pub image: Option<&'a str>,
    /// It is the sandbox of its pod, where only `pause` runs.
    pub is_sandbox: bool,
    /// What else the runtime says of it; no record shows it, rules ask for it.
    pub details: Option<&'a ContainerDetails>,
}

/// A pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pod<'a> {
    /// Its namespace.
    pub namespace: Option<&'a str>,
    /// Its name.
    pub name: Option<&'a str>,
    /// Its uid.
    pub uid: Option<&'a str>,
    /// Its labels.
    pub labels: Option<&'a Pairs>,
    /// The sandbox that its containers share; with what follows for rules, no record shows it.
    pub sandbox: Option<&'a str>,
    /// Its addresses, the first is the primary; none when it shares the host's network.
    pub addresses: Option<&'a [IpAddr]>,
    /// Namespaces of the sandbox that are the host's.
    pub host_namespaces: HostNamespaces,
    /// What its network plugins answered, as JSON.
    pub network_json: Option<&'a str>,
}

/// What made a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload<'a> {
    /// `Deployment`, `DaemonSet`, `CronJob`, …
    pub kind: &'a str,
    /// Its name, in the pod's namespace.
    pub name: &'a str,
}

/// Who is at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Peer<'a> {
    /// The pod that has it.
    pub pod: Option<Pod<'a>>,
    /// What that pod belongs to.
    pub workload: Option<Workload<'a>>,
    /// The service whose address and port it is.
    pub service: Option<Service<'a>>,
    /// The node that has it, or that its pod is on.
    pub node: Option<&'a str>,
    /// The name that was resolved to it just before.
    pub name: Option<&'a str>,
    /// What it is where it is none of those: `host`, `remote-node`, `kube-apiserver`, `world`.
    pub entity: Option<&'a str>,
}

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The name of the port; absent if it has none.
    pub port: Option<&'a str>,
}

/// `container_described`: the runtime said what a container is, of which records were passed on
/// before as pending. What it said is shown as of every record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Described {
    /// When it said so.
    pub time: Timestamp,
    /// How many records were passed on before.
    pub pending_records: u64,
}

impl Record for Described {
    fn kind(&self) -> &'static Kind {
        &CONTAINER_DESCRIBED
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        fields::DescribedFields::visit(self, each);
    }
}

/// A record and who did it, as one record.
#[derive(Clone, Copy)]
pub struct Known<'r> {
    /// The record.
    pub record: &'r dyn Record,
    /// Who did it.
    pub who: &'r Who<'r>,
}

impl std::fmt::Debug for Known<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known")
            .field("kind", &self.record.kind().name)
            .field("who", self.who)
            .finish()
    }
}

/// Shown behind the process of records that have no executable of their own.
pub(crate) static EXECUTABLE: Field = Field {
    path: "process.exe",
    column: "EXE",
    width: 24,
    shown: Shown::Wide,
    value_type: crate::value::Type::Bytes,
    summary: "File that the process ran at that time, an absolute path in its own mount tree",
};

impl Known<'_> {
    /// Whether the record has an executable, and a parent, of its own.
    fn tells_itself(&self) -> (bool, bool) {
        match self.event() {
            Event::Exec(_) => (true, false),
            Event::Fork(_) => (false, true),
            Event::Exit(_)
            | Event::Cgroup(_)
            | Event::Tcp(_)
            | Event::Drop(_)
            | Event::Dns(_)
            | Event::FileOpen(_)
            | Event::SystemCall(_)
            | Event::Udp(_)
            | Event::HttpRequest(_)
            | Event::Icmp(_)
            | Event::CpuSample(_)
            | Event::OffCpu(_)
            | Event::OomKill(_)
            | Event::SignalSent(_) => (false, false),
            Event::Other => {
                let has = |path| self.kind().field(path).is_some();
                (has(EXECUTABLE.path), has("parent.pid"))
            }
        }
    }
}

/// What belongs into objects that a record has of its own, each at the end of its object.
struct Added<'r> {
    executable: Option<&'r [u8]>,
    backend: Option<SocketAddr>,
    /// Path of the field that was shown last.
    before: &'static str,
}

impl Added<'_> {
    /// Called before the field of this path is shown, and at the end with none.
    fn before(&mut self, path: &'static str, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        let before = std::mem::replace(&mut self.before, path);
        let leaves = |object| before.starts_with(object) && !path.starts_with(object);
        if leaves("process.")
            && let Some(executable) = self.executable.take()
        {
            each(&EXECUTABLE, Value::Bytes(executable));
        }
        if leaves("connection.")
            && let Some(backend) = self.backend.take()
        {
            BackendFields::visit(&backend, each);
        }
    }
}

impl Record for Known<'_> {
    fn kind(&self) -> &'static Kind {
        self.record.kind()
    }

    fn time(&self) -> Timestamp {
        self.record.time()
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        let (has_executable, has_parent) = self.tells_itself();
        let mut added = Added {
            executable: self.who.executable.filter(|_| !has_executable),
            backend: self.who.backend,
            before: "",
        };
        self.record.visit(&mut |field, value| {
            added.before(field.path, each);
            each(field, value);
        });
        added.before("", each);
        let parent = self.who.parent.filter(|_| !has_parent);
        WhoFields::visit(&Who { parent, ..*self.who }, each);
    }

    fn event(&self) -> Event<'_> {
        self.record.event()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{json, samples};

    fn line(record: &dyn Record, who: &Who<'_>) -> serde_json::Value {
        let mut out = Vec::new();
        json::write_line(&Known { record, who }, Some("n1"), &mut out);
        serde_json::from_slice(&out).unwrap()
    }

    fn somebody<'a>(labels: &'a Pairs) -> Who<'a> {
        Who {
            executable: Some(b"/usr/bin/curl"),
            parent: Some(Parent {
                pid: 7,
                start_boottime_ns: 9,
                start_time: Timestamp(0),
                comm: Comm(*b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
                executable: Some(b"/bin/sh"),
            }),
            container: Some(Container {
                id: "c0ffee",
                runtime: "containerd",
                name: Some("app"),
                image: None,
                is_sandbox: false,
                details: None,
            }),
            pod: Some(Pod {
                namespace: Some("shop"),
                name: Some("web-5"),
                uid: None,
                labels: Some(labels),
                ..Pod::default()
            }),
            workload: Some(Workload { kind: "Deployment", name: "web" }),
            backend: Some(SocketAddr::from(([10, 0, 1, 1], 8080))),
            peer: Peer {
                service: Some(Service { namespace: "shop", name: "db", port: None }),
                ..Peer::default()
            },
            is_pending: true,
        }
    }

    #[test]
    fn every_record_says_who_did_it_in_the_same_words() {
        let labels = Pairs::collect([(&b"app"[..], &b"web"[..]), (b"k\x1b", b"v\x1b[2J")]);
        let who = somebody(&labels);
        samples::each(&mut |record| {
            let line = line(record, &who);
            assert_eq!(line["pod"]["name"], "web-5", "{line}");
            assert_eq!(line["pod"]["labels"]["k\u{1b}"], "v\u{1b}[2J");
            assert_eq!(line["workload"]["kind"], "Deployment");
            assert_eq!(line["container"]["id"], "c0ffee");
            assert_eq!(line["peer_service"]["name"], "db");
            assert_eq!(line["identity"], "pending");
        });
    }

    #[test]
    fn the_executable_stands_in_the_process_and_once() {
        let labels = Pairs::default();
        let who = somebody(&labels);
        samples::each(&mut |record| {
            let line = line(record, &who);
            let own = record.kind().field("process.exe").is_some();
            match line["process"]["exe"].as_str() {
                Some(exe) => assert_eq!(exe == "/usr/bin/curl", !own, "{line}"),
                None => assert!(own || line["process"].is_null(), "{line}"),
            }
        });
    }

    #[test]
    fn the_backend_stands_in_the_connection() {
        let labels = Pairs::default();
        let who = somebody(&labels);
        let mut connections = 0;
        samples::each(&mut |record| {
            let line = line(record, &who);
            let backend = &line["connection"]["backend"];
            if line["connection"].is_null() {
                return;
            }
            connections += 1;
            assert_eq!(
                *backend,
                serde_json::json!({"address": "10.0.1.1", "port": 8080}),
                "{line}"
            );
            assert!(line["connection"]["peer"]["address"].is_string(), "{line}");
        });
        assert_eq!(connections, 18);
    }

    #[test]
    fn nobody_adds_nothing() {
        samples::each(&mut |record| {
            let (mut plain, mut known) = (Vec::new(), Vec::new());
            json::write_line(record, None, &mut plain);
            json::write_line(&Known { record, who: &Who::default() }, None, &mut known);
            assert_eq!(plain, known);
        });
    }

    #[test]
    fn its_fields_have_no_faults_beside_those_of_any_kind() {
        for kind in crate::KINDS {
            let own: Vec<Field> = kind.fields.to_vec();
            let has_parent = kind.field("parent.pid").is_some();
            let in_connection = own.iter().rposition(|field| field.path.starts_with("connection."));
            let fields = WhoFields::FIELDS.iter().copied();
            let fields = fields.filter(|field| !(has_parent && field.object() == "parent"));
            let mut all: Vec<Field> = own.into_iter().chain(fields).collect();
            if let Some(last) = in_connection {
                all.splice(last + 1..last + 1, BackendFields::FIELDS.iter().copied());
            }
            let both = Kind {
                signal: kind.signal,
                name: kind.name,
                summary: kind.summary,
                fields: all.leak(),
            };
            assert_eq!(both.faults(), Vec::<String>::new());
        }
    }
}
