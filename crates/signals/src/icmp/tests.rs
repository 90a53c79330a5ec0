//! Decoding of ICMP records from bytes as the probe writes them.

use chandra_event::record::Event;

use super::*;

fn decoded(record: &IcmpRecord) -> Result<Icmp, DecodeError> {
    let mut seen = None;
    decode(&record.to_array(), &Context::test(), &mut |record| {
        let Event::Icmp(icmp) = record.event() else { panic!("not of this signal") };
        seen = Some(*icmp);
    })?;
    Ok(seen.unwrap())
}

/// To 10.0.0.1: a segment of its own, of 1500 bytes, needs to be fragmented.
fn sample() -> IcmpRecord {
    let quote = [
        0x45, 0, 0x05, 0xdc, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x9c, 0x40, 0x01,
        0xbb, 1, 2, 3, 4,
    ];
    let mut data = [0; 112];
    data[..quote.len()].copy_from_slice(&quote);
    IcmpRecord {
        family: 2,
        kind: u8::try_from(icmp_kind::KIND_ICMP_ERROR).unwrap(),
        r#type: 3,
        code: 4,
        destination_address: [10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        word: [0, 0, 0x05, 0x78],
        message_bytes: 36,
        captured_bytes: 28,
        data,
        flags: icmp_flag::ICMP_SOURCE_KNOWN | icmp_flag::ICMP_WORD_KNOWN,
        ..IcmpRecord::ZERO
    }
}

#[test]
fn an_error_says_which_connection_it_is_about() {
    let icmp = decoded(&sample()).unwrap();
    assert_eq!((icmp.direction, icmp.mtu()), (Direction::Received, Some(1400)));
    let quoted = icmp.quoted.unwrap();
    assert_eq!(quoted.destination, "10.0.0.2:443".parse().unwrap());
    assert_eq!((icmp.process, icmp.latency_ns, icmp.malformed), (None, None, None));
}

#[test]
fn what_is_not_known_is_absent() {
    let icmp = decoded(&IcmpRecord { family: 10, ..IcmpRecord::ZERO }).unwrap();
    assert_eq!((icmp.source, icmp.word, icmp.hop_limit), (None, None, None));
    assert_eq!((icmp.quoted, icmp.malformed, icmp.interface), (None, None, None));
}

#[test]
fn an_error_without_a_packet_is_malformed_but_not_one_whose_packet_was_not_read() {
    let of = |captured_bytes, message_bytes| {
        let icmp = decoded(&IcmpRecord { captured_bytes, message_bytes, ..sample() }).unwrap();
        (icmp.quoted.is_some(), icmp.malformed)
    };
    assert_eq!(of(28, 36), (true, None));
    assert_eq!(of(19, 27), (false, Some(Malformed::EndsTooSoon)));
    assert_eq!(of(0, 8), (false, Some(Malformed::EndsTooSoon)));
    assert_eq!(of(0, 36), (false, None));
    assert_eq!(of(0, 0), (false, None));
}

#[test]
fn a_redirect_of_ipv6_that_is_cut_is_malformed() {
    let redirect = |captured_bytes| {
        let record = IcmpRecord { family: 10, r#type: 137, captured_bytes, ..sample() };
        let icmp = decoded(&record).unwrap();
        (icmp.gateway().is_some(), icmp.quoted.is_some(), icmp.malformed.is_some())
    };
    assert_eq!(redirect(10), (false, false, true));
    assert_eq!(redirect(32), (true, false, false));
}

#[test]
fn impossible_values_are_named_and_short_records_counted() {
    let wrong = IcmpRecord { captured_bytes: 113, ..sample() };
    assert_eq!(decoded(&wrong), Err(DecodeError::Value("captured_bytes")));
    assert_eq!(decoded(&IcmpRecord { family: 1, ..sample() }), Err(DecodeError::Value("family")));
    assert_eq!(decoded(&IcmpRecord { kind: 9, ..sample() }), Err(DecodeError::Kind(9)));
    let short = decode(&sample().to_array()[..100], &Context::test(), &mut |_| {});
    assert_eq!(short, Err(DecodeError::Short(100)));
}

#[test]
fn a_group_is_named_by_its_type_and_code() {
    let text = |family: u32, kind: u32, code: u32| {
        code_text(family << 16 | kind << 8 | code, &Context::test())
    };
    assert_eq!(text(2, 3, 3), "destination_unreachable/port_unreachable");
    assert_eq!(text(2, 8, 0), "echo_request");
    assert_eq!(text(10, 2, 0), "packet_too_big");
    assert_eq!(text(10, 128, 0), "echo_request");
    assert_eq!([text(2, 200, 0), text(2, 200, 9), text(2, 3, 99)], ["200", "200/9", "destination_unreachable/99"]);
}
