//! From the runtime's answers to descriptions.
//!
//! Invariant: whatever the runtime sends becomes a description within its ceilings, or nothing if it
//! has no id.

use std::net::IpAddr;

use chandra_identity::description::{
    ContainerDescription, ContainerDetails, ContainerState, MAX_LIST, Mount, Pairs, PodDescription,
    Propagation, RuntimeId, Text,
};

use crate::api;
use crate::info::Info;
use crate::spec::SpecMount;

/// An id, if it is one.
pub(crate) fn id(bytes: &[u8]) -> Option<RuntimeId> {
    std::str::from_utf8(bytes).ok().and_then(RuntimeId::new)
}

pub(crate) fn pod(answer: api::PodSandboxStatusResponse) -> Option<PodDescription> {
    let status = answer.status?;
    let info = Info::read(&answer.info);
    let metadata = status.metadata.unwrap_or_default();
    let network = status.network.unwrap_or_default();
    let further = network.additional_ips.iter().map(|further| further.ip.as_slice());
    let ips = std::iter::once(network.ip.as_slice()).chain(further);
    let namespaces = status.linux.and_then(|linux| linux.namespaces?.options);
    Some(PodDescription {
        sandbox_id: id(&status.id)?,
        namespace: Text::lossy(&metadata.namespace),
        name: Text::lossy(&metadata.name),
        uid: Text::lossy(&metadata.uid),
        attempt: metadata.attempt,
        ready: status.state == api::SANDBOX_READY,
        created_at_ns: u64::try_from(status.created_at).unwrap_or(0),
        labels: pairs(&status.labels),
        annotations: pairs(&status.annotations),
        ips: ips.filter_map(address).take(MAX_LIST).collect(),
        host_network: namespaces
            .as_ref()
            .is_some_and(|modes| modes.network == api::NAMESPACE_OF_NODE),
        host_pid: namespaces.as_ref().map(|modes| modes.pid == api::NAMESPACE_OF_NODE),
        host_ipc: namespaces.as_ref().map(|modes| modes.ipc == api::NAMESPACE_OF_NODE),
        network_json: info.network_json(),
        runtime_handler: Text::lossy(&status.runtime_handler),
        pid: info.pid(),
    })
}

pub(crate) fn container(answer: api::ContainerStatusResponse) -> Option<ContainerDescription> {
    let status = answer.status?;
    let info = Info::read(&answer.info);
    let metadata = status.metadata.unwrap_or_default();
    let image = status.image.unwrap_or_default();
    let asked_for = match image.user_specified_image.as_slice() {
        [] => &image.image,
        _ => &image.user_specified_image,
    };
    let (mounts, mounts_omitted) = mounts(&status.mounts, &info);
    Some(ContainerDescription {
        id: id(&status.id)?,
        sandbox_id: info.sandbox_id.as_deref().and_then(RuntimeId::new),
        name: Text::lossy(&metadata.name),
        attempt: metadata.attempt,
        image: Text::lossy(asked_for),
        state: state(status.state),
        created_at_ns: u64::try_from(status.created_at).unwrap_or(0),
        annotations: pairs(&status.annotations),
        details: ContainerDetails {
            image_id: Text::lossy(image_id(&status.image_id, &status.image_ref)),
            image_reference: Text::lossy(&status.image_ref),
            started_at_ns: u64::try_from(status.started_at).ok().filter(|time| *time > 0),
            labels: Some(pairs(&status.labels)),
            privileged: info
                .privileged()
                .or_else(|| info.spec().and_then(|spec| spec.has_all_rights())),
            mounts: Some(mounts),
            mounts_omitted,
            host_namespaces: info.spec().map(|spec| spec.host_namespaces()).unwrap_or_default(),
        },
        pid: info.pid(),
    })
}

/// The image's id; older runtimes say it only of images without a registry's digest.
fn image_id<'s>(id: &'s [u8], reference: &'s [u8]) -> &'s [u8] {
    match id {
        [] if reference.starts_with(b"sha256:") => reference,
        id => id,
    }
}

fn state(number: i32) -> ContainerState {
    match number {
        0 => ContainerState::Created,
        1 => ContainerState::Running,
        2 => ContainerState::Exited,
        _ => ContainerState::Unknown,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

fn pairs(entries: &[api::Entry]) -> Pairs {
    Pairs::collect(entries.iter().map(|entry| (entry.key.as_slice(), entry.value.as_slice())))
}

/// What was asked for, then what the runtime added by itself (`/etc/hosts`, volumes of the image).
fn mounts(asked_for: &[api::Mount], info: &Info) -> (Vec<Mount>, u32) {
    let own = asked_for.iter().map(|mount| Mount {
        host_path: Text::lossy(&mount.host_path),
        container_path: Text::lossy(&mount.container_path),
        read_only: mount.readonly,
        propagation: match mount.propagation {
            api::HOST_TO_CONTAINER => Propagation::Slave,
            api::BIDIRECTIONAL => Propagation::Shared,
            _ => Propagation::Private,
        },
    });
    let mut mounts: Vec<Mount> = own.take(MAX_LIST).collect();
    let mut omitted = asked_for.len() - mounts.len();
    let binds = info.spec().and_then(|spec| spec.binds());
    for bind in binds.into_iter().flatten().map(SpecMount::to_mount) {
        if mounts.iter().any(|known| known.container_path == bind.container_path) {
            continue;
        }
        if mounts.len() == MAX_LIST {
            // Some of them may be among those omitted already, but then the list is hostile anyway.
            omitted += 1;
            continue;
        }
        mounts.push(bind);
    }
    (mounts, u32::try_from(omitted).unwrap_or(u32::MAX))
}
