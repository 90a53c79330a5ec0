//! What the agent tells Prometheus: in each format, as many flows as there were, and in words that its
//! own tools take.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use chandra_tests::agent::Agent;
use chandra_tests::http::get_as;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::prometheus::{self, Prometheus};
use chandra_tests::record::Record;
use chandra_tests::socket::{connections, lose_nothing, lose_what_arrives};

const TEXT: &str = "text/plain;version=0.0.4";
const OPEN: &str = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";

/// Reads text in the format that its argument names, and tells the names and types of the families.
const READ: &str = "
import importlib, sys
parser = importlib.import_module(sys.argv[1])
for family in parser.text_string_to_metric_families(sys.stdin.buffer.read().decode()):
    print(family.name, family.type)
";

/// A Python that has the library of Prometheus: the user's, or that of the distribution's package.
fn python() -> Option<&'static str> {
    let has_library = |python: &&str| {
        let mut command = Command::new(python);
        let command = command.args(["-c", "import prometheus_client"]);
        command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    ["python3", "/usr/bin/python3"].into_iter().find(has_library)
}

fn read_by(python: &str, parser: &str, text: &str) -> Vec<String> {
    let mut command = Command::new(python);
    let command = command.args(["-c", READ, parser]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{text}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn value(text: &str, sample: &str) -> u64 {
    let found = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    found.map_or(0, |value| value.parse().unwrap())
}

#[test]
fn flows_are_counted_as_often_as_there_were_some() {
    needs!("root");
    let options = "port-distribution tcp:sourceContext=ip;labelsContext=traffic_direction";
    let agent = Agent::start(&["--hubble-metrics", options]);
    agent.wait_until_ready();
    const CONNECTIONS: usize = 25;
    let address = connections(CONNECTIONS);
    let port = address.port();
    // To the acceptor's port go a SYN, told by each end, and the opener's FIN.
    let sample = format!("hubble_port_distribution_total{{protocol=\"TCP\",port=\"{port}\"}}");
    let expected = 3 * CONNECTIONS as u64;
    let text = wait_for("all flows", || {
        let (_, text) = get_as(agent.address(), "/metrics", TEXT);
        (value(&text, &sample) >= expected).then_some(text)
    });
    assert_eq!(value(&text, &sample), expected);
    // Other programs of this machine have connections too.
    for (flag, direction, least) in
        [("SYN", "egress", 25), ("SYN-ACK", "ingress", 25), ("FIN", "egress", 50)]
    {
        let sample = format!(
            "hubble_tcp_flags_total{{traffic_direction=\"{direction}\",source=\"127.0.0.1\",\
             flag=\"{flag}\",family=\"IPv4\"}}"
        );
        assert!(value(&text, &sample) >= least, "{sample} in {text}");
    }
    assert_eq!(value(&text, "chandra_ledger_imbalance{signal=\"tcp\"}"), 0);
}

#[test]
fn metrics_come_in_the_format_that_is_liked() {
    needs!("root");
    let agent = Agent::start(&[]);
    agent.wait_until_ready();
    connections(1);
    let family = "hubble_flows_processed";
    wait_for("a flow", || {
        get_as(agent.address(), "/metrics", TEXT).1.contains(family).then_some(())
    });
    for (accept, kind, parser) in [
        (TEXT, "text/plain; version=0.0.4; charset=utf-8", "prometheus_client.parser"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", "prometheus_client.parser"),
        (
            OPEN,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "prometheus_client.openmetrics.parser",
        ),
    ] {
        let (told, text) = get_as(agent.address(), "/metrics", accept);
        assert_eq!(told, kind);
        assert_eq!(text.ends_with("\n# EOF\n"), accept == OPEN, "{text}");
        let Some(python) = python() else {
            eprintln!(
                "skipped in part: needs Python's prometheus_client (python3-prometheus-client)"
            );
            continue;
        };
        let families = read_by(python, parser, &text);
        for name in [family, "chandra_ledger_facts", "chandra_metrics_overflowed_observations"] {
            let expected = format!("{name} counter");
            assert!(families.contains(&expected), "{expected} is not in {families:?}");
        }
        assert!(families.contains(&"chandra_signal_active gauge".to_owned()), "{families:?}");
    }
}

#[test]
fn flows_are_counted_also_where_nobody_is_served() {
    needs!("root");
    let off = ["--hubble-socket-path", "off", "--hubble-listen-address", "off"];
    let agent = Agent::start(&off);
    agent.wait_until_ready();
    let port = connections(2).port();
    let sample = format!("hubble_port_distribution_total{{protocol=\"TCP\",port=\"{port}\"}}");
    wait_for("all flows", || {
        let (_, text) = get_as(agent.address(), "/metrics", TEXT);
        (value(&text, &sample) == 6).then_some(())
    });
}

const CONNECTS: &str = "chandra_tcp_connect_duration_seconds";

#[test]
fn times_are_scraped_as_native_histograms() {
    needs!("root");
    let agent = Agent::start(&["--metrics-levels", "node"]);
    agent.wait_until_ready();
    connections(50);
    let count = format!("{CONNECTS}_count");
    wait_for("times of all connections", || (agent.metric(&count) >= 50).then_some(()));
    let Some(prometheus) = Prometheus::scraping(agent.address()) else { return };
    // What the server says is of between the two readings: others connect meanwhile, too.
    let before = agent.metric(&count);
    let told = wait_for("a scrape after that", || {
        let told = prometheus.value(&format!("histogram_count({CONNECTS})"));
        (told >= before as f64).then_some(told)
    });
    assert!(told <= agent.metric(&count) as f64, "{told} are more than there were");
    let median = prometheus.value(&format!("histogram_quantile(0.5, {CONNECTS})"));
    // Of whatever connected on this machine; but nothing waits for an answer less than a microsecond.
    assert!(median > 1e-6 && median < 60.0, "{median}");
    let classic = format!("{CONNECTS}_bucket");
    assert_eq!(prometheus.query(&classic).len(), 0, "one series, and none for each bucket");
    assert_eq!(prometheus.value("max(abs(chandra_ledger_imbalance))"), 0.0);
}

#[test]
fn a_slow_connection_is_led_to_by_its_key() {
    needs!("root");
    let agent = Agent::start_printing(&["--metrics-levels", "node", "-o", "json"]);
    agent.wait_until_ready();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    lose_what_arrives(&listener);
    let opening = std::thread::spawn(move || TcpStream::connect(address).unwrap());
    let is_of_it = |record: &Record, kind: &str| {
        let port = record.number("connection.peer.port");
        record.kind() == kind && port == Some(address.port().into())
    };
    agent.wait_for("the second SYN", |record| is_of_it(record, "tcp_retransmit"));
    lose_nothing(&listener);
    let _opener = opening.join().unwrap();
    let established = agent.wait_for("its end", |record| is_of_it(record, "tcp_established"));
    let label = format!("connection_key=\"{}\"", established.text("connection.key").unwrap());
    let bucket = wait_for("its exemplar", || {
        let (_, text) = get_as(agent.address(), "/metrics", OPEN);
        text.lines().find(|line| line.contains(&label)).map(str::to_owned)
    });
    assert!(bucket.starts_with(&format!("{CONNECTS}_bucket{{le=\"")), "{bucket}");
    let (_, exemplar) = bucket.split_once("} ").unwrap().1.split_once("} ").unwrap();
    let seconds: f64 = exemplar.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(seconds, established.number("latency_ns").unwrap() as f64 / 1e9);
    // The first SYN waits one second for its answer (RFC 6298).
    assert!(seconds > 0.9, "{bucket}");
}

#[test]
fn the_tools_of_prometheus_find_no_fault_and_the_reference_knows_all() {
    needs!("root");
    let agent = Agent::start(&["--metrics-levels", "pod"]);
    agent.wait_until_ready();
    connections(3);
    let count = format!("{CONNECTS}_count");
    let text = wait_for("times", || {
        let (_, text) = get_as(agent.address(), "/metrics", TEXT);
        text.lines().any(|line| line.starts_with(&count)).then_some(text)
    });
    let reference = include_str!("../../../docs/reference/metrics.md");
    let mut families = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        let row = format!("| `{name}` | {kind} |");
        assert!(reference.contains(&row), "docs/reference/metrics.md lacks {row}");
        families += 1;
    }
    assert!(families > 10, "{text}");
    let Some(promtool) = prometheus::program("promtool") else {
        eprintln!("skipped in part: needs promtool (tests/prometheus/fetch)");
        return;
    };
    let mut command = Command::new(promtool);
    command.args(["check", "metrics"]).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
