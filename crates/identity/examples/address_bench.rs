//! What naming addresses costs: bytes per pod and nanoseconds per look-up and per change.
//!
//! `cargo run --release -p chandra-identity --example address_bench`
//!
//! Lines that begin with `address_` are for programs: name, value, unit.
#![allow(clippy::unwrap_used, reason = "a bench stops where something is not as expected")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use chandra_identity::cidr::CidrNames;
use chandra_identity::cluster::{
    Change, Cidr, Clusters, Endpoint, EndpointSlice, Limits, Node, NodeAddress, NodeAddressKind,
    ObjectName, Owner, Pod, Protocol, Resource, Service, ServicePort,
};
use chandra_identity::description::{Pairs, Text};
use chandra_identity::dns::{DnsNames, Scope};
use chandra_identity::names::{Here, Names, Question};
use chandra_identity::numbers::Reserved;

const PODS_PER_WORKLOAD: u32 = 20;
const SERVICES: u32 = 1000;
const NODES: u32 = 500;
const NAMESPACES: u32 = 50;
const LOOKUPS: u32 = 4_000_000;
const SECOND: u64 = 1_000_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, pods] = arguments.as_slice() {
        return measure(pods.parse().unwrap());
    }
    // Each in a process of its own, so that resident bytes are those of one table.
    for pods in ["10000", "100000"] {
        println!(
            "\n{pods} pods of {PODS_PER_WORKLOAD} per workload, {SERVICES} services, {NODES} nodes:"
        );
        let own = std::env::current_exe().unwrap();
        assert!(std::process::Command::new(own).arg(pods).status().unwrap().success());
    }
}

