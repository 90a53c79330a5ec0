//! Containers that had used up their CPU limit, against what the kernel says of their cgroups.

use std::fs;
use std::path::{Path, PathBuf};

use chandra_tests::agent::Agent;
use chandra_tests::cgroup;
use chandra_tests::containerd::{Containerd, Pod};
use chandra_tests::http::get_as;
use chandra_tests::needs_containerd;
use chandra_tests::patience::wait_for;

/// A tenth of a processor.
const QUOTA_US: u64 = 10_000;
const PERIOD_US: u64 = 100_000;

/// The folder of a cgroup of the controller of processors, with that limit.
fn limited(path: &str) -> PathBuf {
    let (folder, is_v1) = match cgroup::v1("cpu") {
        Some((_, mount)) => (mount.join(path.trim_start_matches('/')), true),
        None => (cgroup::mount().join(path.trim_start_matches('/')), false),
    };
    if is_v1 {
        fs::write(folder.join("cpu.cfs_period_us"), PERIOD_US.to_string()).unwrap();
        fs::write(folder.join("cpu.cfs_quota_us"), QUOTA_US.to_string()).unwrap();
    } else {
        fs::write(folder.join("cpu.max"), format!("{QUOTA_US} {PERIOD_US}")).unwrap();
    }
    folder
}

/// A line of its `cpu.stat`.
fn stat(folder: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(folder.join("cpu.stat")).unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?.parse().ok()
}

#[test]
fn a_container_at_its_cpu_limit_is_told_of_as_the_kernel_has_it() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    let socket = containerd.socket().display().to_string();
    let agent = Agent::start(&["--cri-socket", &socket]);
    agent.wait_until_ready();
    let pod = Pod { host_network: true, ..Pod::named("busy") };
    // Busy until it is told to stop, and then at rest, so that what the kernel says stays.
    let script = "while [ ! -e /rest ]; do :; done; exec sleep 1000";
    let id = cri.run_script(&pod, script);
    let folder = limited(&format!("{}/{id}", cri.cgroup_of(&pod)));
    wait_for("a throttled container", || (stat(&folder, "nr_throttled")? >= 10).then_some(()));
    cri.execute(&id, &["/bin/sh", "-c", ": > /rest"]);
    let labels = "{namespace=\"test\",workload_kind=\"Pod\",workload=\"busy\",pod=\"busy\",container=\"app\"}";
    wait_for("the metrics, as the kernel has it", || {
        let text = get_as(agent.address(), "/metrics", "text/plain").1;
        let told = |name: &str| {
            let sample = format!("chandra_cpu_{name}_total{labels} ");
            text.lines().find_map(|line| line.strip_prefix(&sample)?.parse::<f64>().ok())
        };
        let ns = stat(&folder, "throttled_usec").map(|us| us * 1000);
        let seconds = ns.or_else(|| stat(&folder, "throttled_time")).unwrap() as f64 / 1e9;
        let counts = ["periods", "throttled_periods"].map(told);
        let truth =
            ["nr_periods", "nr_throttled"].map(|name| stat(&folder, name).map(|n| n as f64));
        (counts == truth && told("throttled_seconds") == Some(seconds)).then_some(())
    });
    agent.stop();
}
