//! Decoding of process records from bytes as the probe writes them.

use chandra_event::record::Event;

use super::*;

fn exec_bytes(strings: [&[u8]; 6]) -> Vec<u8> {
    let [exe, filename, interpreter, cwd, tail, head] = strings;
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap();
    let mut record = ExecRecord {
        time_ns: 5,
        exe_length: length(exe),
        filename_length: length(filename),
        interpreter_length: length(interpreter),
        cwd_length: length(cwd),
        argv_tail_length: length(tail),
        argv_head_length: length(head),
        argv_bytes: 200_000,
        flags: exec_flag::EXEC_MEMFD | exec_flag::EXEC_LOGIN_UID,
        login_uid: 1000,
        old_pid: 7,
        ..ExecRecord::ZERO
    };
    record.process.pid = 7;
    record.tty[..4].copy_from_slice(b"pts0");
    let mut bytes = record.to_array().to_vec();
    strings.iter().for_each(|string| bytes.extend_from_slice(string));
    bytes
}

#[test]
fn an_exec_keeps_every_string_apart() {
    let bytes = exec_bytes([b"/memfd:x", b"/proc/self/fd/3", b"", b"/tmp", b"-e\0", b"sh\0-c\0"]);
    let (exec, length) = exec(&bytes, &Context::test()).unwrap();
    assert_eq!(length, bytes.len());
    assert_eq!((exec.executable.path, exec.filename), (&b"/memfd:x"[..], &b"/proc/self/fd/3"[..]));
    assert_eq!((exec.interpreter, exec.cwd, exec.tty), (&b""[..], &b"/tmp"[..], &b"pts0"[..]));
    assert_eq!((exec.arguments.head, exec.arguments.tail), (&b"sh\0-c\0"[..], &b"-e\0"[..]));
    assert_eq!((exec.arguments.total_bytes, exec.login_uid, exec.old_pid), (200_000, Some(1000), None));
    assert!(exec.executable.is_memfd && !exec.executable.is_deleted && !exec.running);
}

#[test]
fn every_truncation_of_a_record_is_an_error_and_nothing_else() {
    let bytes = exec_bytes([b"/bin/sh", b"/bin/sh", b"", b"/", b"", b"sh\0"]);
    for length in 0..bytes.len() {
        let result = decode(&bytes[..length], &Context::test(), &mut |_| panic!("decoded {length} bytes"));
        assert_eq!(result, Err(DecodeError::Short(length)));
    }
    decode(&bytes, &Context::test(), &mut |_| {}).unwrap();
}

#[test]
fn a_kind_of_another_version_is_named() {
    let mut bytes = exec_bytes([b"", b"", b"", b"", b"", b""]);
    bytes[KIND_OFFSET] = 99;
    assert_eq!(decode(&bytes, &Context::test(), &mut |_| {}), Err(DecodeError::Kind(99)));
}

#[test]
fn an_exit_is_a_code_or_a_signal() {
    let decoded = |status| {
        let record = ExitRecord { kind: process_kind::KIND_EXIT, status, ..ExitRecord::ZERO };
        let mut seen = None;
        decode(&record.to_array(), &Context::test(), &mut |record| {
            let Event::Exit(exit) = record.event() else { panic!("not an exit") };
            seen = Some((exit.exit_code, exit.exit_signal, exit.core_dumped));
        })
        .unwrap();
        seen.unwrap()
    };
    assert_eq!(decoded(3 << 8), (Some(3), None, false));
    assert_eq!(decoded(9), (None, Some(9), false));
    assert_eq!(decoded(11 | 0x80), (None, Some(11), true));
    assert_eq!((code_text(3 << 8, &Context::test()), code_text(9, &Context::test())), ("3".into(), "signal 9".into()));
}
