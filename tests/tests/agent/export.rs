//! Flows that the agent writes to files: those that are asked for, each once, also when what is asked for
//! changes while it runs.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;

use chandra_tests::agent::{self, Agent};
use chandra_tests::failure::fails;
use chandra_tests::http::get_as;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::scratch::Scratch;
use serde_json::{Value, json};

/// Opens connections and closes them, the opener first; returns the acceptor's port.
fn connect(count: usize) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    for _ in 0..count {
        let opener = TcpStream::connect(address).unwrap();
        let (acceptor, _) = listener.accept().unwrap();
        drop(opener);
        drop(acceptor);
    }
    address.port()
}

/// Its whole lines so far, of flows to this port.
fn flows_to(path: &Path, port: u16) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["flow"]["l4"]["TCP"]["destination_port"] == port).collect()
}

#[test]
fn flows_are_written_as_they_are_asked_for() {
    needs!("root");
    let scratch = Scratch::new();
    let path = scratch.at("flows.log");
    let deny = r#"{"traffic_direction":["INGRESS"]}"#;
    let agent = Agent::start(&[
        "--export-file-path",
        path.to_str().unwrap(),
        "--export-allowlist",
        r#"{"protocol":["tcp"],"sourceIp":["127.0.0.1"]} {"source_ip":["::1"]}"#,
        "--export-denylist",
        deny,
        "--export-fieldmask",
        "verdict,IP.source,l4.TCP.destination_port,l4.TCP.flags",
        "--cluster-name",
        "east",
    ]);
    agent.wait_until_ready();
    let port = connect(4);
    // The opener's SYN and FIN; what the acceptor received came in.
    let lines = wait_for("all flows", || {
        let lines = flows_to(&path, port);
        (lines.len() >= 8).then_some(lines)
    });
    assert_eq!(lines.len(), 8);
    for line in lines {
        assert!(line["node_name"].as_str().unwrap().starts_with("east/"), "{line}");
        assert!(line["time"].is_string(), "{line}");
        let flags = line["flow"]["l4"]["TCP"]["flags"].clone();
        let is_known =
            [json!({ "SYN": true }), json!({ "FIN": true, "ACK": true })].contains(&flags);
        assert!(is_known, "{line}");
        let expected = json!({
            "verdict": "FORWARDED",
            "IP": { "source": "127.0.0.1" },
            "l4": { "TCP": { "destination_port": port, "flags": flags } },
        });
        assert_eq!(line["flow"], expected);
    }
    let (_, text) = get_as(agent.address(), "/metrics", "text/plain");
    assert!(text.contains("# TYPE chandra_flow_log_flows_total counter\n"), "{text}");
}

#[test]
fn flow_logs_come_and_go_with_their_file() {
    needs!("root");
    let scratch = Scratch::new();
    let (settings, one, two) =
        (scratch.at("logs.yaml"), scratch.at("one.log"), scratch.at("two.log"));
    let log =
        |name: &str, path: &Path| format!("- {{name: {name}, filePath: {}}}\n", path.display());
    let write = |logs: &[String]| {
        // Whoever reads it meanwhile sees the old or the new.
        let new = scratch.at("logs.new");
        fs::write(&new, format!("flowLogs:\n{}", logs.concat())).unwrap();
        fs::rename(new, &settings).unwrap();
    };
    write(&[log("one", &one)]);
    let agent = Agent::start(&["--export-config-path", settings.to_str().unwrap()]);
    agent.wait_until_ready();
    let port = connect(1);
    wait_for("flows in the first", || (flows_to(&one, port).len() == 3).then_some(()));
    assert!(!two.exists());

    let said = |what: &str| agent.messages().iter().any(|line| line.contains(what));
    write(&[log("one", &one), log("two", &two)]);
    wait_for("two logs", || said("flow logs: 2 now").then_some(()));
    let port = connect(1);
    for path in [&one, &two] {
        wait_for("flows in both", || (flows_to(path, port).len() == 3).then_some(()));
    }

    write(&[log("one", &one), log("one", &two)]);
    wait_for("a warning", || said("flow logs stay as they were: flow log \"one\"").then_some(()));
    write(&[log("two", &two)]);
    wait_for("one log", || said("flow logs: 1 now").then_some(()));
    let port = connect(1);
    wait_for("flows in the second", || (flows_to(&two, port).len() == 3).then_some(()));
    assert_eq!(flows_to(&one, port), Vec::<Value>::new());
}

#[test]
fn what_cannot_be_exported_is_told_at_the_start() {
    let start = |options: &[&str]| agent::command(&[&["--http", "127.0.0.1:0"], options].concat());
    let file = ["--export-file-path", "-"];
    for (options, words) in [
        (["--export-allowlist", "{\"verdict\":[\"DROPED\"]}"], "--export-allowlist"),
        (["--export-denylist", "{"], "--export-denylist"),
        (["--export-fieldmask", "source.nam"], "a flow has no field \"source.nam\""),
    ] {
        fails(&mut start(&[file, options].concat()), 2, "filters", &[words]);
    }
}
