//! Decoding of HTTP records from bytes as the probe writes them.

use chandra_event::http::Method;
use chandra_event::record::Event;

use super::*;

const ASKED: &[u8] = b"PUT /a?b HTTP/1.1\r\nHost: h\r\n\r\n";

fn bytes_of(record: &HttpRequestRecord, head: &[u8]) -> Vec<u8> {
    [&record.to_array()[..], head].concat()
}

fn sample(outcome: u32) -> HttpRequestRecord {
    HttpRequestRecord {
        outcome: u8::try_from(outcome).unwrap(),
        family: 2,
        peer_address: [10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        peer_port: 80,
        captured_bytes: u32::try_from(ASKED.len()).unwrap(),
        duration_ns: 7,
        status: 204,
        opener_sequence: 1,
        acceptor_sequence: u32::MAX,
        ..HttpRequestRecord::ZERO
    }
}

fn decoded<T>(bytes: &[u8], look: impl Fn(&HttpRequest<'_>) -> T) -> Result<T, DecodeError> {
    let mut seen = None;
    decode(bytes, &Context::test(), &mut |record| {
        let Event::HttpRequest(http) = record.event() else { panic!("not of this signal") };
        seen = Some(look(http));
    })?;
    Ok(seen.unwrap())
}

#[test]
fn the_head_is_found_behind_the_record_and_not_what_may_follow_it() {
    let record = sample(http_request_outcome::OUTCOME_ANSWERED);
    let padded = [ASKED, b"GET /other HTTP/1.1\r\n"].concat();
    let told = decoded(&bytes_of(&record, &padded), |http| {
        assert_eq!(http.head.path, Some(&b"/a"[..]));
        assert_eq!(http.head.host, Some(&b"h"[..]));
        (http.head.method, http.head.is_cut, http.ends.peer, http.status, http.duration_ns)
    });
    let peer = "10.0.0.1:80".parse().unwrap();
    assert_eq!(told, Ok((Some(Method::Put), false, peer, Some(204), Some(7))));
}

#[test]
fn what_is_not_known_is_absent() {
    let nothing = HttpRequestRecord {
        status: 0,
        captured_bytes: 0,
        ..sample(http_request_outcome::OUTCOME_PIPELINED)
    };
    let told = decoded(&bytes_of(&nothing, b""), |http| {
        assert_eq!(http.head, Head::default());
        (http.process, http.key, http.status, http.duration_ns, http.ends.part)
    });
    assert_eq!(told, Ok((None, None, None, None, Some(Part::Client))));
    let flags = http_request_flag::HTTP_SERVER | http_request_flag::HTTP_KEY_KNOWN;
    let known = HttpRequestRecord { flags, ..nothing };
    let told = decoded(&bytes_of(&known, b""), |http| (http.key, http.ends.part));
    assert_eq!(told, Ok((Some(1 << 32 | u64::from(u32::MAX)), Some(Part::Server))));
}

#[test]
fn impossible_values_are_named_and_short_records_counted() {
    let nothing = |_: &HttpRequest<'_>| ();
    assert_eq!(decoded(&bytes_of(&sample(9), ASKED), nothing), Err(DecodeError::Value("outcome")));
    let record = HttpRequestRecord { family: 1, ..sample(0) };
    assert_eq!(decoded(&bytes_of(&record, ASKED), nothing), Err(DecodeError::Value("family")));
    let record = HttpRequestRecord { captured_bytes: u32::MAX, ..sample(0) };
    let bytes = bytes_of(&record, ASKED);
    assert_eq!(decoded(&bytes, nothing), Err(DecodeError::Short(bytes.len())));
    assert_eq!(decoded(&[0; 20], nothing), Err(DecodeError::Short(20)));
}

#[test]
fn a_group_without_an_answer_has_no_status() {
    let text = |status| code_text(status, &Context::test());
    assert_eq!([text(404), text(0)], ["404", "-"]);
}
