//! What the storage of Podman and CRI-O says of containers: `containers.json`, a list of all of them, each with its
//! names and, as JSON within, the image that it was made from.

use chandra_identity::description::{ContainerDescription, ContainerDetails, RuntimeId, Text};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stored {
    id: String,
    names: Option<Vec<String>>,
    image: String,
    metadata: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Metadata {
    image_name: String,
    name: String,
}

/// What the list says of a container.
pub fn container(id: &RuntimeId, list: &[u8]) -> Option<ContainerDescription> {
    let list: Vec<Stored> = serde_json::from_slice(list).ok()?;
    let stored = list.into_iter().find(|stored| stored.id == id.as_str())?;
    let metadata: Metadata = serde_json::from_str(&stored.metadata).unwrap_or_default();
    let name = stored.names.as_ref().and_then(|names| names.first()).unwrap_or(&metadata.name);
    let image_id = match stored.image.as_str() {
        "" => Text::default(),
        digits => Text::new(&format!("sha256:{digits}")),
    };
    Some(ContainerDescription {
        name: Text::new(name),
        image: Text::new(&metadata.image_name),
        details: ContainerDetails { image_id, ..ContainerDetails::default() },
        ..ContainerDescription::new(id.clone())
    })
}
