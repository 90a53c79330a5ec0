//! Who is at an end of a flow, in as few words as can be.

use std::fmt::Write;

use chandra_event::text::escape;
use chandra_identity::numbers::Reserved;

use super::Options;
use super::style::Style;
use crate::flow::{Endpoint, L4, Service};
use crate::proto::flow::Flow;

/// Source and destination with their ports: pod, else service, else DNS names, else address; without
/// IP the hardware addresses.
pub(super) fn hosts(flow: &Flow, options: &Options) -> (String, String) {
    let Some(ip) = &flow.ip else {
        let Some(ethernet) = &flow.ethernet else { return Default::default() };
        let paint = |text: &str| Style::Host.paint(&escape(text.as_bytes()), options.color);
        return (paint(&ethernet.source), paint(&ethernet.destination));
    };
    let ports = flow.l4.as_ref().map(L4::from).unwrap_or_default().ports();
    let (from, to) = ports.map_or((None, None), |(from, to)| (Some(from), Some(to)));
    let source = End {
        address: &ip.source,
        endpoint: flow.source.as_ref(),
        service: flow.source_service.as_ref(),
        names: &flow.source_names,
    };
    let destination = End {
        address: &ip.destination,
        endpoint: flow.destination.as_ref(),
        service: flow.destination_service.as_ref(),
        names: &flow.destination_names,
    };
    (source.host(from, options), destination.host(to, options))
}

struct End<'a> {
    address: &'a str,
    endpoint: Option<&'a Endpoint>,
    service: Option<&'a Service>,
    names: &'a [String],
}

impl End<'_> {
    fn host(&self, port: Option<u16>, options: &Options) -> String {
        let name = options.ip_translation.then(|| self.name()).flatten();
        let name = name.unwrap_or_else(|| self.address.to_owned());
        let mut host = escape(name.as_bytes());
        if let Some(port) = port.filter(|port| *port != 0) {
            if host.contains([':', '%']) {
                host = format!("[{host}]");
            }
            let _ = write!(host, ":{}", Style::Port.paint(&port.to_string(), options.color));
        }
        Style::Host.paint(&host, options.color)
    }

    fn name(&self) -> Option<String> {
        let is_there = |name: &&String| !name.is_empty();
        let pod = self.endpoint.map(|endpoint| &endpoint.pod_name).filter(is_there);
        let service = self.service.map(|service| &service.name).filter(is_there);
        // The namespace of a service, if there is one, is also that of the pod behind it.
        let of_service = self.service.map(|service| &service.namespace);
        let namespace = of_service.or(self.endpoint.map(|endpoint| &endpoint.namespace));
        match pod.or(service) {
            Some(name) => Some(match namespace.filter(is_there) {
                Some(namespace) => format!("{namespace}/{name}"),
                None => name.clone(),
            }),
            None => (!self.names.is_empty()).then(|| self.names.join(",")),
        }
    }
}

/// `(world)`, `(ID:4711)`.
pub(super) fn identity(endpoint: Option<&Endpoint>, options: &Options) -> String {
    let number = endpoint.map(|endpoint| endpoint.identity).unwrap_or_default();
    let text = match Reserved::of_number(number) {
        Some(reserved) => format!("({})", reserved.word()),
        None => format!("(ID:{number})"),
    };
    Style::Identity.paint(&text, options.color)
}
