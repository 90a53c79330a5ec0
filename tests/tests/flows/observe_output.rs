//! What `chandra observe` prints of what a server sends, in each format.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use chandra_hubble::proto::flow::layer4::Protocol;
use chandra_hubble::proto::flow::{
    CiliumEventType, Endpoint, Flow, Ip, Layer4, LostEvent, LostEventSource, Tcp, TcpFlags, Verdict,
};
use chandra_hubble::proto::observer::GetFlowsResponse;
use chandra_hubble::proto::observer::get_flows_response::ResponseTypes;
use chandra_hubble::proto::relay::{NodeState, NodeStatusEvent};
use chandra_tests::failure::fails;
use chandra_tests::hubble::{Answers, HubbleServer};
use chandra_tests::observe::{Running, asking, printed, said};
use serde_json::{Value, json};
use tonic::Status;

/// A SYN of a pod to the world, or the answer to it, at this second after 15:04:00.
#[allow(deprecated, reason = "what is printed is what the server summed up")]
fn flow(second: i64, is_reply: bool) -> GetFlowsResponse {
    let pod = Endpoint {
        identity: 4711,
        namespace: "shop".into(),
        pod_name: "web-0".into(),
        ..Endpoint::default()
    };
    let world = Endpoint { identity: 2, ..Endpoint::default() };
    let (pod_end, world_end) = (("10.0.0.1", 4000, pod), ("1.1.1.1", 443, world));
    let (from, to) = if is_reply { (world_end, pod_end) } else { (pod_end, world_end) };
    let flags = TcpFlags { syn: true, ack: is_reply, ..TcpFlags::default() };
    let tcp = Tcp { source_port: from.1, destination_port: to.1, flags: Some(flags) };
    let time = Some(prost_types::Timestamp { seconds: 1_767_366_240 + second, nanos: 123_456_789 });
    let flow = Flow {
        time,
        verdict: Verdict::Forwarded.into(),
        ip: Some(Ip {
            source: from.0.into(),
            destination: to.0.into(),
            ip_version: 1,
            ..Ip::default()
        }),
        l4: Some(Layer4 { protocol: Some(Protocol::Tcp(tcp)) }),
        source: Some(from.2),
        destination: Some(to.2),
        node_name: "west/a".into(),
        event_type: Some(CiliumEventType { r#type: 4, sub_type: if is_reply { 0 } else { 3 } }),
        is_reply: Some(is_reply),
        summary: if is_reply { "TCP Flags: SYN, ACK".into() } else { "TCP Flags: SYN".into() },
        uuid: format!("id-{second}"),
        ..Flow::default()
    };
    let response_types = Some(ResponseTypes::Flow(flow));
    GetFlowsResponse { response_types, node_name: "west/a".into(), time }
}

fn of_nodes(state: NodeState, names: &[&str], message: &str) -> GetFlowsResponse {
    let status = NodeStatusEvent {
        state_change: state.into(),
        node_names: names.iter().map(|name| (*name).to_owned()).collect(),
        message: message.into(),
    };
    let time = Some(prost_types::Timestamp { seconds: 1_767_366_240, nanos: 0 });
    let response_types = Some(ResponseTypes::NodeStatus(status));
    GetFlowsResponse { response_types, node_name: "relay".into(), time }
}

fn lost(count: u64) -> GetFlowsResponse {
    let lost = LostEvent {
        source: LostEventSource::HubbleRingBuffer.into(),
        num_events_lost: count,
        ..LostEvent::default()
    };
    let response_types = Some(ResponseTypes::LostEvents(lost));
    GetFlowsResponse { response_types, ..GetFlowsResponse::default() }
}

fn telling(flows: Vec<GetFlowsResponse>) -> HubbleServer {
    HubbleServer::start(Answers { flows: [flows].into(), ..Answers::default() })
}

const SYN: &str = "Jan  2 15:04:01.123: shop/web-0:4000 (ID:4711) -> 1.1.1.1:443 (world) to-stack FORWARDED (TCP Flags: SYN)\n";
const SYN_ACK: &str = "Jan  2 15:04:02.123: shop/web-0:4000 (ID:4711) <- 1.1.1.1:443 (world) to-endpoint FORWARDED (TCP Flags: SYN, ACK)\n";

#[test]
fn a_line_is_hubbles() {
    let server = telling(vec![flow(1, false), flow(2, true)]);
    let shown =
        |arguments: &[&str]| printed(&mut asking(&server, &[&["observe"], arguments].concat()));
    assert_eq!(shown(&[]), format!("{SYN}{SYN_ACK}"));
    assert_eq!(shown(&["-o", "compact", "--color", "auto"]), format!("{SYN}{SYN_ACK}"));
    let node = shown(&["--print-node-name"]);
    assert!(node.starts_with("Jan  2 15:04:01.123 [west/a]: shop/"), "{node}");
    for numeric in [["--numeric"], ["--ip-translation=false"]] {
        let numeric = shown(&numeric);
        assert!(numeric.contains(" 10.0.0.1:4000 (ID:4711) -> 1.1.1.1:443 (world) "), "{numeric}");
    }
    let nanoseconds = shown(&["--time-format", "RFC3339Nano"]);
    assert!(nanoseconds.starts_with("2026-01-02T15:04:01.123456789Z: "), "{nanoseconds}");
    assert!(shown(&["--color", "always"]).contains("\x1b["));
}

#[test]
fn every_format_has_its_form() {
    let server = telling(vec![flow(1, false), lost(7), flow(2, true)]);
    let shown = |format: &str| printed(&mut asking(&server, &["observe", "-o", format]));
    assert_eq!(
        shown("compact"),
        format!("{SYN}EVENTS LOST: HUBBLE_RING_BUFFER CPU(0) 7\n{SYN_ACK}")
    );
    let dict = shown("dict");
    let first = "  TIMESTAMP: Jan  2 15:04:01.123\n     SOURCE: shop/web-0:4000\nDESTINATION: 1.1.1.1:443\n       \
                 TYPE: to-stack\n    VERDICT: FORWARDED\n    SUMMARY: TCP Flags: SYN\n------------\n";
    assert!(dict.starts_with(first), "{dict}");
    for name in ["tab", "table"] {
        let table = shown(name);
        let heading = table.lines().next().unwrap().split_whitespace().collect::<Vec<_>>();
        assert_eq!(heading, ["TIMESTAMP", "SOURCE", "DESTINATION", "TYPE", "VERDICT", "SUMMARY"]);
        assert_eq!(table.lines().count(), 4, "{table}");
    }
    for name in ["json", "jsonpb"] {
        let json = shown(name);
        let lines: Vec<Value> =
            json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let kinds: Vec<_> = lines
            .iter()
            .map(|line| line.as_object().unwrap().keys().next().unwrap().clone())
            .collect();
        assert_eq!(kinds, ["flow", "lost_events", "flow"]);
        let flow = &lines[0]["flow"];
        assert_eq!(flow["verdict"], "FORWARDED");
        assert_eq!(
            flow["source"],
            json!({"identity": 4711, "namespace": "shop", "pod_name": "web-0"})
        );
        assert_eq!(
            flow["l4"],
            json!({"TCP": {"source_port": 4000, "destination_port": 443, "flags": {"SYN": true}}})
        );
        assert_eq!((&flow["is_reply"], &lines[0]["node_name"]), (&json!(false), &json!("west/a")));
        assert_eq!(lines[1]["lost_events"]["num_events_lost"], "7");
    }
    let yaml = shown("yaml");
    assert!(yaml.contains("verdict: FORWARDED") && yaml.matches("---\n").count() == 2, "{yaml}");
    assert!(shown("wide").starts_with(SYN.trim_end()));
}

#[test]
fn what_is_said_of_nodes_goes_to_standard_error() {
    let server = telling(vec![
        of_nodes(NodeState::NodeConnected, &["a", "b"], ""),
        of_nodes(NodeState::NodeUnavailable, &["c"], ""),
        flow(1, false),
        of_nodes(NodeState::NodeError, &["a"], "broken\x1b[0m"),
    ]);
    let shown =
        |arguments: &[&str]| said(&mut asking(&server, &[&["observe"], arguments].concat()));
    let usual = shown(&[]);
    assert_eq!((usual.out.as_str(), usual.code), (SYN, Some(0)));
    let lines: Vec<_> = usual.error.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].ends_with("[relay]: 1 nodes are unavailable: c"), "{lines:?}");
    assert!(lines[1].contains("on 1 nodes: a") && !lines[1].contains('\x1b'), "{lines:?}");
    let debug = shown(&["-D"]).error;
    assert!(debug.contains("Receiving flows from 2 nodes: a, b"), "{debug}");
    let silent = shown(&["-s"]);
    assert_eq!((silent.out.as_str(), silent.error.as_str()), (SYN, ""));
    let json = shown(&["-o", "json"]);
    assert_eq!(json.out.lines().count(), 1);
    let first: Value = serde_json::from_str(json.error.lines().next().unwrap()).unwrap();
    assert_eq!(first["node_status"]["state_change"], "NODE_UNAVAILABLE");
}

