//! Decoding of records from bytes as the probe writes them.

use chandra_event::record::Event;

use super::*;

fn bytes(flags: u32, path: &[u8], name: &[u8]) -> Vec<u8> {
    let record = FileOpenRecord {
        time_ns: 5,
        flags,
        inode: 7,
        open_flags: 0o1101,
        mode: 0o644,
        error: if flags & file_open_flag::OPEN_RESOLVED == 0 { 2 } else { 0 },
        descriptor: 3,
        file_mode: 0o100_755,
        path_length: u16::try_from(path.len()).unwrap(),
        name_length: u16::try_from(name.len()).unwrap(),
        ..FileOpenRecord::ZERO
    };
    [&record.to_array()[..], path, b"/", name].concat()
}

fn decoded<T>(bytes: &[u8], look: impl Fn(&FileOpen<'_>) -> T) -> T {
    let mut found = None;
    decode(bytes, &Context::test(), &mut |record| {
        let Event::FileOpen(open) = record.event() else { panic!("not of this signal") };
        found = Some(look(open));
    })
    .unwrap();
    found.unwrap()
}

#[test]
fn what_was_opened_has_the_path_where_the_kernel_arrived() {
    let flags = file_open_flag::OPEN_RESOLVED | file_open_flag::OPEN_CREATED;
    decoded(&bytes(flags, b"/etc/passwd", b"../link"), |open| {
        assert_eq!((open.path, open.name), (&b"/etc/passwd"[..], &b"../link"[..]));
        let opened = open.opened.unwrap();
        assert_eq!((opened.file_type, opened.permissions), (FileType::Regular, 0o755));
        assert!(opened.is_created && open.is_write() && !open.is_read() && open.truncates());
        assert_eq!((open.error, open.descriptor), (0, None));
    });
    let flags = file_open_flag::OPEN_RESOLVED | file_open_flag::OPEN_HAS_DESCRIPTOR;
    assert_eq!(decoded(&bytes(flags, b"/", b"/"), |open| open.descriptor), Some(3));
}

#[test]
fn what_was_not_opened_has_the_path_that_was_asked_for() {
    for (directory, name, path) in [
        (&b""[..], &b"/etc/none"[..], &b"/etc/none"[..]),
        (b"/", b"none", b"/none"),
        (b"/var/lib", b"../none", b"/var/lib/../none"),
        (b"", b"", b""),
    ] {
        decoded(&bytes(0, directory, name), |open| {
            assert_eq!((open.path, open.name, open.error), (path, name, 2));
            assert_eq!(open.opened, None);
        });
    }
}

#[test]
fn every_truncation_of_a_record_is_an_error_and_nothing_else() {
    let bytes = bytes(file_open_flag::OPEN_RESOLVED, b"/etc/passwd", b"passwd");
    for length in 0..bytes.len() {
        let result = decode(&bytes[..length], &Context::test(), &mut |_| panic!("decoded {length}"));
        assert_eq!(result, Err(DecodeError::Short(length)));
    }
}