fn measure(pods: u32) {
    let say = |name: &str, value: f64, unit: &str, meaning: &str| {
        println!("  {value:>9.1} {unit:<5} {meaning}");
        println!("address_{name}_{pods} {value:.1} {unit}");
    };
    let mut clusters = Clusters::new();
    let cluster = clusters.add("", Limits::default()).unwrap();
    // Another one first, which stays: so that the program's own pages are not counted as the pods'.
    let first = clusters.add("first", Limits::default()).unwrap();
    (0..100).for_each(|number| clusters.apply(first, Change::Pod(pod(number, 0)), SECOND));
    let resident = resident_bytes();
    clusters.apply(cluster, Change::Listing(Resource::Pods), SECOND);
    let mut busy = 0;
    for number in 0..pods {
        // Made one by one, so that what was told does not stay resident beside what is kept.
        let change = Change::Pod(pod(number, 0));
        let began = Instant::now();
        clusters.apply(cluster, change, SECOND);
        busy += began.elapsed().as_nanos();
    }
    clusters.apply(cluster, Change::Listed(Resource::Pods), SECOND);
    let per_pod = |bytes: usize| bytes as f64 / f64::from(pods);
    let table = |clusters: &Clusters| clusters.get(cluster).unwrap().bytes();
    let pod_bytes = table(&clusters);
    say("bytes_per_pod", per_pod(pod_bytes), "bytes", "per pod as counted, with all it shares");
    let grown = resident_bytes() - resident;
    say("resident_bytes_per_pod", per_pod(grown), "bytes", "per pod resident");
    assert!(grown < pod_bytes + pod_bytes / 4, "what is counted is not what it takes");
    say("apply_pod", busy as f64 / f64::from(pods), "ns", "to take in a new pod");

    tell_the_rest(&mut clusters, cluster, pods);
    let rest = table(&clusters) - pod_bytes;
    let backends = clusters.get(cluster).unwrap().stats().backends;
    say("bytes_rest", rest as f64, "bytes", "of services, nodes and backends, as counted");
    say("bytes_per_backend", rest as f64 / backends as f64, "bytes", "of that per backend");
    let grown = resident_bytes() - resident;
    say("resident_bytes_all", grown as f64, "bytes", "resident in all");

    let (dns, ranges) =
        (names_of_the_world(), CidrNames::new([(cidr("172.16.0.0", 12), "office")]));
    let own = ["10.255.0.1".parse().unwrap()];
    let here = Here { node: "node-000", addresses: &own, dual_stack: false };
    let names = Names { clusters: &clusters, dns: &dns, ranges: &ranges, here };
    let question = |ip: IpAddr, port: u16| Question {
        cluster: Some(cluster),
        ip,
        port,
        protocol: Protocol::Tcp,
        scope: Some(Scope::Container(1)),
        time_ns: 3 * SECOND,
    };
    let per_lookup = |ask: &dyn Fn(u32)| {
        let mut random = 1_u32;
        let began = Instant::now();
        for _ in 0..LOOKUPS {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ask(random >> 8);
        }
        began.elapsed().as_nanos() as f64 / f64::from(LOOKUPS)
    };
    let hit = per_lookup(&|random| {
        let peer = names.peer(&question(pod_ip(random % pods), 8080));
        assert!(black_box(peer).pod.is_some());
    });
    say("lookup_pod", hit, "ns", "to find a pod by its address, at random");
    let few = per_lookup(&|random| {
        let number = random % 1000 * (pods / 1000);
        let peer = names.peer(&question(pod_ip(number), 8080));
        assert!(black_box(peer).pod.is_some());
    });
    say("lookup_pod_of_1000", few, "ns", "where a node talks to 1000 of them, all over the table");
    let labels = per_lookup(&|random| {
        let pod = names.peer(&question(pod_ip(random % pods), 8080)).pod.unwrap();
        black_box((pod.namespace(), pod.name(), pod.workload_name(), pod.workload_kind()));
    });
    say("lookup_pod_and_names", labels, "ns", "and its namespace, name and workload");
    let service = per_lookup(&|random| {
        assert!(black_box(names.dialled(&question(service_ip(random % SERVICES), 80))).is_some());
    });
    say("lookup_service", service, "ns", "to find the service at a ClusterIP and port");
    let behind = per_lookup(&|random| {
        let ip = pod_ip(random % pods);
        assert!(black_box(names.answering(&question(ip, 8080))).is_some());
    });
    say("lookup_backend", behind, "ns", "to find the service behind a backend");
    let node = per_lookup(&|random| {
        let peer = names.peer(&question(node_ip(1 + random % (NODES - 1)), 22));
        assert_eq!(black_box(peer).reserved, Some(Reserved::RemoteNode));
    });
    say("lookup_node", node, "ns", "to find another node");
    let miss = per_lookup(&|random| {
        let peer = names.peer(&question(Ipv4Addr::from_bits(0x2d00_0000 | random).into(), 443));
        assert_eq!(black_box(peer).identity, Reserved::World.number());
    });
    say("lookup_world", miss, "ns", "to find that it is nobody's");
    let resolved = per_lookup(&|random| {
        let peer = names.peer(&question(world_ip(random % 4000), 443));
        assert!(black_box(peer).dns_name.is_some());
    });
    say("lookup_dns", resolved, "ns", "to find the name that it was resolved from");

    churn(&mut clusters, cluster, pods, &say);
}

/// Pods come and go in a table of that size.
fn churn(
    clusters: &mut Clusters,
    cluster: chandra_identity::cluster::ClusterKey,
    pods: u32,
    say: &dyn Fn(&str, f64, &str, &str),
) {
    let changes = 200_000;
    let (mut busy, mut longest) = (0, 0);
    let before = clusters.get(cluster).unwrap().bytes();
    for number in 0..changes / 2 {
        let old = pod(number % pods, number / pods).name;
        let new = pod(number % pods, number / pods + 1);
        // 1000 changes per second.
        let now = 10 * SECOND + u64::from(number) * 2_000_000;
        for change in [Change::PodGone(old), Change::Pod(new)] {
            let began = Instant::now();
            clusters.apply(cluster, change, now);
            let took = began.elapsed().as_nanos();
            (busy, longest) = (busy + took, longest.max(took));
        }
        clusters.advance(now);
    }
    say("apply_churn", busy as f64 / f64::from(changes), "ns", "per change where pods come and go");
    say("apply_longest", longest as f64, "ns", "the longest of these");
    let after = clusters.get(cluster).unwrap();
    say("bytes_churned", after.bytes() as f64 - before as f64, "bytes", "more after it");
    println!("  {:?}", after.stats());
}

