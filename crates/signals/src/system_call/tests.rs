//! Decoding of records from bytes as the probe writes them.

use chandra_event::record::Event;

use super::*;

fn bytes(call: &str, paths: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut record = SystemCallRecord {
        time_ns: 5,
        number: calls::by_name(call).unwrap().number(),
        result: -13,
        path_count: u8::try_from(paths.len()).unwrap(),
        flags: system_call_flag::CALL_DESCRIPTOR_OPEN,
        descriptor_mode: 0o140_777,
        descriptor_family: 10,
        ..SystemCallRecord::ZERO
    };
    let mut texts = Vec::new();
    for (index, (start, name)) in paths.iter().enumerate() {
        record.start_lengths[index] = u16::try_from(start.len()).unwrap();
        record.name_lengths[index] = u16::try_from(name.len()).unwrap();
        texts.extend_from_slice(&[start, &b"/"[..], name].concat());
    }
    [record.to_array().to_vec(), texts].concat()
}

#[test]
fn paths_are_made_absolute_and_texts_stay() {
    type Given<'a> = [(&'a [u8], &'a [u8]); 2];
    let cases: [(&str, Given<'_>, [&[u8]; 2]); 3] = [
        ("renameat2", [(b"/var", b"old"), (b"/", b"new")], [b"/var/old", b"/new"]),
        ("symlinkat", [(b"", b"../x"), (b"", b"/etc/x")], [b"../x", b"/etc/x"]),
        ("linkat", [(b"", b""), (b"/a", b"")], [b"", b"/a/"]),
    ];
    for (name, paths, expected) in cases {
        let mut seen = 0;
        decode(&bytes(name, &paths), &Context::test(), &mut |record| {
            let Event::SystemCall(call) = record.event() else { panic!("not of this signal") };
            assert_eq!(call.name, Some(name));
            let found = [call.path, call.second_path].map(|path| path.unwrap());
            assert_eq!(found.map(|path| path.path), expected);
            assert_eq!(found.map(|path| path.name), paths.map(|(_, name)| name));
            assert_eq!((call.error(), call.descriptor_type), (Some(13), Some(FileType::Socket)));
            assert_eq!(call.descriptor_family, Some("ipv6"));
            seen += 1;
        })
        .unwrap();
        assert_eq!(seen, 1);
    }
}

#[test]
fn only_arguments_that_a_call_takes_are_shown() {
    decode(&bytes("setns", &[]), &Context::test(), &mut |record| {
        let Event::SystemCall(call) = record.event() else { panic!("not of this signal") };
        assert_eq!(call.arguments().len(), 2);
        assert_eq!((call.path, call.second_path), (None, None));
    })
    .unwrap();
}

#[test]
fn every_truncation_of_a_record_is_an_error_and_nothing_else() {
    let bytes = bytes("link", &[(b"/etc", b"passwd"), (b"", b"/tmp/x")]);
    for length in 0..bytes.len() {
        let result = decode(&bytes[..length], &Context::test(), &mut |_| panic!("decoded {length}"));
        assert_eq!(result, Err(DecodeError::Short(length)));
    }
}
