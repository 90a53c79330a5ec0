//! Records that come before anyone said whose container it is: they wait a while in their order, or
//! are marked and completed later; and where nobody is there to ask, nothing waits.
//!
//! Chandra reaches the runtime by a detour that the test closes and opens.

use std::process::Command;
use std::time::{Duration, Instant};

use chandra_tests::actor::{Actor, Player};
use chandra_tests::agent::Agent;
use chandra_tests::cgroup::{self, Nested, start_in};
use chandra_tests::containerd::{Container, Containerd, Detour, Pod};
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::{Scratch, unique};
use chandra_tests::trace::Trace;
use chandra_tests::{needs, needs_containerd, wall_clock};

const ACTOR: &str = env!("CARGO_BIN_EXE_actor");
const POD_UID: &str = "6f1e0c5a-3b0d-4c57-9f0e-2a4d8c7b6e13";
/// How long records wait at most, as the help says.
const HOLD: Duration = Duration::from_millis(500);

/// A container that no runtime knows, and its id.
fn unknown() -> (Nested, String) {
    let id = format!("{:064x}", unique());
    let pod = format!("pod{POD_UID}");
    (Nested::new(&cgroup::mount(), &["kubepods", "besteffort", &pod, &id]), id)
}

fn start(container: &Nested) -> Actor {
    let mut command = Command::new(ACTOR);
    start_in(&mut command, &[container.innermost().folder()]);
    Actor::start(&mut command)
}

fn pod(name: &str) -> Pod {
    Pod { host_network: true, ..Pod::named(name) }
}

fn is_of(record: &Record, id: &str) -> bool {
    record.text("container.id") == Some(id)
}

/// A containerd that runs a sandbox, the way to it, and an agent that knows the sandbox by it.
fn asked(identity: &str) -> (Containerd, Detour, Agent, String) {
    let containerd = Containerd::start();
    let detour = Detour::to(&containerd.socket());
    let sandbox = containerd.cri().run_pod(&pod("late"));
    let arguments = ["--signals", "process", "--identity", identity];
    let agent = Agent::asking(&detour.socket(), &arguments);
    wait_for("the sandbox's description", || {
        let figures = agent.get("/signals").body;
        figures.number("identity.descriptions.containers_and_pods").filter(|count| *count > 0)
    });
    (containerd, detour, agent, sandbox)
}

/// What was decoded, delivered and learnt of processes, once nothing changes any more.
fn quiet_books(agent: &Agent) -> [u64; 3] {
    let (mut before, mut same) = ([0; 3], 0);
    wait_for("a quiet moment", || {
        let signal = agent.signal("process");
        let now = ["decoded", "delivered", "learnt"]
            .map(|name| signal.number(&format!("ledger.{name}")).unwrap());
        same = if now == before { same + 1 } else { 0 };
        before = now;
        (same == 10).then_some(now)
    })
}

fn times(records: &[Record]) -> Vec<u64> {
    records.iter().map(|it| it.text("time").and_then(wall_clock::parse).unwrap()).collect()
}

fn is_in_order(records: &[Record]) {
    assert!(times(records).is_sorted(), "{records:#?}");
}

#[test]
fn marked_records_come_at_once_and_are_completed() {
    needs_containerd!();
    let (containerd, detour, agent, sandbox) = asked("mark");
    detour.close();
    let cri = containerd.cri();
    let id = cri.run(&sandbox, &pod("late"), &Container::named("app", &["/bin/sleep", "0.01"]));
    let early = agent.wait_for("its exit", |record| record.kind() == "exit" && is_of(record, &id));
    assert_eq!(early.text("identity"), Some("pending"), "{early:?}");
    assert_eq!(early.at("container.name"), None, "{early:?}");
    detour.open();
    let is_completed =
        |record: &Record| record.kind() == "container_described" && is_of(record, &id);
    let completed = agent.wait_for("what completes it", is_completed);
    assert_eq!(completed.text("container.name"), Some("app"));
    assert_eq!(completed.text("pod.name"), Some("late"));
    let messages = agent.messages();
    let [decoded, delivered, learnt] = quiet_books(&agent);
    assert_eq!(decoded, delivered + learnt);
    assert_eq!(messages, agent.messages(), "no complaint");
    let records: Vec<_> =
        agent.stop().records().into_iter().filter(|record| is_of(record, &id)).collect();
    let place = records.iter().position(is_completed).unwrap();
    for record in &records[..place] {
        assert_eq!(record.text("identity"), Some("pending"), "{record:?}");
    }
    assert_eq!(completed.number("pending_records"), Some(place as u64));
    assert_eq!(records.iter().filter(|record| is_completed(record)).count(), 1);
    is_in_order(&records);
}

