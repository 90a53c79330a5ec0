//! The lives of containers that a real containerd runs: made again, entered from outside, and going on
//! while the runtime is away. Records say whose each is all the time.

use chandra_tests::agent::Agent;
use chandra_tests::containerd::{Container, Containerd, IMAGE, Pod};
use chandra_tests::needs_containerd;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::unique;

fn pod(name: &str) -> Pod {
    Pod { host_network: true, ..Pod::named(name) }.labels(&[("app", "lives")])
}

/// So long a sleep that nobody else sleeps.
fn moment(tenths: u32) -> String {
    format!("0.{tenths}{:09}", unique())
}

/// The exec of `sleep` with this argument.
fn sleeps(record: &Record, argument: &str) -> bool {
    record.kind() == "exec" && record.strings("process.argv") == Some(vec!["/bin/sleep", argument])
}

fn is_named(record: &Record, id: &str, name: &str, pod: &Pod) {
    assert_eq!(record.text("container.id"), Some(id), "{record:?}");
    assert_eq!(record.text("container.name"), Some(name), "{record:?}");
    assert_eq!(record.text("container.image"), Some(IMAGE), "{record:?}");
    assert_eq!(record.at("container.is_sandbox"), None, "{record:?}");
    assert_eq!(record.text("pod.name"), Some(pod.name.as_str()), "{record:?}");
    assert_eq!(record.text("pod.namespace"), Some(pod.namespace.as_str()), "{record:?}");
    assert_eq!(record.text("pod.uid"), Some(pod.uid.as_str()), "{record:?}");
    assert_eq!(record.text("pod.labels.app"), Some("lives"), "{record:?}");
    assert_eq!(record.at("identity"), None, "{record:?}");
}

#[test]
fn a_container_made_again_has_the_same_name_and_another_id() {
    needs_containerd!();
    let containerd = Containerd::start();
    let (cri, pod) = (containerd.cri(), pod("again"));
    let agent = Agent::asking(&containerd.socket(), &["--signals", "process"]);
    let sandbox = cri.run_pod(&pod);
    let mut ids = Vec::new();
    for attempt in 0..3 {
        let argument = &moment(2);
        let container = Container::named("app", &["/bin/sleep", argument]);
        ids.push(cri.run(&sandbox, &pod, &Container { attempt, ..container }));
        let exec = agent.wait_for("its exec", |record| sleeps(record, argument));
        is_named(&exec, &ids[attempt as usize], "app", &pod);
        if attempt == 1 {
            // The next is there while the first is forgotten.
            wait_for("the first one's end", || cri.exit_code(&ids[0]));
            cri.remove(&ids[0]);
        }
        let pid = exec.number("process.pid").unwrap().try_into().unwrap();
        let exit = agent.wait_for("its exit", |record| record.is("exit", pid));
        is_named(&exit, &ids[attempt as usize], "app", &pod);
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert_eq!(agent.stop().total("lost"), 0);
}

#[test]
fn the_sandbox_of_a_pod_is_known_as_that() {
    needs_containerd!();
    let containerd = Containerd::start();
    let (cri, pod) = (containerd.cri(), pod("sandbox"));
    let agent = Agent::asking(&containerd.socket(), &["--signals", "process"]);
    let sandbox = cri.run_pod(&pod);
    let exec = agent.wait_for("its exec", |record| {
        sleeps(record, "1000000") && record.text("container.id") == Some(&sandbox)
    });
    assert_eq!(exec.at("container.is_sandbox"), Some(&true.into()), "{exec:?}");
    assert_eq!(exec.at("container.name"), None, "{exec:?}");
    assert_eq!(exec.text("pod.name"), Some("sandbox"), "{exec:?}");
    assert_eq!(exec.text("pod.labels.app"), Some("lives"), "{exec:?}");
    cri.stop_pod(&sandbox);
    let pid = exec.number("process.pid").unwrap().try_into().unwrap();
    let exit = agent.wait_for("its exit", |record| record.is("exit", pid));
    for field in ["container", "pod"] {
        assert_eq!(exit.at(field), exec.at(field));
    }
    agent.stop();
}

#[test]
fn who_enters_a_container_is_named_like_it() {
    needs_containerd!();
    let containerd = Containerd::start();
    let (cri, pod) = (containerd.cri(), pod("entered"));
    let sandbox = cri.run_pod(&pod);
    let id = cri.run(&sandbox, &pod, &Container::named("app", &[]));
    // Both are there before the agent.
    let agent = Agent::asking(&containerd.socket(), &["--signals", "process"]);
    assert_eq!(cri.execute(&id, &["/bin/echo", "inside"]), "inside\n");
    let echo = Some(vec!["/bin/echo", "inside"]);
    let exec = agent.wait_for("it", |record| record.strings("process.argv") == echo);
    is_named(&exec, &id, "app", &pod);
    // Its parent is not in the container.
    let parent = exec.text("parent.exe").unwrap();
    assert!(["runc", "containerd-shim-runc-v2"].iter().any(|it| parent.ends_with(it)), "{exec:?}");
    agent.stop();
}

#[test]
fn containers_keep_their_names_while_the_runtime_is_away() {
    needs_containerd!();
    let mut containerd = Containerd::start();
    let pod = pod("orphan");
    let sandbox = containerd.cri().run_pod(&pod);
    let beat = moment(0);
    let beats = format!("while :; do /bin/sleep {beat}; done");
    let container = Container::named("clock", &["/bin/sh", "-c", &beats]);
    let id = containerd.cri().run(&sandbox, &pod, &container);
    let agent = Agent::asking(&containerd.socket(), &["--signals", "process"]);
    let tick = |what: &str| {
        let seen = agent.lines(0).len();
        let is_new = |record: &Record| sleeps(record, &beat);
        wait_for(what, || {
            let mut lines = agent.lines(seen).into_iter();
            lines.find_map(|line| Some(Record::parse(&line)).filter(|record| is_new(record)))
        })
    };
    is_named(&tick("a tick"), &id, "clock", &pod);
    containerd.kill();
    let stale = || agent.get("/signals").body.text("identity.descriptions.stale").is_some();
    wait_for("it to miss the runtime", || stale().then_some(()));
    is_named(&tick("a tick without a runtime"), &id, "clock", &pod);
    containerd.restart();
    is_named(&tick("a tick after it"), &id, "clock", &pod);
    wait_for("it to find the runtime", || (!stale()).then_some(()));
    is_named(&tick("a tick after that"), &id, "clock", &pod);
    let argument = moment(2);
    let next = Container::named("next", &["/bin/sleep", &argument]);
    let next_id = containerd.cri().run(&sandbox, &pod, &next);
    let exec = agent.wait_for("its exec", |record| sleeps(record, &argument));
    is_named(&exec, &next_id, "next", &pod);
    assert_eq!(agent.stop().total("lost"), 0);
}
