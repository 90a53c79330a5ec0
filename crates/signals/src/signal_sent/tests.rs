//! Decoding of records from bytes as the probe writes them.

use chandra_event::record::Event;

use super::*;

#[test]
fn a_sender_is_told_where_there_is_one_and_an_outcome_that_cannot_be_is_an_error() {
    let flags = signal_sent_flag::SENT_BY_KNOWN | signal_sent_flag::SENT_CODE;
    let mut record = SignalSentRecord {
        flags: u8::try_from(flags).unwrap(),
        signal: 15,
        code: -6,
        target_pid: 7,
        target_thread: 8,
        ..SignalSentRecord::ZERO
    };
    record.process.pid = 6;
    let decoded = |record: &SignalSentRecord| {
        let mut found = None;
        let outcome = decode(&record.to_array(), &Context::test(), &mut |record| {
            let Event::SignalSent(sent) = record.event() else { panic!("not of this signal") };
            found = Some(*sent);
        });
        outcome.map(|()| found.unwrap())
    };
    let sent = decoded(&record).unwrap();
    assert_eq!((sent.process.map(|process| process.pid), sent.code), (Some(6), Some(-6)));
    assert_eq!((sent.signal, sent.target.pid, sent.target.thread_id), (15, 7, 8));
    record.flags = u8::try_from(signal_sent_flag::SENT_BY_KERNEL).unwrap();
    let sent = decoded(&record).unwrap();
    assert_eq!((sent.process, sent.code, sent.is_by_kernel), (None, None, true));
    record.one_in_log2 = 3;
    assert_eq!((sent.sampled_one_in, decoded(&record).unwrap().sampled_one_in), (1, 8));
    record.one_in_log2 = 32;
    assert_eq!(decoded(&record), Err(DecodeError::Value("one_in")));
    record.one_in_log2 = 0;
    record.result = 5;
    assert_eq!(decoded(&record), Err(DecodeError::Value("result")));
}
