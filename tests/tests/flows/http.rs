//! Requests over HTTP as flows, as histograms with their traces, and as Hubble's own metrics count them.

use std::process::Command;
use std::time::Duration;

use chandra_tests::actor::Actor;
use chandra_tests::exchange::Talk;
use chandra_tests::flows::Observed;
use chandra_tests::http::get_as;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const TRACED: &[u8] = b"GET /cart?token=x8Kp2Qz7 HTTP/1.1\r\nHost: shop.test\r\n\
    traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n";
const MISSING: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";

fn actor() -> Actor {
    Actor::start(&mut Command::new(env!("CARGO_BIN_EXE_actor")))
}

/// `SOURCE -> DESTINATION DIRECTION TYPE` with ports.
fn told(flow: &Record) -> String {
    let port = |end: &str| flow.number(&format!("flow.l4.TCP.{end}_port")).unwrap();
    let text = |path: &str| flow.text(&format!("flow.{path}")).unwrap_or("-");
    let (source, destination) = (port("source"), port("destination"));
    format!("{source} -> {destination} {} {}", text("traffic_direction"), text("l7.type"))
}

#[test]
fn both_halves_of_a_request_are_flows_at_both_ends_with_their_trace() {
    needs!("root");
    let arguments = ["--signals", "process,http_request", "--hubble-metrics", "http"];
    let observed = Observed::start(&arguments);
    let mut talk = Talk::connect(actor(), actor(), "127.0.0.1:0");
    let took = talk.exchange(TRACED, Duration::from_millis(30), MISSING);
    let [client, server] = talk.ends.map(|end| end.port());
    let port = server.to_string();
    let flows = observed.wait_for_flows(4, &["--protocol", "http", "--port", &port]);
    let mut all: Vec<_> = flows.iter().map(told).collect();
    all.sort();
    let mut expected = vec![
        format!("{client} -> {server} EGRESS REQUEST"),
        format!("{client} -> {server} INGRESS REQUEST"),
        format!("{server} -> {client} EGRESS RESPONSE"),
        format!("{server} -> {client} INGRESS RESPONSE"),
    ];
    expected.sort();
    assert_eq!(all, expected, "{flows:#?}");
    let mut keys = Vec::new();
    for flow in &flows {
        let is_reply = flow.text("flow.l7.type") == Some("RESPONSE");
        assert_eq!(flow.at("flow.is_reply"), Some(&is_reply.into()), "{flow:?}");
        assert_eq!(flow.text("flow.Type"), Some("L7"));
        assert_eq!(flow.text("flow.verdict"), Some("FORWARDED"));
        assert_eq!(flow.text("flow.l7.http.method"), Some("GET"));
        assert_eq!(flow.text("flow.l7.http.url"), Some("http://shop.test/cart"));
        assert_eq!(flow.text("flow.l7.http.protocol"), Some("HTTP/1.1"));
        assert_eq!(flow.number("flow.l7.http.code"), is_reply.then_some(404), "{flow:?}");
        assert_eq!(flow.text("flow.trace_context.parent.trace_id"), Some(TRACE), "{flow:?}");
        let latency = flow.text("flow.l7.latency_ns").and_then(|text| text.parse::<u64>().ok());
        assert_eq!(latency.is_some_and(|latency| took.contains(&latency)), is_reply, "{flow:?}");
        keys.push(flow.text("flow.extensions.connection_key").map(str::to_owned));
    }
    assert!(keys[0].is_some() && keys.windows(2).all(|two| two[0] == two[1]), "{keys:?}");
    let missing = observed.flows(&["--http-status", "404", "--port", &port]);
    assert_eq!(missing.len(), 2, "{missing:?}");
    for reporter in ["client", "server"] {
        let labels =
            format!("method=\"GET\",protocol=\"HTTP/1.1\",status=\"404\",reporter=\"{reporter}\"");
        let sample = format!("hubble_http_responses_total{{{labels}}}");
        wait_for(&sample, || (observed.agent.metric(&sample) >= 1).then_some(()));
    }
    observed.agent.stop();
}

#[test]
fn an_agent_tells_prometheus_how_long_answers_took_and_leads_to_their_traces() {
    needs!("root");
    let arguments = ["--signals", "process,http_request", "--metrics-levels", "node"];
    let observed = Observed::start(&arguments);
    let mut talk = Talk::connect(actor(), actor(), "127.0.0.1:0");
    // No program of this machine but ours answers so.
    let teapot = b"HTTP/1.1 418 I'm a teapot\r\ncontent-length: 0\r\n\r\n";
    let took: Vec<_> =
        (0..5).map(|_| talk.exchange(TRACED, Duration::from_millis(30), teapot)).collect();
    let labels = "method=\"GET\",status=\"418\"";
    for end in ["client", "server"] {
        let family = format!("chandra_http_{end}_request_duration_seconds");
        let text = wait_for(&family, || {
            let text =
                get_as(observed.agent.address(), "/metrics", "application/openmetrics-text").1;
            text.contains(&format!("{family}_count{{{labels}}} 5\n")).then_some(text)
        });
        let sum = text.lines().find_map(|line| {
            line.strip_prefix(&format!("{family}_sum{{{labels}}} "))?.parse::<f64>().ok()
        });
        let [least, most] = [0, 1].map(|bound| {
            let all = took.iter().map(|took| [*took.start(), *took.end()][bound]);
            all.sum::<u64>() as f64 / 1e9
        });
        assert!(sum.is_some_and(|sum| least <= sum && sum <= most), "{sum:?} {least} {most}");
        let bucket = format!("{family}_bucket{{{labels},");
        let exemplar = text.lines().find(|line| line.starts_with(&bucket) && line.contains(" # {"));
        assert!(exemplar.unwrap().contains(&format!("trace_id=\"{TRACE}\"")), "{exemplar:?}");
    }
    observed.agent.stop();
}