#[test]
fn a_trace_marks_and_completes_with_balanced_books() {
    needs_containerd!();
    let containerd = Containerd::start();
    let detour = Detour::to(&containerd.socket());
    let (cri, pod) = (containerd.cri(), pod("traced"));
    let socket = detour.socket().display().to_string();
    let mut trace = Trace::start(&["exec", "--identity", "mark", "--cri-socket", &socket]);
    let sandbox = cri.run_pod(&pod);
    // By then it asks.
    trace.wait_for("the sandbox, named", |record| {
        is_of(record, &sandbox) && record.text("pod.name") == Some("traced")
    });
    detour.close();
    let id = cri.run(&sandbox, &pod, &Container::named("app", &["/bin/sleep", "0.01"]));
    let early = trace.wait_for("its exec", |record| is_of(record, &id));
    assert_eq!(early.text("identity"), Some("pending"), "{early:?}");
    detour.open();
    let completed = trace.wait_for("what completes it", |record| {
        record.kind() == "container_described" && is_of(record, &id)
    });
    assert_eq!(completed.text("container.name"), Some("app"));
    let outcome = trace.stop();
    let summary = outcome.summary_without_loss();
    assert!(summary.number("pending") >= completed.number("pending_records"));
}

#[test]
fn held_records_come_named_and_in_order_when_the_runtime_was_late() {
    needs_containerd!();
    let (containerd, detour, agent, sandbox) = asked("hold");
    let cri = containerd.cri();
    let mut in_time = None;
    // On a machine that stalls it may take longer than records wait.
    for attempt in 0..10 {
        let words = ["/bin/sh", "-c", "/bin/true; /bin/true; exec /bin/sleep 0.01"];
        let container = Container { attempt, ..Container::named("app", &words) };
        let id = cri.create(&sandbox, &pod("late"), &container);
        detour.close();
        let started = Instant::now();
        cri.start(&id);
        let waited = started.elapsed();
        detour.open();
        agent.wait_for("its last exit", |record| {
            is_of(record, &id) && record.is("exit", first_pid(&agent, &id))
        });
        if waited < HOLD / 2 {
            in_time = Some(id);
            break;
        }
    }
    let Some(id) = in_time else { return eprintln!("skipped: {}: this machine stalls", file!()) };
    let records: Vec<_> =
        agent.stop().records().into_iter().filter(|record| is_of(record, &id)).collect();
    for record in &records {
        assert_eq!(record.text("container.name"), Some("app"), "{record:?}");
        assert_eq!(record.text("pod.name"), Some("late"), "{record:?}");
        assert_eq!(record.at("identity"), None, "{record:?}");
    }
    is_in_order(&records);
    let truths = records.iter().filter(|it| it.text("process.filename") == Some("/bin/true"));
    assert_eq!(truths.count(), 2);
}

/// The process that the container began with; none is 0.
fn first_pid(agent: &Agent, id: &str) -> u32 {
    let is_first =
        |record: &Record| is_of(record, id) && record.text("process.filename") == Some("/bin/sh");
    let found = agent.records().into_iter().find(is_first);
    found.and_then(|it| it.number("process.pid")?.try_into().ok()).unwrap_or_default()
}

#[test]
fn records_of_a_container_that_nobody_describes_wait_half_a_second_and_come_in_order() {
    needs_containerd!();
    let (_containerd, _detour, agent, _) = asked("hold");
    let started = Instant::now();
    let (container, id) = unknown();
    let mut actor = start(&container);
    let scratch = Scratch::new();
    let next = scratch.copy(ACTOR.as_ref(), "next");
    actor.tell(&format!("execute {}", next.display()));
    let pid = actor.pid();
    let last = agent.wait_for("the second exec", |record| {
        record.is("exec", pid) && record.text("process.exe") == next.to_str()
    });
    assert!(started.elapsed() >= HOLD, "it came after {:?}", started.elapsed());
    assert_eq!(last.text("identity"), Some("pending"), "{last:?}");
    assert_eq!(last.text("pod.uid"), Some(POD_UID), "{last:?}");
    assert_eq!(last.at("container.name"), None, "{last:?}");
    actor.finish();
    agent.wait_for("the exit", |record| record.is("exit", pid));
    let records: Vec<_> =
        agent.stop().records().into_iter().filter(|record| is_of(record, &id)).collect();
    let kinds: Vec<_> = records.iter().map(Record::kind).collect();
    assert_eq!(kinds, ["exec", "exec", "exit"]);
    is_in_order(&records);
}

