//! Each field of a filter, with values that fit and values that do not, on a flow as it is kept and on
//! the same flow as a message.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use prost::Message;

use super::*;
use crate::flow::{
    Dns, DropReason, Endpoint, EventType, Flow, Http, HttpHeader, IpTraceId, L4, L7, L7FlowType,
    L7Record, NetworkInterface, Node, Rare, Service, TcpFlags, TrafficDirection, Verdict, Workload,
};
use crate::proto::FILE_DESCRIPTOR_SET;
use crate::proto::flow::{self as proto, EventTypeFilter, FlowFilter, IpVersion};

const UUID: &str = "f81d4fae-7dec-41d0-a765-00a0c91e6bf6";

fn node() -> Node {
    Node::new("east", "n1", vec!["zone=a".into()])
}

fn endpoint(pod: &str, identity: u32) -> Option<Arc<Endpoint>> {
    Some(Arc::new(Endpoint {
        identity,
        namespace: "shop".into(),
        pod_name: pod.into(),
        labels: vec![format!("k8s:app={pod}")],
        workloads: vec![Workload { name: pod.into(), kind: "Deployment".into() }],
        cluster_name: "east".into(),
        ..Endpoint::default()
    }))
}

fn service(name: &str) -> Option<Arc<Service>> {
    Some(Arc::new(Service { name: name.into(), namespace: "shop".into() }))
}

/// A dropped segment from `web` to `db`.
fn dropped() -> Flow {
    Flow {
        uuid: 0xf81d_4fae_7dec_41d0_a765_00a0_c91e_6bf6.into(),
        verdict: Verdict::Dropped,
        drop_reason: DropReason::PolicyDenied,
        event_type: EventType::drop(DropReason::PolicyDenied),
        traffic_direction: TrafficDirection::Egress,
        is_encrypted: true,
        source_ip: Some(IpAddr::from([10, 0, 0, 1])),
        destination_ip: Some(IpAddr::from([10, 0, 0, 2])),
        l4: L4::Tcp {
            source_port: 40000,
            destination_port: 80,
            flags: TcpFlags::SYN | TcpFlags::ECE,
        },
        source: endpoint("web", 100),
        destination: endpoint("db", 200),
        source_service: service("web-service"),
        destination_service: service("db-service"),
        source_names: Some(Arc::new(vec!["web.example".into()])),
        destination_names: Some(Arc::new(vec!["x.example".into(), "db.example".into()])),
        interface: Some(Arc::new(NetworkInterface { index: 3, name: "eth0".into() })),
        rare: Some(Arc::new(Rare {
            source_xlated_ip: Some(IpAddr::from([10, 0, 0, 3])),
            ip_trace_id: Some(IpTraceId { trace_id: 5, ip_option_type: 136 }),
            trace_id: Some("abc".into()),
            ..Rare::default()
        })),
        ..Flow::default()
    }
}

fn request(record: L7Record) -> Flow {
    let l7 = L7 { kind: L7FlowType::Response, latency_ns: 0, record };
    Flow {
        event_type: EventType::l7(),
        is_reply: Some(true),
        l7: Some(Arc::new(l7)),
        ..Flow::default()
    }
}

fn dns() -> Flow {
    request(L7Record::Dns(Dns { query: "db.example.".into(), ..Dns::default() }))
}

fn http() -> Flow {
    request(L7Record::Http(Http {
        code: 404,
        method: "GET".into(),
        url: "http://db/a%20b?c=d".into(),
        protocol: "HTTP/1.1".into(),
        headers: vec![HttpHeader { key: "x-y".into(), value: "z".into() }],
    }))
}

fn compiled(filter: &FlowFilter) -> Result<Filters, Error> {
    Filters::compile(std::slice::from_ref(filter), &[], &Limits::default())
}

/// Both views must agree.
fn matches(filters: &Filters, flow: &Flow) -> bool {
    let node = node();
    let kept = filters.matches((flow, &node));
    assert_eq!(filters.matches(&flow.to_proto(&node)), kept, "{filters:?}");
    kept
}

/// A field, a flow, values that fit, values that do not.
struct Case {
    field: &'static str,
    flow: Flow,
    fitting: Vec<FlowFilter>,
    other: Vec<FlowFilter>,
}

