//! From a specification (`config.json`) and its annotations to descriptions.
//!
//! Annotations are those of containerd's CRI plugin (`io.kubernetes.cri.…`), of CRI-O (`io.kubernetes.cri-o.…` and
//! `io.kubernetes.…`), and of nerdctl.

use std::sync::Arc;

use chandra_identity::description::{
    Bundle, ContainerDescription, ContainerDetails, MAX_LIST, Mount, Pairs, PodDescription,
    RuntimeId, Text,
};

use crate::spec::{Spec, SpecMount};

const CONTAINER_TYPE: [&str; 2] =
    ["io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"];
const CONTAINER_NAME: [&str; 3] =
    ["io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name"];
const IMAGE: [&str; 4] = [
    "io.kubernetes.cri.image-name",
    "io.kubernetes.cri-o.UserRequestedImage",
    "io.kubernetes.cri-o.ImageName",
    "io.containerd.image.name",
];
const SANDBOX: [&str; 2] = ["io.kubernetes.cri.sandbox-id", "io.kubernetes.cri-o.SandboxID"];
const POD_NAME: [&str; 2] = ["io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"];
const POD_NAMESPACE: [&str; 2] =
    ["io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"];
const POD_UID: [&str; 2] = ["io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"];

/// What a container's specification says, on a node that has these capabilities to give.
pub fn bundle(id: &RuntimeId, spec: &Spec, capabilities: u64) -> Bundle {
    let kind = spec.annotation(&CONTAINER_TYPE);
    let is_sandbox = kind == Some("sandbox");
    let pod = pod(id, spec, is_sandbox).map(Arc::new);
    let is_of_kubernetes = kind.is_some() || pod.is_some();
    let container = || ContainerDescription {
        details: ContainerDetails { privileged: spec.has_rights(capabilities), ..details(spec) },
        ..container(id, spec, pod.as_deref())
    };
    let container = (!is_sandbox).then(|| Arc::new(container()));
    Bundle { id: id.clone(), container, pod, is_of_kubernetes }
}

fn text(spec: &Spec, keys: &[&str]) -> Text {
    Text::new(spec.annotation(keys).unwrap_or_default())
}

fn container(id: &RuntimeId, spec: &Spec, pod: Option<&PodDescription>) -> ContainerDescription {
    let pairs = spec.annotations().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
    ContainerDescription {
        sandbox_id: pod.map(|pod| pod.sandbox_id.clone()),
        name: text(spec, &CONTAINER_NAME),
        image: text(spec, &IMAGE),
        annotations: Pairs::collect(pairs),
        ..ContainerDescription::new(id.clone())
    }
}

fn details(spec: &Spec) -> ContainerDetails {
    let (mounts, mounts_omitted) = mounts(spec);
    ContainerDetails {
        mounts,
        mounts_omitted,
        host_namespaces: spec.host_namespaces(),
        ..ContainerDetails::default()
    }
}

fn pod(id: &RuntimeId, spec: &Spec, is_sandbox: bool) -> Option<PodDescription> {
    let name = spec.annotation(&POD_NAME)?;
    let sandbox = spec.annotation(&SANDBOX).filter(|_| !is_sandbox).and_then(RuntimeId::new);
    Some(PodDescription {
        name: Text::new(name),
        namespace: text(spec, &POD_NAMESPACE),
        uid: text(spec, &POD_UID),
        ready: true,
        ..PodDescription::new(sandbox.unwrap_or_else(|| id.clone()))
    })
}

fn mounts(spec: &Spec) -> (Option<Vec<Mount>>, u32) {
    let Some(binds) = spec.binds() else { return (None, 0) };
    let (mut mounts, mut omitted) = (Vec::new(), 0_u32);
    for bind in binds {
        match mounts.len() < MAX_LIST {
            true => mounts.push(SpecMount::to_mount(bind)),
            false => omitted = omitted.saturating_add(1),
        }
    }
    (Some(mounts), omitted)
}
