//! Where runtimes keep what they know of containers, below the root of the host.

use chandra_identity::description::{ContainerDescription, Text};

/// State folders of containerd: its own, k3s and RKE2, k0s, MicroK8s, the one that Docker runs.
pub const CONTAINERDS: [&str; 5] = [
    "run/containerd",
    "run/k3s/containerd",
    "run/k0s/containerd",
    "var/snap/microk8s/common/run/containerd",
    "run/docker/containerd/daemon",
];
/// Of tasks in that folder, since containerd 1.2.
const TASKS: &str = "io.containerd.runtime.v2.task";
/// The namespace that Docker has in containerd.
pub const DOCKER_NAMESPACE: &str = "moby";
/// Storage of CRI-O and Podman: what is gone with a boot, and what stays.
const STORAGES: [&str; 2] = ["run/containers/storage", "var/lib/containers/storage"];
const DOCKER: &str = "var/lib/docker/containers";
/// Longest name of a container or a namespace that is looked for.
const MAX_NAME_BYTES: usize = 128;

/// A file of a container.
#[derive(Debug)]
pub struct Place {
    pub path: String,
    pub kind: Kind,
}

/// What kind of file, and where the rest is.
#[derive(Debug)]
pub enum Kind {
    /// The specification of a task of containerd.
    Task { namespace: String, socket: String },
    /// A specification of CRI-O or Podman; `list` has names and images.
    Storage { list: String },
    /// What Docker keeps itself, whoever runs it.
    DockerContainer,
}

impl Place {
    pub fn of_task(state: &str, namespace: &str, id: &str) -> Self {
        // Docker's containerd has its socket beside its state.
        let folder = state.strip_suffix("/daemon").unwrap_or(state);
        let kind = Kind::Task {
            namespace: namespace.to_owned(),
            socket: format!("{folder}/containerd.sock"),
        };
        Self { path: task(state, namespace, id), kind }
    }

    /// The same container; where nobody gave a task a name beside its id, that is its name.
    pub fn named(&self, mut container: ContainerDescription) -> ContainerDescription {
        if matches!(self.kind, Kind::Task { .. }) && container.name.is_empty() {
            container.name = Text::new(container.id.as_str());
        }
        container
    }
}

fn task(state: &str, namespace: &str, id: &str) -> String {
    format!("{state}/{TASKS}/{namespace}/{id}/config.json")
}

/// The folder with a folder for each namespace.
pub fn tasks_of(state: &str) -> String {
    format!("{state}/{TASKS}")
}

/// Where the specification of a task may be.
pub fn tasks(namespace: &str, id: &str) -> impl Iterator<Item = String> {
    let is_possible = is_name(namespace) && is_name(id);
    let states = CONTAINERDS.iter().filter(move |_| is_possible);
    states.map(move |state| task(state, namespace, id))
}

/// Files of other runtimes.
pub fn others(id: &str) -> impl Iterator<Item = Place> {
    let storages = STORAGES.map(|storage| Place {
        path: format!("{storage}/overlay-containers/{id}/userdata/config.json"),
        kind: Kind::Storage { list: format!("{}/overlay-containers/containers.json", STORAGES[1]) },
    });
    let docker = Place { path: docker_config(id), kind: Kind::DockerContainer };
    storages.into_iter().chain([docker])
}

pub fn docker_config(id: &str) -> String {
    format!("{DOCKER}/{id}/config.v2.json")
}

pub fn docker_host_config(id: &str) -> String {
    format!("{DOCKER}/{id}/hostconfig.json")
}

/// It is one step of a path, and no step upwards.
pub fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with('.')
}
