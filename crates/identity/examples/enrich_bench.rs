//! What it costs to say who did it: nanoseconds per record, with 10,000 processes in 1,000 containers,
//! and 100,000 pods elsewhere, one of which is at the other end.
//!
//! `cargo run --release -p chandra-identity --example enrich_bench`
//!
//! Each figure is the median of several rounds. Lines that begin with `enrich_` are for programs:
//! name, value, unit.
#![allow(clippy::unwrap_used, reason = "a bench stops where something is not as expected")]

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use chandra_event::cgroup::{Cgroup, Happened};
use chandra_event::process::{Arguments, Exec, Executable, Exit, Fork, Process};
use chandra_event::tcp::{self, Connection, Role, Tcp};
use chandra_event::time::{Clock, Timestamp};
use chandra_identity::cluster::{self, ObjectName, Owner, Pod};
use chandra_identity::description::{Change, Pairs, RuntimeId, Text};
use chandra_identity::{Identity, Spelled};

#[path = "common/storm.rs"]
#[allow(dead_code, reason = "its descriptions are used here, the storm elsewhere")]
mod storm;

const PROCESSES: u32 = 10_000;
const CONTAINERS: u64 = 1000;
const PODS: u32 = 100_000;
/// At once, as an agent takes them from its rings: a few megabytes at most.
const RECORDS: usize = 8192;
const ROUNDS: usize = 199;
/// Nobody described the containers from this one on.
const UNDESCRIBED: u64 = CONTAINERS / 2;
const NOW: u64 = 100_000_000_000;

fn main() {
    let mut identity = Identity::new(Clock::default());
    identity.expect_runtime(true);
    (0..CONTAINERS).for_each(|number| make_container(&mut identity, number));
    let all: Vec<Process> = (0..PROCESSES).map(process).collect();
    for (index, process) in all.iter().enumerate() {
        let parent = all[index.saturating_sub(1) / 4];
        let time = Timestamp(process.start_boottime_ns);
        if index > 0 {
            identity.learn(&Fork { time, process: *process, parent }, NOW);
        }
        identity.learn(&exec(*process, &path(process.pid)), NOW);
    }
    let described: Vec<_> =
        all.iter().filter(|it| it.cgroup_id < 1000 + UNDESCRIBED).copied().collect();
    let undescribed: Vec<_> =
        all.iter().filter(|it| it.cgroup_id >= 1000 + UNDESCRIBED).copied().collect();
    let unknown: Vec<_> =
        all.iter().map(|it| Process { pid: it.pid + 1_000_000, cgroup_id: 7, ..*it }).collect();
    (0..PODS).for_each(|number| identity.describe_cluster(cluster::Change::Pod(pod(number)), NOW));
    let mut spelled = Spelled::default();
    for (name, processes, pods) in [
        ("any", &all, PODS),
        ("any_near_1000_pods", &all, 1000),
        ("described", &described, 1000),
        ("undescribed", &undescribed, 1000),
        ("unknown", &unknown, 1000),
    ] {
        let mut random = Random(1);
        let rounds = (0..ROUNDS).map(|_| {
            let record = |_| {
                let process = processes[random.below(processes.len())];
                connect(process, random.below(pods as usize) as u32)
            };
            let records: Vec<Tcp> = (0..RECORDS).map(record).collect();
            per(RECORDS, || {
                for record in &records {
                    black_box(identity.who(black_box(record), &mut spelled));
                }
            })
        });
        say(&format!("who_{name}"), rounds.collect());
    }
    // The same containers, but something was just described: each place is looked up anew.
    let mut random = Random(2);
    let rounds = (0..ROUNDS).map(|_| {
        let records: Vec<Tcp> =
            (0..10_000).map(|_| connect(all[random.below(all.len())], 0)).collect();
        per(records.len(), || {
            for record in &records {
                identity.describe(Change::Fresh, NOW);
                black_box(identity.who(black_box(record), &mut spelled));
            }
        })
    });
    say("who_just_described", rounds.collect());

    let mut random = Random(3);
    let mut pid = 2_000_000;
    let rounds = (0..ROUNDS).map(|round| {
        let start = NOW + round as u64 * 60_000_000_000;
        let lives: Vec<_> = (0..20_000_u64)
            .map(|number| {
                let parent = all[random.below(all.len())];
                pid += 1;
                (
                    parent,
                    Process {
                        pid,
                        start_boottime_ns: start + number * 1_000_000,
                        ppid: parent.pid,
                        ..parent
                    },
                )
            })
            .collect();
        per(lives.len(), || {
            for (parent, child) in &lives {
                let now = child.start_boottime_ns;
                let time = Timestamp(now);
                identity.learn(&Fork { time, process: *child, parent: *parent }, now);
                identity.learn(&exec(*child, "/usr/bin/true"), now);
                identity.learn(&Exit { time, process: *child, ..Exit::default() }, now);
                identity.advance(now, Timestamp(now.saturating_sub(2_000_000_000)));
            }
        })
    });
    say("learn_fork_exec_exit", rounds.collect());
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % bound
    }
}

