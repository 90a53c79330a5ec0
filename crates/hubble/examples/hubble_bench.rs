//! What flows cost, one line a figure: `hubble_NAME VALUE UNIT`. The best of some rounds.
//!
//! `cargo run --release -p chandra-hubble --example hubble_bench`
#![allow(clippy::expect_used, reason = "a bench stops where it cannot go on")]

mod common;

use std::fs;
use std::hint::black_box;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use chandra_hubble::filter::{Filters, Limits};
use chandra_hubble::flow::{
    DropReason, Flow, NetworkInterface, Node, TcpFlags, TrafficDirection, Verdict, Workload,
};
use chandra_hubble::json;
use chandra_hubble::mask::{Mask, TEXT_PATHS};
use chandra_hubble::print::{Format, Options, Printer};
use chandra_hubble::proto::FILE_DESCRIPTOR_SET;
use chandra_hubble::proto::flow::{self as proto, EventTypeFilter, FlowFilter, IpVersion};
use chandra_hubble::proto::observer::get_flows_response::ResponseTypes;
use chandra_hubble::proto::observer::{GetFlowsRequest, GetFlowsResponse};
use chandra_hubble::query::{Query, Step};
use chandra_hubble::ring::{DEFAULT_BUDGET_BYTES, Ring};
use common::Cluster;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

const ROUNDS: usize = 5;

fn say(name: &str, value: f64, unit: &str) {
    println!("hubble_{name} {value:.1} {unit}");
}

/// The best time of some rounds, by the piece.
fn best_ns(pieces: usize, mut round: impl FnMut()) -> f64 {
    let each = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        round();
        start.elapsed().as_nanos() as f64 / pieces as f64
    });
    each.fold(f64::INFINITY, f64::min)
}

/// What this process has in memory (proc_pid_statm(5)).
fn resident_bytes() -> f64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("statm");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok());
    pages.expect("pages") * 4096.0
}

fn ring(cluster: &mut Cluster) -> Ring {
    let before = resident_bytes();
    let ring = Ring::new(DEFAULT_BUDGET_BYTES);
    let mut number = 0;
    while ring.range().start == 0 {
        ring.push(cluster.flow(number));
        number += 1;
    }
    let stats = ring.stats(0);
    let flows = stats.flows as f64;
    say("ring_flows", flows, "flows");
    say("ring_bytes_per_flow", stats.bytes as f64 / flows, "bytes");
    say("ring_resident_bytes_per_flow", (resident_bytes() - before) / flows, "bytes");
    say("flow_struct", size_of::<Flow>() as f64, "bytes");
    ring
}

fn pushes(ring: &Ring, cluster: &mut Cluster) {
    const FLOWS: usize = 50_000;
    let mut round = || {
        let flows: Vec<Flow> = (0..FLOWS as u64).map(|number| cluster.flow(number)).collect();
        let start = Instant::now();
        for flow in flows {
            ring.push(flow);
        }
        start.elapsed().as_nanos() as f64 / FLOWS as f64
    };
    say("push", (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min), "ns");
    // The same while somebody reads the whole ring over and over.
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut cursor, mut entries) = (0, Vec::new());
            while !is_over.load(Ordering::Relaxed) {
                ring.read(&mut cursor, u64::MAX, &mut entries);
                cursor = if entries.is_empty() { ring.range().start } else { cursor };
            }
        });
        let best = (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min);
        say("push_beside_reader", best, "ns");
        is_over.store(true, Ordering::Relaxed);
    });
    let (mut cursor, mut entries) = (ring.range().start, Vec::new());
    let batch = best_ns(1, || {
        ring.read(&mut cursor, u64::MAX, &mut entries);
        black_box(&entries);
    });
    say("read_batch_of_64", batch, "ns");
}

fn scans(ring: &Ring, node: &Node) {
    let flows = (ring.range().end - ring.range().start) as usize;
    let scan = |request: &GetFlowsRequest| {
        let mut query = Query::new(request, &Limits::default()).expect("a request");
        let mut responses = Vec::new();
        while query.step(ring, node, 0, &mut responses) != Step::Done {
            responses.clear();
        }
    };
    let nothing = FlowFilter { source_pod: vec!["nowhere/".into()], ..FlowFilter::default() };
    let request = GetFlowsRequest { whitelist: vec![nothing], ..GetFlowsRequest::default() };
    say("scan", 1e9 / best_ns(flows, || scan(&request)), "flows/s");
    let all = best_ns(flows, || scan(&GetFlowsRequest::default()));
    say("scan_and_give_all", 1e9 / all, "flows/s");
}

