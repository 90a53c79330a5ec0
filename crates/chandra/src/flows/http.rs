//! Requests over HTTP, as flows of the application's layer: one for the request, and one for the answer, where there
//! was any.
//!
//! Both ends tell of theirs, as of a connection. As Hubble has it, the direction of either flow is that of the
//! request: egress at the client, ingress at the server.

use std::sync::Arc;

use chandra_event::http::{HttpRequest, Outcome, Version};
use chandra_event::socket::Part;
use chandra_hubble::flow::{
    Http, L7, L7FlowType, L7Record, Rare, TcpFlags, TrafficDirection, Verdict,
};

use super::endpoints::{Carried, Seen};

/// What is told of: the request, and the answer.
pub fn halves(http: &HttpRequest<'_>) -> &'static [L7FlowType] {
    match http.outcome {
        Outcome::Answered => &[L7FlowType::Request, L7FlowType::Response],
        // Of a request alone: that it was made.
        Outcome::Closed | Outcome::Unseen => &[L7FlowType::Request],
        // What was asked is not known.
        Outcome::Pipelined | Outcome::Unasked => &[],
    }
}

/// What went over the wire.
pub fn seen(http: &HttpRequest<'_>, half: L7FlowType) -> Seen {
    let is_reply = half == L7FlowType::Response;
    Seen {
        is_sent: is_client(http) != is_reply,
        is_reply: Some(is_reply),
        carried: Carried::Tcp(TcpFlags::ACK | TcpFlags::PSH),
        verdict: Verdict::Forwarded,
    }
}

fn is_client(http: &HttpRequest<'_>) -> bool {
    http.ends.part == Some(Part::Client)
}

/// Seen from the end that was observed.
pub fn direction(http: &HttpRequest<'_>) -> TrafficDirection {
    if is_client(http) { TrafficDirection::Egress } else { TrafficDirection::Ingress }
}

/// How long before the record it was.
pub fn before_ns(http: &HttpRequest<'_>, half: L7FlowType) -> u64 {
    if half == L7FlowType::Request { http.duration_ns.unwrap_or_default() } else { 0 }
}

/// What was said; `None` where the request is not known.
pub fn l7(http: &HttpRequest<'_>, half: L7FlowType) -> Option<Arc<L7>> {
    let is_reply = half == L7FlowType::Response;
    let method = http.head.method?.word();
    let text =
        |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let (host, path) = (text(http.head.host), text(http.head.path));
    let version = http.head.version.map_or("1.1", Version::word);
    let record = L7Record::Http(Http {
        code: http.status.filter(|_| is_reply).unwrap_or_default().into(),
        method: method.into(),
        url: if host.is_empty() { path } else { format!("http://{host}{path}") },
        protocol: format!("HTTP/{version}"),
        headers: Vec::new(),
    });
    let latency_ns = http.duration_ns.filter(|_| is_reply).unwrap_or_default();
    Some(Arc::new(L7 { kind: half, latency_ns, record }))
}

/// Of which trace it is.
pub fn trace(http: &HttpRequest<'_>) -> Option<Arc<Rare>> {
    let trace_id = Some(http.head.trace_context?.trace_id.to_owned());
    Some(Arc::new(Rare { trace_id, ..Rare::default() }))
}
