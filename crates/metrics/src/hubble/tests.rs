//! Tables from what Hubble documents of its metrics: each row is a flow, or some, and the samples that
//! come of it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chandra_hubble::flow::*;
use chandra_hubble::proto::flow::SctpChunkType;

use super::*;
use crate::{Format, Settings, Writer};

/// The samples of Hubble's families after these flows, in the order of the text; without those of
/// buckets.
fn counted<'a>(options: &str, flows: impl IntoIterator<Item = &'a Flow>) -> Vec<String> {
    let registry = Registry::default();
    let mut metrics = HubbleMetrics::new(&Options::parse(options).unwrap(), &registry).unwrap();
    flows.into_iter().for_each(|flow| metrics.observe(flow));
    told(&registry)
}

fn told(registry: &Registry) -> Vec<String> {
    let mut text = Vec::new();
    registry.write(&mut Writer::new(Format::Text, &mut text));
    let text = String::from_utf8(text).unwrap();
    let samples = text.lines().filter(|line| line.starts_with("hubble_"));
    samples.filter(|line| !line.contains("_bucket{")).map(str::to_owned).collect()
}

/// What a flow is counted as.
#[track_caller]
fn check(options: &str, flow: &Flow, expected: &[&str]) {
    assert_eq!(counted(options, [flow]), expected, "{options}");
}

