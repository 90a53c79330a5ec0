//! What a container runtime says, which may be anything.

use chandra_event::bounded::{Pairs, Text};
use chandra_identity::description::{ContainerDescription, MAX_LIST, Mount};
use chandra_runtime::message;

/// Keys, values, and what keeps them together.
const MAX_PAIRS_BYTES: usize = Pairs::MAX_BYTES + Pairs::MAX_PAIRS * 64;
const MAX_NETWORK_JSON_BYTES: usize = 8 * 1024;

/// A status of a container, or of a pod, as it comes over the wire.
pub fn runtime_message(bytes: &[u8]) {
    if let Some(container) = message::container(bytes) {
        check(&container);
    }
    if let Some(pod) = message::pod(bytes) {
        let json = pod.network_json.as_deref().unwrap_or_default();
        assert!(json.len() <= MAX_NETWORK_JSON_BYTES && pod.ips.len() <= MAX_LIST);
        assert!(pod.labels.bytes() <= MAX_PAIRS_BYTES);
    }
}

/// The JSON in a status of a container.
pub fn runtime_information(bytes: &[u8]) {
    let container = message::container_information(bytes).expect("it has an id");
    check(&container);
}

/// A file that a runtime keeps of a container.
pub fn runtime_bundle(bytes: &[u8]) {
    for bundle in message::bundle("id", bytes) {
        if let Some(container) = bundle.container {
            check(&container);
        }
        if let Some(pod) = bundle.pod {
            assert!(
                pod.name.bytes() <= Text::MAX_BYTES && pod.namespace.bytes() <= Text::MAX_BYTES
            );
        }
    }
}

fn check(container: &ContainerDescription) {
    let details = &container.details;
    let mounts = details.mounts.as_deref().unwrap_or_default();
    let fits = |mount: &Mount| {
        mount.host_path.bytes() <= Text::MAX_BYTES
            && mount.container_path.bytes() <= Text::MAX_BYTES
    };
    assert!(mounts.len() <= MAX_LIST && mounts.iter().all(fits));
    assert!(mounts.len() == MAX_LIST || details.mounts_omitted == 0);
    assert!(details.labels.as_ref().is_none_or(|labels| labels.bytes() <= MAX_PAIRS_BYTES));
}
