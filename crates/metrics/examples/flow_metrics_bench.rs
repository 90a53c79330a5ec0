//! What Hubble's metrics cost per flow.
//!
//! `cargo run --release -p chandra-metrics --example flow_metrics_bench`
//!
//! Lines that begin with `metrics_` are for programs: name, value, unit.
#![allow(clippy::unwrap_used, reason = "a bench stops where something is not as expected")]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use chandra_hubble::flow::{
    Endpoint, EventType, Flow, FlowType, L4, TcpFlags, TraceObservationPoint, TrafficDirection,
    Verdict, Workload,
};
use chandra_metrics::hubble::{DEFAULT, HubbleMetrics, Options};
use chandra_metrics::{Registry, Settings};

const PODS: u8 = 100;
const ROUNDS: usize = 50;
const FLOWS_PER_ROUND: usize = 50_000;

fn main() {
    let flows: Vec<Flow> = (0..PODS).map(flow).collect();
    let contexts = "sourceContext=pod|dns|ip;destinationContext=pod|dns|ip";
    let labels =
        "labelsContext=source_namespace,source_workload,destination_namespace,destination_workload";
    let with = |context: &str| {
        let metrics = DEFAULT.split(' ').map(|name| format!("{name}:{context}"));
        metrics.collect::<Vec<_>>().join(" ")
    };
    measure("flow_default", DEFAULT, &flows);
    measure("flow_pod_contexts", &with(contexts), &flows);
    measure("flow_workload_labels", &with(labels), &flows);
}

/// Nanoseconds per flow, in the round that others disturbed least.
fn measure(name: &str, options: &str, flows: &[Flow]) {
    let registry = Registry::new(Settings::default());
    let mut metrics = HubbleMetrics::new(&Options::parse(options).unwrap(), &registry).unwrap();
    let mut round = || {
        let began = Instant::now();
        flows.iter().cycle().take(FLOWS_PER_ROUND).for_each(|flow| metrics.observe(flow));
        began.elapsed().as_nanos() as f64 / FLOWS_PER_ROUND as f64
    };
    let best = (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min);
    println!("metrics_{name} {best:.1} ns");
}

fn endpoint(namespace: &str, workload: &str, number: u8) -> Arc<Endpoint> {
    Arc::new(Endpoint {
        identity: 1000 + u32::from(number),
        namespace: namespace.into(),
        pod_name: format!("{workload}-7d9f8b6c5-{number:05}"),
        labels: vec![format!("k8s:app={workload}"), "k8s:tier=backend".into()],
        workloads: vec![Workload { name: workload.into(), kind: "Deployment".into() }],
        ..Endpoint::default()
    })
}

fn flow(number: u8) -> Flow {
    Flow {
        verdict: Verdict::Forwarded,
        flow_type: FlowType::L3L4,
        event_type: EventType::trace(TraceObservationPoint::ToStack),
        trace_observation_point: TraceObservationPoint::ToStack,
        traffic_direction: TrafficDirection::Egress,
        is_reply: Some(false),
        source_ip: Some(IpAddr::from([10, 0, 0, number])),
        destination_ip: Some(IpAddr::from([10, 0, 1, number])),
        l4: L4::Tcp { source_port: 40000, destination_port: 5432, flags: TcpFlags::SYN },
        source: Some(endpoint("shop", "web", number)),
        destination: Some(endpoint("data", "database", number)),
        ..Flow::default()
    }
}