fn endpoint(namespace: &str, pod: &str, labels: &[&str]) -> Endpoint {
    let kind = |name: &str| Workload { name: name.into(), kind: "Deployment".into() };
    let workload = pod.rsplit_once('-').map(|(name, _)| kind(name));
    Endpoint {
        namespace: namespace.into(),
        pod_name: pod.into(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        workloads: workload.into_iter().collect(),
        ..Endpoint::default()
    }
}

/// A SYN from one pod to another.
fn tcp(flags: TcpFlags) -> Flow {
    let labels = ["k8s:app=old", "k8s:app.kubernetes.io/name=web", "k8s:tier=front"];
    Flow {
        verdict: Verdict::Forwarded,
        flow_type: FlowType::L3L4,
        event_type: EventType::trace(TraceObservationPoint::ToStack),
        traffic_direction: TrafficDirection::Egress,
        is_reply: Some(false),
        source_ip: Some(IpAddr::from([10, 0, 0, 1])),
        destination_ip: Some(IpAddr::from([10, 0, 0, 2])),
        l4: L4::Tcp { source_port: 40000, destination_port: 5432, flags },
        source: Some(Arc::new(endpoint("shop", "web-0", &labels))),
        destination: Some(Arc::new(endpoint("data", "db-1", &["k8s:k8s-app=db"]))),
        destination_names: Some(Arc::new(vec!["db.example".into(), "db.local".into()])),
        ..Flow::default()
    }
}

fn syn() -> Flow {
    tcp(TcpFlags::SYN)
}

fn with_l4(l4: L4) -> Flow {
    Flow { l4, ..syn() }
}

fn udp() -> Flow {
    with_l4(L4::Udp { source_port: 9, destination_port: 53 })
}

fn dropped(reason: DropReason) -> Flow {
    let event_type = EventType::drop(reason);
    Flow { verdict: Verdict::Dropped, event_type, drop_reason: reason, is_reply: None, ..syn() }
}

fn with_l7(kind: L7FlowType, is_reply: bool, record: L7Record) -> Flow {
    let l7 = Some(Arc::new(L7 { kind, latency_ns: 250_000_000, record }));
    Flow { l7, event_type: EventType::l7(), is_reply: Some(is_reply), ..udp() }
}

fn dns_record() -> Dns {
    Dns {
        query: "example.com.".into(),
        qtypes: vec!["A".into(), "AAAA".into()],
        ips: vec!["1.2.3.4".into(), "1.2.3.5".into()],
        rrtypes: vec!["A".into(), "CNAME".into()],
        ..Dns::default()
    }
}

fn query() -> Flow {
    let dns = Dns { ips: vec![], rrtypes: vec![], ..dns_record() };
    with_l7(L7FlowType::Request, false, L7Record::Dns(dns))
}

fn answer(rcode: u32) -> Flow {
    let dns = Dns { rcode, ..dns_record() };
    with_l7(L7FlowType::Response, true, L7Record::Dns(dns))
}

fn http(kind: L7FlowType) -> Flow {
    let http = Http {
        code: 404,
        method: "GET".into(),
        url: "http://x/".into(),
        protocol: "HTTP/1.1".into(),
        headers: vec![],
    };
    with_l7(kind, kind == L7FlowType::Response, L7Record::Http(http))
}

#[test]
fn flags_of_tcp_are_counted_each() {
    let tcp_of =
        |flag: &str| format!("hubble_tcp_flags_total{{flag=\"{flag}\",family=\"IPv4\"}} 1");
    let syn_ack = TcpFlags::SYN | TcpFlags::ACK;
    for (flags, expected) in [
        (TcpFlags::SYN, vec!["SYN"]),
        (syn_ack, vec!["SYN-ACK"]),
        (TcpFlags::FIN | TcpFlags::ACK, vec!["FIN"]),
        (TcpFlags::RST, vec!["RST"]),
        (TcpFlags::FIN | TcpFlags::RST | syn_ack, vec!["FIN", "SYN-ACK", "RST"]),
        (TcpFlags::ACK | TcpFlags::PSH, vec![]),
        (TcpFlags::default(), vec![]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(tcp_of).collect();
        assert_eq!(counted("tcp", [&tcp(flags)]), expected, "{flags}");
    }
    let six = "hubble_tcp_flags_total{flag=\"SYN\",family=\"IPv6\"} 1";
    let ip = Some(IpAddr::from([0; 16]));
    check("tcp", &Flow { source_ip: ip, destination_ip: ip, ..syn() }, &[six]);
    check("tcp", &Flow { verdict: Verdict::Redirected, ..syn() }, &[&tcp_of("SYN")]);
    for verdict in [Verdict::Dropped, Verdict::Error, Verdict::Unknown, Verdict::Audit] {
        check("tcp", &Flow { verdict, ..syn() }, &[]);
    }
    check("tcp", &Flow { source_ip: None, destination_ip: None, ..syn() }, &[]);
    check("tcp", &udp(), &[]);
}

#[test]
fn drops_are_counted_by_their_reason() {
    let of = |reason: &str, protocol: &str| {
        format!("hubble_drop_total{{reason=\"{reason}\",protocol=\"{protocol}\"}} 1")
    };
    let denied = dropped(DropReason::PolicyDenied);
    check("drop", &denied, &[&of("POLICY_DENIED", "TCP")]);
    check("drop", &Flow { l4: udp().l4, ..denied.clone() }, &[&of("POLICY_DENIED", "UDP")]);
    check("drop", &dropped(DropReason::Unknown), &[&of("DROP_REASON_UNKNOWN", "TCP")]);
    check("drop", &syn(), &[]);
    check("drop", &Flow { verdict: Verdict::Error, ..denied.clone() }, &[]);

    let by_kernel = |reason: &str, flow: Flow| {
        let drop = Arc::new(KernelDrop { reason: reason.into(), ..KernelDrop::default() });
        let details = Details { drop: Some(drop), ..Details::default() };
        Flow { details, ..flow }
    };
    let unknown = dropped(DropReason::Unknown);
    check("drop", &by_kernel("NO_SOCKET", unknown.clone()), &[&of("NO_SOCKET", "TCP")]);
    check("drop", &by_kernel("", unknown), &[&of("DROP_REASON_UNKNOWN", "TCP")]);
    check("drop", &by_kernel("NETFILTER_DROP", denied), &[&of("POLICY_DENIED", "TCP")]);
}

#[test]
fn all_flows_are_counted_by_what_they_are() {
    let event = |number, sub_type| EventType { number, sub_type };
    let capture = Flow { event_type: event(EventType::CAPTURE, 4), ..syn() };
    let verdict = Flow { event_type: event(EventType::POLICY_VERDICT, 0), ..syn() };
    let debug = Flow { event_type: event(EventType::DEBUG, 3), ..syn() };
    let none = Flow { event_type: EventType::default(), verdict: Verdict::Error, ..syn() };
    let endpoint = EventType::trace(TraceObservationPoint::ToEndpoint);
    let crypto = EventType::trace(TraceObservationPoint::ToCrypto);
    let no_point = Flow { event_type: event(EventType::TRACE, 99), ..syn() };
    let empty_l7 = Flow { event_type: EventType::l7(), ..syn() };
    for (flow, labels) in [
        (syn(), "TCP,Trace,to-stack,FORWARDED"),
        (Flow { event_type: endpoint, ..udp() }, "UDP,Trace,to-endpoint,FORWARDED"),
        (Flow { event_type: crypto, ..syn() }, "TCP,Trace,to-crypto,FORWARDED"),
        (no_point, "TCP,Trace,,FORWARDED"),
        (dropped(DropReason::PolicyDenied), "TCP,Drop,,DROPPED"),
        (query(), "DNS,L7,DNS,FORWARDED"),
        (http(L7FlowType::Request), "HTTP,L7,HTTP,FORWARDED"),
        (empty_l7, "TCP,L7,,FORWARDED"),
        (capture, "TCP,Capture,,FORWARDED"),
        (verdict, "TCP,PolicyVerdict,,FORWARDED"),
        (debug, "TCP,Unknown,2,FORWARDED"),
        (none, "TCP,Unknown,0,ERROR"),
        (with_l4(L4::Unknown), "Unknown flow,Trace,to-stack,FORWARDED"),
        (with_l4(L4::Icmpv6 { kind: 1, code: 0 }), "ICMPv6,Trace,to-stack,FORWARDED"),
    ] {
        let values: Vec<_> = labels.split(',').collect();
        let [protocol, kind, sub_kind, verdict] = values.as_slice() else { panic!("{labels}") };
        let sample = format!(
            "hubble_flows_processed_total{{protocol=\"{protocol}\",type=\"{kind}\",\
             subtype=\"{sub_kind}\",verdict=\"{verdict}\"}} 1"
        );
        check("flow", &flow, &[&sample]);
    }
}

#[test]
fn messages_of_icmp_are_counted_by_their_type() {
    for (l4, family, kind) in [
        (L4::Icmpv4 { kind: 8, code: 0 }, "IPv4", "EchoRequest"),
        (L4::Icmpv4 { kind: 3, code: 3 }, "IPv4", "DestinationUnreachable(Port)"),
        (L4::Icmpv6 { kind: 129, code: 0 }, "IPv6", "EchoReply"),
        (L4::Icmpv6 { kind: 250, code: 9 }, "IPv6", "250(9)"),
    ] {
        let sample = format!("hubble_icmp_total{{family=\"{family}\",type=\"{kind}\"}} 1");
        check("icmp", &with_l4(l4), &[&sample]);
        check("icmp", &Flow { verdict: Verdict::Dropped, ..with_l4(l4) }, &[&sample]);
    }
    check("icmp", &udp(), &[]);
}

#[test]
fn ports_are_those_that_are_asked_for() {
    let of = |protocol: &str, port: u16| {
        format!("hubble_port_distribution_total{{protocol=\"{protocol}\",port=\"{port}\"}} 1")
    };
    let sctp =
        L4::Sctp { source_port: 1, destination_port: 7, chunk_type: SctpChunkType::Unsupported };
    for (flow, expected) in [
        (syn(), of("TCP", 5432)),
        (udp(), of("UDP", 53)),
        (with_l4(sctp), of("SCTP", 7)),
        (with_l4(L4::Icmpv4 { kind: 8, code: 0 }), of("ICMPv4", 0)),
        (with_l4(L4::Icmpv6 { kind: 8, code: 0 }), of("ICMPv6", 0)),
        (query(), of("UDP", 53)),
        (Flow { verdict: Verdict::Redirected, ..syn() }, of("TCP", 5432)),
    ] {
        check("port-distribution", &flow, &[&expected]);
    }
    for flow in [
        Flow { is_reply: Some(true), ..syn() },
        Flow { is_reply: None, ..syn() },
        dropped(DropReason::PolicyDenied),
        Flow { verdict: Verdict::Error, ..syn() },
        with_l4(L4::Unknown),
    ] {
        check("port-distribution", &flow, &[]);
    }
}

#[test]
fn chunks_of_sctp_are_counted_by_their_type() {
    let flow = |chunk_type| with_l4(L4::Sctp { source_port: 1, destination_port: 2, chunk_type });
    let sample = "hubble_sctp_chunk_types_total{chunk_type=\"INIT_ACK\",family=\"IPv4\"} 1";
    check("sctp", &flow(SctpChunkType::InitAck), &[sample]);
    check("sctp", &flow(SctpChunkType::Unsupported), &[]);
    check("sctp", &Flow { verdict: Verdict::Dropped, ..flow(SctpChunkType::Init) }, &[]);
    check("sctp", &syn(), &[]);
}

#[test]
fn what_goes_to_the_world_is_counted() {
    let world = |flow: Flow| {
        let labels = ["cidr:1.2.3.4/32=", "reserved:world-ipv4"];
        Flow { destination: Some(Arc::new(endpoint("", "", &labels))), ..flow }
    };
    let of = |labels: &str| format!("hubble_flows_to_world_total{{{labels}}} 1");
    let forwarded = of("protocol=\"TCP\",verdict=\"FORWARDED\"");
    let dropped_ = of("protocol=\"TCP\",verdict=\"DROPPED\"");
    let name = "flows-to-world";
    let plain =
        Flow { destination: Some(Arc::new(endpoint("", "", &["reserved:world"]))), ..syn() };
    check(name, &plain, &[&forwarded]);
    check(name, &world(syn()), &[&forwarded]);
    check(name, &world(tcp(TcpFlags::ACK)), &[&forwarded]);
    check(name, &world(query()), &[&of("protocol=\"DNS\",verdict=\"FORWARDED\"")]);
    check(name, &syn(), &[]);
    check(name, &Flow { destination: None, ..syn() }, &[]);
    check(name, &world(with_l4(L4::Unknown)), &[]);
    check(name, &world(Flow { event_type: EventType::default(), ..syn() }), &[]);
    check(name, &world(Flow { is_reply: Some(true), ..syn() }), &[]);
    check(name, &world(Flow { is_reply: None, ..syn() }), &[&forwarded]);
    check(name, &world(dropped(DropReason::PolicyDenied)), &[&dropped_]);
    check(name, &world(dropped(DropReason::StaleOrUnroutableIp)), &[]);
    let any = "flows-to-world:any-drop";
    check(any, &world(dropped(DropReason::StaleOrUnroutableIp)), &[&dropped_]);
    check(any, &world(syn()), &[&forwarded]);

    let port = of("protocol=\"TCP\",verdict=\"FORWARDED\",port=\"5432\"");
    check("flows-to-world:port", &world(syn()), &[&port]);
    let no_port = of("protocol=\"ICMPv4\",verdict=\"FORWARDED\",port=\"\"");
    let icmp = with_l4(L4::Icmpv4 { kind: 8, code: 0 });
    check("flows-to-world:port", &world(icmp), &[&no_port]);
    check("flows-to-world:port=false", &world(syn()), &[&forwarded]);

    let syn_only = "flows-to-world:syn-only";
    check(syn_only, &world(syn()), &[&forwarded]);
    check(syn_only, &world(tcp(TcpFlags::ACK)), &[]);
    check(syn_only, &world(udp()), &[]);
    let reply = Flow { is_reply: Some(true), ..dropped(DropReason::PolicyDenied) };
    check(syn_only, &world(reply.clone()), &[]);
    check(name, &world(reply), &[&dropped_]);
}

#[test]
fn verdicts_of_policies_are_counted() {
    let of = |direction: &str, matched: &str, action: &str| {
        format!(
            "hubble_policy_verdicts_total{{direction=\"{direction}\",match=\"{matched}\",\
             action=\"{action}\"}} 1"
        )
    };
    let verdict = |policy_match_type, verdict| Flow {
        event_type: EventType { number: EventType::POLICY_VERDICT, sub_type: 0 },
        verdict,
        rare: Some(Arc::new(Rare { policy_match_type, ..Rare::default() })),
        ..syn()
    };
    let words = ["none", "l3-only", "l3-l4", "l4-only", "all", "l3-proto", "proto-only"];
    for (number, word) in (0..).zip(words) {
        let flow = verdict(number, Verdict::Forwarded);
        check("policy", &flow, &[&of("egress", word, "forwarded")]);
    }
    let ingress =
        Flow { traffic_direction: TrafficDirection::Ingress, ..verdict(0, Verdict::Dropped) };
    check("policy", &ingress, &[&of("ingress", "none", "dropped")]);
    check("policy", &verdict(1, Verdict::Audit), &[&of("egress", "l3-only", "audit")]);
    check("policy", &query(), &[&of("egress", "l7/dns", "forwarded")]);
    let http = http(L7FlowType::Request);
    check("policy", &http, &[&of("egress", "l7/http", "forwarded")]);

    let host = Arc::new(Endpoint { identity: 1, ..Endpoint::default() });
    let of_host = |flow| Flow { source: Some(host.clone()), ..flow };
    check("policy", &of_host(verdict(1, Verdict::Forwarded)), &[]);
    check("policy", &of_host(query()), &[&of("egress", "l7/dns", "forwarded")]);
    check("policy", &syn(), &[]);
    check("policy", &dropped(DropReason::PolicyDenied), &[]);
}

#[test]
fn questions_and_answers_of_dns_are_counted() {
    let of = |family: &str, rcode: &str, ips: u8| {
        let labels = format!("rcode=\"{rcode}\",qtypes=\"A,AAAA\",ips_returned=\"{ips}\"");
        format!("hubble_dns_{family}_total{{{labels}}} 1")
    };
    let kind = |kind: &str| {
        format!("hubble_dns_response_types_total{{type=\"{kind}\",qtypes=\"A,AAAA\"}} 1")
    };
    check("dns", &query(), &[&of("queries", "", 0)]);
    check("dns", &Flow { is_reply: None, ..query() }, &[&of("queries", "", 0)]);
    let types = [kind("A"), kind("CNAME")];
    check("dns", &answer(0), &[&of("responses", "No Error", 2), &types[0], &types[1]]);
    let absent = of("responses", "Non-Existent Domain", 2);
    check("dns", &answer(3), &[&absent, &types[0], &types[1]]);
    check("dns", &answer(4000), &[&of("responses", "", 2), &types[0], &types[1]]);
    let denied = of("queries", "Policy denied", 0);
    check("dns", &Flow { verdict: Verdict::Dropped, ..query() }, &[&denied]);
    let denied = of("queries", "Policy denied", 2);
    check("dns", &Flow { verdict: Verdict::Dropped, ..answer(0) }, &[&denied]);
    check("dns", &udp(), &[]);
    check("dns", &http(L7FlowType::Request), &[]);

    let named = "hubble_dns_queries_total{rcode=\"\",qtypes=\"A,AAAA\",ips_returned=\"0\",\
                 query=\"example.com.\"} 1";
    check("dns:query", &query(), &[named]);
    let counted = counted("dns:query", [&answer(0)]);
    assert!(counted.iter().all(|line| line.contains("query=\"example.com.\"")), "{counted:?}");

    let of_types = |qtypes: &[&str]| {
        let qtypes = qtypes.iter().map(|kind| (*kind).to_owned()).collect();
        let dns = Dns { qtypes, ..Dns::default() };
        with_l7(L7FlowType::Request, false, L7Record::Dns(dns))
    };
    for (options, qtypes, count) in [
        ("dns", &["AAAA"][..], 1),
        ("dns:ignoreAAAA", &["AAAA"], 0),
        ("dns:ignoreAAAA", &["A"], 1),
        ("dns:ignoreAAAA", &["A", "AAAA"], 1),
        ("dns:query;ignoreAAAA", &["AAAA"], 0),
    ] {
        assert_eq!(
            self::counted(options, [&of_types(qtypes)]).len(),
            count,
            "{options} {qtypes:?}"
        );
    }
}

#[test]
fn requests_of_http_are_counted_one_way_or_the_other() {
    let duration = |labels: &str| {
        let name = "hubble_http_request_duration_seconds";
        [format!("{name}_sum{{{labels}}} 0.25"), format!("{name}_count{{{labels}}} 1")]
    };
    let [sum, count] = duration("method=\"GET\",reporter=\"client\"");
    let by = "method=\"GET\",protocol=\"HTTP/1.1\"";
    let request = format!("hubble_http_requests_total{{{by},reporter=\"client\"}} 1");
    let with_status = |name| format!("{name}_total{{{by},status=\"404\",reporter=\"client\"}} 1");
    check("http", &http(L7FlowType::Request), &[&request]);
    let response = with_status("hubble_http_responses");
    check("http", &http(L7FlowType::Response), &[&response, &sum, &count]);
    check("http", &http(L7FlowType::Sample), &[]);
    check("httpV2", &http(L7FlowType::Request), &[]);
    let request = with_status("hubble_http_requests");
    check("httpV2", &http(L7FlowType::Response), &[&request, &sum, &count]);
    check("http", &query(), &[]);
    check("httpV2", &query(), &[]);

    let server = Flow { traffic_direction: TrafficDirection::Ingress, ..http(L7FlowType::Request) };
    let request = format!("hubble_http_requests_total{{{by},reporter=\"server\"}} 1");
    check("http", &server, &[&request]);

    // Told from the response, the source is that of the request.
    let contexts =
        "sourceContext=pod;destinationContext=dns|pod;labelsContext=source_ip,destination_pod";
    let turned = counted(&format!("httpV2:{contexts}"), [&http(L7FlowType::Response)]);
    let labels = "source_ip=\"10.0.0.2\",destination_pod=\"web-0\",\
                  source=\"db.example,db.local\",destination=\"shop/web-0\"";
    assert!(turned.iter().all(|line| line.contains(labels)), "{turned:#?}");
}

/// The value of a label of the only sample.
fn label(options: &str, flow: &Flow, name: &str) -> String {
    let counted = counted(options, [flow]);
    let [sample] = counted.as_slice() else { panic!("{counted:?}") };
    let (_, rest) = sample.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("{sample}"));
    rest.split_once('"').unwrap().0.to_owned()
}

#[test]
fn an_end_is_called_by_the_first_context_that_is_not_empty() {
    let world = Flow {
        source: Some(Arc::new(endpoint("", "", &["cidr:1.2.3.0/24=", "reserved:world"]))),
        source_names: Some(Arc::new(vec!["a.example".into()])),
        destination: None,
        destination_names: None,
        ..syn()
    };
    let api_server = Flow {
        source: Some(Arc::new(endpoint("", "", &["reserved:world", "reserved:kube-apiserver"]))),
        ..syn()
    };
    let half = Flow { source: Some(Arc::new(endpoint("shop", "", &["k8s:app="]))), ..syn() };
    for (context, flow, source, destination) in [
        (
            "identity",
            &syn(),
            "k8s:app=old,k8s:app.kubernetes.io/name=web,k8s:tier=front",
            "k8s:k8s-app=db",
        ),
        ("namespace", &syn(), "shop", "data"),
        ("pod", &syn(), "shop/web-0", "data/db-1"),
        ("pod-name", &syn(), "web-0", "db-1"),
        ("dns", &syn(), "", "db.example,db.local"),
        ("ip", &syn(), "10.0.0.1", "10.0.0.2"),
        ("reserved-identity", &syn(), "", ""),
        ("reserved-identity", &world, "reserved:world", ""),
        ("reserved-identity", &api_server, "reserved:kube-apiserver", ""),
        ("workload", &syn(), "shop/web", "data/db"),
        ("workload-name", &syn(), "web", "db"),
        ("app", &syn(), "web", "db"),
        ("pod|ip", &syn(), "shop/web-0", "data/db-1"),
        ("pod|ip", &world, "10.0.0.1", "10.0.0.2"),
        ("pod|dns|ip", &world, "a.example", "10.0.0.2"),
        ("pod|workload|app|namespace", &half, "shop", "data/db-1"),
        ("pod|workload|app", &world, "", ""),
        ("POD", &syn(), "shop/web-0", "data/db-1"),
    ] {
        let options = format!("flow:sourceContext={context};destinationContext={context}");
        assert_eq!(label(&options, flow, "source"), source, "{context}");
        assert_eq!(label(&options, flow, "destination"), destination, "{context}");
    }
    let six = Flow { source_ip: Some(IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 1])), ..syn() };
    assert_eq!(label("flow:sourceContext=ip", &six, "source"), "fd00::1");
}