#[test]
fn held_records_tell_what_was_so_when_they_happened() {
    needs_containerd!();
    let (_containerd, _detour, agent, _) = asked("hold");
    let (container, id) = unknown();
    let scratch = Scratch::new();
    let mut command = Command::new(scratch.copy(ACTOR.as_ref(), "parent"));
    start_in(&mut command, &[container.innermost().folder()]);
    let mut parent = Actor::start(&mut command);
    let mut child = parent.fork();
    for program in ["first", "second"] {
        child.become_program(&scratch.copy(ACTOR.as_ref(), program));
    }
    // All of this before the first record is let go.
    parent.become_program(&scratch.copy(ACTOR.as_ref(), "changed"));
    assert!(!agent.records().iter().any(|record| is_of(record, &id)), "this machine stalls");
    for program in ["first", "second"] {
        let path = scratch.at(program);
        let record = agent.wait_for(program, |record| {
            record.is("exec", child.pid()) && record.text("process.exe") == path.to_str()
        });
        assert_eq!(record.text("parent.exe"), scratch.at("parent").to_str(), "{record:?}");
        assert_eq!(record.text("parent.comm"), Some("parent"), "{record:?}");
    }
    agent.stop();
}

#[test]
fn without_a_runtime_a_container_has_its_id_and_pod_and_nothing_waits() {
    needs!("root");
    let scratch = Scratch::new();
    let agent = Agent::asking(&scratch.at("nobody.sock"), &["--signals", "process,tcp"]);
    wait_for("a word that nobody answers", || {
        let says = |line: &String| line.contains("the container runtime does not answer");
        agent.messages().iter().any(says).then_some(())
    });
    let held = || agent.get("/signals").body.number("identity.early_records.held").unwrap();
    let before = held();
    let (container, id) = unknown();
    let mut actor = start(&container);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    actor.ask(&format!("connect {}", listener.local_addr().unwrap()));
    let pid = actor.pid();
    actor.finish();
    for kind in ["exec", "tcp_established", "tcp_close", "exit"] {
        let record = agent.wait_for(kind, |record| record.is(kind, pid));
        assert!(is_of(&record, &id), "{record:?}");
        assert_eq!(record.text("container.runtime"), Some("cri"), "{record:?}");
        assert_eq!(record.text("pod.uid"), Some(POD_UID), "{record:?}");
        assert_eq!(record.at("pod.name"), None, "{record:?}");
        assert_eq!(record.at("identity"), None, "{record:?}");
        assert_eq!(record.number("parent.pid"), Some(std::process::id().into()), "{record:?}");
    }
    assert_eq!(held(), before);
    agent.stop();
}

/// Programs that the kernel runs for this process.
fn programs(pid: u32) -> usize {
    let folder = format!("/proc/{pid}/fdinfo");
    let descriptors = std::fs::read_dir(folder).unwrap().filter_map(Result::ok);
    let information = descriptors.filter_map(|it| std::fs::read_to_string(it.path()).ok());
    information.filter(|text| text.contains("\nprog_tag:")).count()
}

#[test]
fn switched_off_it_names_nobody_and_loads_nothing_more() {
    needs!("root");
    let (container, _) = unknown();
    let loaded = ["off", "hold"].map(|identity| {
        let mut trace = Trace::start(&["exit", "--identity", identity]);
        let actor = start(&container);
        let pid = actor.pid();
        actor.finish();
        let exit = trace.wait_for("the exit", |record| record.is("exit", pid));
        for field in ["process.exe", "parent", "container", "pod"] {
            assert_eq!(exit.at(field).is_none(), identity == "off", "{field} {exit:?}");
        }
        programs(trace.pid())
    });
    assert!(loaded[0] > 0 && loaded[0] < loaded[1], "{loaded:?}");
    let arguments = ["-o", "json", "--signals", "tcp", "--identity", "off"];
    let agent = Agent::start_printing(&arguments);
    let figures = agent.get("/signals").body;
    assert_eq!(figures.at("signals").unwrap().as_array().unwrap().len(), 1, "{figures:?}");
    assert_eq!(figures.number("identity.processes.live"), Some(0), "{figures:?}");
    agent.stop();
}
