//! Who did it: what was known when the record was written.

use chandra_event::who::{Container, Parent, Peer, Pod, Who, Workload};

use super::Recorded;

impl Recorded {
    pub(super) fn who(&self) -> Who<'_> {
        let executable = |path| self.text(path).map(str::as_bytes);
        let has = |object: &str| self.object.get(object).is_some();
        Who {
            executable: executable("/process/exe"),
            parent: has("parent").then(|| Parent {
                pid: self.small("/parent/pid").unwrap_or_default(),
                start_boottime_ns: self.number("/parent/start_boottime_ns").unwrap_or_default(),
                start_time: self.time("/parent/start_time"),
                comm: self.comm("/parent/comm"),
                executable: executable("/parent/exe"),
            }),
            container: self.text("/container/id").map(|id| Container {
                id,
                runtime: self.text("/container/runtime").unwrap_or_default(),
                name: self.text("/container/name"),
                image: self.text("/container/image"),
                is_sandbox: self.is("/container/is_sandbox"),
                // In a line of its own.
                details: None,
            }),
            pod: has("pod").then(|| Pod {
                namespace: self.text("/pod/namespace"),
                name: self.text("/pod/name"),
                uid: self.text("/pod/uid"),
                labels: self.labels.as_ref(),
                ..Pod::default()
            }),
            workload: self
                .text("/workload/kind")
                .zip(self.text("/workload/name"))
                .map(|(kind, name)| Workload { kind, name }),
            peer: Peer { name: self.text("/peer_name"), ..Peer::default() },
            is_pending: self.text("/identity") == Some("pending"),
            ..Who::default()
        }
    }
}
