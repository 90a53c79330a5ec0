//! Selection by pod, namespace, label, workload, container and node, of what a real containerd runs:
//! decided in the kernel for containers that are known, and here for their first moments.

use std::collections::BTreeSet;
use std::process::Command;

use chandra_tests::containerd::{Container, Containerd, Pod};
use chandra_tests::needs_containerd;
use chandra_tests::record::Record;
use chandra_tests::trace::{Outcome, Trace, chandra};

const SCRIPT: &str = "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done; exec /bin/sleep 1000";

fn trace(containerd: &Containerd, arguments: &[&str]) -> Trace {
    let socket = containerd.socket().display().to_string();
    Trace::start(&[arguments, &["--cri-socket", &socket]].concat())
}

/// The pods of containers that executed something.
fn pods(outcome: &Outcome) -> BTreeSet<String> {
    let pod = |record: &Record| record.text("pod.name").unwrap_or("none").to_owned();
    outcome.records.iter().map(pod).collect()
}

/// Runs a pod with one container that executes ten programs, and waits until it did.
fn run(containerd: &Containerd, pod: &Pod, container: &str) -> String {
    let cri = containerd.cri();
    let sandbox = cri.run_pod(pod);
    cri.run(&sandbox, pod, &Container::named(container, &["/bin/sh", "-c", SCRIPT]))
}

#[test]
fn only_what_is_selected_is_shown_from_its_first_program_on() {
    needs_containerd!();
    let containerd = Containerd::start();
    let pod = |name: &str, labels: &[(&str, &str)]| {
        Pod { host_network: true, ..Pod::named(name) }.labels(labels)
    };
    let hash = "7d4b9c6f5";
    let web = format!("web-{hash}-x7k2p");
    let web = pod(&web, &[("app", "web"), ("pod-template-hash", hash)]);
    let db = pod("db-0", &[("app", "db")]);
    let name: &str = &web.name;
    let cases: [&[&str]; 7] = [
        &[],
        &["--pod", name],
        &["--pod", "test/web-*"],
        &["-l", "app in (web),!canary"],
        &["--workload", "deploy/web"],
        &["--container", "server"],
        &["-n", "test", "-l", "app!=db"],
    ];
    let mut traces: Vec<_> =
        cases.iter().map(|case| trace(&containerd, &[&["exec"], *case].concat())).collect();
    run(&containerd, &db, "store");
    run(&containerd, &web, "server");
    let mut expected = None;
    for mut trace in traces.drain(..) {
        trace.wait_for("the last program", |record| {
            record.text("process.comm") == Some("sleep")
                && record.text("container.name") == Some("server")
        });
        let outcome = trace.stop();
        outcome.summary();
        let programs = programs_of(&outcome, "server");
        // The first trace selects nobody: it shows what there is.
        let Some(expected) = &expected else {
            assert!(pods(&outcome).len() > 1 && programs.len() > 5, "{programs:?}");
            expected = Some(programs);
            continue;
        };
        assert_eq!(programs, *expected);
        assert_eq!(pods(&outcome), BTreeSet::from([name.to_owned()]));
        assert_eq!(outcome.records[0].text("workload.kind"), Some("Deployment"));
        assert_eq!(outcome.records[0].text("workload.name"), Some("web"));
    }
}

/// What a container executed: pid and arguments, in order.
fn programs_of(outcome: &Outcome, container: &str) -> Vec<(u64, Vec<String>)> {
    let inside = |record: &&Record| record.text("container.name") == Some(container);
    let program = |record: &Record| {
        let argv = record.strings("process.argv").unwrap();
        (record.number("process.pid").unwrap(), argv.iter().map(ToString::to_string).collect())
    };
    outcome.records.iter().filter(inside).map(program).collect()
}

#[test]
fn the_kernel_drops_what_is_known_not_to_be_selected() {
    needs_containerd!();
    let containerd = Containerd::start();
    let pod = |name: &str| Pod { host_network: true, ..Pod::named(name) };
    let cri = containerd.cri();
    let noisy = pod("noisy");
    let sandbox = cri.run_pod(&noisy);
    let script = "while true; do /bin/true; done";
    cri.run(&sandbox, &noisy, &Container::named("noise", &["/bin/sh", "-c", script]));
    let mut trace = trace(&containerd, &["exec", "--pod", "quiet-*"]);
    // One after the other, so that there is noise for a while after it is known what it is.
    for name in ["quiet-0", "quiet-1", "quiet-2", "quiet-3"] {
        run(&containerd, &pod(name), "server");
        trace.wait_for("its last program", |record| {
            record.text("process.comm") == Some("sleep")
                && record.text("container.name") == Some("server")
                && record.text("pod.name") == Some(name)
        });
    }
    let outcome = trace.stop();
    assert!(pods(&outcome).iter().all(|pod| pod.starts_with("quiet-")), "{:?}", pods(&outcome));
    let summary = outcome.summary();
    let (dropped, passed) =
        (summary.number("filtered").unwrap(), summary.number("not_selected").unwrap());
    assert!(dropped > passed, "most of the noise never left the kernel: {summary:?}");
}

#[test]
fn counts_in_the_kernel_are_of_what_is_selected() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    let pod = |name: &str| Pod { host_network: true, ..Pod::named(name) };
    for name in ["counted", "ignored"] {
        let sandbox = cri.run_pod(&pod(name));
        let script = "while true; do /bin/true; done";
        let container = Container::named(name, &["/bin/sh", "-c", script]);
        cri.run(&sandbox, &pod(name), &container);
    }
    let socket = containerd.socket().display().to_string();
    let count = |further: &[&str]| {
        let output = Command::new(chandra())
            .args(["trace", "exec", "--by", "cgroup", "--duration", "2s", "-o", "json"])
            .args(["--cri-socket", &socket])
            .args(further)
            .output()
            .unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(Record::parse).collect::<Vec<_>>()
    };
    let selected = count(&["--container", "counted"]);
    assert_eq!(selected.len(), 1, "{selected:?}");
    let all = count(&[]);
    assert!(all.len() >= 2, "{all:?}");
}

#[test]
fn what_cannot_be_selected_by_is_an_error_that_points_at_the_place() {
    let refused = |arguments: &[&str]| {
        let output = Command::new(chandra())
            .args(["trace", "exec", "--duration", "1ms"])
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let text = refused(&["-l", "app in web"]);
    assert!(text.contains("app in web") && text.contains('^'), "{text}");
    assert!(refused(&["-n", "shop", "--identity", "off"]).contains("--identity"));
}
