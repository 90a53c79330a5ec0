//! What the kernel counts by cgroup is told by pod, as much as the kernel itself has of the pod's process.

use chandra_tests::agent::Agent;
use chandra_tests::containerd::{Containerd, Pod};
use chandra_tests::failure::fails;
use chandra_tests::patience::wait_for;
use chandra_tests::{agent, needs_containerd};

#[test]
fn calls_and_faults_of_a_pod_are_told_by_its_name_also_when_it_is_gone() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    let socket = containerd.socket().display().to_string();
    let signals = ["--signals", "process,cgroup,page_fault,system_call_count"];
    let levels = ["--kernel-metrics-levels", "pod", "--cri-socket", &socket];
    let agent = Agent::start(&[&signals[..], &levels].concat());
    agent.wait_until_ready();
    let pod = Pod { host_network: true, ..Pod::named("counted") };
    // It lives until the agent knows its name, then 500 times sets its mask, by three calls each time, and
    // looks for what is not there.
    let script = "while [ ! -e /go ]; do sleep 0.05; done; i=0; \
        while [ $i -lt 500 ]; do umask 022; [ -e /nowhere ]; i=$((i+1)); done";
    let id = cri.run_script(&pod, script);
    let of_pod = ["namespace=\"test\"", "pod=\"counted\""];
    let faults = || agent.sum::<f64>("chandra_page_faults_total", &of_pod);
    wait_for("faults of the pod", || (faults() > 0.0).then_some(()));
    cri.execute(&id, &["/bin/sh", "-c", ": > /go"]);
    wait_for("the end of the container", || cri.exit_code(&id));
    let family = "chandra_system_call_duration_seconds_count";
    let calls = |call: &str| agent.sum::<f64>(family, &[of_pod[0], of_pod[1], call]);
    let masks = wait_for("each call", || {
        let masks = calls("call=\"umask\"");
        (masks >= 1500.0).then_some(masks)
    });
    // The runtime sets it, too, where it starts a program in the container.
    assert!((1500.0..1520.0).contains(&masks), "{masks}");
    let not_there = [of_pod[0], of_pod[1], "errno=\"ENOENT\""];
    let errors = agent.sum::<f64>("chandra_system_call_errors_total", &not_there);
    assert!(errors >= 500.0, "{errors}");
    let signals = ["page_fault", "system_call_count"];
    for signal in signals {
        agent.wait_until_balanced(signal);
    }
    agent.stop();
}

#[test]
fn requests_of_a_pod_are_told_by_its_name() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    let socket = containerd.socket().display().to_string();
    let signals = ["--signals", "process,cgroup,tcp_request"];
    let levels = ["--kernel-metrics-levels", "tcp_request=pod", "--cri-socket", &socket];
    let agent = Agent::start(&[&signals[..], &levels].concat());
    agent.wait_until_ready();
    let pod = Pod { host_network: true, ..Pod::named("asked") };
    // A request for each file, each over a connection of its own.
    let script = "mkdir /www; echo here > /www/file; httpd -p 127.0.0.1:18099 -h /www; i=0; \
        while [ $i -lt 20 ]; do wget -q -O /dev/null http://127.0.0.1:18099/file || exit 1; i=$((i+1)); done";
    let id = cri.run_script(&pod, script);
    assert_eq!(wait_for("the end of the container", || cri.exit_code(&id)), 0);
    for role in ["role=\"client\"", "role=\"server\""] {
        let family = "chandra_tcp_request_duration_seconds_count";
        let labels = ["namespace=\"test\"", "pod=\"asked\"", role];
        let told = wait_for("requests of the pod", || {
            Some(agent.sum::<f64>(family, &labels)).filter(|told| *told >= 20.0)
        });
        assert_eq!(told, 20.0, "{role}");
    }
    assert_eq!(agent.signal("tcp_request").number("ledger.imbalance"), Some(0));
    agent.stop();
}

#[test]
fn a_level_that_cannot_be_is_refused_with_those_that_can() {
    let refused = |value: &str, words: &[&str]| {
        let mut command = agent::command(&["--kernel-metrics-levels", value]);
        fails(&mut command, 2, "filters", words);
    };
    refused("page_fault=pods", &["page_fault=pods", "node, namespace, workload or pod"]);
    refused("block_io=pod", &["block_io=pod", "counts by cgroup", "page_fault"]);
}