#[test]
fn each_direction_can_have_a_context_of_its_own() {
    let direction = |traffic_direction| Flow { traffic_direction, ..syn() };
    let [egress, ingress, unknown] =
        [TrafficDirection::Egress, TrafficDirection::Ingress, TrafficDirection::Unknown]
            .map(direction);
    let options = "flow:sourceContext=ip;sourceEgressContext=pod;sourceIngressContext=namespace";
    for (flow, source) in [(&egress, "shop/web-0"), (&ingress, "shop"), (&unknown, "10.0.0.1")] {
        assert_eq!(label(options, flow, "source"), source);
    }
    let options = "flow:destinationContext=ip;destinationIngressContext=pod|ip";
    for (flow, destination) in
        [(&egress, "10.0.0.2"), (&ingress, "data/db-1"), (&unknown, "10.0.0.2")]
    {
        assert_eq!(label(options, flow, "destination"), destination);
    }
    // One that is of the other direction alone leaves the label empty.
    let options = "flow:destinationEgressContext=pod";
    for (flow, destination) in [(&egress, "data/db-1"), (&ingress, ""), (&unknown, "")] {
        assert_eq!(label(options, flow, "destination"), destination);
    }
    assert!(!counted(options, [&egress])[0].contains("source="));
}

#[test]
fn labels_of_the_ends_come_in_hubbles_order() {
    let labels = [
        ("source_ip", "10.0.0.1"),
        ("source_pod", "web-0"),
        ("source_namespace", "shop"),
        ("source_workload", "web"),
        ("source_workload_kind", "Deployment"),
        ("source_app", "web"),
        ("destination_ip", "10.0.0.2"),
        ("destination_pod", "db-1"),
        ("destination_namespace", "data"),
        ("destination_workload", "db"),
        ("destination_workload_kind", "Deployment"),
        ("destination_app", "db"),
        ("traffic_direction", "egress"),
    ];
    let all: Vec<_> = labels.iter().map(|(name, _)| *name).rev().collect();
    let counted = counted(&format!("tcp:labelsContext={},{}", all.join(","), all[0]), [&syn()]);
    let told: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    let own = "flag=\"SYN\",family=\"IPv4\"";
    assert_eq!(counted, [format!("hubble_tcp_flags_total{{{},{own}}} 1", told.join(","))]);
    for (name, value) in labels {
        assert_eq!(label(&format!("tcp:labelsContext={name}"), &syn(), name), value);
    }
    let bare = Flow {
        source: None,
        source_ip: None,
        traffic_direction: TrafficDirection::Unknown,
        ..syn()
    };
    for (name, _) in labels.iter().take(6) {
        assert_eq!(label(&format!("tcp:labelsContext={name}"), &bare, name), "", "{name}");
    }
    assert_eq!(label("tcp:labelsContext=traffic_direction", &bare, "traffic_direction"), "unknown");
}

