//! How fast a server tells flows to clients, all of which decode them: `grpc_NAME VALUE UNIT`, a line each.
//!
//! `cargo run --release -p chandra-hubble-grpc --example grpc_bench`
//!
//! Server and clients share the processors of this machine. What the server alone spends is told by the
//! kernel's account of its threads.
#![allow(clippy::expect_used, reason = "a bench stops where it cannot go on")]

#[path = "../../hubble/examples/common/mod.rs"]
mod common;

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chandra_hubble::flow::Node;
use chandra_hubble::mask::TEXT_PATHS;
use chandra_hubble::proto::observer::GetFlowsRequest;
use chandra_hubble::proto::observer::get_flows_response::ResponseTypes;
use chandra_hubble::proto::observer::observer_client::ObserverClient;
use chandra_hubble::ring::Ring;
use chandra_hubble_grpc::client::{Address, Options, connect};
use chandra_hubble_grpc::server::{Bound, State, serve};
use chandra_hubble_grpc::tls::ClientFiles;
use common::Cluster;

const FLOWS: u64 = 1_000_000;
const CLIENTS: u64 = 50;
/// That many for each of many clients.
const FLOWS_OF_MANY: u64 = 10_000;
const ROUNDS: usize = 3;
/// What the server's threads are called.
const SERVER: &str = "hubble";

fn say(name: &str, value: f64, unit: &str) {
    println!("grpc_{name} {value:.1} {unit}");
}

/// Seconds that the server's threads were on a processor so far (proc_pid_stat(5), schedstat).
fn server_seconds() -> f64 {
    let tasks = fs::read_dir("/proc/self/task").expect("tasks").filter_map(Result::ok);
    let ns = tasks.filter_map(|task| {
        let comm = fs::read_to_string(task.path().join("comm")).ok()?;
        let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
        let ns = stat.split(' ').next()?.parse::<f64>().ok()?;
        (comm.trim_end() == SERVER).then_some(ns)
    });
    ns.sum::<f64>() / 1e9
}

/// Asks for flows, and counts those that come.
async fn read(options: &Options, request: GetFlowsRequest) -> u64 {
    let connected = connect(options).await.expect("a server");
    let mut observer = ObserverClient::new(connected.channel);
    let mut flows = observer.get_flows(request).await.expect("flows").into_inner();
    let mut count = 0;
    while let Some(response) = flows.message().await.expect("a flow") {
        count += u64::from(matches!(response.response_types, Some(ResponseTypes::Flow(_))));
    }
    count
}

/// Some clients at once; the best of some rounds.
fn measure(name: &str, options: &Options, clients: u64, request: &GetFlowsRequest) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    let (mut best, mut cost) = (f64::INFINITY, f64::INFINITY);
    let number = request.number;
    for _ in 0..ROUNDS {
        let (started, spent) = (Instant::now(), server_seconds());
        let readers = (0..clients).map(|_| {
            let (options, request) = (options.clone(), request.clone());
            runtime.spawn(async move { read(&options, request).await })
        });
        let readers: Vec<_> = readers.collect();
        let counts: Vec<u64> =
            readers.into_iter().map(|it| runtime.block_on(it).expect("a reader")).collect();
        assert!(counts.iter().all(|count| *count == number), "{counts:?}");
        let flows = (clients * number) as f64;
        best = best.min(started.elapsed().as_secs_f64() / flows);
        cost = cost.min((server_seconds() - spent) / flows);
    }
    say(name, 1.0 / best, "flows/s");
    say(&format!("{name}_server"), cost * 1e9, "ns");
}

fn main() {
    let mut cluster = Cluster::new();
    let ring = Ring::new(2 << 30);
    for number in 0..FLOWS {
        ring.push(cluster.flow(number));
    }
    let node = Node::new("default", "worker-1", Vec::new());
    let state = Arc::new(State::new(node, Arc::new(ring), "chandra".to_owned()));
    let socket = std::env::temp_dir().join(format!("chandra-bench-{}.sock", std::process::id()));
    let mut bound = Bound::default();
    bound.listen_at(&socket).expect("a socket");
    let options = Options {
        address: Address::Unix(socket),
        way: None,
        files: ClientFiles::default(),
        server_name: None,
        timeout: Duration::from_secs(5),
    };
    std::thread::scope(|scope| {
        scope.spawn(|| serve(bound, &state).expect("a server"));
        let all = |number| GetFlowsRequest { number, ..GetFlowsRequest::default() };
        measure("one_client", &options, 1, &all(FLOWS));
        let paths = TEXT_PATHS.iter().map(|path| (*path).to_owned()).collect();
        let field_mask = Some(prost_types::FieldMask { paths });
        let masked = GetFlowsRequest { field_mask, ..all(FLOWS) };
        measure("one_client_masked", &options, 1, &masked);
        measure("fifty_clients", &options, CLIENTS, &all(FLOWS_OF_MANY));
        state.stop();
    });
}
