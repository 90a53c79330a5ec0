//! Series that name a pod go some time after it, whoever tells that it is gone; others stay.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::Instant;

use chandra_tests::actor::Actor;
use chandra_tests::agent::Agent;
use chandra_tests::api_server::{Cluster, Served};
use chandra_tests::cgroup::{Nested, start_in};
use chandra_tests::containerd::{self, Container, Containerd};
use chandra_tests::patience::wait_for;
use chandra_tests::{needs, needs_containerd};

const ACTOR: &str = env!("CARGO_BIN_EXE_actor");
const METRICS: [&str; 4] =
    ["--hubble-metrics", "flow:sourceContext=pod", "--metrics-pods-expire-after", "1s"];
const FORGOTTEN: &str = "chandra_metrics_forgotten_series_total{family=\"hubble_flows_processed\"}";

/// All flows of this pod that were counted.
fn flows_of(agent: &Agent, pod: &str) -> u64 {
    agent.sum("hubble_flows_processed_total", &[&format!("source=\"{pod}\"")])
}

/// The value of the first sample of a family that has all of these labels.
fn sample(agent: &Agent, family: &str, labels: &[&str]) -> Option<String> {
    agent.samples(family, labels).into_iter().next()
}

/// A process in a pod's container, as the kubelet would have made it.
struct InPod {
    actor: Actor,
    _container: Nested,
}

impl InPod {
    fn start(cluster: &Cluster, name: &str) -> Self {
        let container = cluster.put_pod_with_cgroup("shop", name);
        let mut command = Command::new(ACTOR);
        start_in(&mut command, &[container.innermost().folder()]);
        Self { actor: Actor::start(&mut command), _container: container }
    }

    fn connect(&mut self, address: SocketAddr) {
        self.actor.ask(&format!("connect {address}"));
        self.actor.ask("close");
    }
}

#[test]
fn series_of_a_pod_that_the_api_took_away_go_and_those_of_its_neighbour_stay() {
    needs!("root");
    let served = Served::new(Cluster::new(1, 0));
    served.cluster.put_node("own", "10.78.0.1", "10.77.0.0/24");
    let mut pods = ["web", "db"].map(|name| InPod::start(&served.cluster, name));
    let arguments = [&METRICS[..], &["--signals", "tcp"], &served.arguments()].concat();
    let agent = Agent::start(&arguments);
    agent.wait_until_ready();
    served.wait_until_watched();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for (pod, name) in pods.iter_mut().zip(["shop/web", "shop/db"]) {
        wait_for("flows of the pod", || {
            pod.connect(listener.local_addr().unwrap());
            (flows_of(&agent, name) > 0).then_some(())
        });
    }
    // What still comes of the last connection is counted before the pod goes.
    let [web, db] = wait_for("all flows", || {
        let counts = || ["shop/web", "shop/db"].map(|name| flows_of(&agent, name));
        let ended = agent.signal("tcp").number("ledger.in_flight") == Some(0);
        let first = counts();
        (ended && first == counts()).then_some(first)
    });
    assert!(web > 0 && db > 0);
    let before = agent.metric(FORGOTTEN);
    served.cluster.delete("pods", "web");
    wait_for("the series of the pod to go", || (flows_of(&agent, "shop/web") == 0).then_some(()));
    assert!(agent.metric(FORGOTTEN) > before);
    assert_eq!(flows_of(&agent, "shop/db"), db);
    // It comes back under its name, and begins anew.
    let mut again = InPod::start(&served.cluster, "web");
    wait_for("flows of the new pod", || {
        again.connect(listener.local_addr().unwrap());
        (flows_of(&agent, "shop/web") > 0).then_some(())
    });
    assert_eq!(flows_of(&agent, "shop/db"), db);
    agent.stop();
}

#[test]
fn series_of_a_pod_that_the_runtime_removed_go() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    let pod = containerd::Pod { host_network: true, ..containerd::Pod::named("gone") };
    let sandbox = cri.run_pod(&pod);
    let socket = containerd.socket();
    let runtime = ["--signals", "tcp", "--cri-socket", socket.to_str().unwrap()];
    let agent = Agent::start(&[&METRICS[..], &runtime].concat());
    agent.wait_until_ready();
    // Nobody listens there.
    let script = "while :; do /bin/wget -O - http://127.0.0.1:1/; /bin/sleep 0.1; done";
    cri.run(&sandbox, &pod, &Container::named("client", &["/bin/sh", "-c", script]));
    let name = format!("{}/gone", pod.namespace);
    wait_for("flows of the pod", || (flows_of(&agent, &name) > 0).then_some(()));
    cri.stop_pod(&sandbox);
    cri.remove_pod(&sandbox);
    wait_for("the series of the pod to go", || (flows_of(&agent, &name) == 0).then_some(()));
    agent.stop();
}

#[test]
fn how_tcp_does_is_counted_by_pods() {
    needs!("root");
    let served = Served::new(Cluster::new(1, 0));
    served.cluster.put_node("own", "10.78.0.1", "10.77.0.0/24");
    let mut web = InPod::start(&served.cluster, "web");
    let options = ["--signals", "tcp,signal_sent", "--metrics-levels", "off tcp-health=pod"];
    let agent = Agent::start(&[&options[..], &served.arguments()].concat());
    agent.wait_until_ready();
    served.wait_until_watched();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for _ in 0..3 {
        web.connect(listener.local_addr().unwrap());
    }
    for _ in 0..2 {
        assert_eq!(web.actor.ask(&format!("connect {nobody}")), "error 111");
    }
    let of_pod = |family: &str, label: &str| sample(&agent, family, &["pod=\"web\"", label]);
    let connects =
        |outcome| of_pod("chandra_tcp_connects_total", &format!("outcome=\"{outcome}\""));
    wait_for("what is told last", || connects("ECONNREFUSED").filter(|count| count == "2"));
    assert_eq!(connects("established").as_deref(), Some("3"));
    // It accepted nothing.
    assert_eq!(of_pod("chandra_tcp_accepts_total", ""), None);
    agent.stop();
}

#[test]
fn how_long_threads_wait_is_counted_by_pods() {
    needs!("root");
    let served = Served::new(Cluster::new(1, 0));
    served.cluster.put_node("own", "10.78.0.1", "10.77.0.0/24");
    let mut web = InPod::start(&served.cluster, "web");
    let agent = Agent::start(&[&["--signals", "off_cpu"][..], &served.arguments()].concat());
    agent.wait_until_ready();
    served.wait_until_watched();
    let labels = ["pod=\"web\"", "reason=\"interruptible\""];
    let waited = || -> f64 {
        let told = sample(&agent, "chandra_off_cpu_seconds_total", &labels);
        told.map_or(0.0, |seconds| seconds.parse().unwrap())
    };
    let begun = Instant::now();
    web.actor.ask("hello");
    // The program waits, and so does who started it.
    web.actor.ask("run /bin/sleep 1.2");
    let told = wait_for("both waits", || Some(waited()).filter(|seconds| *seconds >= 2.4));
    let elapsed = begun.elapsed().as_secs_f64();
    assert!(told <= 2.0 * elapsed, "{told} in {elapsed}");
    agent.stop();
}
