//! A call of gRPC (its protocol over HTTP/2): how a message is framed, and what an answer says.

use std::time::Duration;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Answer, Failure, LONGEST_WAIT, Outcome, text};
use crate::batch::Batch;
use crate::wire::answer;

/// With padding or without: senders differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A message, after whether it is compressed and its length.
pub fn framed(batch: &Batch) -> Bytes {
    let mut out = BytesMut::with_capacity(5 + batch.body.len());
    out.put_u8(batch.is_gzip.into());
    // Requests are far below 4 GiB.
    out.put_u32(u32::try_from(batch.body.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(&batch.body);
    out.freeze()
}

/// What a call says of itself.
pub fn headers(timeout: Duration, is_gzip: bool, headers: &mut HeaderMap) {
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_TYPE, "application/grpc");
    set(TE, "trailers");
    if is_gzip {
        set(HeaderName::from_static("grpc-encoding"), "gzip");
    }
    // Eight digits at most.
    let milliseconds = timeout.as_millis().min(99_999_999);
    if let Ok(value) = HeaderValue::try_from(format!("{milliseconds}m")) {
        headers.insert(HeaderName::from_static("grpc-timeout"), value);
    }
}

/// Names of statuses, by their numbers.
const NAMES: [&str; 17] = [
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];
const UNKNOWN: usize = 2;
const RESOURCE_EXHAUSTED: usize = 8;

/// What came of a call.
pub fn outcome(answer: &Answer) -> Outcome {
    // An answer without a message has the status where headers are.
    let status = [answer.trailers.as_ref(), Some(&answer.headers)];
    let status = status.into_iter().flatten().find_map(|place| Some((place, status_of(place)?)));
    let Some((place, code)) = status else {
        let code = of_http(answer.status.as_u16());
        return refused(code, format!("no status of gRPC, but {}", answer.status), None);
    };
    if code == 0 {
        // A message after five bytes; none is as good as an empty one, and it was not to be compressed.
        return Outcome::Taken(answer::partial(answer.body.get(5..).unwrap_or_default()));
    }
    let details = text(place, "grpc-status-details-bin").and_then(|it| BASE64.decode(it).ok());
    let (_, delay) = answer::refusal(&details.unwrap_or_default());
    let message = text(place, "grpc-message").map(decoded).unwrap_or_default();
    refused(code, message, delay)
}

/// By OTLP's table: what is asked too much of tries again only where it is told when.
fn refused(code: usize, message: String, delay: Option<Duration>) -> Outcome {
    let name = NAMES.get(code).copied().unwrap_or("unknown");
    let why = match message.is_empty() {
        true => name.to_owned(),
        false => format!("{name}: {message}"),
    };
    let failure = Failure::new(format!("grpc_{name}"), why);
    match code {
        1 | 4 | 10 | 11 | 14 | 15 => Outcome::Again(failure, delay.map(|it| it.min(LONGEST_WAIT))),
        RESOURCE_EXHAUSTED if delay.is_some() => {
            Outcome::Again(failure, delay.map(|it| it.min(LONGEST_WAIT)))
        }
        _ => Outcome::Refused(failure),
    }
}

fn status_of(headers: &HeaderMap) -> Option<usize> {
    let status = headers.get("grpc-status")?;
    let code = status.to_str().ok().and_then(|text| text.trim().parse().ok());
    Some(code.filter(|code| *code < NAMES.len()).unwrap_or(UNKNOWN))
}

/// What stands in for a status where something between answers that does not speak gRPC.
fn of_http(status: u16) -> usize {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => UNKNOWN,
    }
}

/// `grpc-message` has what is not printable in ASCII as `%0A`.
fn decoded(message: &str) -> String {
    let mut bytes = Vec::with_capacity(message.len());
    let mut rest = message.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let octet = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match octet.filter(|_| *byte == b'%') {
            Some(octet) => {
                bytes.push(octet);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    answer::printable(&String::from_utf8_lossy(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    fn answer(status: u16, trailers: &[(&'static str, &'static str)]) -> Answer {
        let trailers = trailers.iter();
        let trailers = trailers
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            trailers: Some(trailers.collect()),
        }
    }

    #[test]
    fn statuses_are_tried_again_as_the_protocol_says() {
        let of = |code: &'static str| outcome(&answer(200, &[("grpc-status", code)]));
        for code in ["1", "4", "10", "11", "14", "15"] {
            assert!(matches!(of(code), Outcome::Again(_, None)), "{code}");
        }
        for code in ["2", "3", "5", "6", "7", "8", "9", "12", "13", "16", "17", "x"] {
            assert!(matches!(of(code), Outcome::Refused(_)), "{code}");
        }
        assert_eq!(of("0"), Outcome::Taken(answer::Partial::default()));
    }

    #[test]
    fn what_does_not_speak_grpc_is_read_by_its_status() {
        let of = |status| match outcome(&answer(status, &[])) {
            Outcome::Again(failure, _) => format!("again {}", failure.reason),
            Outcome::Refused(failure) => failure.reason,
            Outcome::Taken(_) => "taken".into(),
        };
        assert_eq!(
            [of(503), of(404), of(200)],
            ["again grpc_unavailable", "grpc_unimplemented", "grpc_unknown"]
        );
    }

    #[test]
    fn a_message_is_told_as_text() {
        assert_eq!(decoded("no%20%C3%A4%0A%1b[2J% %"), "no ä  [2J% %");
        assert_eq!(decoded("%e"), "%e");
    }
}