#[test]
fn what_comes_is_shown_at_once_until_it_is_told_to_stop() {
    let server = telling(vec![flow(1, false), flow(2, true)]);
    let running = Running::start(&mut asking(&server, &["observe", "-f"]));
    assert_eq!(running.wait_for_lines(2), [SYN.trim_end(), SYN_ACK.trim_end()]);
    assert_eq!(running.interrupt().len(), 2);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let server = telling((0..20_000).map(|second| flow(second % 60, false)).collect());
    let mut command = asking(&server, &["observe", "--all"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!((String::from_utf8(output.stderr).unwrap().as_str(), line.is_empty()), ("", false));
}

#[test]
fn a_refusal_is_said_in_four_parts() {
    for (status, words) in [
        (Status::unknown("invalid field mask"), &["invalid field mask", "refuses"][..]),
        (Status::invalid_argument("first cannot be specified with follow"), &["with follow"]),
        (Status::unimplemented("no such method"), &["does not know"]),
        (Status::unauthenticated("who are you"), &["who are you", "--basic-auth-username"]),
        (Status::unavailable("going away"), &["going away", "broke"]),
        (Status::internal("oops \x1b[31m"), &["oops \\x1b[31m"]),
    ] {
        let answers = Answers { refusal: Some(status), ..Answers::default() };
        let server = HubbleServer::start(answers);
        let text = fails(&mut asking(&server, &["observe"]), 1, "hubble", words);
        for raw in ["Status", "code:", "grpc"] {
            assert!(!text.contains(raw), "{text}");
        }
    }
}

#[test]
fn what_came_before_a_refusal_is_shown() {
    let answers = Answers {
        flows: [vec![flow(1, false)]].into(),
        refusal: Some(Status::unavailable("gone")),
        ..Answers::default()
    };
    let server = HubbleServer::start(answers);
    let said = said(&mut asking(&server, &["observe"]));
    assert_eq!((said.out.as_str(), said.code), (SYN, Some(1)));
    assert!(said.error.contains("gone"), "{}", said.error);
}
