//! Who did it where no container runtime answers: what the cluster's API says of the pod that the
//! cgroup's path names, also when it says so late or never.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use chandra_tests::actor::Actor;
use chandra_tests::api_server::{Cluster, Pod, Served};
use chandra_tests::cgroup::{self, Cgroup, Nested, start_in};
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::unique;
use chandra_tests::trace::Trace;

const ACTOR: &str = env!("CARGO_BIN_EXE_actor");
const IMAGE: &str = "registry.example/shop/web:1";
const HASH: (&str, &str) = ("pod-template-hash", "7d4b9c6f5");

/// The cgroup of a pod as the kubelet makes it, with a container in it as soon as there is a program.
struct InPod {
    uid: String,
    id: String,
    container: Option<Cgroup>,
    pod: Nested,
}

impl InPod {
    fn new() -> Self {
        let uid = format!("6f1e0c5a-3b0d-4c57-9f0e-{:012x}", unique());
        let names = ["kubepods", "burstable", &format!("pod{uid}")];
        let pod = Nested::new(&cgroup::mount(), &names);
        Self { uid, id: format!("{:064x}", unique()), container: None, pod }
    }

    /// The pod as the API knows it.
    fn tell(&self, cluster: &Cluster, name: &str, app: &str) {
        let (owner, hash) = (format!("{app}-{}", HASH.1), HASH);
        cluster.put_pod(&Pod {
            namespace: if app == "web" { "shop" } else { "back" },
            name,
            uid: &self.uid,
            node: "own",
            ip: None,
            labels: &[("app", app), hash],
            owner: Some(("ReplicaSet", &owner)),
            containers: &[("server", IMAGE, &self.id)],
        });
    }

    /// Starts the container's first program.
    fn start(&mut self) -> Actor {
        let container = self.pod.innermost().below(&self.id);
        let mut command = Command::new(ACTOR);
        start_in(&mut command, &[container.folder()]);
        self.container = Some(container);
        Actor::start(&mut command)
    }

    /// Options that show what happens in this pod only.
    fn only(&self) -> [&str; 2] {
        ["--cgroup", self.pod.innermost().folder().to_str().unwrap()]
    }
}

fn served() -> Served {
    let cluster = Cluster::new(1, 0);
    cluster.put_node("own", "10.78.0.1", "10.77.0.0/24");
    Served::new(cluster)
}

fn trace(served: &Served, arguments: &[&str]) -> Trace {
    let trace = Trace::start(&[&["exec"], arguments, &served.arguments()].concat());
    served.wait_until_watched();
    trace
}

/// Checks everything that the API says of the pod `web-…` and its container.
#[track_caller]
fn assert_is_web(record: &Record, pod: &InPod) {
    for (field, expected) in [
        ("pod.namespace", "shop"),
        ("pod.name", "web-7d4b9c6f5-x7k2p"),
        ("pod.uid", &pod.uid),
        ("pod.labels.app", "web"),
        ("workload.kind", "Deployment"),
        ("workload.name", "web"),
        ("container.name", "server"),
        ("container.image", IMAGE),
        ("container.id", &pod.id),
    ] {
        assert_eq!(record.text(field), Some(expected), "{field} of {record:?}");
    }
    assert_eq!(record.at("identity"), None, "{record:?}");
}

#[test]
fn the_first_program_of_a_known_pod_is_named_by_what_the_api_says() {
    needs!("root");
    let (served, mut pod) = (served(), InPod::new());
    pod.tell(&served.cluster, "web-7d4b9c6f5-x7k2p", "web");
    let mut trace = trace(&served, &pod.only());
    let actor = pod.start();
    let record = trace.wait_for("exec", |record| record.is("exec", actor.pid()));
    assert_is_web(&record, &pod);
    actor.finish();
    trace.stop().summary_without_loss();
}

#[test]
fn a_program_that_runs_before_the_api_tells_of_its_pod_is_held_until_then() {
    needs!("root");
    let (served, mut pod) = (served(), InPod::new());
    let mut trace = trace(&served, &pod.only());
    let actor = pod.start();
    // So late the API is: later than a list or a watch takes, sooner than nobody waits any more.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(trace.lines(), 0, "{:?}", trace.records());
    pod.tell(&served.cluster, "web-7d4b9c6f5-x7k2p", "web");
    let record = trace.wait_for("exec", |record| record.is("exec", actor.pid()));
    assert_is_web(&record, &pod);
    actor.finish();
    let summary = trace.stop().summary_without_loss();
    assert_eq!(summary.number("held"), Some(1), "{summary:?}");
    assert_eq!(summary.number("pending"), Some(0), "{summary:?}");
}

