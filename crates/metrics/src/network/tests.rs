//! Which flows are measured, and in whose series.

use std::num::NonZeroU64;
use std::sync::Arc;

use chandra_hubble::flow::{Details, Dns, L7, Rare, Workload};

use super::*;
use crate::{Format, Writer};

fn endpoint(namespace: &str, workload: &str, pod: &str) -> Endpoint {
    Endpoint {
        namespace: namespace.into(),
        pod_name: pod.into(),
        workloads: vec![Workload { kind: "Deployment".into(), name: workload.into() }],
        ..Endpoint::default()
    }
}

/// A SYN, ACK that came after so many seconds.
fn established(pod: &str, seconds: f64) -> Flow {
    Flow {
        time_ns: 5_000_000_000,
        is_reply: Some(true),
        traffic_direction: TrafficDirection::Ingress,
        source: Some(Arc::new(endpoint("far", "database", "database-0"))),
        destination: Some(Arc::new(endpoint("shop", "web", pod))),
        details: Details {
            event: "tcp_established",
            latency_ns: (seconds * 1e9) as u64,
            connection_key: NonZeroU64::new(0xabc),
            ..Details::default()
        },
        ..Flow::default()
    }
}

fn lines(registry: &Registry, word: &str) -> Vec<String> {
    let mut text = Vec::new();
    registry.write(&mut Writer::new(Format::OpenMetrics, &mut text));
    let text = String::from_utf8(text).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("chandra_") && line.contains(word));
    lines.map(str::to_owned).collect()
}

fn counted<'a>(levels: &str, flows: impl IntoIterator<Item = &'a Flow>) -> Vec<String> {
    let registry = Registry::default();
    let mut metrics = NetworkMetrics::new(&Levels::parse(levels).unwrap(), &registry).unwrap();
    flows.into_iter().for_each(|flow| metrics.observe(flow));
    lines(&registry, "_seconds_count")
}

#[test]
fn a_family_has_the_labels_of_its_level() {
    let flows = [established("web-0", 0.1), established("web-1", 0.1), established("web-1", 0.1)];
    let name = "chandra_tcp_connect_duration_seconds_count";
    let workload = "namespace=\"shop\",workload_kind=\"Deployment\",workload=\"web\"";
    for (level, expected) in [
        ("node", vec![format!("{name} 3")]),
        ("namespace", vec![format!("{name}{{namespace=\"shop\"}} 3")]),
        ("workload", vec![format!("{name}{{{workload}}} 3")]),
        (
            "pod",
            vec![
                format!("{name}{{{workload},pod=\"web-0\"}} 1"),
                format!("{name}{{{workload},pod=\"web-1\"}} 2"),
            ],
        ),
        ("off", vec![]),
    ] {
        assert_eq!(counted(&format!("tcp-connect={level}"), &flows), expected);
    }
}

#[test]
fn each_time_is_measured_once_and_what_is_not_known_never() {
    let mut close = established("web-0", 0.0);
    close.traffic_direction = TrafficDirection::Egress;
    close.details = Details { event: "tcp_close", rtt_us: 300, ..Details::default() };
    let record = |kind| L7 { kind, latency_ns: 9, record: L7Record::Dns(Dns::default()) };
    let answer = Flow { l7: Some(Arc::new(record(L7FlowType::Response))), ..Flow::default() };
    let question = Flow { l7: Some(Arc::new(record(L7FlowType::Request))), ..Flow::default() };
    let first = Flow { is_reply: Some(false), ..established("web-0", 0.1) };
    let unknown = established("web-0", 0.0);
    let levels = "tcp-connect=node tcp-round-trip=namespace dns-lookup=namespace";
    let expected = [
        "chandra_tcp_round_trip_seconds_count{namespace=\"far\"} 1",
        "chandra_dns_lookup_duration_seconds_count{namespace=\"\"} 1",
    ];
    assert_eq!(counted(levels, [&close, &answer, &question, &first, &unknown]), expected);
}

/// The answer to a request at the client's end, or at the server's.
fn answered(is_client: bool, status: u32) -> Flow {
    let http = Http { code: status, method: "GET".into(), ..Http::default() };
    let l7 =
        L7 { kind: L7FlowType::Response, latency_ns: 30_000_000, record: L7Record::Http(http) };
    let direction = if is_client { TrafficDirection::Egress } else { TrafficDirection::Ingress };
    Flow {
        traffic_direction: direction,
        l7: Some(Arc::new(l7)),
        rare: Some(Arc::new(Rare { trace_id: Some("0af7".into()), ..Rare::default() })),
        // It goes from the server to the client.
        source: Some(Arc::new(endpoint("shop", "server", "server-0"))),
        destination: Some(Arc::new(endpoint("front", "client", "client-0"))),
        details: Details { event: "http_request", ..Details::default() },
        ..established("web-0", 0.0)
    }
}