#[test]
fn options_say_where_they_are_wrong() {
    for (text, message) in [
        (
            "drop flwo",
            "at character 6: there is no metric \"flwo\"; perhaps you meant \"flow\"; there are: dns, drop, flow, flows-to-world, http, httpV2, icmp, policy, port-distribution, sctp, tcp",
        ),
        ("kafka", "at character 1: there is no metric \"kafka\"; there are: "),
        ("httpv2", "at character 1: there is no metric \"httpv2\"; perhaps you meant \"httpV2\"; "),
        (
            "drop:sorceContext=pod",
            "at character 6: there is no option \"sorceContext\"; perhaps you meant \"sourceContext\"; there are: sourceContext, ",
        ),
        ("drop:query", "at character 6: there is no option \"query\"; "),
        ("ü dns", "at character 1: there is no metric \"ü\"; "),
        ("dns tcp:ü=1", "at character 9: there is no option \"ü\"; "),
        (
            "dns:query;sourceContext=pod|pdo",
            "at character 29: there is no context \"pdo\"; perhaps you meant \"pod\"; there are: identity, ",
        ),
        ("dns:sourceContext=pod|", "at character 23: there is no context \"\"; "),
        ("dns:sourceContext=pod-short", "at character 19: there is no context \"pod-short\"; "),
        (
            "tcp:labelsContext=source_pod,source_nmespace",
            "at character 30: there is no label \"source_nmespace\"; perhaps you meant \"source_namespace\"; ",
        ),
        ("tcp:labelsContext=", "at character 5: \"labelsContext\" needs a value: labelsContext=…"),
        ("tcp:sourceContext", "at character 5: \"sourceContext\" needs a value: "),
        (
            "dns:query=yes",
            "at character 11: \"query\" is on or off, not \"yes\": query or query=false",
        ),
        ("dns:query;query", "at character 11: \"query\" comes twice"),
        ("dns drop dns", "at character 10: \"dns\" comes twice"),
        (
            "http httpV2",
            "at character 6: \"http\" and \"httpV2\" count under the same names; take one of them",
        ),
        ("httpV2:exemplars=true", "at character 8: exemplars are not supported"),
    ] {
        let error = Options::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(message), "{text}: {error}");
    }
}