fn tell_the_rest(
    clusters: &mut Clusters,
    cluster: chandra_identity::cluster::ClusterKey,
    pods: u32,
) {
    for number in 0..NODES {
        let address = NodeAddress { kind: NodeAddressKind::Internal, ip: node_ip(number) };
        let node = Node {
            name: Text::new(&format!("node-{number:03}")),
            addresses: vec![address],
            pod_cidrs: vec![Cidr { address: pod_ip(number * 256), prefix_bits: 24 }],
            labels: Pairs::default(),
        };
        clusters.apply(cluster, Change::Node(node), SECOND);
    }
    let port = |port, node_port| ServicePort {
        name: Text::new("http"),
        protocol: Protocol::Tcp,
        port,
        node_port,
    };
    for number in 0..SERVICES {
        let name = Text::new(&format!("service-{number}"));
        let namespace = Text::new(&format!("team-{}", number % NAMESPACES));
        let node_port = if number % 10 == 0 { 30_000 + number as u16 } else { 0 };
        clusters.apply(
            cluster,
            Change::Service(Service {
                name: ObjectName { namespace: namespace.clone(), name: name.clone() },
                cluster_ips: vec![service_ip(number)],
                external_ips: Vec::new(),
                ports: vec![port(80, node_port)],
                labels: Pairs::default(),
            }),
            SECOND,
        );
        let of_service: Vec<u32> = (number..pods).step_by(SERVICES as usize).collect();
        for (part, backends) in of_service.chunks(100).enumerate() {
            let slice = Text::new(&format!("service-{number}-{part:05}"));
            let endpoint = |pod: &u32| Endpoint {
                ips: vec![pod_ip(*pod)],
                ready: true,
                pod: None,
                node: None,
            };
            clusters.apply(
                cluster,
                Change::EndpointSlice(EndpointSlice {
                    name: ObjectName { namespace: namespace.clone(), name: slice },
                    service: Some(name.clone()),
                    endpoints: backends.iter().map(endpoint).collect(),
                    ports: vec![port(8080, 0)],
                }),
                SECOND,
            );
        }
    }
}

/// A pod as a Helm chart makes it.
fn pod(number: u32, round: u32) -> Pod {
    let workload = number / PODS_PER_WORKLOAD;
    let namespace = Text::new(&format!("team-{}", workload % NAMESPACES));
    let application = format!("application-{workload}");
    let hash = random_text(workload, 10);
    let replica_set = format!("{application}-{hash}");
    let random = random_text(number.wrapping_add(round.wrapping_mul(7_777_777)), 5);
    let labels = [
        ("app.kubernetes.io/name", application.as_str()),
        ("app.kubernetes.io/instance", application.as_str()),
        ("app.kubernetes.io/version", "1.27.3"),
        ("app.kubernetes.io/component", "backend"),
        ("app.kubernetes.io/managed-by", "Helm"),
        ("helm.sh/chart", "application-4.2.1"),
        ("pod-template-hash", hash.as_str()),
    ];
    let uid = format!("{number:08x}-3b0d-4c57-9f0e-{round:012x}");
    Pod {
        name: ObjectName { namespace, name: Text::new(&format!("{replica_set}-{random}")) },
        uid: Text::new(&uid),
        node: Text::new(&format!("node-{:03}", number % NODES)),
        ips: vec![pod_ip(number)],
        host_network: false,
        has_ended: false,
        labels: Pairs::collect(labels.map(|(key, value)| (key.as_bytes(), value.as_bytes()))),
        owner: Some(Owner { kind: Text::new("ReplicaSet"), name: Text::new(&replica_set) }),
        created_at_ns: u64::from(round) * SECOND,
        containers: Vec::new(),
    }
}

fn random_text(seed: u32, length: usize) -> String {
    let letters = b"bcdfghjklmnpqrstvwxz2456789";
    let mut state = u64::from(seed).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    let letter = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(letters[(state >> 33) as usize % letters.len()])
    };
    (0..length).map(letter).collect()
}

fn names_of_the_world() -> DnsNames {
    let mut names = DnsNames::default();
    for number in 0..4000 {
        let name = format!("host-{number}.example.com");
        let scope = Scope::Container(1);
        names.resolved(scope, name.as_bytes(), [world_ip(number)], 600 * SECOND, SECOND);
    }
    names
}

fn pod_ip(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + number).into()
}

fn node_ip(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0xc0a8_0001 + number).into()
}

fn service_ip(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0aff_1000 + number).into()
}

fn world_ip(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x5000_0000 + number).into()
}

fn cidr(address: &str, prefix_bits: u8) -> Cidr {
    Cidr { address: address.parse().unwrap(), prefix_bits }
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
