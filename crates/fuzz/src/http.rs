//! Heads of requests over HTTP, which anybody may have sent.

use chandra_event::http::{Head, TraceContext};

/// A head, from its first byte. Nothing but what is meant to be kept is, and another parser, written by others, says
/// the same of each head that it takes.
pub fn http_head(bytes: &[u8]) {
    let head = Head::read(bytes);
    if let Some(path) = head.path {
        assert!(!path.iter().any(|byte| matches!(byte, b'?' | b'#' | b';' | b'\n' | b' ')));
    }
    let host = head.host.unwrap_or_default();
    assert!(host.len() <= 262 && !host.iter().any(|byte| b"@/?#\r\n ".contains(byte)), "{host:?}");
    if let Some(trace) = head.trace_context {
        let ids = [trace.trace_id, trace.parent_id];
        assert_eq!(ids.map(str::len), [32, 16]);
        assert!(ids.iter().all(|id| id.bytes().all(|byte| b"0123456789abcdef".contains(&byte))));
    }
    compare(bytes, &head);
}

fn compare(bytes: &[u8], head: &Head<'_>) {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    // It passes over empty lines that come before.
    if bytes.starts_with(b"\r") || bytes.starts_with(b"\n") {
        return;
    }
    let Ok(httparse::Status::Complete(_)) = request.parse(bytes) else { return };
    assert!(!head.is_cut, "{request:?}");
    let Some(method) = head.method else { return };
    assert_eq!(Some(method.word()), request.method);
    let version = head.version.map(|version| version.word() == "1.1");
    assert_eq!(version, request.version.map(|minor| minor == 1));
    let target = request.path.unwrap_or_default().as_bytes();
    if target.starts_with(b"/") {
        let end = target.iter().position(|byte| b"?#;".contains(byte)).unwrap_or(target.len());
        assert_eq!(head.path, target.get(..end));
    }
    let of = |name: &str| {
        let named = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value.trim_ascii()).collect::<Vec<_>>()
    };
    let traces = of("traceparent");
    let expected = match traces[..] {
        [value] => TraceContext::read(value),
        _ => None,
    };
    assert_eq!(head.trace_context, expected);
    if let Some(host) = head.host {
        let is_in_target = target.windows(host.len()).any(|part| part == host);
        assert!(is_in_target || of("host").contains(&host), "{request:?}");
    }
}
