//! Containers that no CRI describes: what runtimes keep of them in files on the node. Docker and Podman have no CRI,
//! containerd tells only of its namespace `k8s.io`, and a socket may not be mounted.
//!
//! A container's bundle has the specification that the runtime made it from (rights, namespaces, mounts,
//! annotations). Names and images are elsewhere: Docker and Podman have files of their own, containerd is asked.
//!
//! Files: `places` (where files are), `oci` (specifications), `docker` and `podman` (what those add), `containerd`
//! (what it is asked), `source` (the thread that looks).
//!
//! Invariants: only files below the root that was given are opened, links included; the socket of containerd is
//! in its state folder there. A file is read once for a container and up to a ceiling. What is written in it may be anything: what cannot be read is absent, and counted
//! with its reason.

mod containerd;
pub(crate) mod docker;
pub(crate) mod oci;
mod places;
pub(crate) mod podman;
mod source;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chandra_executables::Root;
use chandra_identity::description::{Bundle, ContainerDescription, RuntimeId};

use crate::spec::Spec;
use places::{Kind, Place};

pub use source::{Counts, Handle, watch};

/// The longest file that is read. A specification has some 20 KiB, most of which are rules of seccomp.
const MAX_FILE_BYTES: u64 = 2 << 20;
/// Namespaces of one containerd that are looked through.
const MAX_NAMESPACES: usize = 64;

/// The files of runtimes below one root.
#[derive(Debug, Clone)]
pub struct Bundles(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: Root,
    /// Where the root is, for sockets below it.
    path: PathBuf,
    /// Those that the node has to give, bit n being capability n.
    capabilities: u64,
}

/// Why nothing is known of a container.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// No runtime that is known has files of it.
    #[error("no bundle")]
    NotFound,
    /// Its file is too long to be one.
    #[error("its file is longer than {MAX_FILE_BYTES} bytes")]
    TooLong,
    /// Its file cannot be read.
    #[error("its file cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// Its file is no specification, or not of this container.
    #[error("its file is malformed")]
    Malformed,
}

/// What was found, and in which file.
#[derive(Debug)]
pub struct Found {
    /// What it says.
    pub bundle: Bundle,
    /// Its path below the root.
    pub path: String,
}

impl Bundles {
    /// Those below this root: `/` on the host itself, or where its file system is seen (`/proc/1/root`).
    ///
    /// # Errors
    /// When there is no such folder, or one may not look.
    pub fn below(root: &Path) -> io::Result<Self> {
        let (path, capabilities) = (root.to_owned(), capabilities());
        Ok(Self(Arc::new(Inner { root: Root::of_folder(root)?, path, capabilities })))
    }

    /// A containerd has a task of this name in this namespace. One file's name is looked up, nothing is read.
    pub fn is_task(&self, namespace: &str, name: &str) -> bool {
        let mut places = places::tasks(namespace, name);
        places.any(|path| self.0.root.open(path.as_bytes()).is_ok())
    }

    /// The file is still there.
    fn has(&self, path: &str) -> bool {
        self.0.root.open(path.as_bytes()).is_ok()
    }

    /// What is known of a container.
    ///
    /// # Errors
    /// Why nothing is.
    pub fn look(&self, id: &RuntimeId) -> Result<Found, Missing> {
        if !places::is_name(id.as_str()) {
            return Err(Missing::NotFound);
        }
        for place in self.places(id.as_str()) {
            let bytes = match self.read(&place.path) {
                Ok(bytes) => bytes,
                Err(Missing::NotFound) => continue,
                Err(missing) => return Err(missing),
            };
            let bundle = self.bundle(id, &place, &bytes)?;
            return Ok(Found { bundle, path: place.path });
        }
        Err(Missing::NotFound)
    }

    /// Where its file may be, the likeliest first.
    fn places(&self, id: &str) -> impl Iterator<Item = Place> {
        let of_containerd = places::CONTAINERDS.iter().flat_map(move |state| {
            let namespaces = self.folders(&places::tasks_of(state));
            namespaces.into_iter().map(move |namespace| Place::of_task(state, &namespace, id))
        });
        of_containerd.chain(places::others(id))
    }

    fn bundle(&self, id: &RuntimeId, place: &Place, bytes: &[u8]) -> Result<Bundle, Missing> {
        if matches!(place.kind, Kind::DockerContainer) {
            return self.of_docker(id, bytes).ok_or(Missing::Malformed);
        }
        let spec: Spec = serde_json::from_slice(bytes).map_err(|_| Missing::Malformed)?;
        let mut bundle = oci::bundle(id, &spec, self.0.capabilities);
        // Its annotations name it.
        if bundle.is_of_kubernetes {
            return Ok(bundle);
        }
        if let Some(container) = bundle.container.take() {
            let container = match self.more(id, place) {
                Some((more, is_of_kubernetes)) => {
                    bundle.is_of_kubernetes = is_of_kubernetes;
                    container.or(&more)
                }
                None => (*container).clone(),
            };
            bundle.container = Some(Arc::new(place.named(container)));
        }
        Ok(bundle)
    }

    /// What a specification does not say: name, image, labels; and whether it is of Kubernetes.
    fn more(&self, id: &RuntimeId, place: &Place) -> Option<(ContainerDescription, bool)> {
        let container = match &place.kind {
            Kind::Task { namespace, .. } if namespace == places::DOCKER_NAMESPACE => {
                let bytes = self.read(&places::docker_config(id.as_str())).ok()?;
                let bundle = self.of_docker(id, &bytes)?;
                return Some(((*bundle.container?).clone(), bundle.is_of_kubernetes));
            }
            Kind::Task { namespace, socket } => {
                containerd::container(&self.0.path.join(socket), namespace, id)
            }
            Kind::Storage { list } => podman::container(id, &self.read(list).ok()?),
            Kind::DockerContainer => None,
        };
        Some((container?, false))
    }

    fn of_docker(&self, id: &RuntimeId, config: &[u8]) -> Option<Bundle> {
        let host = self.read(&places::docker_host_config(id.as_str())).unwrap_or_default();
        docker::bundle(id, config, &host)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, Missing> {
        let open = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Missing::NotFound,
            _ => Missing::Unreadable(error),
        };
        let file = self.0.root.open(path.as_bytes()).map_err(open)?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(Missing::Unreadable)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(Missing::TooLong);
        }
        Ok(bytes)
    }

    /// Names of the folders in a folder.
    fn folders(&self, path: &str) -> Vec<String> {
        let Ok((_held, listed)) = self.0.root.folder(path.as_bytes()) else { return Vec::new() };
        let entries = std::fs::read_dir(listed).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| places::is_name(name)).take(MAX_NAMESPACES).collect()
    }
}

/// The capabilities that this node's first process may have, and so anybody; all where it does not say.
fn capabilities() -> u64 {
    let status = std::fs::read_to_string("/proc/1/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
