//! What becomes of a runtime's answers, as bytes: the message with its JSON inside.

use std::sync::Arc;

use chandra_identity::description::{Bundle, ContainerDescription, PodDescription, RuntimeId};
use prost::Message;

use crate::{api, bundles, describe};

/// A ContainerStatusResponse; nothing if it is none, or has no id.
pub fn container(bytes: &[u8]) -> Option<ContainerDescription> {
    api::ContainerStatusResponse::decode(bytes).ok().and_then(describe::container)
}

/// A PodSandboxStatusResponse, in the same way.
pub fn pod(bytes: &[u8]) -> Option<PodDescription> {
    api::PodSandboxStatusResponse::decode(bytes).ok().and_then(describe::pod)
}

/// Files of a container that runtimes keep on a node, each read as any of those: a specification, Docker's
/// configuration, the list of a storage.
pub fn bundle(id: &str, json: &[u8]) -> Vec<Bundle> {
    let Some(id) = RuntimeId::new(id) else { return Vec::new() };
    let listed = bundles::podman::container(&id, json).map(|container| Bundle {
        id: id.clone(),
        container: Some(Arc::new(container)),
        pod: None,
        is_of_kubernetes: false,
    });
    let spec =
        serde_json::from_slice(json).ok().map(|spec| bundles::oci::bundle(&id, &spec, u64::MAX));
    [spec, bundles::docker::bundle(&id, json, json), listed].into_iter().flatten().collect()
}

/// The JSON of a verbose ContainerStatusResponse alone.
pub fn container_information(json: &[u8]) -> Option<ContainerDescription> {
    let status = api::ContainerStatus { id: b"id".to_vec(), ..api::ContainerStatus::default() };
    let info = vec![api::Entry { key: b"info".to_vec(), value: json.to_vec() }];
    describe::container(api::ContainerStatusResponse { status: Some(status), info })
}
