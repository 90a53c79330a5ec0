//! What this node is like, as plain values. Each thing is read, tried or asked for; what cannot be says why.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::SystemTime;

use chandra_doctor::capabilities;
use chandra_doctor::node::{
    Cluster, HubbleSetup, Kernel, Mount, Node, OtherProgram, Port, Reading,
};
use chandra_kubernetes::review;
use chandra_loader::load::Options;
use chandra_loader::{btf, capability, memory, others, ring};
use chandra_runtime::{Options as RuntimeOptions, Source};

use super::{certificates, hubble, trial};
use crate::cli::doctor::NodeOptions;

const SETTINGS: [&str; 5] = [
    "kernel.unprivileged_bpf_disabled",
    "kernel.perf_event_paranoid",
    "kernel.kptr_restrict",
    "kernel.bpf_stats_enabled",
    "net.core.bpf_jit_enable",
];
/// Where the agent serves, unless told otherwise.
const PORTS: [(&str, &str); 2] =
    [("127.0.0.1:9965", "state and metrics"), ("127.0.0.1:4244", "flows")];

/// Everything. What others attached is listed before anything is attached here.
pub fn node(options: &NodeOptions) -> Node {
    let capabilities = capability::effective();
    let other_programs = other_programs(capabilities);
    let (cpus, memory_bytes) = memory::machine();
    let ring_bytes = options.load.ring_bytes;
    let cluster = cluster(options);
    let hubble_setup = match (&options.cluster, &cluster) {
        (Some(access), Cluster::Answered { .. }) => {
            hubble::setup(access, &options.hubble_namespace)
        }
        _ => HubbleSetup::NotAsked,
    };
    Node {
        kernel: kernel(),
        capabilities,
        memlock_bytes: memlock_bytes(),
        btf: types(&options.load),
        has_ring_buffer: ring::is_supported().map_err(|error| error.to_string()),
        settings: SETTINGS.into_iter().map(|name| (name, setting(name))).collect(),
        lockdown: read("/sys/kernel/security/lockdown"),
        lsm: read("/sys/kernel/security/lsm"),
        mounts: mounts(),
        clock_source: read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        cpus,
        ring_bytes: ring_bytes
            .map_or_else(|| memory::default_ring_bytes(cpus, memory_bytes), memory::ring_bytes),
        signals: trial::all(&options.signals, &options.load),
        other_programs,
        runtime: runtime(options),
        cluster,
        ports: PORTS.map(|(address, purpose)| port(address, purpose)).into(),
        hubble: hubble::look(),
        hubble_setup,
        certificates: certificates::look(&options.certificates),
        now: now(),
    }
}

/// The kernel's release, and its line of version.
pub fn kernel() -> Kernel {
    let version_line = read("/proc/version").unwrap_or_default();
    Kernel { release: memory::kernel_release().0, version_line }
}

/// What is mounted, by `mountinfo` (proc(5)).
pub fn mounts() -> Reading<Vec<Mount>> {
    let table = read("/proc/self/mountinfo")?;
    let mounts = table.lines().filter_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let point = mount.split(' ').nth(4)?.to_owned();
        Some(Mount { filesystem: filesystem.split(' ').next()?.to_owned(), point })
    });
    Ok(mounts.collect())
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn read(path: &str) -> Reading<String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(text.trim().to_owned())
}

fn setting(name: &str) -> Reading<i64> {
    let text = read(&format!("/proc/sys/{}", name.replace('.', "/")))?;
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn memlock_bytes() -> Reading<Option<u64>> {
    let limits = read("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"));
    let soft = line.and_then(|line| line.split_whitespace().next());
    match soft {
        Some("unlimited") => Ok(None),
        Some(bytes) => bytes.parse().map(Some).map_err(|_| format!("{bytes:?} is no number")),
        None => Err("/proc/self/limits does not have it".to_owned()),
    }
}

fn types(load: &Options) -> Reading<()> {
    btf::check(load.btf.as_deref()).map_err(|error| error.to_string())
}

fn other_programs(held: u64) -> Reading<Vec<OtherProgram>> {
    if !capabilities::has(held, "CAP_SYS_ADMIN") {
        return Err("listing programs takes CAP_SYS_ADMIN".to_owned());
    }
    let others = others::attached().into_iter();
    Ok(others
        .map(|other| OtherProgram { name: other.program, place: other.place.to_owned() })
        .collect())
}

fn runtime(options: &NodeOptions) -> Reading<(String, String)> {
    let source = match &options.cri_socket {
        Some(socket) => Source::connect(socket, RuntimeOptions::default()),
        None => Source::find(Path::new("/"), RuntimeOptions::default()),
    };
    let source = source.map_err(|error| error.to_string())?;
    let version = source.version();
    Ok((format!("{} {}", version.name, version.version), source.socket().display().to_string()))
}

fn cluster(options: &NodeOptions) -> Cluster {
    let Some(access) = &options.cluster else { return Cluster::NotNamed };
    match review::all(access) {
        Ok(review) => Cluster::Answered { server: review.server, may: review.may },
        Err(error) => {
            Cluster::Unreachable { why: error.to_string(), next: error.next().to_owned() }
        }
    }
}

/// Whether it can be had, by having it for a moment.
fn port(address: &str, purpose: &'static str) -> Port {
    let free = TcpListener::bind(address).map(drop).map_err(|error| error.to_string());
    Port { address: address.to_owned(), purpose, free }
}
