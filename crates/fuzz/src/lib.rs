//! Parsers of what Chandra does not make itself, each with any bytes: nothing may panic, and what
//! comes out must keep its promises. The fuzz targets (`fuzz/`) and the replay of their corpus on
//! stable (`tests/replay.rs`) call the same functions.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a promise that is not kept is told by stopping"
)]

pub mod alerts;
pub mod chart;
pub mod flow_export;
pub mod http;
pub mod hubble;
pub mod metrics;
pub mod otlp;
pub mod profile;
pub mod python;
pub mod rules;
pub mod runtime;
pub mod symbols;
pub mod unwind;

use chandra::cli::config_file;
use chandra_bpf_build::btf;
use chandra_conntrack::message::{self, Message};
use chandra_event::feed::Feed;
use chandra_event::json;
use chandra_event::record::Record;
use chandra_event::table::{Mode, Table};
use chandra_executables::{CODE_BYTES, code_range};
use chandra_identity::cluster::{Change, Cidr, Resource};
use chandra_identity::description::{MAX_LIST, Pairs};
use chandra_identity::selector::{LabelSelector, Operator, Selector, Typed, Verdict};
use chandra_kubernetes::read::{self, WatchLine};
use chandra_loader::kernel_log;
use chandra_loader::sideband::{self, Happened};
use chandra_profiler::memory::{File, Memory, Piece};
use chandra_profiler::proc_maps;
use chandra_signals::process::proc_stat;
use chandra_signals::{Context, registry};
use chandra_symbols::kernel::{KernelError, KernelSymbols};

/// A parser, with its name: that of its fuzz target and of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub static TARGETS: &[Target] = &[
    ("record_process", record_process),
    ("record_tcp", record_tcp),
    ("record_drop", record_drop),
    ("record_file_open", record_file_open),
    ("record_system_call", record_system_call),
    ("kernel_symbols", kernel_symbols),
    ("record_dns", record_dns),
    ("record_udp", record_udp),
    ("record_http_request", record_http_request),
    ("http_head", http::http_head),
    ("record_icmp", record_icmp),
    ("record_cpu_profile", record_cpu_profile),
    ("record_off_cpu", record_off_cpu),
    ("record_oom_kill", record_oom_kill),
    ("record_signal_sent", record_signal_sent),
    ("perf_records", perf_records),
    ("proc_maps", proc_maps),
    ("config_file", config_file),
    ("chart_values", chart::chart_values),
    ("btf", btf),
    ("kernel_log", kernel_log),
    ("proc_stat", proc_stat),
    ("kubernetes_watch_line", kubernetes_watch_line),
    ("kubernetes_list", kubernetes_list),
    ("label_selector", label_selector),
    ("runtime_message", runtime::runtime_message),
    ("runtime_information", runtime::runtime_information),
    ("runtime_bundle", runtime::runtime_bundle),
    ("hubble_filter", hubble::hubble_filter),
    ("hubble_flow", hubble::hubble_flow),
    ("hubble_json_line", hubble::hubble_json_line),
    ("certificate", hubble::certificate),
    ("conntrack_messages", conntrack_messages),
    ("hubble_metrics_options", metrics::hubble_metrics_options),
    ("metrics_accept", metrics::metrics_accept),
    ("otlp_answer", otlp::otlp_answer),
    ("otlp_pairs", otlp::otlp_pairs),
    ("flow_log_settings", flow_export::flow_log_settings),
    ("rules_file", rules::rules_file),
    ("sigma_file", rules::sigma_file),
    ("rules_condition", rules::rules_condition),
    ("rules_tests", rules::rules_tests),
    ("user_databases", rules::user_databases),
    ("redactor", alerts::redactor),
    ("alert_spool", alerts::alert_spool),
    ("profile_pprof", profile::profile_pprof),
    ("profile_folded", profile::profile_folded),
    ("unwind_table", unwind::unwind_table),
    ("executable", executable),
    ("symbols_elf", symbols::symbols_elf),
    ("go_line_table", symbols::go_line_table),
    ("perf_map", symbols::perf_map),
    ("demangled_name", symbols::demangled_name),
    ("python_lines", python::python_lines),
    ("python_image", python::python_image),
];

/// The beginning of an executable: its code, where there is any, lies behind its start and is not much.
pub fn executable(bytes: &[u8]) {
    if let Some(range) = code_range(bytes) {
        assert!(range.start < range.end && range.end - range.start <= CODE_BYTES, "{range:?}");
    }
}

