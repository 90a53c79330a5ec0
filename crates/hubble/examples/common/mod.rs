//! Flows as an agent of a node with many pods makes them.

use std::net::IpAddr;
use std::num::NonZeroU64;
use std::sync::Arc;

use chandra_hubble::flow::{
    Actor, Details, Dns, Endpoint, EventType, Flow, FlowType, L4, L7, L7FlowType, L7Record,
    Process, Service, TcpFlags, TraceObservationPoint, Traffic, TrafficDirection, Uuids, Verdict,
    Workload,
};

const PODS: usize = 500;
const SECOND: u64 = 1_000_000_000;

/// What an agent holds and shares.
pub struct Cluster {
    endpoints: Vec<Arc<Endpoint>>,
    services: Vec<Arc<Service>>,
    names: Vec<Arc<Vec<String>>>,
    actors: Vec<Arc<Actor>>,
    uuids: Uuids,
}

impl Cluster {
    pub fn new() -> Self {
        let endpoint = |number: usize| {
            let labels = ["app", "app.kubernetes.io/name", "pod-template-hash", "tier", "version"]
                .map(|key| format!("k8s:{key}=value-{number}"));
            let name = format!("deployment-{number}");
            Arc::new(Endpoint {
                identity: 1000 + number as u32,
                namespace: format!("namespace-{}", number % 20),
                pod_name: format!("{name}-7d9c6b8f5d-x2k4q"),
                labels: labels.into(),
                workloads: vec![Workload { name, kind: "Deployment".into() }],
                cluster_name: "default".into(),
                ..Endpoint::default()
            })
        };
        let service = |number: usize| {
            let (name, namespace) = (format!("service-{number}"), "namespace-1".into());
            Arc::new(Service { name, namespace })
        };
        let actor = |number: usize| {
            let process = Process {
                pid: number as u32,
                comm: "server".into(),
                exe: "/usr/local/bin/server".into(),
                ..Process::default()
            };
            Arc::new(Actor { process, ..Actor::default() })
        };
        let name = |number: usize| Arc::new(vec![format!("host-{number}.example.com")]);
        Self {
            endpoints: (0..PODS).map(endpoint).collect(),
            services: (0..50).map(service).collect(),
            names: (0..50).map(name).collect(),
            actors: (0..PODS).map(actor).collect(),
            uuids: Uuids::default(),
        }
    }

    /// Nine in ten are of TCP, with a process and traffic; one is a DNS answer with a record of its own.
    pub fn flow(&mut self, number: u64) -> Flow {
        let place = number as usize;
        let byte = |shift: u32| (number >> shift) as u8;
        let flow = Flow {
            time_ns: 1_700_000_000 * SECOND + number * 1000,
            uuid: self.uuids.make(),
            verdict: Verdict::Forwarded,
            event_type: EventType::trace(TraceObservationPoint::ToStack),
            trace_observation_point: TraceObservationPoint::ToStack,
            traffic_direction: TrafficDirection::Egress,
            is_reply: Some(false),
            source_ip: Some(IpAddr::from([10, 0, byte(8), byte(0)])),
            destination_ip: Some(IpAddr::from([10, 1, byte(16), byte(4)])),
            socket_cookie: number,
            cgroup_id: 1000 + number % 500,
            source: Some(self.endpoints[place % PODS].clone()),
            ..Flow::default()
        };
        let flow = if number.is_multiple_of(4) {
            Flow { destination_names: Some(self.names[place % 50].clone()), ..flow }
        } else {
            let destination = Some(self.endpoints[place * 3 % PODS].clone());
            Flow {
                destination,
                destination_service: Some(self.services[place % 50].clone()),
                ..flow
            }
        };
        if number.is_multiple_of(10) { of_dns(flow, number) } else { self.of_tcp(flow, number) }
    }

    fn of_tcp(&self, flow: Flow, number: u64) -> Flow {
        let details = Details {
            actor: Some(self.actors[number as usize * 7 % PODS].clone()),
            event: "tcp_close",
            connection_key: NonZeroU64::new(number | 1 << 63),
            forward: Traffic { bytes: number, packets: 9 },
            backward: Traffic { bytes: 5 * number, packets: 9 },
            rtt_us: 50,
            ..Details::default()
        };
        Flow {
            flow_type: FlowType::L3L4,
            l4: L4::Tcp {
                source_port: 30000 + (number % 20000) as u16,
                destination_port: 443,
                flags: TcpFlags::SYN | TcpFlags::ACK,
            },
            details,
            ..flow
        }
    }
}

fn of_dns(flow: Flow, number: u64) -> Flow {
    let record = L7Record::Dns(Dns {
        query: format!("host-{number}.example.com."),
        ips: vec!["93.184.216.34".into()],
        ttl: 30,
        qtypes: vec!["A".into()],
        rrtypes: vec!["A".into()],
        ..Dns::default()
    });
    Flow {
        flow_type: FlowType::L7,
        l4: L4::Udp { source_port: 30000 + (number % 20000) as u16, destination_port: 53 },
        l7: Some(Arc::new(L7 { kind: L7FlowType::Response, latency_ns: 1000, record })),
        ..flow
    }
}
