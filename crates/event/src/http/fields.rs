//! The fields of the `http_request` signal's records.

use super::{HttpRequest, Method, Version};
use crate::process::OwnerFields;
use crate::record::{Event, Field, Kind, Record};
use crate::socket::EndsFields;
use crate::time::Timestamp;
use crate::value::Value;

crate::record! {
    /// A request over HTTP/1 in clear was answered, or was not
    pub static HTTP_REQUEST: Kind = ("http_request", "http_request");
    struct RequestFields(http: &HttpRequest<'_>) = [
        OwnerFields(http.process.as_ref()), EndsFields(&http.ends)
    ] {
        "connection.key", "KEY", 16, Wide, Hex(http.key),
        "Connection key, equal at both ends whatever NAT lies between";
        "duration_ns", "DURATION", 8, Table, Number(http.duration_ns),
        "From the first byte of the request to that of its answer, or to the close, at this end";
        "http.outcome", "OUTCOME", 9, Table, Word(http.outcome.word()),
        "answered; closed, without an answer; pipelined; unseen, something else came back; or unasked, the request was not seen";
        "http.status", "STATUS", 6, Table, Number(http.status),
        "Status of the answer";
        "http.method", "METHOD", 7, Table, Word(http.head.method.map(Method::word)),
        "GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE or PATCH";
        "http.version", "HTTP", 4, Wide, Word(http.head.version.map(Version::word)),
        "1.0 or 1.1";
        "http.host", "HOST", 24, Wide, Bytes(http.head.host),
        "Whom it asks: the authority of its target, else its header Host, without a user";
        "http.path", "PATH", 40, Table, Bytes(http.head.path),
        "The path, up to its query or its first parameter (?, # or ;)";
        "http.head_is_cut", "CUT", 5, Json, Bool(Some(http.head.is_cut).filter(|_| http.head.method.is_some())),
        "Only the beginning of its head was captured: it has more than 1792 bytes, or TCP sent it in pieces";
        "trace_context.trace_id", "TRACE_ID", 32, Wide, Word(http.head.trace_context.map(|it| it.trace_id)),
        "The trace that the request is part of, as its header traceparent says (W3C Trace Context)";
        "trace_context.parent_id", "PARENT_SPAN", 16, Wide, Word(http.head.trace_context.map(|it| it.parent_id)),
        "The span of whoever asks";
        "trace_context.is_sampled", "SAMPLED_TRACE", 13, Json, Bool(http.head.trace_context.map(|it| it.is_sampled())),
        "Whoever asks records the trace";
    }
}

impl Record for HttpRequest<'_> {
    fn kind(&self) -> &'static Kind {
        &HTTP_REQUEST
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        RequestFields::visit(self, each);
    }

    fn event(&self) -> Event<'_> {
        Event::HttpRequest(self)
    }
}
