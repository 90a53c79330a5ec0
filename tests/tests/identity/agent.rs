//! The agent says of all signals alike who did it, also where only one is on, and its figures of what
//! it knows are those of the machine.

use std::collections::HashSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use chandra_tests::actor::{Actor, Player};
use chandra_tests::agent::Agent;
use chandra_tests::cgroup::{self, Nested, start_in};
use chandra_tests::containerd::{Container, Containerd, Pod};
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::unique;
use chandra_tests::{needs, needs_containerd};

const ACTOR: &str = env!("CARGO_BIN_EXE_actor");
const POD_UID: &str = "6f1e0c5a-3b0d-4c57-9f0e-2a4d8c7b6e15";

/// So old may figures be.
const LATELY: Duration = Duration::from_secs(5);

/// A process in a container that no runtime knows; it ends before its cgroup is removed.
struct Inside {
    actor: Actor,
    id: String,
    _container: Nested,
}

fn start_in_container() -> Inside {
    let id = format!("{:064x}", unique());
    let pod = format!("pod{POD_UID}");
    let container = Nested::new(&cgroup::mount(), &["kubepods", "burstable", &pod, &id]);
    let mut command = Command::new(ACTOR);
    start_in(&mut command, &[container.innermost().folder()]);
    Inside { actor: Actor::start(&mut command), id, _container: container }
}

#[test]
fn a_containers_programs_and_connections_name_it_and_its_pod_alike() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    let pod = Pod { host_network: true, ..Pod::named("alike") }.labels(&[("app", "alike")]);
    let sandbox = cri.run_pod(&pod);
    let agent = Agent::asking(&containerd.socket(), &["--signals", "process,tcp"]);
    // Nobody listens there.
    let words = ["/bin/sh", "-c", "/bin/wget -O - http://127.0.0.1:1/; exec /bin/sleep 1000"];
    let id = cri.run(&sandbox, &pod, &Container::named("client", &words));
    let is_own = |record: &Record| record.text("container.id") == Some(&id);
    let is_wget = |record: &Record| record.text("process.comm") == Some("wget") && is_own(record);
    let [exec, tcp, exit] = ["exec", "tcp_connect_failed", "exit"]
        .map(|kind| agent.wait_for(kind, |record| record.kind() == kind && is_wget(record)));
    assert_eq!(exec.text("container.name"), Some("client"), "{exec:?}");
    assert_eq!(exec.text("pod.name"), Some("alike"), "{exec:?}");
    assert_eq!(exec.text("pod.labels.app"), Some("alike"), "{exec:?}");
    assert_eq!(exec.text("parent.comm"), Some("sh"), "{exec:?}");
    assert_eq!(exec.text("parent.exe"), Some("/bin/busybox"), "{exec:?}");
    for record in [&tcp, &exit] {
        for field in ["container", "pod", "parent", "process.exe", "process.pid", "node"] {
            assert_eq!(record.at(field), exec.at(field), "{field} {record:?}");
        }
    }
    assert_eq!(agent.stop().total("lost"), 0);
}

#[test]
fn with_tcp_alone_processes_and_containers_are_named_all_the_same() {
    needs!("root");
    let agent = Agent::start_printing(&["-o", "json", "--signals", "tcp"]);
    agent.wait_until_ready();
    for (signal, is_on) in [("tcp", true), ("process", false), ("cgroup", false)] {
        let state = agent.signal(signal);
        assert_eq!(state.text("verdict"), Some("active"), "{state:?}");
        assert_eq!(state.at("is_on"), Some(&is_on.into()), "{state:?}");
    }
    let mut inside = start_in_container();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut child = inside.actor.fork();
    child.ask(&format!("connect {}", listener.local_addr().unwrap()));
    let pid = child.pid();
    let record = agent.wait_for("it", |record| record.is("tcp_established", pid));
    assert_eq!(record.text("container.id"), Some(inside.id.as_str()), "{record:?}");
    assert_eq!(record.text("pod.uid"), Some(POD_UID), "{record:?}");
    let exe = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    assert_eq!(record.text("process.exe"), exe.to_str(), "{record:?}");
    assert_eq!(record.text("parent.exe"), exe.to_str(), "{record:?}");
    assert_eq!(record.number("parent.pid"), Some(inside.actor.pid().into()), "{record:?}");
    child.exit(0);
    let outcome = agent.stop();
    for record in outcome.records() {
        assert_eq!(record.text("signal"), Some("tcp"), "what was not asked for: {record:?}");
    }
}

/// Ids as containers have, of all cgroups below this folder.
fn ids_below(folder: &Path, found: &mut HashSet<String>) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        let name = entry.file_name().into_string().unwrap();
        let is_id = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_id {
            found.insert(name);
        }
        ids_below(&entry.path(), found);
    }
}

fn processes() -> u64 {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.parse::<u32>().is_ok()).count() as u64
}

#[test]
fn an_agent_that_is_told_nothing_of_itself_is_ready_all_the_same() {
    needs!("root");
    let agent = Agent::start(&["--signals", "process,tcp", "--pod", "nobody/here"]);
    agent.wait_until_ready();
    assert!(agent.signal("process").number("ledger.seen") > Some(0));
    agent.stop();
}

#[test]
fn its_figures_are_those_of_the_machine() {
    needs!("root");
    let before = start_in_container();
    let agent = Agent::start(&[]);
    agent.wait_until_ready();
    let made: Vec<_> = (0..5).map(|_| start_in_container()).collect();
    let v1 = ["pids", "memory"].iter().filter_map(|it| cgroup::v1(it)).map(|(_, mount)| mount);
    let mounts: Vec<_> = v1.chain([cgroup::mount()]).collect();
    let identity = |path: &str| agent.get("/signals").body.number(&format!("identity.{path}"));
    let mut seen: Vec<(Instant, HashSet<String>)> = Vec::new();
    wait_for("as many containers as there are", || {
        let mut ids = HashSet::new();
        mounts.iter().for_each(|mount| ids_below(mount, &mut ids));
        assert!(ids.len() > made.len());
        let count = ids.len() as u64;
        // Figures are of a moment ago, and what was removed lingers a little: others' come and go.
        seen.retain(|(when, _)| when.elapsed() < LATELY);
        seen.push((Instant::now(), ids));
        let all: HashSet<_> = seen.iter().flat_map(|(_, ids)| ids).collect();
        let always = all.iter().filter(|id| seen.iter().all(|(_, ids)| ids.contains(**id))).count();
        let unsure = (all.len() - always) as u64;
        (identity("cgroups.containers")?.abs_diff(count) <= unsure).then_some(())
    });
    wait_for("about as many processes as there are", || {
        (identity("processes.live")?.abs_diff(processes()) <= 5).then_some(())
    });
    let most = identity("processes.live").unwrap();
    drop(made);
    wait_for("fewer when they ended", || (identity("processes.live")? < most).then_some(()));
    let bytes = identity("processes.bytes").unwrap();
    assert!(bytes > 0 && bytes < 64 << 20, "{bytes}");
    for zero in ["cgroups.evicted", "cgroups.refused", "processes.evicted.live"] {
        assert_eq!(identity(zero), Some(0), "{zero}");
    }
    drop(before);
    agent.stop();
}