/// A case of a field with texts.
macro_rules! case {
    ($flow:expr, $field:ident, [$($fitting:expr),*], [$($other:expr),*]) => {
        Case {
            field: stringify!($field),
            flow: $flow,
            fitting: vec![$(FlowFilter { $field: vec![$fitting.into()], ..Default::default() }),*],
            other: vec![$(FlowFilter { $field: vec![$other.into()], ..Default::default() }),*],
        }
    };
}

fn event(number: i32, sub_type: Option<i32>) -> EventTypeFilter {
    EventTypeFilter {
        r#type: number,
        match_sub_type: sub_type.is_some(),
        sub_type: sub_type.unwrap_or_default(),
    }
}

fn workload(kind: &str, name: &str) -> Workload {
    Workload { name: name.into(), kind: kind.into() }
}

fn interface(index: u32, name: &str) -> NetworkInterface {
    NetworkInterface { index, name: name.into() }
}

fn header(key: &str, value: &str) -> HttpHeader {
    HttpHeader { key: key.into(), value: value.into() }
}

fn flags(flags: TcpFlags) -> proto::TcpFlags {
    flags.to_proto()
}

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    vec![
        case!(dropped(), uuid, [UUID], ["f81d4fae-7dec-41d0-a765-00a0c91e6bf7", "", "x"]),
        case!(dropped(), event_type,
            [event(1, None), event(1, Some(133)), event(0, None), event(0, Some(133))],
            [event(4, None), event(1, Some(0)), event(0, Some(1))]),
        case!(dropped(), verdict, [Verdict::Dropped], [Verdict::Forwarded]),
        case!(dropped(), drop_reason_desc, [DropReason::PolicyDenied], [DropReason::PolicyDeny]),
        case!(Flow { verdict: Verdict::Forwarded, ..dropped() }, drop_reason_desc, [], [DropReason::PolicyDenied]),
        case!(dropped(), reply, [false], [true]),
        case!(Flow { verdict: Verdict::Forwarded, ..dropped() }, reply, [], [false, true]),
        case!(dns(), reply, [true], [false]),
        case!(dropped(), encrypted, [true], [false]),
        case!(dns(), encrypted, [], [false, true]),
        case!(dropped(), source_identity, [100u32], [200u32]),
        case!(dropped(), destination_identity, [200u32], [100u32]),
        case!(dns(), destination_identity, [], [0u32]),
        case!(dropped(), protocol, ["tcp", "TCP"], ["udp", "sctp", "icmp", "dns", "http", "vrrp", "igmp"]),
        case!(dns(), protocol, ["dns"], ["http", "tcp"]),
        case!(http(), protocol, ["http"], ["dns"]),
        case!(Flow { l4: L4::Icmpv6 { kind: 1, code: 0 }, ..dns() }, protocol, ["icmp", "icmpv6"], ["icmpv4"]),
        case!(Flow { l4: L4::Icmpv4 { kind: 1, code: 0 }, ..dns() }, protocol, ["icmp", "icmpv4"], ["icmpv6"]),
        case!(dropped(), source_ip, ["10.0.0.1", "10.0.0.0/24"], ["10.0.0.2", "11.0.0.0/8", "::/0"]),
        case!(dropped(), destination_ip, ["10.0.0.2"], ["10.0.0.1"]),
        case!(dropped(), source_ip_xlated, ["10.0.0.3"], ["10.0.0.1"]),
        case!(dns(), source_ip, [], ["0.0.0.0/0", "::/0"]),
        case!(dropped(), source_pod, ["shop/web", "shop/w", "shop/", "/web", "/"], ["web", "default/web", "sho/web", "shop/webb", "/db"]),
        case!(dropped(), destination_pod, ["shop/db"], ["shop/web"]),
        case!(dns(), source_pod, [], ["/", "default/"]),
        case!(dropped(), source_workload,
            [workload("Deployment", "web"), workload("", "web"), workload("Deployment", ""), workload("", "")],
            [workload("DaemonSet", "web"), workload("", "we")]),
        case!(dropped(), destination_workload, [workload("", "db")], [workload("", "web")]),
        case!(dropped(), source_service, ["shop/web", "shop/"], ["web-service", "shop/db"]),
        case!(dropped(), destination_service, ["shop/db-s"], ["shop/web"]),
        case!(dropped(), source_fqdn, ["web.example", "WEB.example.", "*.example"], ["example", "db.example"]),
        case!(dropped(), destination_fqdn, ["db.example", "x.*"], ["web.example"]),
        case!(dns(), dns_query, ["example", r"^db\.", r"\.$"], ["^example", "DB"]),
        case!(dropped(), dns_query, [], [""]),
        case!(dropped(), source_label, ["app=web", "k8s:app in (web, x)", "!reserved:host", ""], ["app=db", "container:app"]),
        case!(dropped(), destination_label, ["app=db"], ["app=web"]),
        case!(dns(), source_label, ["!app"], ["app"]),
        case!(dropped(), node_labels, ["zone=a", "zone"], ["zone=b"]),
        case!(dropped(), source_port, ["40000"], ["80"]),
        case!(dropped(), destination_port, ["80"], ["40000"]),
        case!(Flow { l4: L4::Icmpv4 { kind: 0, code: 0 }, ..dns() }, destination_port, [], ["0"]),
        case!(http(), http_status_code, ["404", "40+", "4+"], ["403", "41+", "5+"]),
        case!(Flow { l7: None, ..http() }, http_status_code, [], ["4+"]),
        case!(http(), http_method, ["GET", "get"], ["POST"]),
        case!(http(), http_path, ["^/a b$", "b"], ["c", "db"]),
        case!(http(), http_url, ["^http://db/", r"\?c="], ["https"]),
        case!(http(), http_header, [header("x-y", "z")], [header("x-y", ""), header("X-Y", "z")]),
        case!(dropped(), tcp_flags,
            [flags(TcpFlags::SYN), flags(TcpFlags::SYN | TcpFlags::ECE), flags(TcpFlags::default())],
            [flags(TcpFlags::ACK), flags(TcpFlags::SYN | TcpFlags::ACK)]),
        case!(Flow { l4: L4::Unknown, ..dropped() }, tcp_flags, [], [flags(TcpFlags::default())]),
        case!(dropped(), node_name, ["n1", "east/n1", "east/", "e*/n*"], ["n2", "west/n1", "east"]),
        case!(dropped(), source_cluster_name, ["east"], ["eas", "e*", "west"]),
        case!(dropped(), destination_cluster_name, ["east"], ["west"]),
        case!(dropped(), ip_version, [IpVersion::IPv4], [IpVersion::IPv6, IpVersion::IpNotUsed]),
        case!(dns(), ip_version, [IpVersion::IpNotUsed], [IpVersion::IPv4]),
        case!(dropped(), trace_id, ["abc"], ["ab", ""]),
        case!(dropped(), traffic_direction, [TrafficDirection::Egress], [TrafficDirection::Ingress]),
        case!(dropped(), interface,
            [interface(3, "eth0"), interface(3, ""), interface(0, "eth0"), interface(0, "")],
            [interface(4, "eth0"), interface(3, "eth1")]),
        case!(dns(), interface, [], [interface(0, "")]),
        case!(dropped(), ip_trace_id, [5u64], [6u64]),
        case!(dns(), ip_trace_id, [], [0u64]),
    ]
}

