//! What Docker keeps of a container: `config.v2.json` (name, image, labels, mounts) and `hostconfig.json` (rights).

use std::collections::HashMap;
use std::sync::Arc;

use chandra_identity::description::{
    Bundle, ContainerDescription, ContainerDetails, HostNamespaces, MAX_LIST, Mount, Pairs,
    Propagation, RuntimeId, Text,
};
use serde::Deserialize;

/// The label by which cri-dockerd marks what belongs to Kubernetes.
const KUBERNETES_LABEL: &str = "io.kubernetes.container.name";

/// The parts that are read.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Container {
    #[serde(rename = "ID")]
    id: String,
    /// With a slash before it.
    name: String,
    /// The image by its content.
    image: String,
    config: Config,
    mount_points: Option<HashMap<String, MountPoint>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Config {
    /// The image as it was asked for.
    image: String,
    labels: Option<HashMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct MountPoint {
    source: String,
    destination: String,
    #[serde(rename = "RW")]
    is_writable: bool,
    propagation: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct HostConfig {
    privileged: Option<bool>,
    pid_mode: Option<String>,
    network_mode: Option<String>,
    ipc_mode: Option<String>,
}

/// What the two files say; nothing if the first is not of this container. The second may be missing.
pub fn bundle(id: &RuntimeId, config: &[u8], host: &[u8]) -> Option<Bundle> {
    let container: Container = serde_json::from_slice(config).ok()?;
    if container.id != id.as_str() {
        return None;
    }
    let host: HostConfig = serde_json::from_slice(host).unwrap_or_default();
    let labels = container.config.labels.unwrap_or_default();
    let is_of_kubernetes = labels.contains_key(KUBERNETES_LABEL);
    let pairs = labels.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
    let points = container.mount_points.unwrap_or_default();
    let mounts_omitted = u32::try_from(points.len().saturating_sub(MAX_LIST)).unwrap_or(u32::MAX);
    let mut mounts: Vec<Mount> = points.into_values().map(MountPoint::into_mount).collect();
    mounts.sort_by(|one, other| one.container_path.as_str().cmp(other.container_path.as_str()));
    mounts.truncate(MAX_LIST);
    let is_host = |mode: Option<&String>| mode.map(|mode| mode == "host");
    let described = ContainerDescription {
        name: Text::new(container.name.strip_prefix('/').unwrap_or(&container.name)),
        image: Text::new(&container.config.image),
        details: ContainerDetails {
            image_id: Text::new(&container.image),
            labels: Some(Pairs::collect(pairs)),
            privileged: host.privileged,
            mounts: Some(mounts),
            mounts_omitted,
            host_namespaces: HostNamespaces {
                pid: is_host(host.pid_mode.as_ref()),
                network: is_host(host.network_mode.as_ref()),
                ipc: is_host(host.ipc_mode.as_ref()),
            },
            ..ContainerDetails::default()
        },
        ..ContainerDescription::new(id.clone())
    };
    let container = Some(Arc::new(described));
    Some(Bundle { id: id.clone(), container, pod: None, is_of_kubernetes })
}

impl MountPoint {
    fn into_mount(self) -> Mount {
        Mount {
            host_path: Text::new(&self.source),
            container_path: Text::new(&self.destination),
            read_only: !self.is_writable,
            propagation: match self.propagation.as_str() {
                "shared" | "rshared" => Propagation::Shared,
                "slave" | "rslave" => Propagation::Slave,
                _ => Propagation::Private,
            },
        }
    }
}
