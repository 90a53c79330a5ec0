//! Reaching a server: where it is, TLS, who asks; and what else it is asked: status, nodes, namespaces,
//! peers, events.

use chandra_hubble::proto::flow::agent_event::Notification;
use chandra_hubble::proto::flow::{
    AgentEvent, AgentEventType, DebugEvent, DebugEventType, PolicyUpdateNotification,
};
use chandra_hubble::proto::observer::{
    GetAgentEventsResponse, GetDebugEventsResponse, GetNamespacesResponse, GetNodesResponse,
    Namespace, Node, ServerStatusResponse,
};
use chandra_hubble::proto::peer::{ChangeNotification, ChangeNotificationType, Tls};
use chandra_hubble::proto::relay::NodeState;
use chandra_tests::failure::fails;
use chandra_tests::hubble::{Answers, HubbleServer, TLS_NAME};
use chandra_tests::observe::{Running, asking, command, configuration, printed, said};
use chandra_tests::scratch::Scratch;
use serde_json::{Value, json};

fn well() -> Answers {
    let status = ServerStatusResponse {
        num_flows: 4095,
        max_flows: 8190,
        seen_flows: 12_345,
        uptime_ns: 61_000_000_000,
        version: "chandra v0.1.0".into(),
        flows_rate: 2.5,
        ..ServerStatusResponse::default()
    };
    Answers { status, ..Answers::default() }
}

const STATUS: &str = "Current/Max Flows: 4,095/8,190 (50.00%)\nFlows/s: 2.50\n";

#[test]
fn a_status_is_shown_in_each_format() {
    let server = HubbleServer::start(well());
    let shown = |format: &str| printed(&mut asking(&server, &["status", "-o", format]));
    let address = server.address();
    assert_eq!(shown("compact"), format!("Healthcheck (via {address}): Ok\n{STATUS}"));
    assert!(shown("dict").contains("       SEEN FLOWS: 12,345\n"));
    let table = shown("table");
    assert!(
        table.starts_with("NUM FLOWS   MAX FLOWS   SEEN FLOWS   FLOWS PER SECOND   UPTIME"),
        "{table}"
    );
    let json: Value = serde_json::from_str(&shown("json")).unwrap();
    assert_eq!((&json["seen_flows"], &json["flows_rate"]), (&json!("12345"), &json!(2.5)));
}

#[test]
fn a_server_that_is_not_well_is_an_error() {
    let server = HubbleServer::start(Answers { is_unwell: true, ..well() });
    let json = &mut asking(&server, &["status", "-o", "json"]);
    fails(json, 1, "hubble", &["not healthy", "NOT_SERVING"]);
    let compact = said(&mut asking(&server, &["status"]));
    assert_eq!(compact.code, Some(1));
    assert_eq!(compact.out, format!("Healthcheck (via {}): NOT_SERVING\n", server.address()));
}

#[test]
fn a_server_that_does_not_answer_is_said_with_what_to_do() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let free = free.to_string();
    for verb in [&["observe"][..], &["status"], &["list", "nodes"], &["watch", "peers"]] {
        let arguments = [verb, &["--server", &free]].concat();
        fails(&mut command(&arguments), 1, "hubble", &[&free, "refused"]);
    }
    let socket = &["status", "--server", "unix:///nowhere/hubble.sock"];
    fails(&mut command(socket), 1, "hubble", &["/nowhere/hubble.sock"]);
    // It takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let status =
        &["status", "--server", &address, "--timeout", "50ms", "--request-timeout", "50ms"];
    fails(&mut command(status), 1, "hubble", &[&address, "50ms"]);
}

#[test]
fn a_flag_goes_before_a_variable_and_a_variable_before_the_file() {
    let server = HubbleServer::start(well());
    let folder = configuration(&format!("server: {} # mine\n", server.address()));
    let status = |arguments: &[&str]| {
        let mut command = command(&[&["status"], arguments].concat());
        command.env("XDG_CONFIG_HOME", folder.path());
        command
    };
    assert!(printed(&mut status(&[])).ends_with(STATUS));
    let wrong = "127.0.0.1:1";
    fails(status(&[]).env("HUBBLE_SERVER", wrong), 1, "hubble", &[wrong]);
    let flag = &mut status(&["--server", server.address()]);
    assert!(printed(flag.env("HUBBLE_SERVER", wrong)).ends_with(STATUS));
    let file = folder.at("hubble").join("config.yaml");
    let named = &mut command(&["status", "--config", file.to_str().unwrap()]);
    assert!(printed(named).ends_with(STATUS));
    std::fs::write(&file, "server: 'x\n").unwrap();
    fails(&mut status(&[]), 2, "config", &["line 1", "config.yaml"]);
    let missing = &mut command(&["status", "--config", "/nowhere.yaml"]);
    fails(missing, 2, "config", &["/nowhere.yaml"]);
}

