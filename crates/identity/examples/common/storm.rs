//! Short containers without end, as records and a runtime tell of them: each is made, described,
//! runs a process with a child, ends, and is removed.

use std::sync::Arc;

use chandra_event::cgroup::{Cgroup, Happened};
use chandra_event::process::{Arguments, Exec, Executable, Exit, Fork, Process};
use chandra_event::time::{Clock, Timestamp};
use chandra_identity::Identity;
use chandra_identity::description::{
    Change, ContainerDescription, ContainerState, Pairs, PodDescription, RuntimeId, Text,
};

/// A second of event time.
pub const SECOND: u64 = 1_000_000_000;
/// How long a container lives.
const LIFE: u64 = SECOND / 10;
/// Cgroups that were removed stay so long for late records.
const LINGER: u64 = 2 * SECOND;

/// What the tables hold.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Bytes of the process table.
    pub processes: u64,
    /// Bytes of the cgroups.
    pub cgroups: u64,
    /// Bytes of the descriptions.
    pub descriptions: u64,
    /// Evicted or refused for want of room, in all tables.
    pub evicted: u64,
    /// Descriptions of containers that were gone, dropped before their time.
    pub cut_short: u64,
}

/// Runs so many containers a second for so long; a sample for each `step_seconds`.
pub fn simulate(per_second: u64, seconds: u64, step_seconds: u64) -> Vec<Sample> {
    let mut identity = Identity::new(Clock::default());
    identity.expect_runtime(true);
    let shim = Process { pid: 2, start_boottime_ns: 1, ppid: 1, ..Process::default() };
    exec(&mut identity, SECOND, shim, "/usr/bin/containerd-shim");
    let (gap, all) = (SECOND / per_second, per_second * seconds);
    let alive = LIFE / gap;
    let mut samples = Vec::new();
    for turn in 0..all + alive {
        let now = 10 * SECOND + turn * gap;
        if turn < all {
            begin(&mut identity, turn, now, shim);
        }
        if let Some(old) = turn.checked_sub(alive) {
            end(&mut identity, old, now, shim);
        }
        identity.advance(now, Timestamp(now.saturating_sub(LINGER)));
        if (turn + 1) % (per_second * step_seconds) == 0 {
            samples.push(sample(&identity));
        }
    }
    samples
}

fn sample(identity: &Identity) -> Sample {
    let (processes, cgroups) = (identity.processes.stats(), identity.cgroups.counts());
    let dropped = identity.descriptions.dropped();
    Sample {
        processes: processes.bytes,
        cgroups: cgroups.bytes as u64,
        descriptions: identity.descriptions.bytes() as u64,
        evicted: processes.evicted_dead
            + processes.evicted_ancestors
            + processes.evicted_live
            + cgroups.evicted
            + cgroups.refused
            + dropped.exited
            + dropped.refused,
        cut_short: dropped.lingering,
    }
}

fn id(number: u64) -> String {
    format!("{number:064x}")
}

/// The first process of a container, or its child.
fn process(number: u64, child: u64) -> Process {
    let start = 10 * SECOND + number * 1000 + child;
    let pid = 100 + ((number * 2 + child) % 4_000_000) as u32;
    let ppid = if child == 0 { 2 } else { pid - 1 };
    let cgroup_id = 1000 + number;
    Process { pid, start_boottime_ns: start, ppid, cgroup_id, ..Process::default() }
}

fn cgroup(identity: &mut Identity, number: u64, now: u64, happened: Happened) {
    let path =
        format!("/kubepods/burstable/pod6f1e0c5a-3b0d-4c57-9f0e-2a4d8c7b6e11/{}", id(number));
    identity.learn(
        &Cgroup {
            time: Timestamp(now),
            process: None,
            happened,
            id: 1000 + number,
            hierarchy: 0,
            parent_id: Some(1),
            level: 4,
            path: path.as_bytes(),
            path_truncated: false,
        },
        now,
    );
}

fn exec(identity: &mut Identity, now: u64, process: Process, path: &str) {
    let executable = Executable { path: path.as_bytes(), ..Executable::default() };
    let total_bytes = path.len() as u64;
    let arguments = Arguments { head: path.as_bytes(), tail: b"", total_bytes };
    let filename = path.as_bytes();
    let time = Timestamp(now);
    identity
        .learn(&Exec { time, process, filename, executable, arguments, ..Exec::default() }, now);
}

fn begin(identity: &mut Identity, number: u64, now: u64, shim: Process) {
    cgroup(identity, number, now, Happened::Mkdir);
    let time = Timestamp(now);
    let (first, child) = (process(number, 0), process(number, 1));
    identity.learn(&Fork { time, process: first, parent: shim }, now);
    exec(identity, now, first, "/entrypoint.sh");
    identity.learn(&Fork { time, process: child, parent: first }, now);
    exec(identity, now, child, &format!("/run/job-{number}"));
    if let Some((pod, container)) = ids(number) {
        identity.describe(Change::PodSeen(Arc::new(describe_pod(&pod, number))), now);
        let container = describe_container(&container, &pod);
        identity.describe(Change::Seen(Arc::new(container)), now);
    }
}

fn end(identity: &mut Identity, number: u64, now: u64, _shim: Process) {
    for process in [process(number, 1), process(number, 0)] {
        let duration_ns = now.saturating_sub(process.start_boottime_ns);
        let exit = Exit { time: Timestamp(now), process, duration_ns, ..Exit::default() };
        identity.learn(&exit, now);
    }
    cgroup(identity, number, now, Happened::Rmdir);
    if let Some((pod, container)) = ids(number) {
        identity.describe(Change::Gone(container), now);
        identity.describe(Change::PodGone(pod), now);
    }
}

fn ids(number: u64) -> Option<(RuntimeId, RuntimeId)> {
    Some((RuntimeId::new(&format!("pod-{}", id(number)))?, RuntimeId::new(&id(number))?))
}

/// A pod with the labels of one that a chart makes.
pub fn describe_pod(sandbox: &RuntimeId, number: u64) -> PodDescription {
    let name = format!("job-{number}");
    let labels = [
        ("app.kubernetes.io/name", name.as_str()),
        ("app.kubernetes.io/instance", name.as_str()),
        ("app.kubernetes.io/version", "1.27.3"),
        ("app.kubernetes.io/managed-by", "Helm"),
        ("helm.sh/chart", "application-4.2.1"),
        ("pod-template-hash", "5d8c7f9b64"),
    ];
    PodDescription {
        namespace: Text::new("batch"),
        name: Text::new(&name),
        labels: Pairs::collect(labels.map(|(key, value)| (key.as_bytes(), value.as_bytes()))),
        ready: true,
        ..PodDescription::new(sandbox.clone())
    }
}

/// A container of that pod.
pub fn describe_container(container: &RuntimeId, sandbox: &RuntimeId) -> ContainerDescription {
    ContainerDescription {
        sandbox_id: Some(sandbox.clone()),
        name: Text::new("main"),
        image: Text::new("docker.io/library/busybox:1.37"),
        state: ContainerState::Running,
        ..ContainerDescription::new(container.clone())
    }
}
