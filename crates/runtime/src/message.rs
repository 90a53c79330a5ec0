//! What becomes of a runtime's answers, as bytes: the message with its JSON inside.

use chandra_identity::description::{ContainerDescription, PodDescription};
use prost::Message;

use crate::{api, describe};

/// A ContainerStatusResponse; nothing if it is none, or has no id.
pub fn container(bytes: &[u8]) -> Option<ContainerDescription> {
    api::ContainerStatusResponse::decode(bytes).ok().and_then(describe::container)
}

/// A PodSandboxStatusResponse, in the same way.
pub fn pod(bytes: &[u8]) -> Option<PodDescription> {
    api::PodSandboxStatusResponse::decode(bytes).ok().and_then(describe::pod)
}

/// The JSON of a verbose ContainerStatusResponse alone.
pub fn container_information(json: &[u8]) -> Option<ContainerDescription> {
    let status = api::ContainerStatus { id: b"id".to_vec(), ..api::ContainerStatus::default() };
    let info = vec![api::Entry { key: b"info".to_vec(), value: json.to_vec() }];
    describe::container(api::ContainerStatusResponse { status: Some(status), info })
}
