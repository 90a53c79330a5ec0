//! `container.*`

use std::net::IpAddr;

use chandra_event::bounded::Pairs;
use chandra_event::who::{Container, ContainerDetails, HostNamespaces, Pod};

use super::{RecordFacts, mounts};
use crate::catalogue::ContainerField;
use crate::evaluate::{Argument, Value};

const HOST: &[u8] = b"host";
/// Digits of an id that are shown.
const SHORT_ID: usize = 12;

impl<'r> RecordFacts<'r> {
    pub(super) fn container_value(&self, field: ContainerField, argument: &Argument) -> Value<'r> {
        use ContainerField as Of;
        let Some(container) = &self.who.container else {
            return match field {
                _ if self.who.is_pending => Value::Unknown,
                Of::Id | Of::FullId | Of::Name | Of::Type => Value::Text(HOST),
                _ => Value::Absent,
            };
        };
        let image = |part: fn(&'r str) -> Option<&'r str>| match container.image {
            Some(image) => Value::text(part(image)),
            None => Value::Unknown,
        };
        match field {
            Of::Id => Value::Text(short(container.id).as_bytes()),
            Of::FullId => Value::Text(container.id.as_bytes()),
            Of::Name => Value::known_text(container.name),
            Of::Type => Value::Text(container.runtime.as_bytes()),
            Of::Image => Value::known_text(container.image),
            Of::ImageRepository => image(|image| Some(Image::of(image).repository)),
            Of::ImageTag => image(|image| {
                let Image { tag, digest, .. } = Image::of(image);
                tag.or(if digest.is_none() { Some("latest") } else { None })
            }),
            Of::ImageDigest => digest(container),
            Of::Ip => self.pod_address(),
            Of::NetworkJson => self.network_json(),
            field => match container.details {
                Some(details) => self.detail(field, argument, details),
                None => Value::Unknown,
            },
        }
    }

    fn detail(
        &self,
        field: ContainerField,
        argument: &Argument,
        details: &'r ContainerDetails,
    ) -> Value<'r> {
        use ContainerField as Of;
        let start = details.started_at_ns;
        match field {
            Of::ImageId => match details.image_id.as_str() {
                "" => Value::Unknown,
                id => Value::Text(short(id.strip_prefix("sha256:").unwrap_or(id)).as_bytes()),
            },
            Of::Privileged => details.privileged.map_or(Value::Unknown, Value::Bool),
            Of::StartTime => Value::known_number(start),
            Of::Duration => {
                Value::known_number(start.map(|start| self.time.0.saturating_sub(start)))
            }
            Of::Label => match (&details.labels, argument) {
                (None, _) => Value::Unknown,
                (Some(labels), Argument::Name(key)) => label(labels, key),
                _ => Value::Absent,
            },
            Of::Labels => details.labels.as_ref().map_or(Value::Unknown, Value::Labels),
            Of::HostPid => self.is_host_s(details, |namespaces| namespaces.pid),
            Of::HostNetwork => self.is_host_s(details, |namespaces| namespaces.network),
            Of::HostIpc => self.is_host_s(details, |namespaces| namespaces.ipc),
            field => mounts::value(field, argument, details),
        }
    }

    /// Whether a namespace is the host's: its own, or else that of the sandbox, which it joined.
    fn is_host_s(
        &self,
        details: &ContainerDetails,
        namespace: fn(&HostNamespaces) -> Option<bool>,
    ) -> Value<'r> {
        let of_sandbox = || self.who.pod.and_then(|pod| namespace(&pod.host_namespaces));
        let is_host_s = namespace(&details.host_namespaces).or_else(of_sandbox);
        is_host_s.map_or(Value::Unknown, Value::Bool)
    }

    pub(super) fn pod_address(&self) -> Value<'r> {
        let addresses = self.who.pod.and_then(|pod: Pod<'r>| pod.addresses);
        addresses.map_or(Value::Unknown, |addresses: &[IpAddr]| {
            addresses.first().map_or(Value::Absent, |first| Value::Address(*first))
        })
    }

    pub(super) fn network_json(&self) -> Value<'r> {
        match self.who.pod.and_then(|pod| pod.addresses.zip(Some(pod.network_json))) {
            Some((_, Some(json))) => Value::Text(json.as_bytes()),
            // No plugin is asked for a pod in the host's network.
            Some(([], None)) => Value::Absent,
            _ => Value::Unknown,
        }
    }
}

/// The first digits of an id.
pub(super) fn short(id: &str) -> &str {
    id.get(..SHORT_ID).unwrap_or(id)
}

/// A label; one that may be among those that were left out is not known.
pub(super) fn label<'l>(labels: &'l Pairs, key: &str) -> Value<'l> {
    match labels.get(key) {
        Some(text) if text.cut_bytes() > 0 => {
            Value::Cut { head: text.as_str().as_bytes(), tail: b"" }
        }
        Some(text) => Value::Text(text.as_str().as_bytes()),
        None if labels.omitted() > 0 => Value::Unknown,
        None => Value::Absent,
    }
}

/// The digest that the image was asked for by, or that it has in its registry.
fn digest<'c>(container: &Container<'c>) -> Value<'c> {
    if let Some(digest) = container.image.and_then(|image| Image::of(image).digest) {
        return Value::Text(digest.as_bytes());
    }
    let reference = container.details.map(|details| details.image_reference.as_str());
    match reference {
        None | Some("") => Value::Unknown,
        // An image that came from no registry has none.
        Some(reference) => Value::text(Image::of(reference).digest),
    }
}

/// An image as it is asked for: `REPOSITORY[:TAG][@DIGEST]`.
struct Image<'i> {
    repository: &'i str,
    tag: Option<&'i str>,
    digest: Option<&'i str>,
}

impl<'i> Image<'i> {
    fn of(image: &'i str) -> Self {
        let (named, digest) = match image.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (image, None),
        };
        // A colon before a slash is that of a registry's port.
        match named.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((repository, tag)) => Self { repository, tag: Some(tag), digest },
            None => Self { repository: named, tag: None, digest },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_a_repository_a_tag_and_a_digest() {
        for (image, repository, tag, digest) in [
            ("nginx", "nginx", None, None),
            ("docker.io/library/nginx:1.25", "docker.io/library/nginx", Some("1.25"), None),
            ("reg:5000/a/b", "reg:5000/a/b", None, None),
            ("reg:5000/a:x@sha256:12", "reg:5000/a", Some("x"), Some("sha256:12")),
        ] {
            let Image { repository: found, tag: found_tag, digest: found_digest } =
                Image::of(image);
            assert_eq!((found, found_tag, found_digest), (repository, tag, digest), "{image}");
        }
    }
}
