//! Processes that are killed for want of memory: those of a cgroup, and by pod on `/metrics`.

use std::process::Command;

use chandra_tests::actor::Actor;
use chandra_tests::agent::Agent;
use chandra_tests::containerd::{Containerd, Pod};
use chandra_tests::http::get_as;
use chandra_tests::oom::{self, Limited};
use chandra_tests::patience::wait_for;
use chandra_tests::trace::Trace;
use chandra_tests::{needs, needs_containerd};

const LIMIT_BYTES: u64 = 16 << 20;

fn killed_actor(limited: &Limited) -> u32 {
    let mut actor = Actor::start(&mut Command::new(env!("CARGO_BIN_EXE_actor")));
    let pid = actor.pid();
    limited.cgroup().adopt(pid);
    actor.tell(&format!("fill {}", LIMIT_BYTES * 4));
    actor.wait();
    pid
}

#[test]
fn each_kill_is_told_once_and_names_the_nearest_limit() {
    needs!("root");
    let (Some(limited), Some(roomy)) = (Limited::new(LIMIT_BYTES), Limited::new(1 << 40)) else {
        eprintln!("skipped: needs a memory controller");
        return;
    };
    let mut trace = Trace::start(&["oom"]);
    let pids: Vec<_> = (0..3).map(|_| killed_actor(&limited)).collect();
    for pid in &pids {
        let record = trace.wait_for("the kill", |record| record.is("oom_kill", *pid));
        assert_eq!(record.number("memory_limit.cgroup_id"), Some(limited.cgroup().id()));
    }
    let outcome = trace.stop();
    outcome.summary_without_loss();
    let told = |pid| outcome.of("oom_kill", pid).count();
    assert_eq!(pids.iter().map(|pid| told(*pid)).collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!((limited.kills(), roomy.kills()), (3, 0));
}

#[test]
fn kills_are_counted_by_pod_without_being_asked_for() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    let socket = containerd.socket().display().to_string();
    let agent = Agent::start(&["--cri-socket", &socket]);
    agent.wait_until_ready();
    let pod = Pod { host_network: true, ..Pod::named("hungry") };
    // A shell's own variable that doubles until there is no room for it.
    let script =
        "while [ ! -e /go ]; do sleep 0.05; done; x=0123456789abcdef; while :; do x=$x$x; done";
    let id = cri.run_script(&pod, script);
    oom::limit(&format!("{}/{id}", cri.cgroup_of(&pod)), LIMIT_BYTES);
    cri.execute(&id, &["/bin/sh", "-c", ": > /go"]);
    wait_for("the end of the container", || cri.exit_code(&id));
    let sample = "chandra_oom_kills_total{namespace=\"test\",workload_kind=\"Pod\",workload=\"hungry\",pod=\"hungry\",container=\"app\"} 1";
    wait_for("the metric", || {
        let text = get_as(agent.address(), "/metrics", "text/plain").1;
        text.lines().any(|line| line == sample).then_some(())
    });
    agent.stop();
}