fn per(count: usize, work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_nanos() as f64 / count as f64
}

fn say(name: &str, mut rounds: Vec<f64>) {
    rounds.sort_by(f64::total_cmp);
    println!("enrich_{name} {:.1} ns", rounds[rounds.len() / 2]);
}

/// Each forks four more; a container has ten of them.
fn process(index: u32) -> Process {
    Process {
        pid: index + 1,
        start_boottime_ns: 1000 + u64::from(index) * 1000,
        ppid: if index == 0 { 0 } else { (index - 1) / 4 + 1 },
        cgroup_id: 1000 + u64::from(index) % CONTAINERS,
        ..Process::default()
    }
}

fn path(pid: u32) -> String {
    format!("/usr/local/bin/program-{}", pid % 500)
}

fn exec(process: Process, path: &str) -> Exec<'_> {
    Exec {
        time: Timestamp(process.start_boottime_ns + 1),
        process,
        filename: path.as_bytes(),
        executable: Executable { path: path.as_bytes(), ..Executable::default() },
        cwd: b"/",
        arguments: Arguments { head: path.as_bytes(), tail: b"", total_bytes: path.len() as u64 },
        ..Exec::default()
    }
}

fn pod_ip(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0000 + number.wrapping_mul(40_503) % (1 << 24))
}

/// Of a Deployment with twenty of them.
fn pod(number: u32) -> Pod {
    let application = format!("application-{}", number / 20);
    let replica_set = format!("{application}-7d4b9c6f5");
    let labels = [("app", application.as_str()), ("pod-template-hash", "7d4b9c6f5")];
    let name = Text::new(&format!("{replica_set}-{number:05}"));
    let namespace = Text::new(&format!("team-{}", number / 20 % 50));
    Pod {
        name: ObjectName { namespace, name },
        uid: Text::new(&format!("{number:08x}-3b0d-4c57-9f0e-000000000000")),
        node: Text::new(&format!("node-{:03}", number % 500)),
        ips: vec![pod_ip(number).into()],
        host_network: false,
        has_ended: false,
        labels: Pairs::collect(labels.map(|(key, value)| (key.as_bytes(), value.as_bytes()))),
        owner: Some(Owner { kind: Text::new("ReplicaSet"), name: Text::new(&replica_set) }),
        created_at_ns: 0,
        containers: Vec::new(),
    }
}

fn connect(process: Process, pod: u32) -> Tcp {
    let local = SocketAddr::from((Ipv4Addr::new(192, 168, 0, 1), 40_000));
    let peer = SocketAddr::from((pod_ip(pod), 443));
    let connection = Connection {
        key: Ok(1),
        role: Some(Role::Opener),
        local,
        peer,
        net_namespace: 1,
        socket_cookie: 1,
        opened_before_start: false,
    };
    Tcp {
        time: Timestamp(NOW),
        process: Some(process),
        connection,
        sampled_one_in: 1,
        happened: tcp::Happened::Connect,
    }
}

fn make_container(identity: &mut Identity, number: u64) {
    let uid = "6f1e0c5a_3b0d_4c57_9f0e_2a4d8c7b6e11";
    let path = format!(
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid}.slice/cri-containerd-{number:064x}.scope"
    );
    identity.learn(
        &Cgroup {
            time: Timestamp(1),
            process: None,
            happened: Happened::Mkdir,
            id: 1000 + number,
            hierarchy: 0,
            parent_id: Some(1),
            level: 4,
            path: path.as_bytes(),
            path_truncated: false,
        },
        1,
    );
    if number < UNDESCRIBED {
        let id = RuntimeId::new(&format!("{number:064x}")).unwrap();
        let sandbox = RuntimeId::new(&format!("{:064x}", number + (1 << 40))).unwrap();
        let pod = storm::describe_pod(&sandbox, number);
        identity.describe(Change::PodSeen(Arc::new(pod)), 1);
        identity.describe(Change::Seen(Arc::new(storm::describe_container(&id, &sandbox))), 1);
    }
}
