//! What collectors of OTLP say, and what people say of them.

use std::time::Duration;

use chandra_otlp::settings::{Protocol, pairs};
use chandra_otlp::understood;

/// An answer: two bytes of status, lines `name: value` of headers, an empty line, and a body. What is told of it
/// is short and cannot move a terminal's cursor, and nobody is made to wait for long.
pub fn otlp_answer(bytes: &[u8]) {
    let Some((status, rest)) = bytes.split_first_chunk() else { return };
    let Ok(status) = http::StatusCode::from_u16(u16::from_be_bytes(*status)) else { return };
    let end = rest.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((rest, &[][..]), |end| (&rest[..end], &rest[end + 2..]));
    let lines = head.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = http::HeaderName::from_bytes(&line[..colon]).ok()?;
        Some((name, http::HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
    });
    let headers: http::HeaderMap = lines.collect();
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let body = bytes::Bytes::copy_from_slice(body);
        let (words, wait) = understood(protocol, status, headers.clone(), body);
        assert!(words.chars().count() <= 300 && !words.contains(char::is_control), "{words:?}");
        assert!(wait.is_none_or(|wait| wait <= Duration::from_secs(300)), "{wait:?}");
    }
}

/// Headers and attributes as they are written in variables: what is wrong has a place in the text.
pub fn otlp_pairs(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match pairs::parse(text) {
        Ok(pairs) => {
            assert!(pairs.len() <= text.split(',').count());
            assert!(pairs.iter().all(|(key, _)| !key.is_empty() && key.trim() == key));
        }
        Err(error) => {
            assert!((1..=text.chars().count() + 1).contains(&error.character), "{error}");
        }
    }
}