#[test]
fn a_server_may_be_at_a_socket() {
    let folder = Scratch::new();
    let server = HubbleServer::start_at(well(), &folder.at("hubble.sock"));
    let shown = printed(&mut asking(&server, &["status"]));
    assert_eq!(shown, format!("Healthcheck (via {}): Ok\n{STATUS}", server.address()));
}

#[test]
fn tls_wants_a_certificate_that_is_trusted_and_has_the_right_name() {
    let folder = Scratch::new();
    let certificate = folder.at("ca.crt");
    let server = HubbleServer::start_tls(well(), &certificate);
    let file = certificate.to_str().unwrap();
    let status = |arguments: &[&str]| asking(&server, &[&["status"], arguments].concat());
    let right = ["--tls-ca-cert-files", file, "--tls-server-name", TLS_NAME];
    assert!(printed(&mut status(&right)).ends_with(STATUS));
    assert!(printed(&mut status(&["--tls-allow-insecure"])).ends_with(STATUS));
    // Without tls:// before the address, by a flag or a variable.
    let bare = server.address().trim_start_matches("tls://");
    let by_flag = &mut command(&[&["status", "--server", bare, "--tls"], &right[..]].concat());
    assert!(printed(by_flag).ends_with(STATUS));
    let mut by_variable = command(&["status"]);
    by_variable.env("HUBBLE_SERVER", bare).env("HUBBLE_TLS", "1");
    by_variable.env("HUBBLE_TLS_CA_CERT_FILES", file).env("HUBBLE_TLS_SERVER_NAME", TLS_NAME);
    assert!(printed(&mut by_variable).ends_with(STATUS));

    fails(&mut status(&["--tls-ca-cert-files", file]), 1, "hubble", &["TLS", "--tls-server-name"]);
    fails(&mut status(&[]), 1, "hubble", &[server.address(), "--tls-ca-cert-files"]);
    let missing = &mut status(&["--tls-ca-cert-files", "/nowhere.crt"]);
    fails(missing, 1, "hubble", &["/nowhere.crt"]);
    let half = &mut status(&["--tls-client-cert-file", file]);
    fails(half, 2, "hubble", &["--tls-client-key-file"]);
    let plain = &mut command(&["status", "--server", bare]);
    fails(plain, 1, "hubble", &[bare]);
}

#[test]
fn who_asks_is_said_with_tls_only() {
    let folder = Scratch::new();
    let certificate = folder.at("ca.crt");
    let server = HubbleServer::start_tls(well(), &certificate);
    let mut status = asking(&server, &["status", "--basic-auth-username", "jane"]);
    status.args(["--tls-server-name", TLS_NAME, "--tls-ca-cert-files"]).arg(&certificate);
    printed(status.env("HUBBLE_BASIC_AUTH_PASSWORD", "open sesame"));
    let told = server.asked().authorizations.clone();
    // `printf 'jane:open sesame' | base64`
    assert_eq!(told, [Some("Basic amFuZTpvcGVuIHNlc2FtZQ==".to_owned())]);
    let plain = HubbleServer::start(well());
    let mut status = asking(&plain, &["status", "--basic-auth-username", "jane"]);
    let text =
        fails(status.env("HUBBLE_BASIC_AUTH_PASSWORD", "open sesame"), 2, "hubble", &["TLS"]);
    assert!(!text.contains("sesame"), "{text}");
    assert!(plain.asked().authorizations.is_empty());
}

#[test]
fn nodes_are_listed_by_name() {
    let node = |name: &str, state: NodeState| Node {
        name: name.into(),
        state: state.into(),
        version: "v1.19.4".into(),
        address: "10.0.0.1:4244".into(),
        uptime_ns: 3_600_000_000_000,
        num_flows: 10,
        max_flows: 40,
        seen_flows: 7200,
        tls: None,
    };
    let nodes = vec![node("b", NodeState::NodeUnavailable), node("a", NodeState::NodeConnected)];
    let server = HubbleServer::start(Answers { nodes: GetNodesResponse { nodes }, ..well() });
    let shown = |format: &str| printed(&mut asking(&server, &["list", "nodes", "-o", format]));
    assert_eq!(
        shown("table"),
        "NAME   STATUS        AGE      FLOWS/S   CURRENT/MAX-FLOWS\n\
         a      Connected     1h0m0s   2.00      10/40 ( 25.00%)\n\
         b      Unavailable   1h0m0s   2.00      10/40 ( 25.00%)\n"
    );
    assert!(shown("wide").contains("VERSION   ADDRESS         TLS\n"));
    let json: Value = serde_json::from_str(&shown("json")).unwrap();
    assert_eq!((&json[0]["name"], &json[1]["state"]), (&json!("a"), &json!("NODE_UNAVAILABLE")));
    // A node's server knows of no nodes.
    let node = HubbleServer::start(well());
    fails(&mut asking(&node, &["list", "nodes"]), 1, "hubble", &["does not know", "relay"]);
}

