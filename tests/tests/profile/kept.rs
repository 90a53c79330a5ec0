//! Profiles that an agent keeps, as a client of pprof pulls them, of pods that a real containerd runs.

use std::net::SocketAddr;
use std::process::Command;

use chandra_tests::agent::Agent;
use chandra_tests::containerd::{Container, Containerd, Pod};
use chandra_tests::patience::wait_for;
use chandra_tests::scratch::Scratch;
use chandra_tests::{http, needs, needs_containerd};

/// A sample as `go tool pprof -raw` says it: its values, its innermost frame, its labels.
#[derive(Debug)]
struct Sample {
    count: u64,
    nanoseconds: u64,
    leaf: String,
    labels: String,
}

/// What a client of pprof pulls from there; nothing where it says that nothing is in it.
fn pull(scratch: &Scratch, address: SocketAddr, path: &str) -> Vec<Sample> {
    let mut command = Command::new("go");
    command.env("GOCACHE", scratch.at("cache")).env("PPROF_TMPDIR", scratch.path());
    let url = format!("http://{address}{path}");
    let output = command.args(["tool", "pprof", "-raw", &url]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let Some((_, text)) = text.split_once("Samples:\n") else {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        return Vec::new();
    };
    let (samples, text) = text.split_once("Locations\n").unwrap();
    let (locations, _) = text.split_once("Mappings\n").unwrap();
    let name = |id: &str| {
        let line = locations.lines().map(str::trim).find_map(|line| {
            line.strip_prefix(id).and_then(|line| line.strip_prefix(": ")).map(str::to_owned)
        });
        line.unwrap_or_default()
    };
    let mut all: Vec<Sample> = Vec::new();
    for line in samples.lines().skip(1) {
        let Some((values, ids)) = line.split_once(": ") else {
            all.last_mut().unwrap().labels += line.trim();
            continue;
        };
        let values: Vec<u64> = values.split_whitespace().map(|it| it.parse().unwrap()).collect();
        let leaf = ids.split_whitespace().next().map(name).unwrap_or_default();
        all.push(Sample { count: values[0], nanoseconds: values[1], leaf, labels: String::new() });
    }
    all
}

/// A pod with one container that runs a shell's script.
fn run(containerd: &Containerd, name: &str, script: &str) {
    let pod = Pod { host_network: true, ..Pod::named(name) };
    let sandbox = containerd.cri().run_pod(&pod);
    let container = Container::named("main", &["/bin/sh", "-c", script]);
    containerd.cri().run(&sandbox, &pod, &container);
}

#[test]
fn a_client_pulls_the_profile_of_one_pod() {
    needs!("root", "go");
    needs_containerd!();
    let scratch = Scratch::new();
    let containerd = Containerd::start();
    let socket = containerd.socket().display().to_string();
    let signals = ["--signals", "process,cgroup,cpu_profile,off_cpu", "--cri-socket", &socket];
    let agent = Agent::start(&signals);
    run(&containerd, "burns-0", "while :; do :; done");
    run(&containerd, "sleeps-0", "while :; do sleep 0.2; done");
    let is_of = |sample: &Sample, pod: &str| sample.labels.contains(&format!("pod:[{pod}]"));

    let burning = wait_for("samples of the pod that burns", || {
        let path = "/debug/pprof/profile?seconds=600&pod=burns-0";
        let samples = pull(&scratch, agent.address(), path);
        (samples.iter().map(|it| it.count).sum::<u64>() >= 15).then_some(samples)
    });
    assert!(burning.iter().all(|it| is_of(it, "burns-0")), "{burning:#?}");
    let all = pull(&scratch, agent.address(), "/debug/profile?seconds=600");
    assert!(all.iter().any(|it| !is_of(it, "burns-0")), "{all:#?}");

    let asleep = wait_for("waits of the pod that sleeps", || {
        let path = "/debug/profile?seconds=600&type=off_cpu&namespace=test&pod=sleeps-0";
        let samples = pull(&scratch, agent.address(), path);
        let is_asleep = |it: &&Sample| it.leaf.contains("[interruptible sleep]");
        let asleep = samples.iter().filter(is_asleep).map(|it| it.nanoseconds).sum::<u64>();
        (asleep >= 2_000_000_000).then_some(samples)
    });
    assert!(asleep.iter().all(|it| is_of(it, "sleeps-0")), "{asleep:#?}");

    let figure = |name: &str, (label, value): (&str, &str)| {
        let (_, metrics) = http::get_as(agent.address(), "/metrics", "text/plain");
        let name = format!("{name}{{{label}=\"{value}\"}}");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("no {name} in {metrics}")).trim().parse::<f64>().unwrap()
    };
    for signal in ["cpu_profile", "off_cpu"] {
        let of = |name: &str| figure(name, ("signal", signal));
        // They are told about once a second.
        wait_for("figures", || (of("chandra_profile_requests_total") > 0.0).then_some(()));
        assert!(of("chandra_profile_samples_total") > 0.0);
        assert_eq!(of("chandra_ledger_imbalance"), 0.0, "{signal}");
    }
    for work in ["samples", "tables", "names"] {
        assert!(figure("chandra_profile_cpu_seconds_total", ("work", work)) > 0.0, "{work}");
    }
    // The same stacks were asked for again and again.
    assert!(figure("chandra_profile_names_total", ("outcome", "kept")) > 0.0);
}

#[test]
fn what_is_not_kept_or_not_understood_is_said() {
    needs!("root");
    let agent = Agent::start(&["--signals", "process,cpu_profile"]);
    let ask = |method: &str, path: &str| http::request(agent.address(), method, path);
    for (path, status, words) in [
        ("/debug/profile?seconds=soon", 400, "seconds=soon"),
        ("/debug/profile?debug=1", 400, "debug"),
        ("/debug/profile?type=off_cpu", 404, "--signals"),
    ] {
        let (found, _, body) = ask("GET", path);
        assert_eq!((found, body.contains(words)), (status, true), "{path}: {body}");
    }
    assert_eq!(ask("POST", "/debug/profile").0, 405);
}