/// Bytes from the ring of the signal `process`.
pub fn record_process(bytes: &[u8]) {
    record("process", bytes);
}

/// Bytes from the ring of the signal `tcp`.
pub fn record_tcp(bytes: &[u8]) {
    record("tcp", bytes);
}

/// Bytes from the ring of the signal `drop`.
pub fn record_drop(bytes: &[u8]) {
    record("drop", bytes);
}

/// Bytes from the ring of the signal `file_open`.
pub fn record_file_open(bytes: &[u8]) {
    record("file_open", bytes);
}

/// Bytes from the ring of the signal `system_call`.
pub fn record_system_call(bytes: &[u8]) {
    record("system_call", bytes);
}

/// The kernel's list of its symbols.
pub fn kernel_symbols(bytes: &[u8]) {
    let symbols = match KernelSymbols::parse(bytes) {
        Ok(symbols) => symbols,
        Err(KernelError::Hidden) => return,
        Err(error) => panic!("memory can be read: {error}"),
    };
    for address in [0, 1, 0xffff_ffff_8100_0310, u64::MAX] {
        let Some(place) = symbols.find(address) else { continue };
        assert!(!place.function.is_empty() && place.start <= address, "{place:?}");
    }
}

/// Bytes from the ring of the signal `dns`, most of which are a message that anybody may have sent.
pub fn record_dns(bytes: &[u8]) {
    record("dns", bytes);
}

/// Bytes from the ring of the signal `udp`.
pub fn record_udp(bytes: &[u8]) {
    record("udp", bytes);
}

/// Bytes from the ring of the signal `http_request`, with a head that anybody may have sent.
pub fn record_http_request(bytes: &[u8]) {
    record("http_request", bytes);
}

/// Bytes from the ring of the signal `icmp`, with a packet that anybody may have quoted.
pub fn record_icmp(bytes: &[u8]) {
    record("icmp", bytes);
}

/// Bytes from the ring of the signal `off_cpu`.
pub fn record_off_cpu(bytes: &[u8]) {
    record("off_cpu", bytes);
}

/// Bytes from the ring of the signal `oom_kill`.
pub fn record_oom_kill(bytes: &[u8]) {
    record("oom_kill", bytes);
}

/// Bytes from the ring of the signal `signal_sent`.
pub fn record_signal_sent(bytes: &[u8]) {
    record("signal_sent", bytes);
}

/// Bytes from the ring of the signal `cpu_profile`.
pub fn record_cpu_profile(bytes: &[u8]) {
    record("cpu_profile", bytes);
}

/// Records of perf's rings: what a process has mapped under which name is its own affair.
pub fn perf_records(bytes: &[u8]) {
    let mut memory = Memory::default();
    for event in sideband::parse(bytes) {
        if let Happened::Mapped(mapped) = event.happened {
            memory.map(Piece {
                start: mapped.start,
                end: mapped.start.saturating_add(mapped.bytes),
                offset: mapped.offset,
                file: File::of(mapped.device, mapped.inode, mapped.path),
            });
        }
    }
    check_memory(&memory);
}

/// The kernel's list of a process's memory.
pub fn proc_maps(bytes: &[u8]) {
    check_memory(&Memory::of(proc_maps::parse(bytes).collect()));
}

/// Pieces are sorted, none is empty, and none is over another.
fn check_memory(memory: &Memory) {
    let pieces = memory.pieces();
    assert!(pieces.iter().all(|piece| piece.start < piece.end));
    assert!(pieces.windows(2).all(|two| two[0].end <= two[1].start));
    for piece in pieces {
        assert_eq!(memory.find(piece.start), Some(piece));
        assert_eq!(memory.find(piece.end - 1), Some(piece));
    }
}

