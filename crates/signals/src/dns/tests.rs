//! Decoding of DNS records from bytes as the probe writes them.

use chandra_event::record::Event;

use super::*;
use crate::dns::wire::dns_kind;

/// `a.example`, type A, number 7.
const QUERY: &[u8] = b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x07example\x00\x00\x01\x00\x01";

fn bytes_of(record: &DnsRecord, packet: &[u8]) -> Vec<u8> {
    [&record.to_array()[..], packet].concat()
}

fn sample(message: &[u8]) -> DnsRecord {
    let bytes = u32::try_from(message.len()).unwrap();
    DnsRecord {
        kind: u8::try_from(dns_kind::KIND_DNS_QUERY).unwrap(),
        family: 2,
        peer_address: [10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        peer_port: 53,
        message_bytes: bytes,
        captured_bytes: bytes,
        ..DnsRecord::ZERO
    }
}

fn decoded<T>(bytes: &[u8], look: impl Fn(&Dns<'_>) -> T) -> Result<T, DecodeError> {
    let mut seen = None;
    decode(bytes, &Context::test(), &mut |record| {
        let Event::Dns(dns) = record.event() else { panic!("not of this signal") };
        seen = Some(look(dns));
    })?;
    Ok(seen.unwrap())
}

#[test]
fn the_message_is_found_behind_the_record_and_the_headers() {
    let name = |dns: &Dns<'_>| dns.message.question.map(|question| question.name.to_string());
    let padded = [QUERY, &[0; 100][..]].concat();
    assert_eq!(decoded(&bytes_of(&sample(QUERY), &padded), name), Ok(Some("a.example".into())));
    let behind = DnsRecord { message_offset: 28, ..sample(QUERY) };
    let packet = [&[0xff; 28][..], QUERY].concat();
    assert_eq!(decoded(&bytes_of(&behind, &packet), name), Ok(Some("a.example".into())));
    let peer = decoded(&bytes_of(&behind, &packet), |dns| (dns.ends.peer, dns.process, dns.is_cut));
    assert_eq!(peer, Ok(("10.0.0.1:53".parse().unwrap(), None, false)));
}

#[test]
fn what_was_cut_says_so_and_is_not_called_malformed() {
    let cut = DnsRecord { message_bytes: 400, captured_bytes: 20, ..sample(QUERY) };
    let told = decoded(&bytes_of(&cut, QUERY), |dns| (dns.is_cut, dns.message.malformed, dns.malformed()));
    let too_soon = Some(chandra_event::dns::Malformed::EndsTooSoon);
    assert_eq!(told, Ok((true, too_soon, None)));
}

#[test]
fn impossible_values_are_named_and_short_records_counted() {
    let nothing = |_: &Dns<'_>| ();
    let record = DnsRecord { captured_bytes: 11, ..sample(QUERY) };
    assert_eq!(decoded(&bytes_of(&record, QUERY), nothing), Err(DecodeError::Value("captured_bytes")));
    let record = DnsRecord { family: 1, ..sample(QUERY) };
    assert_eq!(decoded(&bytes_of(&record, QUERY), nothing), Err(DecodeError::Value("family")));
    for record in [
        DnsRecord { captured_bytes: u32::MAX, ..sample(QUERY) },
        DnsRecord { message_offset: u32::MAX, ..sample(QUERY) },
    ] {
        let bytes = bytes_of(&record, QUERY);
        assert_eq!(decoded(&bytes, nothing), Err(DecodeError::Short(bytes.len())));
    }
    assert_eq!(decoded(&[0; 20], nothing), Err(DecodeError::Short(20)));
}

#[test]
fn a_group_of_queries_has_no_code() {
    let text = |code| code_text(code, &Context::test());
    assert_eq!([text(3), text(9999), text(u32::MAX)], ["NXDOMAIN", "RCODE9999", "-"]);
}