#[test]
fn answers_over_http_are_of_the_end_that_saw_them_by_method_and_status() {
    let flows = [answered(true, 200), answered(false, 200), answered(false, 503)];
    let mut request = answered(true, 0);
    let l7 = L7 { kind: L7FlowType::Request, ..(**request.l7.as_ref().unwrap()).clone() };
    request.l7 = Some(Arc::new(l7));
    let name = |end| format!("chandra_http_{end}_request_duration_seconds_count");
    let expected = [
        format!("{}{{namespace=\"front\",method=\"GET\",status=\"200\"}} 1", name("client")),
        format!("{}{{namespace=\"shop\",method=\"GET\",status=\"200\"}} 1", name("server")),
        format!("{}{{namespace=\"shop\",method=\"GET\",status=\"503\"}} 1", name("server")),
    ];
    assert_eq!(counted("namespace", flows.iter().chain([&request])), expected);

    let registry = Registry::default();
    let levels = Levels::parse("pod").unwrap();
    let mut metrics = NetworkMetrics::new(&levels, &registry).unwrap();
    flows.iter().for_each(|flow| metrics.observe(flow));
    let traces = lines(&registry, &format!("trace_id=\"{:032x}\"", 0x0af7));
    assert!(
        !traces.is_empty() && traces.iter().all(|line| line.contains("le=\"0.05\"")),
        "{traces:?}"
    );
    // What is behind the labels of the level takes nothing away from that.
    assert_eq!(metrics.forget_pod("shop", "server-0"), 2);
    assert_eq!(metrics.forget_pod("front", "client-0"), 1);
}

#[test]
fn slow_ones_lead_to_their_trace_or_connection() {
    let registry = Registry::default();
    let levels = Levels::parse("tcp-connect=node").unwrap();
    let mut metrics = NetworkMetrics::new(&levels, &registry).unwrap();
    metrics.observe(&established("web-0", 0.0001));
    metrics.observe(&established("web-0", 0.75));
    let rare = Rare { trace_id: Some("00ff".into()), ..Rare::default() };
    metrics.observe(&Flow { rare: Some(Arc::new(rare)), ..established("web-0", 60.0) });
    let bucket = "chandra_tcp_connect_duration_seconds_bucket";
    let trace = format!("{:032x}", 255);
    let expected = [
        format!("{bucket}{{le=\"1.0\"}} 2 # {{connection_key=\"0000000000000abc\"}} 0.75 5.000"),
        format!("{bucket}{{le=\"+Inf\"}} 3 # {{trace_id=\"{trace}\"}} 60 5.000"),
    ];
    assert_eq!(lines(&registry, " # "), expected);
}

#[test]
fn series_of_a_pod_go_with_it() {
    let registry = Registry::default();
    let levels = Levels::parse("tcp-connect=pod").unwrap();
    let mut metrics = NetworkMetrics::new(&levels, &registry).unwrap();
    assert!(metrics.name_pods());
    metrics.observe(&established("web-0", 0.1));
    metrics.observe(&established("web-1", 0.1));
    assert_eq!(metrics.forget_pod("shop", "database-0"), 0);
    assert_eq!(metrics.forget_pod("shop", "web-0"), 1);
    assert_eq!(lines(&registry, "_seconds_count").len(), 1);
    let levels = Levels::parse("").unwrap();
    assert!(!NetworkMetrics::new(&levels, &Registry::default()).unwrap().name_pods());
}

#[test]
fn what_cannot_be_read_is_told() {
    let off = "tcp-connect=off,tcp-round-trip=off, dns-lookup=off http-client=off http-server=off tcp-health=off";
    assert!(Levels::parse(off).unwrap().times_are_off() && !Levels::default().times_are_off());
    assert!(Levels::parse("off tcp-health=pod").unwrap().times_are_off());
    assert_eq!(Levels::parse(""), Ok(Levels::default()));
    assert_eq!(Levels::parse("off"), Levels::parse(off));
    let one = Levels::parse("dns-lookup=pod off").unwrap();
    assert_eq!(one.on().collect::<Vec<_>>(), [(Measure::DnsLookup, Level::Pod)]);
    for (text, told) in [
        ("tcp-connect", "there is no level \"tcp-connect\""),
        ("pod node", "node comes twice"),
        ("tcp=pod", "there is no family \"tcp\""),
        ("dns-lookup=Pod", "there is no level \"Pod\""),
        ("dns-lookup=pod dns-lookup=off", "dns-lookup=off comes twice"),
    ] {
        let error = Levels::parse(text).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}
