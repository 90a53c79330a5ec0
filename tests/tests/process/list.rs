//! What is listed is what is there: this test's own processes, below their parents, and in the
//! container whose cgroup they are in.

use std::process::Command;

use chandra_tests::actor::Actor;
use chandra_tests::cgroup::{self, Nested, start_in};
use chandra_tests::containerd::{Container, Containerd, IMAGE, Pod};
use chandra_tests::needs;
use chandra_tests::needs_containerd;
use chandra_tests::record::Record;
use chandra_tests::scratch::unique;
use chandra_tests::trace;

const POD_UID: &str = "6f1e0c5a-3b0d-4c57-9f0e-2a4d8c7b6e12";

fn list(arguments: &[&str]) -> String {
    let output = Command::new(trace::chandra()).arg("list").args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_process_is_listed_with_its_ancestors_and_its_container() {
    needs!("root");
    let id = format!("{:064x}", unique());
    let pod = format!("pod{POD_UID}");
    let made = Nested::new(&cgroup::mount(), &["kubepods", "burstable", &pod, &id]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_actor"));
    start_in(&mut command, &[made.innermost().folder()]);
    let actor = Actor::start(&mut command);
    let pid = actor.pid();

    let lines = list(&["processes", "-o", "json"]);
    let records: Vec<Record> = lines.lines().map(Record::parse).collect();
    let of = |pid: u32| {
        let found: Vec<_> = records
            .iter()
            .filter(|record| record.number("process.pid") == Some(u64::from(pid)))
            .collect();
        assert_eq!(found.len(), 1, "{pid}");
        found[0]
    };
    let record = of(pid);
    assert_eq!(record.text("container.id"), Some(id.as_str()));
    assert_eq!(record.text("pod.uid"), Some(POD_UID));
    let exe = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    assert_eq!(record.text("process.exe"), exe.to_str());
    let own = u64::from(std::process::id());
    let ancestors = record.at("ancestors").unwrap().as_array().unwrap();
    assert_eq!(ancestors[0]["pid"], own);
    assert_eq!(of(std::process::id()).at("container"), None);

    // In the tree a child follows its parent, one step further in.
    let tree = list(&["processes", "-o", "tree"]);
    let depth = |pid: u64| {
        let line = tree
            .lines()
            .find(|line| line.split_whitespace().next() == Some(&pid.to_string()))
            .unwrap();
        let command = line.char_indices().nth(40).unwrap().0;
        line[command..].chars().take_while(|character| *character == ' ').count()
    };
    assert_eq!(depth(u64::from(pid)), depth(own) + 2);

    let containers = list(&["containers"]);
    // Other tests have containers, too, whose ids may begin alike.
    let line = containers.lines().find(|line| line.contains(POD_UID)).unwrap();
    assert!(line.starts_with(&id[..12]) && line.ends_with(" 1"), "{line}");
}

#[test]
fn an_unknown_list_is_an_error_that_names_the_help() {
    let output = Command::new(trace::chandra()).args(["list", "services"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("chandra list --help"));
}

#[test]
fn a_real_containers_name_image_and_pod_are_listed() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    let pod = Pod { host_network: true, ..Pod::named("shop-1") }.labels(&[("app", "shop")]);
    let sandbox = cri.run_pod(&pod);
    let id = cri.run(&sandbox, &pod, &Container::named("till", &[]));
    let socket = containerd.socket().display().to_string();
    let lines = |kind: &str| list(&[kind, "-o", "json", "--cri-socket", &socket]);

    let containers = lines("containers");
    let container = containers
        .lines()
        .map(Record::parse)
        .find(|container| container.text("container.id") == Some(id.as_str()));
    let container = container.unwrap_or_else(|| panic!("{id} is not in {containers}"));
    assert_eq!(container.text("container.name"), Some("till"));
    assert!(container.text("container.image").unwrap().contains(IMAGE));
    assert_eq!(container.text("pod.name"), Some("shop-1"));
    assert_eq!(container.text("pod.labels.app"), Some("shop"));

    let processes = lines("processes");
    let inside = processes
        .lines()
        .map(Record::parse)
        .filter(|process| process.text("container.id") == Some(id.as_str()));
    assert_eq!(inside.count(), 1, "{processes}");

    let pods = list(&["pods", "--cri-socket", &socket]);
    assert!(pods.lines().any(|line| line.contains("shop-1") && line.ends_with("till")), "{pods}");
}

#[test]
fn a_socket_without_a_runtime_is_an_error() {
    let output = Command::new(trace::chandra())
        .args(["list", "pods", "--cri-socket", "/no/such.sock"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("/no/such.sock") || error.contains("cannot load"), "{error}");
}
