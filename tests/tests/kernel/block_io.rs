//! What block devices do, against the kernel's own account of each.

use chandra_tests::agent::Agent;
use chandra_tests::disk::Disk;
use chandra_tests::http::get_as;
use chandra_tests::needs;

/// The value of the sample of this name and these labels.
fn value(text: &str, name: &str, operation: &str, device: &str) -> u64 {
    let sample = format!("{name}{{operation=\"{operation}\",device=\"{device}\"}} ");
    let found = text.lines().find_map(|line| line.strip_prefix(&sample));
    found.map_or(0, |value| value.parse().unwrap())
}

#[test]
fn an_agent_tells_prometheus_of_requests_and_bytes_by_operation_and_device() {
    needs!("root");
    let Some(disk) = Disk::new() else {
        eprintln!("skipped: {}: needs loop devices", file!());
        return;
    };
    let agent = Agent::start(&["--signals", "process,block_io"]);
    let before = disk.done();
    disk.write(50);
    disk.read(30);
    disk.flush();
    disk.discard(20);
    let done = disk.done().since(before);
    let text = get_as(agent.address(), "/metrics", "text/plain").1;
    for (operation, requests, bytes) in done.operations {
        assert!(requests > 0, "{done:?}");
        let told = |name: &str| value(&text, name, operation, disk.name());
        assert_eq!(told("chandra_block_io_seconds_count"), requests, "{operation}: {text}");
        assert_eq!(told("chandra_block_io_bytes_total"), bytes, "{operation}: {text}");
    }
    let balanced = "chandra_ledger_imbalance{signal=\"block_io\"} 0\n";
    assert!(text.contains(balanced), "{text}");
}