#[test]
fn options_that_hubble_takes_are_taken() {
    for text in [
        "",
        "  \n",
        DEFAULT,
        "dns:query;ignoreAAAA drop:sourceContext=pod|dns;destinationContext=ip tcp\tflow:",
        "dns:QUERY;IgnoreAaaa;SOURCECONTEXT=Pod",
        "httpV2:exemplars=false;labelsContext=source_ip,source_namespace,traffic_direction",
        "flows-to-world:any-drop;port;syn-only;labelsContext=source_app",
        "policy:sourceContext=app|workload-name|pod|reserved-identity",
    ] {
        let options = Options::parse(text).unwrap();
        assert_eq!(options.is_empty(), text.trim().is_empty(), "{text}");
    }
}

#[test]
fn series_of_a_pod_that_is_gone_go_with_it() {
    let from = |pod: &str, namespace: &str| Flow {
        source: Some(Arc::new(endpoint(namespace, pod, &[]))),
        ..syn()
    };
    let flows = [from("web-0", "shop"), from("web-1", "shop"), from("web-0", "test")];
    for (options, removed) in [
        ("tcp:sourceContext=pod", 1),
        ("tcp:sourceContext=pod|ip;destinationContext=pod", 1),
        ("tcp:destinationContext=workload;sourceEgressContext=pod", 1),
        ("tcp:labelsContext=source_pod,source_namespace", 1),
        ("tcp:sourceContext=pod flow:sourceContext=pod", 2),
        // These do not say which pod it is, or not of which namespace.
        ("tcp:labelsContext=source_pod", 0),
        ("tcp:labelsContext=source_pod,destination_namespace", 0),
        ("tcp:sourceContext=pod-name", 0),
        ("tcp:sourceContext=workload", 0),
        ("tcp", 0),
    ] {
        let registry = Registry::default();
        let mut metrics = HubbleMetrics::new(&Options::parse(options).unwrap(), &registry).unwrap();
        flows.iter().for_each(|flow| metrics.observe(flow));
        let before = told(&registry).len();
        assert_eq!(metrics.forget_pod("shop", "web-0"), removed, "{options}");
        assert_eq!(told(&registry).len(), before - removed, "{options}");
        assert_eq!(metrics.forget_pod("shop", "web-0"), 0, "{options}");
    }
    // As a destination too.
    let registry = Registry::default();
    let options = "tcp:sourceContext=namespace;destinationContext=pod";
    let mut metrics = HubbleMetrics::new(&Options::parse(options).unwrap(), &registry).unwrap();
    metrics.observe(&syn());
    assert_eq!(metrics.forget_pod("shop", "web-0"), 0);
    assert_eq!(metrics.forget_pod("data", "db-1"), 1);
    assert_eq!(told(&registry), Vec::<String>::new());
}

