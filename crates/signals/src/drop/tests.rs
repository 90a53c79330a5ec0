//! Decoding of drop records from bytes as the probe writes them.

use chandra_event::record::Event;

use super::*;

fn decoded(record: &DropRecord) -> Result<Drop, DecodeError> {
    let mut seen = None;
    decode(&record.to_array(), &Context::test(), &mut |record| {
        let Event::Drop(dropped) = record.event() else { panic!("not of this signal") };
        seen = Some(*dropped);
    })?;
    Ok(seen.unwrap())
}

fn sample() -> DropRecord {
    DropRecord {
        reason: 12,
        family: 10,
        ethertype: 0x86dd,
        protocol: 58,
        source_address: [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        icmp_type: 128,
        interface_index: 2,
        interface_name: *b"eth0\0\0\0\0\0\0\0\0\0\0\0\0",
        flags: drop_flag::DROP_REASON_KNOWN
            | drop_flag::DROP_ADDRESSES_KNOWN
            | drop_flag::DROP_PROTOCOL_KNOWN
            | drop_flag::DROP_ICMP_KNOWN
            | drop_flag::DROP_WAS_RECEIVED,
        ..DropRecord::ZERO
    }
}

#[test]
fn a_packet_is_as_much_as_its_flags_say() {
    let dropped = decoded(&sample()).unwrap();
    assert_eq!(dropped.reason, Some(Reason { number: 12, name: Some("netfilter_drop") }));
    assert_eq!(dropped.packet.icmp, Some((128, 0)));
    assert_eq!(dropped.packet.source.unwrap().ip().to_string(), "fe80::1");
    assert_eq!((dropped.packet.has_ports, dropped.packet.tcp_flags), (false, None));
    assert_eq!(dropped.interface.unwrap().name(), Some(&b"eth0"[..]));
    assert_eq!((dropped.direction, dropped.process), (Direction::Received, None));
}

#[test]
fn what_is_not_known_is_absent() {
    let dropped = decoded(&DropRecord::ZERO).unwrap();
    assert_eq!((dropped.reason, dropped.location, dropped.interface), (None, None, None));
    assert_eq!((dropped.packet.source, dropped.packet.protocol), (None, None));
    let unnamed = DropRecord { reason: 0x3_0001, ..sample() };
    let reason = decoded(&unnamed).unwrap().reason.unwrap();
    assert_eq!(reason, Reason { number: 0x3_0001, name: None });
    assert_eq!(code_text(0x3_0001, &Context::test()), "196609");
    assert_eq!(code_text(u32::MAX, &Context::test()), "-");
}

#[test]
fn impossible_values_are_named_and_short_records_counted() {
    assert_eq!(decoded(&DropRecord { family: 1, ..sample() }), Err(DecodeError::Value("family")));
    assert_eq!(decoded(&DropRecord { kind: 9, ..sample() }), Err(DecodeError::Kind(9)));
    let short = decode(&sample().to_array()[..100], &Context::test(), &mut |_| {});
    assert_eq!(short, Err(DecodeError::Short(100)));
}
