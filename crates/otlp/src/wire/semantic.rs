//! Metrics for which OpenTelemetry's semantic conventions (1.44) have a name: told under that one, with the
//! attributes that it has there.

use super::{Any, attribute, text_attribute};

/// The name by the conventions, of a family that they know.
pub(super) fn metric(name: &str) -> Option<&'static str> {
    match name {
        "chandra_http_client_request_duration_seconds" => Some("http.client.request.duration"),
        "chandra_http_server_request_duration_seconds" => Some("http.server.request.duration"),
        _ => None,
    }
}

/// Writes a label of such a family as the attribute that it is; one that they do not know keeps its name.
pub(super) fn label(tag: u32, name: &str, value: &str, out: &mut Vec<u8>) {
    let key = match name {
        "method" => "http.request.method",
        "status" => "http.response.status_code",
        "namespace" => "k8s.namespace.name",
        "pod" => "k8s.pod.name",
        other => other,
    };
    match value.parse() {
        Ok(status) if name == "status" => attribute(tag, key, Any::Int(status), out),
        _ => text_attribute(tag, key, value, out),
    }
}