#[test]
fn a_field_matches_what_it_asks_for_and_nothing_else() {
    for Case { field, flow, fitting, other } in cases() {
        for (filters, expected) in [(fitting, true), (other, false)] {
            for filter in filters {
                let compiled = compiled(&filter).expect(field);
                assert_eq!(matches(&compiled, &flow), expected, "{field} {filter:?}");
            }
        }
    }
}

#[test]
fn each_field_of_the_message_has_cases_of_both_kinds() {
    let files = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("descriptors");
    let file = files.file.iter().find(|file| file.name() == "flow/flow.proto").expect("a file");
    let message = file.message_type.iter().find(|one| one.name() == "FlowFilter").expect("it");
    let mut fields: BTreeSet<_> = message.field.iter().map(|field| field.name()).collect();
    // CEL has tests of its own.
    fields.remove("experimental");
    let cases = cases();
    let fitting = cases.iter().filter(|case| !case.fitting.is_empty());
    let other = cases.iter().filter(|case| !case.other.is_empty());
    assert_eq!(fitting.map(|case| case.field).collect::<BTreeSet<_>>(), fields);
    assert_eq!(other.map(|case| case.field).collect::<BTreeSet<_>>(), fields);
}

fn of_port(port: &str) -> FlowFilter {
    FlowFilter { destination_port: vec![port.into()], ..FlowFilter::default() }
}