#[test]
fn a_scan_of_ports_takes_no_more_than_the_budget() {
    let settings = Settings { max_series: 100, ..Settings::default() };
    let registry = Registry::new(settings);
    let mut metrics = HubbleMetrics::new(&Options::parse(DEFAULT).unwrap(), &registry).unwrap();
    for destination_port in 1..=10_000 {
        let l4 = L4::Tcp { source_port: 1, destination_port, flags: TcpFlags::SYN };
        metrics.observe(&with_l4(l4));
    }
    let ports = told(&registry).into_iter().filter(|line| line.contains("port_distribution"));
    let counts: Vec<u64> =
        ports.map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap()).collect();
    assert_eq!((counts.len(), counts.iter().sum::<u64>()), (101, 10_000));
    let started = registry.settings().started;
    metrics.tick(started + Duration::from_secs(1));
    metrics.tick(started + settings.expire_after + Duration::from_secs(100));
    assert_eq!(told(&registry), Vec::<String>::new());
}

#[test]
fn lost_flows_are_counted_by_where() {
    let registry = Registry::default();
    let mut metrics = HubbleMetrics::new(&Options::default(), &registry).unwrap();
    metrics.lost(LostEventSource::HubbleRingBuffer, 7);
    metrics.lost(LostEventSource::HubbleRingBuffer, 1);
    metrics.lost(LostEventSource::ObserverEventsQueue, 2);
    let of = |source, count| format!("hubble_lost_events_total{{source=\"{source}\"}} {count}");
    let expected = [of("hubble_ring_buffer", 8), of("observer_events_queue", 2)];
    assert_eq!(told(&registry), expected);
}

#[test]
fn a_registry_has_these_families_once() {
    let registry = Registry::default();
    let options = Options::parse("tcp").unwrap();
    let _first = HubbleMetrics::new(&options, &registry).unwrap();
    let twice = HubbleMetrics::new(&options, &registry).unwrap_err();
    assert_eq!(twice, SpecError::NameTwice("hubble_tcp_flags"));
}