fn record(signal: &str, bytes: &[u8]) {
    let signal = registry::signal(signal).expect("there is such a signal");
    let context = Context::with_names(vec![(1, "no_socket")], vec![(3, "no_socket")]);
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
        Table::new(kinds, &[], mode, width).write_record(record, &mut out);
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

/// A line of a watch, as if of each resource.
pub fn kubernetes_watch_line(bytes: &[u8]) {
    for resource in Resource::ALL {
        match read::watch_line(resource, bytes) {
            Ok(WatchLine::Change(change, version, _)) => {
                check_change(resource, &change);
                assert!(!version.is_empty());
            }
            Ok(WatchLine::Bookmark(version)) => assert!(!version.is_empty()),
            // Anything may be refused, in any words.
            Ok(WatchLine::Refused(_)) | Err(read::Malformed) => {}
        }
    }
}

/// A list, as if of each resource, whole and in pieces.
pub fn kubernetes_list(bytes: &[u8]) {
    for resource in Resource::ALL {
        let all_of = |piece_bytes: usize| {
            let mut changes = Vec::new();
            let page = read::page(resource, bytes.chunks(piece_bytes), |change| {
                check_change(resource, &change);
                changes.push(change);
            });
            (page, changes)
        };
        assert_eq!(all_of(bytes.len().max(1)), all_of(7));
    }
}

/// Keys, values, and what keeps them together.
const MAX_LABELS: usize = Pairs::MAX_BYTES + Pairs::MAX_PAIRS * 64;

/// It is of this resource, has a name, and is as small as it should be.
fn check_change(resource: Resource, change: &Change) {
    let (of, name) = match change {
        Change::Pod(pod) => {
            assert!(pod.ips.len() <= MAX_LIST && pod.labels.bytes() <= MAX_LABELS);
            (Resource::Pods, &pod.name.name)
        }
        Change::PodGone(name) => (Resource::Pods, &name.name),
        Change::Service(service) => (Resource::Services, &service.name.name),
        Change::ServiceGone(name) => (Resource::Services, &name.name),
        Change::EndpointSlice(slice) => (Resource::EndpointSlices, &slice.name.name),
        Change::EndpointSliceGone(name) => (Resource::EndpointSlices, &name.name),
        Change::Node(node) => {
            let fits =
                |cidr: &Cidr| cidr.prefix_bits <= if cidr.address.is_ipv4() { 32 } else { 128 };
            assert!(node.pod_cidrs.iter().all(fits));
            (Resource::Nodes, &node.name)
        }
        Change::NodeGone(name) => (Resource::Nodes, name),
        Change::Namespace(namespace) => (Resource::Namespaces, &namespace.name),
        Change::NamespaceGone(name) => (Resource::Namespaces, name),
        Change::Listing(_) | Change::Listed(_) | Change::Stale(..) | Change::Fresh(_) => {
            panic!("an object does not say that")
        }
    };
    assert_eq!(of, resource);
    assert!(!name.is_empty());
}

/// A label selector; and the same text as every other word of a selector.
pub fn label_selector(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(selector) = LabelSelector::parse(text) {
        let written = selector.to_string();
        assert_eq!(LabelSelector::parse(&written).as_ref(), Ok(&selector), "{written:?}");
        let absent =
            |operator: &Operator| matches!(operator, Operator::NotIn(_) | Operator::DoesNotExist);
        let expected = selector.requirements().iter().all(|one| absent(&one.operator));
        let found = selector.matches(Some(&Pairs::default()));
        assert_eq!(found, Verdict::from(expected), "{written:?} without labels");
    }
    let texts = [text.to_owned()];
    let typed = Typed::default();
    let kinds = [
        Typed { namespaces: &texts, ..typed },
        Typed { pods: &texts, ..typed },
        Typed { labels: &texts, ..typed },
        Typed { workloads: &texts, ..typed },
        Typed { containers: &texts, ..typed },
        Typed { nodes: &texts, ..typed },
    ];
    for typed in kinds {
        let Err(error) = Selector::parse(&typed) else { continue };
        assert!(text.is_char_boundary(error.at), "{} of {text:?}", error.at);
        let told = error.to_string();
        let lines: Vec<&str> = told.split('\n').collect();
        assert!(!lines.iter().any(|line| line.contains(char::is_control)), "{told:?}");
        assert!(lines.len() == 3 && told.ends_with('^'), "{told:?}");
    }
}

/// What connection tracking sends, one message or many.
pub fn conntrack_messages(bytes: &[u8]) {
    let mut read = 0;
    for message in message::messages(bytes) {
        read += 1;
        match message {
            Ok(Message::Tracked(told) | Message::Gone(told)) => {
                assert_ne!(told.dialled, told.backend);
                assert_eq!(told.dialled.is_ipv4(), told.backend.is_ipv4());
            }
            Ok(Message::Other | Message::Done | Message::Refused(_)) | Err(message::Malformed) => {}
        }
    }
    // A header takes so much.
    assert!(read <= bytes.len().div_ceil(16), "{read} of {} bytes", bytes.len());
}
