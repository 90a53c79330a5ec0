//! What containerd itself says of a container of any of its namespaces: the image, and labels. Its own API
//! (`containerd.services.containers.v1`) is there where its CRI plugin is not.

use std::path::Path;
use std::time::Duration;

use chandra_identity::description::{
    ContainerDescription, ContainerDetails, Pairs, RuntimeId, Text,
};

use crate::api;
use crate::client::Client;

/// What a call may take; the node's own socket answers in a millisecond or so.
const WITHIN: Duration = Duration::from_millis(200);
/// The label by which nerdctl names a container.
const NAME: &str = "nerdctl/name";

/// What containerd says; nothing if it does not answer, or has no such container.
pub fn container(socket: &Path, namespace: &str, id: &RuntimeId) -> Option<ContainerDescription> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let asking = async {
        let client = Client::connect(socket, WITHIN).await.ok()?;
        client.container_of_containerd(namespace, id.as_str()).await.ok()
    };
    let answer = tokio.block_on(asking)?;
    Some(describe(id, answer.container?))
}

fn describe(id: &RuntimeId, container: api::ContainerOfContainerd) -> ContainerDescription {
    let pairs = container.labels.iter();
    let labels = Pairs::collect(pairs.map(|pair| (pair.key.as_slice(), pair.value.as_slice())));
    ContainerDescription {
        name: labels.get(NAME).cloned().unwrap_or_default(),
        image: Text::lossy(&container.image),
        details: ContainerDetails { labels: Some(labels), ..ContainerDetails::default() },
        ..ContainerDescription::new(id.clone())
    }
}
