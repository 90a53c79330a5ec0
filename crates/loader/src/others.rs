//! BPF programs that are attached on this machine, whoever attached them.

use std::collections::HashMap;

use libbpf_rs::query::{LinkInfoIter, LinkTypeInfo, ProgInfoIter};

/// A program and where it is attached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attached {
    /// Its name in the kernel (at most 15 bytes of it).
    pub program: String,
    /// The kind of place: `cgroup`, `tracing`, `perf_event`, `tcx`, …
    pub place: &'static str,
}

/// All programs that are attached by links. Programs without one (old tc filters, sockets) are not among
/// them. Takes CAP_SYS_ADMIN; without it the kernel lists none.
pub fn attached() -> Vec<Attached> {
    let programs = ProgInfoIter::default();
    let names: HashMap<u32, String> =
        programs.map(|program| (program.id, program.name.to_string_lossy().into_owned())).collect();
    let links = LinkInfoIter::default();
    let mut attached: Vec<_> = links
        .map(|link| Attached {
            program: names.get(&link.prog_id).cloned().unwrap_or_default(),
            place: place(&link.info),
        })
        .collect();
    attached.sort();
    attached
}

fn place(link: &LinkTypeInfo) -> &'static str {
    match link {
        LinkTypeInfo::RawTracepoint(_) => "raw_tracepoint",
        LinkTypeInfo::Tracing(_) => "tracing",
        LinkTypeInfo::Cgroup(_) => "cgroup",
        LinkTypeInfo::Iter(_) => "iterator",
        LinkTypeInfo::NetNs(_) => "network_namespace",
        LinkTypeInfo::Xdp(_) => "xdp",
        LinkTypeInfo::StructOps(_) => "struct_ops",
        LinkTypeInfo::Netfilter(_) => "netfilter",
        LinkTypeInfo::KprobeMulti(_) => "kprobe_multi",
        LinkTypeInfo::UprobeMulti(_) => "uprobe_multi",
        LinkTypeInfo::Tcx(_) => "tcx",
        LinkTypeInfo::Netkit(_) => "netkit",
        LinkTypeInfo::SockMap(_) => "sock_map",
        LinkTypeInfo::PerfEvent(_) => "perf_event",
        LinkTypeInfo::Unknown => "other",
    }
}
