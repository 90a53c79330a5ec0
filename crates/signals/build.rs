//! Finds the signal folders, compiles their probes, and writes the registry.
//!
//! A folder under `src/` with a `signal.toml` is a signal; nothing else names it.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chandra_bpf_build::btf::{self, Exports};
use chandra_bpf_build::{compile, generate, pack, relocations};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignalToml {
    summary: String,
    default: bool,
    class: String,
    capabilities: Vec<String>,
    /// What can be counted by in the kernel; see GROUP_FIELDS.
    group_by: Vec<String>,
    filters: Vec<String>,
    /// Kinds that an agent watches for their own sake, and prints; flows and rules may need others.
    #[serde(default)]
    agent_kinds: Vec<String>,
    /// Records that an agent takes of a cgroup, where nobody says otherwise; its probe keeps budgets.
    records_per_second: Option<NonZeroU32>,
    /// Its probe can be told, while it runs, to tell less where it costs too much.
    #[serde(default)]
    governed: bool,
    /// It does so by flows: all of one, or nothing.
    #[serde(default)]
    drawn_by_flow: bool,
    /// Or why it is told whole whatever it costs. Identity says that by itself.
    told_whole_because: Option<String>,
    /// It calls functions of the kernel (kfuncs), which are found by the kernel's own BTF: where there is none, it is
    /// compiled with WITHOUT_KERNEL_BTF.
    #[serde(default)]
    calls_kernel_functions: bool,
    /// Its records tell which names peers were resolved from.
    #[serde(default)]
    names_peers: bool,
    /// It has maps to fill by the filter, before it is listened to.
    #[serde(default)]
    prepares: bool,
    /// The hook that goes through what the probe remembers, now and then.
    sweep: Option<SweepToml>,
    /// The map in which the probe remembers flows; see flow_table.h.
    flow_table: Option<String>,
    /// What the identity of processes and containers lives from.
    #[serde(default)]
    identity: Vec<IdentityToml>,
    hook: Vec<HookToml>,
    #[serde(default)]
    trace: Vec<TraceToml>,
    /// What an agent tells Prometheus of it.
    #[serde(default)]
    metric: Vec<MetricToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityToml {
    hook: String,
    /// The kind that the hook emits; none for one that is only looked at at start.
    kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SweepToml {
    hook: String,
    /// Unless it is the interval of reports that says how often.
    seconds_apart: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HookToml {
    name: String,
    ladder: Vec<RungToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RungToml {
    rung: String,
    programs: Vec<String>,
    /// Programs that these go on in.
    #[serde(default)]
    tail_calls: Vec<String>,
    /// It is on the path of every packet.
    #[serde(default)]
    per_packet: bool,
    /// Its programs name no tracepoints: the module's `tracepoints` does.
    #[serde(default)]
    on_named: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TraceToml {
    name: String,
    summary: String,
    #[serde(default)]
    kinds: Vec<String>,
    hooks: Vec<String>,
    /// What it counts by where nothing else is asked for; empty for a verb that shows records.
    #[serde(default)]
    counted_by: Vec<String>,
    histogram: Option<HistogramToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistogramToml {
    unit: String,
    operations: Vec<String>,
    /// A line for each, in place of a drawing.
    #[serde(default)]
    totals: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricToml {
    name: String,
    help: String,
    unit: String,
    kind: MetricKindToml,
    /// Names of the codes, where they are told apart; then `operation` is a label.
    #[serde(default)]
    operations: Vec<String>,
    /// Other labels: of what can be counted by.
    #[serde(default)]
    labels: Vec<String>,
}

#[derive(Debug, Deserialize)]
enum MetricKindToml {
    /// Sums in the map `groups`.
    #[serde(rename = "counter")]
    Counter,
    /// Those in the maps `histograms` and `ungrouped`.
    #[serde(rename = "histogram")]
    Histogram,
}

/// Names in signal.toml and their bit in the probes' `enum group_field`. A packet that is nobody's has
/// a source and a destination; the last ones are what a signal may call its `code`.
const GROUP_FIELDS: &[(&str, &str)] = &[
    ("type", "GROUP_KIND"),
    ("pid", "GROUP_PID"),
    ("uid", "GROUP_UID"),
    ("comm", "GROUP_COMM"),
    ("cgroup", "GROUP_CGROUP"),
    ("local_address", "GROUP_LOCAL_ADDRESS"),
    ("local_port", "GROUP_LOCAL_PORT"),
    ("peer_address", "GROUP_PEER_ADDRESS"),
    ("peer_port", "GROUP_PEER_PORT"),
    ("state", "GROUP_STATE"),
    ("location", "GROUP_LOCATION"),
    ("net_namespace", "GROUP_NET_NAMESPACE"),
    ("protocol", "GROUP_PROTOCOL"),
    ("device", "GROUP_DEVICE"),
    ("source_address", "GROUP_LOCAL_ADDRESS"),
    ("source_port", "GROUP_LOCAL_PORT"),
    ("destination_address", "GROUP_PEER_ADDRESS"),
    ("destination_port", "GROUP_PEER_PORT"),
    ("status", "GROUP_CODE"),
    ("reason", "GROUP_CODE"),
    ("rcode", "GROUP_CODE"),
    ("error", "GROUP_CODE"),
    ("call", "GROUP_CODE"),
    ("message", "GROUP_CODE"),
    ("fault", "GROUP_CODE"),
    ("role", "GROUP_CODE"),
    ("signal", "GROUP_CODE"),
    ("name", "GROUP_COMM"),
    ("errno", "GROUP_ERROR"),
    ("irq", "GROUP_NUMBER"),
];

const WITHOUT_KERNEL_BTF: &str = "_without_kernel_btf";

/// Where the format of unwind tables stands.
const UNWIND_HEADERS: &str = "../unwind/bpf";

fn main() -> ExitCode {
    chandra_bpf_build::finish(run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let source = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("src");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-env-changed=CLANG");

    let mut folders: Vec<_> = std::fs::read_dir(&source)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("signal.toml").exists())
        .collect();
    folders.sort();

    let mut registry = String::new();
    let mut entries = String::new();
    let mut kernel_types = BTreeSet::new();
    for folder in &folders {
        let name = folder
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or("a signal's folder must be UTF-8")?;
        let text = std::fs::read_to_string(folder.join("signal.toml"))?;
        let signal: SignalToml =
            toml::from_str(&text).map_err(|error| format!("{name}/signal.toml: {error}"))?;
        let exports = compile_probe(name, folder, &folder.join("probe.bpf.c"), &out)?;
        if signal.calls_kernel_functions {
            compile_without_kernel_btf(name, folder, &out, exports.config_offset)?;
        }
        kernel_types.append(&mut relocations::kernel_types(&std::fs::read(object(name, &out))?)?);
        let module = folder.join("mod.rs");
        writeln!(registry, "#[path = {:?}]\npub mod {name};", module.display().to_string())?;
        write_entry(&mut entries, name, &signal, &exports, &out)
            .map_err(|error| format!("{name}/signal.toml: {error}"))?;
    }
    writeln!(
        registry,
        "/// Every signal, by name.\npub static SIGNALS: &[Signal] = &[\n{entries}];"
    )?;
    let kernel_types: Vec<_> = kernel_types.into_iter().collect();
    writeln!(registry, "const KERNEL_TYPES: &[&str] = &{kernel_types:?};")?;
    std::fs::write(out.join("registry.rs"), registry)?;
    Ok(())
}

/// A probe, compiled to `out`, as the program carries it: packed, beside it.
fn packed(name: &str, out: &Path) -> Result<String, Box<dyn Error>> {
    let object = std::fs::read(object(name, out))?;
    let path = out.join(format!("{name}.bpf.o.deflate"));
    std::fs::write(&path, pack::pack(&object)?)?;
    Ok(format!("PackedObject::new(include_bytes!({path:?}), {})", object.len()))
}

/// Where a signal's compiled probe goes.
fn object(name: &str, out: &Path) -> PathBuf {
    out.join(format!("{name}.bpf.o"))
}

/// Compiles a probe and writes its types; those of the shared ABI come from the loader.
fn compile_probe(
    name: &str,
    folder: &Path,
    probe: &Path,
    out: &Path,
) -> Result<Exports, Box<dyn Error>> {
    let headers = PathBuf::from(std::env::var("DEP_CHANDRA_BPF_HEADERS")?);
    let libbpf_headers = PathBuf::from(std::env::var("DEP_CHANDRA_BPF_LIBBPF_HEADERS")?);
    let unwind_headers = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join(UNWIND_HEADERS);
    println!("cargo::rerun-if-changed={}", headers.display());
    println!("cargo::rerun-if-changed={}", unwind_headers.display());
    let object = object(name, out);
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH")?;
    let includes = [folder.to_owned(), headers, unwind_headers, libbpf_headers];
    compile::compile(probe, &includes, &arch, &object)?;
    let mut exports = btf::exports(&std::fs::read(&object)?)?;
    exports.structs.retain(|item| {
        let shared = [
            "cgroup_key",
            "config",
            "counters",
            "governed",
            "group_key",
            "histogram",
            "path_prefix",
            "process",
        ];
        !shared.contains(&item.name.as_str())
    });
    exports.enums.retain(|item| !["group_field", "path_access"].contains(&item.name.as_str()));
    std::fs::write(out.join(format!("{name}.rs")), generate::rust(&exports))?;
    Ok(exports)
}

/// The object for kernels that publish no BTF.
fn compile_without_kernel_btf(
    name: &str,
    folder: &Path,
    out: &Path,
    config_offset: usize,
) -> Result<(), Box<dyn Error>> {
    let probe = out.join(format!("{name}{WITHOUT_KERNEL_BTF}.bpf.c"));
    std::fs::write(&probe, "#define WITHOUT_KERNEL_BTF\n#include \"probe.bpf.c\"\n")?;
    let other = compile_probe(&format!("{name}{WITHOUT_KERNEL_BTF}"), folder, &probe, out)?;
    if other.config_offset != config_offset {
        return Err(format!("{name}: `config` lies elsewhere without the kernel's BTF").into());
    }
    Ok(())
}

fn write_entry(
    out: &mut String,
    name: &str,
    signal: &SignalToml,
    exports: &Exports,
    objects: &Path,
) -> Result<(), Box<dyn Error>> {
    let kinds = exports.enums.iter().find(|item| item.name == format!("{name}_kind"));
    let kinds: Vec<(String, u32)> = kinds
        .iter()
        .flat_map(|item| &item.values)
        .map(|(name, value)| (name.trim_start_matches("KIND_").to_lowercase(), *value))
        .collect();
    let kind_of = |kind: &String| {
        let known = kinds.iter().find(|(name, _)| name == kind);
        known.map(|(_, value)| *value).ok_or_else(|| format!("no kind {kind} in enum {name}_kind"))
    };
    let identity = signal.identity.iter().map(|source| &source.hook);
    let named = signal.trace.iter().flat_map(|trace| &trace.hooks);
    for hook in named.chain(identity).chain(signal.sweep.iter().map(|sweep| &sweep.hook)) {
        if !signal.hook.iter().any(|known| known.name == *hook) {
            return Err(format!("no hook {hook}").into());
        }
    }
    let whole = signal.told_whole_because.as_deref();
    let says = [signal.governed, whole.is_some(), !signal.identity.is_empty()];
    if says.iter().filter(|said| **said).count() != 1 {
        let why =
            "one of governed, told_whole_because and identity says whether it is told in part";
        return Err(why.into());
    }
    if signal.drawn_by_flow && !signal.governed {
        return Err("drawn_by_flow, but not governed".into());
    }
    writeln!(out, "    Signal {{\n        spec: SignalSpec {{ name: {name:?},")?;
    writeln!(out, "            object: {},", packed(name, objects)?)?;
    let other = match signal.calls_kernel_functions {
        true => format!("Some({})", packed(&format!("{name}{WITHOUT_KERNEL_BTF}"), objects)?),
        false => "None".to_owned(),
    };
    writeln!(out, "            object_without_kernel_btf: {other},")?;
    writeln!(out, "            kernel_types: KERNEL_TYPES,")?;
    writeln!(
        out,
        "            config_offset: {}, sends_records: {}, records_per_second: {}, governed: {},",
        exports.config_offset,
        !kinds.is_empty(),
        records_per_second(signal.records_per_second),
        signal.governed
    )?;
    writeln!(out, "            hooks: &[")?;
    for hook in &signal.hook {
        writeln!(out, "                Hook {{ name: {:?}, ladder: &[", hook.name)?;
        for rung in &hook.ladder {
            writeln!(
                out,
                "                    Rung {{ name: {:?}, programs: &{:?}, tail_calls: &{:?}, per_packet: {}, on_named: {} }},",
                rung.rung, rung.programs, rung.tail_calls, rung.per_packet, rung.on_named
            )?;
        }
        writeln!(out, "                ] }},")?;
    }
    writeln!(out, "            ],\n        }},")?;
    writeln!(
        out,
        "        summary: {:?}, default: {}, class: {:?}, told_whole_because: {whole:?}, drawn_by_flow: {:?},",
        signal.summary, signal.default, signal.class, signal.drawn_by_flow
    )?;
    writeln!(
        out,
        "        capabilities: &{:?}, filters: &{:?},",
        signal.capabilities, signal.filters
    )?;
    writeln!(out, "        group_by: &[{}],", group_fields(&signal.group_by)?)?;
    writeln!(out, "        kinds: &{kinds:?},\n        traces: &[")?;
    let mask_of = |names: &[String]| {
        names.iter().map(kind_of).try_fold(0_u32, |mask, kind| kind.map(|kind| mask | 1 << kind))
    };
    for trace in &signal.trace {
        let mask = mask_of(&trace.kinds)?;
        writeln!(
            out,
            "            Trace {{ name: {:?}, summary: {:?}, kinds: {mask:#x}, hooks: &{:?}, counted_by: &[{}],",
            trace.name,
            trace.summary,
            trace.hooks,
            group_fields(&trace.counted_by)?
        )?;
        match &trace.histogram {
            Some(histogram) => writeln!(
                out,
                "                histogram: Some(HistogramSpec {{ unit: {:?}, operations: &{:?}, totals: {} }}) }},",
                histogram.unit, histogram.operations, histogram.totals
            )?,
            None => writeln!(out, "                histogram: None }},")?,
        }
    }
    writeln!(out, "        ],\n        metrics: &[")?;
    for metric in &signal.metric {
        if let Some(label) = metric.labels.iter().find(|label| !signal.group_by.contains(label)) {
            return Err(format!("{}: nothing is counted by {label}", metric.name).into());
        }
        let MetricToml { name, help, unit, kind, operations, labels } = metric;
        writeln!(
            out,
            "            Metric {{ name: {name:?}, help: {help:?}, unit: {unit:?}, kind: MetricKind::{kind:?},\n                operations: &{operations:?}, labels: &[{}] }},",
            group_fields(labels)?
        )?;
    }
    let mut rungs = signal.hook.iter().flat_map(|hook| &hook.ladder);
    let names_tracepoints = rungs.any(|rung| rung.on_named);
    let identity = signal.identity.iter().map(|source| {
        let bits = mask_of(source.kind.as_slice())?;
        Ok(format!("({bits:#x}, {:?})", source.hook))
    });
    let identity = identity.collect::<Result<Vec<_>, String>>()?.join(", ");
    writeln!(
        out,
        "        ],\n        identity: &[{identity}], names_peers: {}, tracepoints: {}, prepare: {}, sweep: {}, flow_table: {:?},\n        decode: {name}::decode, seed: {name}::seed, code_text: {name}::code_text,\n        event_kinds: {name}::KINDS, agent_kinds: {:#x},\n    }},",
        signal.names_peers,
        if names_tracepoints { format!("Some({name}::tracepoints)") } else { "None".to_owned() },
        if signal.prepares { format!("Some({name}::prepare)") } else { "None".to_owned() },
        signal.sweep.as_ref().map_or("None".to_owned(), |SweepToml { hook, seconds_apart }| {
            let apart = seconds_apart.map_or("None".to_owned(), |seconds| {
                format!("Some(std::time::Duration::from_secs({seconds}))")
            });
            format!("Some(registry::Sweep {{ hook: {hook:?}, apart: {apart} }})")
        }),
        signal.flow_table,
        mask_of(&signal.agent_kinds)?
    )?;
    Ok(())
}

fn records_per_second(rate: Option<NonZeroU32>) -> String {
    rate.map_or_else(|| "None".to_owned(), |rate| format!("std::num::NonZeroU32::new({rate})"))
}

/// Fields with their bits, as items of a slice.
fn group_fields(names: &[String]) -> Result<String, String> {
    let fields = names.iter().map(|field| {
        let known = GROUP_FIELDS.iter().find(|(name, _)| name == field);
        known
            .map(|(_, bit)| format!("({field:?}, group_field::{bit})"))
            .ok_or_else(|| format!("group_by: no field {field}"))
    });
    Ok(fields.collect::<Result<Vec<_>, _>>()?.join(", "))
}
