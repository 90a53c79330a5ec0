//! Parsers of what Chandra does not make itself, each with any bytes: nothing may panic, and what
//! comes out must keep its promises. The fuzz targets (`fuzz/`) and the replay of their corpus on
//! stable (`tests/replay.rs`) call the same functions.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a promise that is not kept is told by stopping"
)]

use chandra::cli::config_file;
use chandra_bpf_build::btf;
use chandra_event::feed::Feed;
use chandra_event::json;
use chandra_event::record::Record;
use chandra_event::table::{Mode, Table};
use chandra_loader::kernel_log;
use chandra_signals::process::proc_stat;
use chandra_signals::{Context, registry};

/// A parser, with its name: that of its fuzz target and of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub static TARGETS: [Target; 6] = [
    ("record_process", record_process),
    ("record_tcp", record_tcp),
    ("config_file", config_file),
    ("btf", btf),
    ("kernel_log", kernel_log),
    ("proc_stat", proc_stat),
];

/// Bytes from the ring of the signal `process`.
pub fn record_process(bytes: &[u8]) {
    record("process", bytes);
}

/// Bytes from the ring of the signal `tcp`.
pub fn record_tcp(bytes: &[u8]) {
    record("tcp", bytes);
}

fn record(signal: &str, bytes: &[u8]) {
    let signal = registry::signal(signal).expect("there is such a signal");
    let context = Context::with_reset_reasons(vec![(1, "no_socket")]);
    // What cannot be decoded is counted and forgotten.
    let _ = (signal.decode)(bytes, &context, &mut |record| {
        check_json(record);
        check_lines(record, signal.event_kinds);
    });
}

fn check_json(record: &dyn Record) {
    let mut out = Vec::new();
    json::write_line(record, Some("node"), &mut out);
    let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
    assert_eq!(value.get("type").and_then(|kind| kind.as_str()), Some(record.kind().name));
    check_line(&out);
}

fn check_lines(record: &dyn Record, kinds: &[&'static chandra_event::record::Kind]) {
    let tables = [(Mode::Table, None), (Mode::Table, Some(80)), (Mode::Wide, None)];
    for (mode, width) in tables {
        let mut out = Vec::new();
        Table::new(kinds, mode, width).write_record(record, &mut out);
        check_line(&out);
    }
    let mut out = Vec::new();
    Feed::default().write_record(record, &mut out);
    check_line(&out);
}

/// One line of UTF-8 that leaves a terminal as it is.
fn check_line(out: &[u8]) {
    let line = std::str::from_utf8(out).expect("UTF-8");
    let line = line.strip_suffix('\n').expect("a line ends");
    assert!(!line.chars().any(char::is_control), "{line:?}");
}

/// The agent's configuration file.
pub fn config_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(unusable) = config_file::File::parse(text) {
        assert!(!unusable.why.is_empty() && !unusable.next.is_empty());
    }
}

/// A compiled object, damaged.
pub fn btf(bytes: &[u8]) {
    let Ok(exports) = btf::exports(bytes) else { return };
    for record in exports.structs {
        for member in record.members {
            let end = member.member_type.bytes().and_then(|bytes| bytes.checked_add(member.offset));
            assert!(end.is_some_and(|end| end <= record.bytes), "{}.{}", record.name, member.name);
        }
    }
}

/// What libbpf and the verifier say.
pub fn kernel_log(bytes: &[u8]) {
    let log = String::from_utf8_lossy(bytes);
    if let Some(words) = kernel_log::words(&log) {
        assert!(!words.trim().is_empty() && !words.contains('\n'), "{words:?}");
    }
    let _ = kernel_log::failed_program(&log);
    let _ = kernel_log::failed_map(&log);
}

/// `/proc/PID/stat`.
pub fn proc_stat(bytes: &[u8]) {
    let _ = proc_stat::parse_stat(&String::from_utf8_lossy(bytes));
}
