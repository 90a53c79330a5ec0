//! Decoding of TCP records from bytes as the probe writes them.

use chandra_event::record::Event;

use super::*;

fn decoded(record: &TcpRecord) -> Result<Tcp, DecodeError> {
    let mut seen = None;
    decode(&record.to_array(), &Context::test(), &mut |record| {
        let Event::Tcp(tcp) = record.event() else { panic!("not of this signal") };
        seen = Some(*tcp);
    })?;
    Ok(seen.unwrap())
}

fn sample(kind: u32) -> TcpRecord {
    TcpRecord {
        kind: u8::try_from(kind).unwrap(),
        family: 2,
        local_address: [127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        local_port: 80,
        opener_sequence: 0x11,
        acceptor_sequence: 0x22,
        key_state: u8::try_from(tcp_key_state::KEY_VALID).unwrap(),
        role: u8::try_from(tcp_role::ROLE_ACCEPTOR).unwrap(),
        old_state: 1,
        new_state: 7,
        ..TcpRecord::ZERO
    }
}

#[test]
fn the_key_is_the_openers_sequence_then_the_acceptors() {
    let tcp = decoded(&sample(tcp_kind::KIND_TCP_ACCEPT)).unwrap();
    assert_eq!(tcp.connection.key, Ok(0x11_0000_0022));
    assert_eq!(tcp.connection.local.to_string(), "127.0.0.1:80");
    assert_eq!(tcp.process, None);
}

#[test]
fn what_was_not_measured_is_absent() {
    let mut record = sample(tcp_kind::KIND_TCP_CLOSE);
    record.minimum_rtt_us = u32::MAX;
    let Happened::Close(totals) = decoded(&record).unwrap().happened else { panic!("no close") };
    assert_eq!((totals.smoothed_rtt_us, totals.minimum_rtt_us, totals.duration_ns), (None, None, None));
    record.smoothed_rtt_us = 80;
    record.flags = tcp_flag::TCP_HANDSHAKE_SEEN;
    let Happened::Close(totals) = decoded(&record).unwrap().happened else { panic!("no close") };
    assert_eq!((totals.smoothed_rtt_us, totals.duration_ns), (Some(10), Some(0)));
}

#[test]
fn impossible_values_are_named_and_short_records_counted() {
    let mut record = sample(tcp_kind::KIND_TCP_STATE);
    record.old_state = 0;
    assert_eq!(decoded(&record), Err(DecodeError::Value("old_state")));
    record.family = 1;
    assert_eq!(decoded(&record), Err(DecodeError::Value("family")));
    record = sample(200);
    assert_eq!(decoded(&record), Err(DecodeError::Kind(200)));
    let bytes = record.to_array();
    let short = decode(&bytes[..100], &Context::test(), &mut |_| {});
    assert_eq!(short, Err(DecodeError::Short(100)));
}
