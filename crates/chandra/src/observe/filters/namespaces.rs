//! Namespaces are no field of a filter: they stand before the names of pods and services, `shop/web`.
//! A namespace by itself is all of its pods, `shop/`; every namespace is the empty one, `/web`.

use chandra_hubble::proto::flow::FlowFilter;

use super::Error;
use super::flags::{End, Ends};

/// The namespaces that were asked for.
#[derive(Debug, Default)]
pub struct Namespaces {
    either: Vec<String>,
    source: Vec<String>,
    destination: Vec<String>,
}

/// Names of pods and of services at one end.
type Names<'a> = (&'a mut Vec<String>, &'a mut Vec<String>);

fn names(filter: &mut FlowFilter, end: End) -> Names<'_> {
    match end {
        End::Source => (&mut filter.source_pod, &mut filter.source_service),
        End::Destination => (&mut filter.destination_pod, &mut filter.destination_service),
    }
}

impl Namespaces {
    /// One more.
    pub fn add(&mut self, ends: Ends, namespace: &str) {
        let list = match ends {
            Ends::Either => &mut self.either,
            Ends::One(End::Source) => &mut self.source,
            Ends::One(End::Destination) => &mut self.destination,
        };
        list.push(namespace.to_owned());
    }

    /// A name with a namespace must not contradict those that were asked for, nor pods their services.
    pub fn check(&self, filter: &FlowFilter) -> Result<(), Error> {
        let ends = [
            (&filter.source_pod, &filter.source_service, &self.source),
            (&filter.destination_pod, &filter.destination_service, &self.destination),
        ];
        for (pods, services, namespaces) in ends {
            for name in pods.iter().chain(services) {
                let Some(own) = namespace_of(name) else { continue };
                let mut asked = self.either.iter().chain(namespaces);
                if let Some(other) = asked.find(|asked| *asked != own) {
                    return Err(Error::Namespace(format!("{name:?} is not in {other:?}")));
                }
            }
            for pod in pods {
                let Some(own) = namespace_of(pod) else { continue };
                let elsewhere =
                    |service: &&String| namespace_of(service).unwrap_or_default() != own;
                if let Some(service) = services.iter().find(elsewhere) {
                    return Err(Error::Namespace(format!(
                        "the service {service:?} is not in the namespace of the pod {pod:?}"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Puts them before names.
    pub fn apply(&self, left: &mut FlowFilter, right: &mut FlowFilter) {
        put(&self.destination, names(left, End::Destination));
        put(&self.destination, names(right, End::Destination));
        put(&self.source, names(left, End::Source));
        put(&self.source, names(right, End::Source));
        put(&self.either, names(left, End::Source));
        put(&self.either, names(right, End::Destination));
    }
}

fn namespace_of(name: &str) -> Option<&str> {
    name.split_once('/').map(|(namespace, _)| namespace).filter(|it| !it.is_empty())
}

fn put(namespaces: &[String], (pods, services): Names<'_>) {
    if namespaces.is_empty() {
        return;
    }
    if pods.is_empty() && services.is_empty() {
        pods.push(String::new());
    }
    for list in [pods, services] {
        *list = std::mem::take(list)
            .into_iter()
            .flat_map(|name| match name.contains('/') {
                true => vec![name],
                false => namespaces.iter().map(|space| format!("{space}/{name}")).collect(),
            })
            .collect();
    }
}
