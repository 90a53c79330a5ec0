//! Decoding of UDP records from bytes as the probe writes them.

use chandra_event::record::Event;

use super::*;

fn decoded(record: &UdpRecord) -> Result<Udp, DecodeError> {
    let mut seen = None;
    decode(&record.to_array(), &Context::test(), &mut |record| {
        let Event::Udp(udp) = record.event() else { panic!("not of this signal") };
        seen = Some(*udp);
    })?;
    Ok(seen.unwrap())
}

fn sample(kind: u32) -> UdpRecord {
    UdpRecord {
        kind: u8::try_from(kind).unwrap(),
        family: 2,
        local_address: [127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        local_port: 53,
        began_ns: 1_000,
        last_ns: 5_000,
        ..UdpRecord::ZERO
    }
}

#[test]
fn who_sends_first_is_the_client() {
    let mut record = sample(udp_kind::KIND_UDP_OPEN);
    let udp = decoded(&record).unwrap();
    assert_eq!((udp.ends.part, udp.process), (Some(Part::Client), None));
    assert_eq!((udp.ends.local.to_string(), udp.duration_ns), ("127.0.0.1:53".into(), 4_000));
    record.flags = udp_flag::UDP_RECEIVED_FIRST;
    assert_eq!(decoded(&record).unwrap().ends.part, Some(Part::Server));
    record.flags |= udp_flag::UDP_OPENED_BEFORE_START;
    let udp = decoded(&record).unwrap();
    assert_eq!((udp.ends.part, udp.opened_before_start), (None, true));
}

#[test]
fn an_end_has_a_reason() {
    let mut record = sample(udp_kind::KIND_UDP_CLOSE);
    for (end, word) in [(1, "socket_closed"), (2, "idle"), (3, "evicted")] {
        record.end = end;
        let Happened::Close(end) = decoded(&record).unwrap().happened else { panic!("no close") };
        assert_eq!(end.word(), word);
    }
    record.end = 0;
    assert_eq!(decoded(&record), Err(DecodeError::Value("end")));
    let text = |code| code_text(code, &Context::test());
    assert_eq!([text(3), text(0), text(99)], ["evicted", "-", "-"]);
}

#[test]
fn impossible_values_are_named_and_short_records_counted() {
    let record = UdpRecord { family: 1, ..sample(udp_kind::KIND_UDP_OPEN) };
    assert_eq!(decoded(&record), Err(DecodeError::Value("family")));
    assert_eq!(decoded(&sample(200)), Err(DecodeError::Kind(200)));
    let bytes = record.to_array();
    let short = decode(&bytes[..100], &Context::test(), &mut |_| {});
    assert_eq!(short, Err(DecodeError::Short(100)));
}