#[test]
fn namespaces_are_listed() {
    let namespace = |cluster: &str, namespace: &str| Namespace {
        cluster: cluster.into(),
        namespace: namespace.into(),
    };
    let namespaces = vec![namespace("west", "kube-system"), namespace("west", "shop")];
    let namespaces = GetNamespacesResponse { namespaces };
    let server = HubbleServer::start(Answers { namespaces, ..well() });
    let shown = |format: &str| printed(&mut asking(&server, &["list", "namespaces", "-o", format]));
    assert_eq!(shown("table"), "NAMESPACE\nkube-system\nshop\n");
    assert_eq!(shown("wide"), "NAMESPACE     CLUSTER\nkube-system   west\nshop          west\n");
    let json: Value = serde_json::from_str(&shown("json")).unwrap();
    assert_eq!(json[1], json!({"cluster": "west", "namespace": "shop"}));
}

#[test]
fn peers_are_watched() {
    let change = |kind: ChangeNotificationType, tls: Option<&str>| ChangeNotification {
        name: "west/a".into(),
        address: "10.0.0.1:4244".into(),
        r#type: kind.into(),
        tls: tls.map(|name| Tls { server_name: name.into() }),
    };
    let peers = vec![
        change(ChangeNotificationType::PeerAdded, Some("a.west.hubble-grpc.cilium.io")),
        change(ChangeNotificationType::PeerDeleted, None),
    ];
    let server = HubbleServer::start(Answers { peers, ..well() });
    let running = Running::start(&mut asking(&server, &["watch", "peers"]));
    running.wait_for_lines(2);
    assert_eq!(
        running.interrupt(),
        [
            "PEER_ADDED   10.0.0.1:4244 west/a (TLS.ServerName: a.west.hubble-grpc.cilium.io)",
            "PEER_DELETED 10.0.0.1:4244 west/a",
        ]
    );
}

#[test]
fn events_of_an_agent_and_of_its_datapath_are_shown() {
    let time = Some(prost_types::Timestamp { seconds: 1_767_366_241, nanos: 5_000_000 });
    let update =
        PolicyUpdateNotification { labels: vec!["a=b".into()], revision: 3, rule_count: 1 };
    let event = AgentEvent {
        r#type: AgentEventType::PolicyUpdated.into(),
        notification: Some(Notification::PolicyUpdate(update)),
    };
    let event = GetAgentEventsResponse { agent_event: Some(event), node_name: "n".into(), time };
    let message = DebugEvent {
        r#type: DebugEventType::DbgCtVerdict.into(),
        hash: Some(0xab),
        cpu: Some(1),
        message: "CT verdict: New".into(),
        ..DebugEvent::default()
    };
    let message =
        GetDebugEventsResponse { debug_event: Some(message), node_name: "n".into(), time };
    let answers = Answers { agent_events: vec![event], debug_events: vec![message], ..well() };
    let server = HubbleServer::start(answers);
    let shown =
        |arguments: &[&str]| printed(&mut asking(&server, &[&["observe"], arguments].concat()));
    assert_eq!(
        shown(&["agent-events", "--last", "3"]),
        "Jan  2 15:04:01.005: POLICY_UPDATED (labels: [a=b], revision: 3, count: 1)\n"
    );
    assert_eq!(server.asked().agent_events[0].number, 3);
    assert_eq!(
        shown(&["debug-events", "--print-node-name"]),
        "Jan  2 15:04:01.005 [n]: N/A DBG_CT_VERDICT MARK: 0xab CPU: 01 (CT verdict: New)\n"
    );
    let json: Value = serde_json::from_str(&shown(&["agent-events", "-o", "json"])).unwrap();
    assert_eq!(json["agent_event"]["policy_update"]["revision"], "3");
    let table = shown(&["debug-events", "-o", "table"]);
    assert!(table.starts_with("TIMESTAMP             FROM   TYPE             CPU/MARK"), "{table}");
    // Filters are of flows.
    let filtered = &mut command(&["observe", "agent-events", "--pod", "x"]);
    fails(filtered, 2, "usage", &["--pod"]);
}