fn filters(flows: &[Flow], node: &Node) {
    macro_rules! filter {
        ($name:literal, $field:ident: $value:expr) => {
            ($name, FlowFilter { $field: vec![$value.into()], ..FlowFilter::default() })
        };
    }
    for (name, filter) in [
        filter!("verdict", verdict: Verdict::Dropped),
        filter!("ip", source_ip: "10.0.0.1"),
        filter!("cidr", destination_ip: "10.0.0.0/16"),
        filter!("port", destination_port: "80"),
        filter!("pod", source_pod: "namespace-1/deployment-2"),
        filter!("workload", source_workload: Workload { kind: String::new(), name: "x".into() }),
        filter!("label", source_label: "k8s:tier in (value-1, value-2)"),
        filter!("fqdn", destination_fqdn: "*.example.org"),
        filter!("dns_query", dns_query: r"^host-1.*\.example\.org\.$"),
        filter!("node_name", node_name: "default/worker-*"),
        filter!("protocol", protocol: "dns"),
        filter!("tcp_flags", tcp_flags: TcpFlags::RST.to_proto()),
        filter!("uuid", uuid: "00000000-0000-4000-8000-000000000000"),
        filter!("event_type", event_type: EventTypeFilter { r#type: 129, ..Default::default() }),
        filter!("drop_reason", drop_reason_desc: DropReason::PolicyDenied),
        filter!("reply", reply: true),
        filter!("traffic_direction", traffic_direction: TrafficDirection::Ingress),
        filter!("ip_version", ip_version: IpVersion::IPv6),
        filter!("identity", source_identity: 7_u32),
        filter!("service", destination_service: "namespace-1/service-7"),
        filter!("http_status", http_status_code: "5+"),
        filter!("http_path", http_path: "^/orders/[0-9]+$"),
        filter!("node_label", node_labels: "zone in (b, c)"),
        filter!("cluster", source_cluster_name: "west"),
        filter!("interface", interface: NetworkInterface { index: 2, name: "eth0".into() }),
        filter!("trace_id", trace_id: "4bf92f3577b34da6a3ce929d0e0e4736"),
        filter!("encrypted", encrypted: true),
    ] {
        let filters = Filters::compile(&[filter], &[], &Limits::default()).expect(name);
        let ns = best_ns(flows.len(), || {
            black_box(flows.iter().filter(|flow| filters.matches((*flow, node))).count());
        });
        say(&format!("filter_{name}"), ns, "ns");
    }
}

fn messages(flows: &[Flow], node: &Node) {
    let count = flows.len();
    let ns = best_ns(count, || flows.iter().for_each(|flow| drop(black_box(flow.to_proto(node)))));
    say("to_proto", ns, "ns");
    let messages: Vec<proto::Flow> = flows.iter().map(|flow| flow.to_proto(node)).collect();
    let encoded: usize = messages.iter().map(Message::encoded_len).sum();
    say("message", encoded as f64 / count as f64, "bytes");
    let mask = Mask::compile(&TEXT_PATHS).expect("a mask");
    let copies = best_ns(count, || drop(black_box(messages.clone())));
    let masked = best_ns(count, || {
        messages.iter().for_each(|message| drop(black_box(mask.apply(message.clone()))));
    });
    say("mask", masked - copies, "ns");
    let response = |message: &proto::Flow| GetFlowsResponse {
        response_types: Some(ResponseTypes::Flow(message.clone())),
        ..GetFlowsResponse::default()
    };
    let responses: Vec<_> = messages.iter().map(response).collect();
    for (name, format) in
        [("compact", Format::Compact), ("wide", Format::Wide), ("json", Format::Json)]
    {
        let ns = best_ns(count, || {
            let mut printer = Printer::new(Options { format, ..Options::default() });
            let (mut out, mut notices) = (std::io::sink(), std::io::sink());
            for response in &responses {
                printer.write(response, &mut out, &mut notices).expect("a sink takes all");
            }
        });
        say(&format!("print_{name}"), ns, "ns");
    }
    let reflected = best_ns(count, || {
        for response in &responses {
            black_box(by_reflection(response));
        }
    });
    say("print_json_by_reflection", reflected, "ns");
    let line = |response: &GetFlowsResponse| json::response_line(response).expect("a line");
    let lines: Vec<String> = responses.iter().map(line).collect();
    let ns = best_ns(count, || {
        for line in &lines {
            black_box(json::read_line(line.as_bytes()).expect("a line"));
        }
    });
    say("read_json_line", ns, "ns");
}

/// JSON as a library writes it that knows messages by their descriptions only.
fn by_reflection(response: &GetFlowsResponse) -> Vec<u8> {
    static POOL: LazyLock<DescriptorPool> =
        LazyLock::new(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("descriptions"));
    let name = "observer.GetFlowsResponse";
    let description = POOL.get_message_by_name(name).expect(name);
    let message = DynamicMessage::decode(description, &response.encode_to_vec()[..]);
    let mut serializer = serde_json::Serializer::new(Vec::new());
    let options = SerializeOptions::new().use_proto_field_name(true);
    let message = message.expect("a message");
    message.serialize_with_options(&mut serializer, &options).expect("a line");
    serializer.into_inner()
}

fn main() {
    let mut cluster = Cluster::new();
    let node = Node::new("default", "worker-1", vec!["zone=a".into()]);
    let ring = ring(&mut cluster);
    pushes(&ring, &mut cluster);
    scans(&ring, &node);
    drop(ring);
    let flows: Vec<Flow> = (0..10_000).map(|number| cluster.flow(number)).collect();
    filters(&flows, &node);
    messages(&flows, &node);
}