#[test]
fn what_the_api_does_not_tell_of_in_time_is_pending_and_completed_when_it_does() {
    needs!("root");
    for late in ["hold", "mark"] {
        let (served, mut pod) = (served(), InPod::new());
        let mut trace = trace(&served, &[&["--identity", late], &pod.only()[..]].concat());
        let (actor, started) = (pod.start(), Instant::now());
        let record = trace.wait_for("exec", |record| record.is("exec", actor.pid()));
        // Half a second, and what a busy machine adds.
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        assert_eq!(record.text("identity"), Some("pending"), "{record:?}");
        // The path of its cgroup says so much, and nobody says more.
        assert_eq!(record.text("pod.uid"), Some(pod.uid.as_str()));
        assert_eq!(record.text("container.id"), Some(pod.id.as_str()));
        for field in ["pod.name", "pod.labels", "workload", "container.name"] {
            assert_eq!(record.at(field), None, "{field} of {record:?}");
        }
        pod.tell(&served.cluster, "web-7d4b9c6f5-x7k2p", "web");
        let described = trace.wait_for("its description", |record| {
            record.kind() == "container_described" && record.text("container.id") == Some(&pod.id)
        });
        assert_is_web(&described, &pod);
        assert_eq!(described.number("pending_records"), Some(1));
        actor.finish();
    }
}

#[test]
fn only_what_is_selected_by_what_the_api_says_is_shown() {
    needs!("root");
    let served = served();
    let [mut early, mut late, mut other, mut unknown] = [(); 4].map(|()| InPod::new());
    early.tell(&served.cluster, "web-7d4b9c6f5-x7k2p", "web");
    other.tell(&served.cluster, "db-7d4b9c6f5-b2c4d", "db");
    let cases: [&[&str]; 6] = [
        &[],
        &["-n", "shop"],
        &["-l", "app in (web),!canary"],
        &["--workload", "deploy/web"],
        &["--pod", "shop/web-*"],
        &["-n", "shop,back", "--workload", "web", "--container", "server"],
    ];
    let mut traces: Vec<_> = cases.iter().map(|case| trace(&served, case)).collect();
    // The one that is waited for comes last, and is told of when it is there.
    let others = [unknown.start(), other.start()];
    let selected = [early.start(), late.start()];
    late.tell(&served.cluster, "web-7d4b9c6f5-z9z9z", "web");
    let pids_of = |actors: &[Actor]| actors.iter().map(Actor::pid).collect::<BTreeSet<u32>>();
    let ours = &pids_of(&selected) | &pids_of(&others);
    for (case, mut trace) in cases.iter().zip(traces.drain(..)) {
        trace.wait_for("the last one", |record| record.is("exec", selected[1].pid()));
        let outcome = trace.stop();
        outcome.summary_without_loss();
        let shown = ours.iter().filter(|pid| outcome.of("exec", **pid).next().is_some());
        let shown: BTreeSet<u32> = shown.copied().collect();
        // The first trace selects nobody: it shows what there is.
        let expected = if case.is_empty() { ours.clone() } else { pids_of(&selected) };
        assert_eq!(shown, expected, "{case:?}");
    }
}

/// Executes a program whose arguments end with this word.
fn execute(actor: &mut Actor, word: &str) {
    actor.tell(&format!("execute {ACTOR} {word}"));
    actor.wait_until_idle();
    assert_eq!(actor.ask("hello"), "hello");
}

fn is_run(record: &Record, pid: u32, word: &str) -> bool {
    record.is("exec", pid) && record.strings("process.argv").unwrap().last() == Some(&word)
}

#[test]
fn a_label_that_changes_changes_who_is_selected() {
    needs!("root");
    let served = served();
    let apps = ["web", "db"];
    let [mut web, mut db, mut changing] = [(); 3].map(|()| InPod::new());
    for (pod, name, app) in
        [(&web, "web", "web"), (&db, "db", "db"), (&changing, "changing", "web")]
    {
        pod.tell(&served.cluster, name, app);
    }
    let mut traces = apps.map(|app| trace(&served, &["-l", &format!("app={app}")]));
    let mut changes = changing.start();
    let mut stay = [web.start(), db.start()];
    let mut run = 0;
    // Which of the two show the next program of the pod that changes. That they have decided is known
    // by the programs after it, of the pods that stay.
    let mut shown = || {
        run += 1;
        let word = format!("run-{run}");
        execute(&mut changes, &word);
        let pid = changes.pid();
        let mut shown = [false; 2];
        for ((trace, stays), shown) in traces.iter_mut().zip(&mut stay).zip(&mut shown) {
            execute(stays, &word);
            trace.wait_for("what is always shown", |record| is_run(record, stays.pid(), &word));
            *shown = trace.records().iter().any(|record| is_run(record, pid, &word));
        }
        shown
    };
    assert_eq!(shown(), [true, false]);
    for (app, expected) in [("db", [false, true]), ("web", [true, false])] {
        changing.tell(&served.cluster, "changing", app);
        wait_for("the other selection", || (shown() == expected).then_some(()));
        assert_eq!(shown(), expected);
    }
    for trace in traces {
        trace.stop().summary_without_loss();
    }
}
