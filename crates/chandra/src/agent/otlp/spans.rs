//! Requests over HTTP as spans, by OpenTelemetry's semantic conventions (1.44): at the client one of kind CLIENT, at
//! the server one of kind SERVER, both below the span that the request names as its parent.
//!
//! Only where a trace context was seen that is sampled: what its owner does not record nobody could put together.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::SocketAddr;

use chandra_event::http::{HttpRequest, Method, Version};
use chandra_event::record::Event;
use chandra_event::socket::Part;
use chandra_otlp::Traces;
use chandra_otlp::wire::Any;
use chandra_otlp::wire::spans::{Attributes, Span, SpanKind};

use crate::follow::Told;

/// Makes spans of requests. Owned by the thread that tells.
#[derive(Debug)]
pub struct Spans {
    traces: Traces,
    ids: RandomState,
    made: u64,
}

impl Spans {
    /// They go this way.
    pub fn new(traces: Traces) -> Self {
        Self { traces, ids: RandomState::new(), made: 0 }
    }

    /// Whether it was one.
    pub fn take(&mut self, told: &Told<'_>) -> bool {
        let Event::HttpRequest(http) = told.known.record.event() else { return false };
        let context = http.head.trace_context.filter(|context| context.is_sampled());
        let (Some(context), Some(duration_ns)) = (context, http.duration_ns) else { return false };
        let is_server = http.ends.part == Some(Part::Server);
        self.made += 1;
        let error = error_type(http, is_server);
        self.traces.push(
            &whose(told),
            &Span {
                trace_id: context.trace_id_bytes(),
                span_id: self.ids.hash_one((http.ends.cookie, self.made)).max(1),
                parent_id: context.parent_id_number(),
                trace_flags: context.flags,
                kind: if is_server { SpanKind::Server } else { SpanKind::Client },
                name: http.head.method.map_or("HTTP", Method::word),
                time_ns: [http.time.0.saturating_sub(duration_ns), http.time.0],
                is_error: error.is_some(),
                attributes: &|out| attributes(http, error.as_deref(), told, out),
            },
        );
        true
    }
}

/// What went wrong, as the conventions say of either end.
fn error_type(http: &HttpRequest<'_>, is_server: bool) -> Option<String> {
    match http.status {
        None => Some(http.outcome.word().to_owned()),
        Some(status) if status >= 500 || status >= 400 && !is_server => Some(status.to_string()),
        Some(_) => None,
    }
}

fn attributes(
    http: &HttpRequest<'_>,
    error: Option<&str>,
    told: &Told<'_>,
    out: &mut Attributes<'_>,
) {
    let head = &http.head;
    let text =
        |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    out.known("http.request.method", head.method.map_or("", Method::word));
    out.known("url.scheme", "http");
    out.known("url.path", &text(head.path));
    if let Some(status) = http.status {
        out.add("http.response.status_code", Any::Int(status.into()));
    }
    out.known("error.type", error.unwrap_or_default());
    out.known("network.protocol.name", "http");
    out.known("network.protocol.version", head.version.map_or("", Version::word));
    out.known("network.transport", "tcp");
    let is_server = http.ends.part == Some(Part::Server);
    let server = if is_server { http.ends.local } else { http.ends.peer };
    // Whom the client means, else where it went.
    let named = text(head.host);
    let (name, port) = split_port(&named);
    if name.is_empty() {
        end("server", server, out);
    } else {
        out.known("server.address", name);
        out.add("server.port", Any::Int(port.unwrap_or(80).into()));
    }
    if is_server {
        end("client", http.ends.peer, out);
    }
    end("network.peer", http.ends.peer, out);
    end("network.local", http.ends.local, out);
    let is_ipv4 = http.ends.peer.ip().to_canonical().is_ipv4();
    out.known("network.type", if is_ipv4 { "ipv4" } else { "ipv6" });
    if let Some(key) = http.key {
        out.known("chandra.connection.key", &format!("{key:016x}"));
    }
    if let Some(process) = http.process {
        out.add("process.pid", Any::Int(process.pid.into()));
    }
    let executable = told.known.who.executable.unwrap_or_default();
    out.known("process.executable.path", &String::from_utf8_lossy(executable));
}

fn end(name: &str, end: SocketAddr, out: &mut Attributes<'_>) {
    out.known(&format!("{name}.address"), &end.ip().to_canonical().to_string());
    out.add(&format!("{name}.port"), Any::Int(end.port().into()));
}

/// The name or address of an authority, and its port.
fn split_port(authority: &str) -> (&str, Option<u16>) {
    let port = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
    match port.map(|(name, port)| (name, port.parse())) {
        Some((name, Ok(port))) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
        _ => (authority, None),
    }
}

/// The resource: the pod and the container, else the program.
fn whose(told: &Told<'_>) -> Vec<(String, String)> {
    let who = told.known.who;
    let mut all = Vec::new();
    let mut add = |key: &str, value: &str| {
        if !value.is_empty() {
            all.push((key.to_owned(), value.to_owned()));
        }
    };
    let pod = who.pod.and_then(|pod| pod.name);
    let comm = told.known.record.process().map(|process| process.comm);
    let comm = comm.map(|comm| String::from_utf8_lossy(comm.as_bytes()).into_owned());
    let unknown = comm.map(|comm| format!("unknown_service:{comm}")).unwrap_or_default();
    let service = who.workload.map(|workload| workload.name).or(pod);
    add("service.name", service.unwrap_or(&unknown));
    if let Some(pod) = who.pod {
        add("service.namespace", pod.namespace.unwrap_or_default());
        add("k8s.namespace.name", pod.namespace.unwrap_or_default());
        add("k8s.pod.name", pod.name.unwrap_or_default());
        add("k8s.pod.uid", pod.uid.unwrap_or_default());
    }
    if let Some(container) = who.container {
        add("container.id", container.id);
        add("container.image.name", container.image.unwrap_or_default());
        add("k8s.container.name", container.name.unwrap_or_default());
    }
    if let Some(workload) = who.workload
        && let Some(key) = chandra_otlp::workload_key(workload.kind)
    {
        add(key, workload.name);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_name_and_a_port() {
        for (authority, expected) in [
            ("shop.test:8080", ("shop.test", Some(8080))),
            ("shop.test", ("shop.test", None)),
            ("[::1]:81", ("[::1]", Some(81))),
            ("[::1]", ("[::1]", None)),
            ("::1", ("::1", None)),
            ("a:99999", ("a:99999", None)),
        ] {
            assert_eq!(split_port(authority), expected, "{authority}");
        }
    }
}
