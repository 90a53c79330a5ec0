//! Flows and their text in each format.

use std::num::NonZeroU64;
use std::sync::Arc;

use prost_types::Timestamp;

use super::*;
use crate::flow::{Actor, Details, EventType, Icmp, KernelDrop, Process, QuotedPacket, Traffic};
use crate::proto::flow::layer4::Protocol;
use crate::proto::flow::layer7::Record;
use crate::proto::flow::{
    AuthType, CiliumEventType, DebugCapturePoint, Dns, Endpoint, Ethernet, Http, IcmPv4, Ip,
    IpTraceId, L7FlowType, Layer4, Layer7, LostEvent, LostEventSource, Policy, Service,
    SocketTranslationPoint, Tcp, TrafficDirection, Verdict,
};
use crate::proto::relay::{NodeState, NodeStatusEvent};

fn event(number: i32, sub_type: i32) -> Option<CiliumEventType> {
    Some(CiliumEventType { r#type: number, sub_type })
}

fn endpoint(identity: u32, namespace: &str, pod: &str) -> Option<Endpoint> {
    Some(Endpoint {
        identity,
        namespace: namespace.into(),
        pod_name: pod.into(),
        ..Endpoint::default()
    })
}

#[allow(deprecated, reason = "the summary is what is shown")]
fn flow() -> Flow {
    let tcp = Tcp { source_port: 31793, destination_port: 8080, flags: None };
    Flow {
        time: Some(Timestamp { seconds: 1234, nanos: 567_800_000 }),
        node_name: "k8s1".into(),
        verdict: Verdict::Dropped.into(),
        ip: Some(Ip { source: "1.1.1.1".into(), destination: "2.2.2.2".into(), ..Ip::default() }),
        source: endpoint(4, "", ""),
        destination: endpoint(12345, "", ""),
        l4: Some(Layer4 { protocol: Some(Protocol::Tcp(tcp)) }),
        event_type: event(EventType::DROP, 133),
        is_reply: Some(false),
        summary: "TCP Flags: SYN".into(),
        ..Flow::default()
    }
}

fn response(types: ResponseTypes) -> GetFlowsResponse {
    GetFlowsResponse {
        node_name: "k8s1".into(),
        time: Some(Timestamp { seconds: 1234, nanos: 567_800_000 }),
        response_types: Some(types),
    }
}

/// What is printed of responses: on the one writer and on the other.
fn printed(options: &Options, types: Vec<ResponseTypes>) -> (String, String) {
    let (mut out, mut notices) = (Vec::new(), Vec::new());
    let mut printer = Printer::new(options.clone());
    for types in types {
        printer.write(&response(types), &mut out, &mut notices).expect("memory takes all");
    }
    printer.finish(&mut out).expect("memory takes all");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (text(out), text(notices))
}

fn line(options: &Options, flow: Flow) -> String {
    printed(options, vec![ResponseTypes::Flow(flow)]).0
}

fn in_format(format: Format) -> Options {
    Options { format, ..Options::default() }
}

fn compact() -> Options {
    Options { node_name: true, ..Options::default() }
}

#[test]
fn a_compact_line_is_hubbles() {
    let ends = "1.1.1.1:31793 (health) -> 2.2.2.2:8080 (ID:12345)";
    let expected = format!("Jan  1 00:20:34.567: {ends} Policy denied DROPPED (TCP Flags: SYN)\n");
    assert_eq!(line(&Options::default(), flow()), expected);
    let expected = expected.replace("567:", "567 [k8s1]:");
    assert_eq!(line(&compact(), flow()), expected);
    let unknown = Flow { is_reply: None, ..flow() };
    assert_eq!(line(&compact(), unknown), expected.replace("->", "<>"));
    let reply = "2.2.2.2:8080 (ID:12345) <- 1.1.1.1:31793 (health)";
    let answer = Flow { is_reply: Some(true), ..flow() };
    assert_eq!(line(&compact(), answer), expected.replace(ends, reply));
    let traced =
        Flow { ip_trace_id: Some(IpTraceId { trace_id: 1234, ip_option_type: 0 }), ..flow() };
    let summary = "(IP Trace ID: 1234; TCP Flags: SYN)";
    assert_eq!(line(&compact(), traced), expected.replace("(TCP Flags: SYN)", summary));
    let authenticated = Flow { auth_type: AuthType::Spire.into(), ..flow() };
    let summary = "(TCP Flags: SYN; SPIRE)";
    assert_eq!(line(&compact(), authenticated), expected.replace("(TCP Flags: SYN)", summary));
}

#[test]
fn colours_are_around_hosts_ports_identities_and_verdicts() {
    let options = Options { color: true, ..Options::default() };
    let expected = concat!(
        "Jan  1 00:20:34.567: \x1b[36m1.1.1.1:\x1b[33m31793\x1b[0m\x1b[0m \x1b[35m(health)\x1b[0m -> ",
        "\x1b[36m2.2.2.2:\x1b[33m8080\x1b[0m\x1b[0m \x1b[35m(ID:12345)\x1b[0m ",
        "Policy denied \x1b[31mDROPPED\x1b[0m (TCP Flags: SYN)\n",
    );
    assert_eq!(line(&options, flow()), expected);
    let table = Options { format: Format::Table, ..options };
    assert!(!line(&table, flow()).contains('\x1b'));
}

/// The ends of a compact line.
fn ends(options: &Options, flow: Flow) -> String {
    let line = line(options, flow);
    let (_, rest) = line.split_once(": ").expect("a time");
    rest.split_once(" Policy denied").expect("a type").0.to_owned()
}

#[test]
fn an_end_is_named_by_pod_service_names_or_address() {
    let bare = || Flow { source: None, destination: None, ..flow() };
    let service = |name: &str| Some(Service { name: name.into(), namespace: "sn".into() });
    let ip = |source: &str| Some(Ip { source: source.into(), ..bare().ip.unwrap_or_default() });
    let named = Flow { source_names: vec!["a.b".into(), "c.d".into()], ..bare() };
    let of_pod = Flow { source: endpoint(1, "ns", "pod"), ..named.clone() };
    for (flow, expected) in [
        (bare(), "1.1.1.1:31793 (unknown) -> 2.2.2.2:8080 (unknown)"),
        (named.clone(), "a.b,c.d:31793 (unknown) -> 2.2.2.2:8080 (unknown)"),
        (of_pod.clone(), "ns/pod:31793 (host) -> 2.2.2.2:8080 (unknown)"),
        (
            Flow { source: endpoint(1, "", "pod"), ..bare() },
            "pod:31793 (host) -> 2.2.2.2:8080 (unknown)",
        ),
        (
            Flow { source_service: service("s"), ..named },
            "sn/s:31793 (unknown) -> 2.2.2.2:8080 (unknown)",
        ),
        (
            Flow { destination_service: service("s"), ..of_pod.clone() },
            "ns/pod:31793 (host) -> sn/s:8080 (unknown)",
        ),
        (
            Flow { ip: ip("fe80::1"), ..bare() },
            "[fe80::1]:31793 (unknown) -> 2.2.2.2:8080 (unknown)",
        ),
        (
            Flow {
                l4: Some(Layer4 { protocol: Some(Protocol::IcmPv4(IcmPv4::default())) }),
                ip: ip("fe80::1"),
                ..bare()
            },
            "fe80::1 (unknown) -> 2.2.2.2 (unknown)",
        ),
        (
            Flow {
                ip: None,
                ethernet: Some(Ethernet { source: "02:01".into(), destination: "02:02".into() }),
                ..bare()
            },
            "02:01 (unknown) -> 02:02 (unknown)",
        ),
        (Flow { ip: None, ..bare() }, " (unknown) ->  (unknown)"),
    ] {
        assert_eq!(ends(&Options::default(), flow), expected);
    }
    let numeric = Options { ip_translation: false, ..Options::default() };
    assert_eq!(ends(&numeric, of_pod), "1.1.1.1:31793 (host) -> 2.2.2.2:8080 (unknown)");
}

#[test]
fn the_type_is_in_hubbles_words() {
    let of = |number, sub_type| Flow { event_type: event(number, sub_type), ..flow() };
    let l7 = |record, kind: L7FlowType| {
        let l7 = Layer7 { r#type: kind.into(), record, ..Layer7::default() };
        Flow { l7: Some(l7), ..of(EventType::L7, 0) }
    };
    let dns = Dns { observation_source: "proxy".into(), ..Dns::default() };
    let verdict = Flow {
        policy_match_type: 1,
        traffic_direction: TrafficDirection::Ingress.into(),
        ..of(EventType::POLICY_VERDICT, 0)
    };
    let sock = Flow {
        sock_xlate_point: SocketTranslationPoint::SockXlatePointPreDirectionFwd.into(),
        ..of(EventType::TRACE_SOCK, 0)
    };
    let capture = Flow {
        debug_capture_point: DebugCapturePoint::DbgCaptureDelivery.into(),
        ..of(EventType::CAPTURE, 0)
    };
    for (flow, expected) in [
        (of(EventType::TRACE, 0), "to-endpoint"),
        (of(EventType::TRACE, 3), "to-stack"),
        (of(EventType::TRACE, 11), "to-network"),
        (of(EventType::TRACE, 99), "99"),
        (of(EventType::DROP, 133), "Policy denied"),
        (of(EventType::DROP, 181), "Policy denied by denylist"),
        (of(EventType::DROP, 99), "99"),
        (verdict, "policy-verdict:L3-Only INGRESS"),
        (sock, "pre-xlate-fwd"),
        (capture, "DBG_CAPTURE_DELIVERY"),
        (l7(Some(Record::Dns(dns)), L7FlowType::Response), "dns-response proxy"),
        (l7(Some(Record::Http(Http::default())), L7FlowType::Request), "http-request"),
        (l7(None, L7FlowType::Sample), "l7-sample"),
        (of(0, 0), "UNKNOWN"),
        (Flow { event_type: None, ..flow() }, "UNKNOWN"),
    ] {
        assert_eq!(flow_type(&flow), expected);
    }
}

#[test]
fn verdicts_of_policies_have_words_and_names_of_their_own() {
    let policy = |name: &str, kind: &str| Policy {
        name: name.into(),
        kind: kind.into(),
        namespace: "ns".into(),
        ..Policy::default()
    };
    let of = |verdict: Verdict, direction: TrafficDirection| Flow {
        event_type: event(EventType::POLICY_VERDICT, 0),
        verdict: verdict.into(),
        traffic_direction: direction.into(),
        ingress_allowed_by: vec![policy("a", "K"), policy("b", "")],
        egress_denied_by: vec![policy("d", "K")],
        ..flow()
    };
    let names = Options { policy_names: true, ..Options::default() };
    for (options, verdict, direction, expected) in [
        (Options::default(), Verdict::Forwarded, TrafficDirection::Ingress, "INGRESS ALLOWED ("),
        (
            names.clone(),
            Verdict::Forwarded,
            TrafficDirection::Ingress,
            "INGRESS ALLOWED BY a (K), b (",
        ),
        (names.clone(), Verdict::Redirected, TrafficDirection::Egress, "EGRESS ALLOWED ("),
        (names.clone(), Verdict::Dropped, TrafficDirection::Egress, "EGRESS DENIED BY d (K) ("),
        (names.clone(), Verdict::Audit, TrafficDirection::Egress, "EGRESS AUDITED BY d (K) ("),
        (names, Verdict::Traced, TrafficDirection::Egress, "EGRESS TRACED ("),
    ] {
        let line = line(&options, of(verdict, direction));
        assert!(line.contains(expected), "{line}");
    }
    let unknown = Flow { verdict: 15, ..flow() };
    assert!(line(&Options::default(), unknown).contains("Policy denied 15 ("));
}

#[test]
fn a_dictionary_has_a_part_a_line_and_lines_between() {
    let one = "  TIMESTAMP: Jan  1 00:20:34.567\n       NODE: k8s1\n     SOURCE: 1.1.1.1:31793\n\
               DESTINATION: 2.2.2.2:8080\n       TYPE: Policy denied\n    VERDICT: DROPPED\n    \
               SUMMARY: TCP Flags: SYN\n";
    let options = Options { format: Format::Dict, ..compact() };
    let flows = vec![ResponseTypes::Flow(flow()), ResponseTypes::Flow(flow())];
    assert_eq!(printed(&options, flows).0, format!("{one}------------\n{one}"));
    let expected = one.replace("       NODE: k8s1\n", "");
    assert_eq!(line(&in_format(Format::Dict), flow()), expected);
}

#[test]
fn a_table_has_columns_as_wide_as_what_is_in_them() {
    let expected = "\
TIMESTAMP             NODE   SOURCE          DESTINATION    TYPE            VERDICT   SUMMARY
Jan  1 00:20:34.567   k8s1   1.1.1.1:31793   2.2.2.2:8080   Policy denied   DROPPED   TCP Flags: SYN
";
    assert_eq!(line(&Options { format: Format::Table, ..compact() }, flow()), expected);
    let expected = "\
TIMESTAMP             SOURCE               DESTINATION    TYPE            VERDICT   SUMMARY
Jan  1 00:20:34.567   1.1.1.1:31793        2.2.2.2:8080   Policy denied   DROPPED   TCP Flags: SYN
                      HUBBLE_RING_BUFFER                  EVENTS LOST               CPU(0) - 7
";
    let both = vec![ResponseTypes::Flow(flow()), ResponseTypes::LostEvents(lost())];
    assert_eq!(printed(&in_format(Format::Table), both).0, expected);
}

fn lost() -> LostEvent {
    LostEvent {
        source: LostEventSource::HubbleRingBuffer.into(),
        num_events_lost: 7,
        ..LostEvent::default()
    }
}

#[test]
fn losses_are_told_among_flows() {
    let told = |format| printed(&in_format(format), vec![ResponseTypes::LostEvents(lost())]).0;
    assert_eq!(told(Format::Compact), "EVENTS LOST: HUBBLE_RING_BUFFER CPU(0) 7\n");
    let dict = "  TIMESTAMP: \n     SOURCE: HUBBLE_RING_BUFFER\n       TYPE: EVENTS LOST\n    \
                VERDICT: \n    SUMMARY: CPU(0) - 7\n";
    assert_eq!(told(Format::Dict), dict);
    let json = r#"{"lost_events":{"source":"HUBBLE_RING_BUFFER","num_events_lost":"7"},"#;
    assert!(told(Format::Json).starts_with(json));
}

#[test]
fn what_is_said_of_nodes_goes_elsewhere_and_only_if_it_is_bad() {
    let status = |state: NodeState, message: &str| {
        ResponseTypes::NodeStatus(NodeStatusEvent {
            state_change: state.into(),
            node_names: vec!["node2".into(), "node3".into()],
            message: message.into(),
        })
    };
    let told = |options: &Options, types| {
        let (out, notices) = printed(options, vec![types]);
        assert_eq!(out, "");
        notices
    };
    let start = "Jan  1 00:20:34.567 [k8s1]: ";
    let plain = Options::default();
    let unavailable = status(NodeState::NodeUnavailable, "");
    let expected = format!("{start}2 nodes are unavailable: node2, node3\n");
    assert_eq!(told(&plain, unavailable.clone()), expected);
    let expected = format!("{start}Error \"no \\x1b\" on 2 nodes: node2, node3\n");
    assert_eq!(told(&plain, status(NodeState::NodeError, "no \x1b")), expected);
    assert_eq!(told(&plain, status(NodeState::NodeConnected, "")), "");
    let debug = Options { debug: true, ..Options::default() };
    let expected = format!("{start}Receiving flows from 2 nodes: node2, node3\n");
    assert_eq!(told(&debug, status(NodeState::NodeConnected, "")), expected);
    let json = r#"{"node_status":{"state_change":"NODE_UNAVAILABLE","#;
    assert!(told(&in_format(Format::Json), unavailable).starts_with(json));
    let many = NodeStatusEvent {
        state_change: NodeState::NodeUnavailable.into(),
        node_names: vec!["n".repeat(30); 5],
        ..NodeStatusEvent::default()
    };
    assert!(told(&plain, ResponseTypes::NodeStatus(many)).ends_with("n (and 4 more)\n"));
}

fn with_details() -> Flow {
    let details = Details {
        actor: Some(Arc::new(Actor {
            process: Process { pid: 42, comm: "my curl".into(), ..Process::default() },
            ..Actor::default()
        })),
        connection_key: NonZeroU64::new(0xff),
        forward: Traffic { bytes: 100, packets: 2 },
        rtt_us: 7,
        drop: Some(Arc::new(KernelDrop {
            reason: "NETFILTER_DROP".into(),
            location: "nf_hook_slow+0x8c".into(),
            ..KernelDrop::default()
        })),
        ..Details::default()
    };
    let kept = crate::flow::Flow { details, ..Default::default() };
    let extensions = kept.to_proto(&crate::flow::Node::new("", "n", vec![])).extensions;
    Flow { extensions, ..flow() }
}

#[test]
fn wide_adds_what_chandra_knows() {
    let compact = line(&Options::default(), flow());
    assert_eq!(line(&in_format(Format::Wide), flow()), compact);
    let expected = concat!(
        " process=\"my curl[42]\" sent=100B/2 rtt_us=7 drop=NETFILTER_DROP at=nf_hook_slow+0x8c",
        " key=00000000000000ff\n",
    );
    let wide = line(&in_format(Format::Wide), with_details());
    assert_eq!(wide, format!("{}{expected}", compact.trim_end()));
}

#[test]
fn wide_says_which_connection_an_error_of_icmp_is_about() {
    let quoted = QuotedPacket {
        source: "fd00::1".into(),
        destination: "fd00::2".into(),
        source_port: Some(40_000),
        destination_port: Some(443),
        ..QuotedPacket::default()
    };
    let icmp = Icmp { mtu: 1280, quoted: Some(quoted), ..Icmp::default() };
    let wide = |icmp| {
        let details = Details { icmp: Some(Arc::new(icmp)), ..Details::default() };
        let kept = crate::flow::Flow { details, ..Default::default() };
        let extensions = kept.to_proto(&crate::flow::Node::new("", "n", vec![])).extensions;
        line(&in_format(Format::Wide), Flow { extensions, ..flow() })
    };
    let text = wide(icmp);
    assert!(text.ends_with(" mtu=1280 about=[fd00::1]:40000->[fd00::2]:443\n"), "{text}");
    let text = wide(Icmp { id: Some(0), sequence: Some(7), ..Icmp::default() });
    assert!(text.ends_with(" icmp_id=0 icmp_seq=7\n"), "{text}");
}

#[test]
fn a_drop_without_a_number_of_hubbles_is_told_by_the_kernels_reason() {
    let flow = Flow { event_type: event(EventType::DROP, 0), ..with_details() };
    assert_eq!(flow_type(&flow), "NETFILTER_DROP");
}

#[test]
fn yaml_has_a_document_for_each_response() {
    let expected = r#"flow:
  IP:
    destination: "2.2.2.2"
    source: "1.1.1.1"
  Summary: "TCP Flags: SYN"
  destination:
    identity: 12345
  egress_allowed_by:
    - labels:
        - x
      name: a
    - name: b
  event_type:
    sub_type: 133
    type: 1
  is_reply: false
  l4:
    TCP:
      destination_port: 8080
      source_port: 31793
  node_name: k8s1
  source:
    identity: 4
    labels:
      - "k8s:a=b"
      - "yes"
  time: "1970-01-01T00:20:34.567800Z"
  verdict: DROPPED
node_name: k8s1
time: "1970-01-01T00:20:34.567800Z"
"#;
    let labels = vec!["k8s:a=b".into(), "yes".into()];
    let policy = |name: &str, labels| Policy { name: name.into(), labels, ..Policy::default() };
    let flow = Flow {
        source: Some(Endpoint { identity: 4, labels, ..Endpoint::default() }),
        egress_allowed_by: vec![policy("a", vec!["x".into()]), policy("b", vec![])],
        ..flow()
    };
    let two = vec![ResponseTypes::Flow(flow.clone()), ResponseTypes::Flow(flow)];
    let (out, _) = printed(&in_format(Format::Yaml), two);
    assert_eq!(out, format!("{expected}---\n{expected}"));
}

#[test]
#[allow(deprecated, reason = "the summary is what is shown")]
fn no_stranger_reaches_the_terminal() {
    let hostile = "a\x1b[31m\n\r\u{202e}\u{9b}";
    let mut flow = Flow {
        node_name: hostile.into(),
        summary: hostile.into(),
        source: endpoint(1, hostile, hostile),
        destination_names: vec![hostile.into()],
        ..with_details()
    };
    flow.egress_denied_by = vec![Policy { name: hostile.into(), ..Policy::default() }];
    for format in [Format::Compact, Format::Wide, Format::Dict, Format::Table, Format::Yaml] {
        let text = line(&Options { format, policy_names: true, ..compact() }, flow.clone());
        let is_fine = |found: char| found == '\n' || !found.is_control();
        assert!(text.chars().all(is_fine), "{text:?}");
        let lines = text.lines().filter(|line| line.contains('a')).count();
        assert!(format != Format::Compact || lines == 1, "{text}");
    }
}

#[test]
fn formats_have_hubbles_names() {
    for (name, format) in [
        ("compact", Format::Compact),
        ("dict", Format::Dict),
        ("tab", Format::Table),
        ("table", Format::Table),
        ("json", Format::Json),
        ("jsonpb", Format::Json),
        ("wide", Format::Wide),
        ("yaml", Format::Yaml),
    ] {
        assert_eq!(name.parse(), Ok(format));
    }
    assert!("xml".parse::<Format>().is_err());
}