#[test]
fn values_are_joined_by_or_fields_by_and_filters_by_or() {
    let flow = dropped();
    let asked = |whitelist: &[FlowFilter], blacklist: &[FlowFilter]| {
        let limits = Limits::default();
        matches(&Filters::compile(whitelist, blacklist, &limits).expect("filters"), &flow)
    };
    let mut values = of_port("81");
    values.destination_port.push("80".into());
    assert!(asked(&[values.clone()], &[]));
    values.verdict = vec![Verdict::Forwarded.into()];
    assert!(!asked(&[values.clone()], &[]));
    assert!(asked(&[values, of_port("80")], &[]));
    assert!(asked(&[], &[]));
    assert!(!asked(&[], &[of_port("80")]));
    assert!(asked(&[], &[of_port("81")]));
    assert!(!asked(&[of_port("80")], &[of_port("81"), of_port("80")]));
    assert!(asked(&[FlowFilter::default()], &[]), "a filter that asks nothing");
    assert!(!asked(&[], &[FlowFilter::default()]), "and one that excludes all");
}

#[test]
fn what_is_wrong_is_told_with_its_field() {
    let told = |filter: FlowFilter| compiled(&filter).expect_err("an error").to_string();
    macro_rules! wrong {
        ($field:ident: $value:expr, $expected:expr) => {
            let filter = FlowFilter { $field: vec![$value.into()], ..FlowFilter::default() };
            assert_eq!(told(filter), $expected);
        };
    }
    wrong!(source_ip: "1.2.3", r#"invalid source_ip filter: not an IP address: "1.2.3""#);
    wrong!(destination_ip: "1.2.3.4/40", r#"invalid destination_ip filter: not a CIDR: "1.2.3.4/40""#);
    wrong!(source_pod: "", "invalid source_pod filter: must be [namespace/][name]");
    wrong!(destination_port: "http", r#"invalid destination_port filter: not a port from 0 to 65535: "http""#);
    wrong!(protocol: "kafka", r#"invalid protocol filter: unknown protocol: "kafka""#);
    wrong!(source_fqdn: "a b", r#"invalid source_fqdn filter: invalid pattern, it may have a-z, 0-9, -, _, . and *: "a b""#);
    wrong!(http_status_code: "40", r#"invalid http_status_code filter: invalid status code prefix, must be like 404, 40+ or 4+: "40""#);
    wrong!(dns_query: "(", r#"invalid dns_query filter: failed to compile regexp, unclosed group: "(""#);
    let of_drops = FlowFilter {
        http_method: vec!["GET".into()],
        event_type: vec![event(1, None)],
        ..FlowFilter::default()
    };
    let expected = "invalid http_method filter: requires the event type filter to match l7 events";
    assert_eq!(told(of_drops), expected);
    let long = "a".repeat(5000);
    let error = compiled(&of_port(&long)).expect_err("too long");
    assert_eq!(error.why, Why::TooLong { most: 4096 });
    assert!(error.value.len() < 100);
}

#[test]
fn a_request_cannot_ask_for_more_than_the_limits() {
    let limits = Limits { filters: 2, values: 3, regexes: 1, ..Limits::default() };
    let why = |whitelist: &[FlowFilter], blacklist: &[FlowFilter]| {
        Filters::compile(whitelist, blacklist, &limits).err().map(|error| error.why)
    };
    assert_eq!(why(&[of_port("1")], &[of_port("1")]), None);
    let too_many = |what, most| Some(Why::TooMany { what, most });
    assert_eq!(why(&[of_port("1"), of_port("1")], &[of_port("1")]), too_many("filters", 2));
    let values = |count| FlowFilter { verdict: vec![1; count], ..FlowFilter::default() };
    assert_eq!(why(&[values(3)], &[]), None);
    assert_eq!(why(&[values(2)], &[values(2)]), too_many("values", 3));
    let regexes = FlowFilter {
        dns_query: vec!["a".into()],
        http_url: vec!["b".into()],
        ..FlowFilter::default()
    };
    assert_eq!(why(&[regexes], &[]), too_many("regular expressions", 1));
}
