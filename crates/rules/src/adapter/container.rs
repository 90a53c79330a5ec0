//! `container.*` and `k8s.*`

use chandra_event::who::Container;

use super::RecordFacts;
use crate::catalogue::{ContainerField, KubernetesField};
use crate::evaluate::{Argument, Value};

const HOST: &[u8] = b"host";
/// Digits of an id that are shown.
const SHORT_ID: usize = 12;

impl<'r> RecordFacts<'r> {
    pub(super) fn container_value(&self, field: ContainerField) -> Value<'r> {
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
            Of::Id => Value::Text(container.id.get(..SHORT_ID).unwrap_or(container.id).as_bytes()),
            Of::FullId => Value::Text(container.id.as_bytes()),
            Of::Name => Value::known_text(container.name),
            Of::Type => Value::Text(container.runtime.as_bytes()),
            Of::Image => Value::known_text(container.image),
            Of::ImageRepository => image(|image| Some(Image::of(image).repository)),
            Of::ImageTag => image(|image| {
                let Image { tag, digest, .. } = Image::of(image);
                tag.or(if digest.is_none() { Some("latest") } else { None })
            }),
            Of::ImageDigest => image(|image| Image::of(image).digest),
            // Not answered, as the catalogue says.
            _ => Value::Unknown,
        }
    }

    pub(super) fn kubernetes_value(
        &self,
        field: KubernetesField,
        argument: &Argument,
    ) -> Value<'r> {
        use KubernetesField as Of;
        // That it is in no pod is known once the runtime has described the container.
        let described =
            |container: &Container<'_>| container.name.is_some() || container.image.is_some();
        let may_be_in_one =
            self.who.is_pending || self.who.container.as_ref().is_some_and(|one| !described(one));
        let Some(pod) = &self.who.pod else {
            return if may_be_in_one { Value::Unknown } else { Value::Absent };
        };
        let workload = self.who.workload;
        let kind = workload.map(|workload| workload.kind);
        match field {
            Of::Namespace => Value::known_text(pod.namespace),
            Of::PodName => Value::known_text(pod.name),
            Of::PodUid => Value::known_text(pod.uid),
            Of::Label => match (pod.labels, argument) {
                (None, _) => Value::Unknown,
                (Some(labels), Argument::Name(key)) => {
                    Value::text(labels.get(key).map(|text| text.as_str()))
                }
                _ => Value::Absent,
            },
            Of::Labels => pod.labels.map_or(Value::Unknown, Value::Labels),
            Of::WorkloadKind => Value::known_text(kind),
            Of::WorkloadName => Value::known_text(workload.map(|workload| workload.name)),
            Of::Deployment => match kind {
                Some("Deployment") => Value::text(workload.map(|workload| workload.name)),
                Some(_) => Value::Absent,
                None => Value::Unknown,
            },
            // Not answered, as the catalogue says.
            _ => Value::Unknown,
        }
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
