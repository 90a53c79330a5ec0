//! What an answer of OTLP over HTTP says.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, RETRY_AFTER};

use super::{Answer, Failure, LONGEST_WAIT, Outcome, text};
use crate::wire::answer;

/// By OTLP's table: 429, 502, 503 and 504 may be tried again, nothing else.
pub fn outcome(answer: &Answer) -> Outcome {
    let status = answer.status.as_u16();
    let is_message = text(&answer.headers, CONTENT_TYPE.as_str())
        .is_some_and(|kind| kind.starts_with("application/x-protobuf"));
    if answer.status.is_success() {
        // What is no message says nothing of what was not taken.
        let body = if is_message { &answer.body[..] } else { &[] };
        return Outcome::Taken(answer::partial(body));
    }
    let words = match is_message {
        true => answer::refusal(&answer.body).0,
        // The first line says it, unless it is a page.
        false => {
            let text = String::from_utf8_lossy(&answer.body);
            let line = text.lines().next().unwrap_or_default();
            if line.starts_with('<') { String::new() } else { answer::printable(line) }
        }
    };
    let why = match words.is_empty() {
        true => answer.status.to_string(),
        false => format!("{}: {words}", answer.status),
    };
    let failure = Failure::new(format!("http_{status}"), why);
    match status {
        429 | 502 | 503 | 504 => {
            let after = text(&answer.headers, RETRY_AFTER.as_str()).and_then(retry_after);
            Outcome::Again(failure, after.map(|after| after.min(LONGEST_WAIT)))
        }
        _ => Outcome::Refused(failure),
    }
}

/// Seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, StatusCode};

    fn answer(status: u16, after: Option<&'static str>, body: &'static str) -> Outcome {
        let mut headers = HeaderMap::new();
        after.map(|after| headers.insert(RETRY_AFTER, HeaderValue::from_static(after)));
        let status = StatusCode::from_u16(status).unwrap();
        outcome(&Answer {
            status,
            headers,
            body: Bytes::from_static(body.as_bytes()),
            trailers: None,
        })
    }

    #[test]
    fn statuses_are_tried_again_as_the_protocol_says() {
        for status in [429, 502, 503, 504] {
            assert!(matches!(answer(status, None, ""), Outcome::Again(_, None)), "{status}");
        }
        for status in [301, 400, 401, 403, 404, 408, 413, 500, 501] {
            assert!(matches!(answer(status, None, ""), Outcome::Refused(_)), "{status}");
        }
        assert_eq!(answer(200, None, "ok"), Outcome::Taken(answer::Partial::default()));
    }

    #[test]
    fn a_collector_says_when_to_come_again() {
        let after = |text| match answer(503, Some(text), "") {
            Outcome::Again(_, after) => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("86400"), Some(LONGEST_WAIT));
        assert_eq!(after("Thu, 01 Jan 1970 00:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!((after("soon"), after("-1")), (None, None));
    }

    #[test]
    fn what_it_says_is_told_but_no_page() {
        let why = |body| match answer(400, None, body) {
            Outcome::Refused(failure) => failure.why,
            other => panic!("{other:?}"),
        };
        assert_eq!(why("bad \u{1b}[0m point\nmore"), "400 Bad Request: bad  [0m point");
        assert_eq!(why("<html>"), "400 Bad Request");
    }
}
