//! The wire: what is sent has Hubble's numbers, and what a flow knows arrives.

use std::net::IpAddr;
use std::num::NonZeroU64;
use std::sync::Arc;

use chandra_hubble::flow::{
    Actor, DETAILS_TYPE_URL, Details, Dns, DropReason, Endpoint, EventType, Flow, FlowType,
    IpTraceId, L4, L7, L7FlowType, L7Record, NetworkInterface, Node, Process, Rare, Service,
    TcpFlags, Traffic, TrafficDirection, Verdict, Workload,
};
use chandra_hubble::proto::flow as proto;
use prost::Message;

fn full() -> Flow {
    let endpoint = Endpoint {
        id: 9,
        identity: 4711,
        namespace: "shop".into(),
        labels: vec!["k8s:app=web".into()],
        pod_name: "web-0".into(),
        workloads: vec![Workload { name: "web".into(), kind: "Deployment".into() }],
        cluster_name: "east".into(),
    };
    Flow {
        time_ns: 1_700_000_000_123_456_789,
        uuid: 0xf81d_4fae_7dec_41d0_a765_00a0_c91e_6bf6.into(),
        verdict: Verdict::Dropped,
        drop_reason: DropReason::PolicyDenied,
        flow_type: FlowType::L3L4,
        event_type: EventType::drop(DropReason::PolicyDenied),
        traffic_direction: TrafficDirection::Egress,
        is_reply: Some(true),
        is_encrypted: true,
        source_ip: Some(IpAddr::from([10, 0, 0, 1])),
        destination_ip: Some(IpAddr::from([10, 0, 0, 2])),
        l4: L4::Tcp { source_port: 40000, destination_port: 80, flags: TcpFlags::SYN },
        socket_cookie: 11,
        cgroup_id: 12,
        source: Some(Arc::new(endpoint)),
        destination_service: Some(Arc::new(Service { name: "db".into(), namespace: "x".into() })),
        destination_names: Some(Arc::new(vec!["db.example".into()])),
        interface: Some(Arc::new(NetworkInterface { index: 3, name: "eth0".into() })),
        l7: Some(Arc::new(L7 {
            kind: L7FlowType::Request,
            latency_ns: 0,
            record: L7Record::Dns(Dns { query: "db.example.".into(), ..Dns::default() }),
        })),
        details: Details {
            actor: Some(Arc::new(Actor {
                process: Process { pid: 42, comm: "curl".into(), ..Process::default() },
                ..Actor::default()
            })),
            event: "tcp_close",
            connection_key: NonZeroU64::new(0xdead_beef),
            forward: Traffic { bytes: 100, packets: 2 },
            rtt_us: 7,
            dns_id: Some(0),
            ..Details::default()
        },
        rare: Some(Arc::new(Rare {
            ethernet: Some([[2, 0, 0, 0, 0, 1], [0x0a, 0xff, 0, 0, 0, 2]]),
            source_xlated_ip: Some(IpAddr::from([10, 0, 0, 3])),
            proxy_port: 13,
            ip_trace_id: Some(IpTraceId { trace_id: 5, ip_option_type: 136 }),
            ..Rare::default()
        })),
        ..Flow::default()
    }
}

/// Number and wire type of each field of an encoded message (protobuf.dev, "Encoding").
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let Some((byte, rest)) = bytes.split_first() else { break };
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        found.push((key >> 3, key & 7));
        let skipped = match key & 7 {
            0 => {
                varint(&mut bytes);
                0
            }
            1 => 8,
            5 => 4,
            _ => varint(&mut bytes) as usize,
        };
        bytes = &bytes[skipped..];
    }
    found
}

#[test]
fn a_flow_has_hubbles_numbers_on_the_wire() {
    let bytes = full().to_proto(&Node::new("east", "n1", vec!["a=b".into()])).encode_to_vec();
    let expected = [
        (1, 2),
        (2, 0),
        (3, 0),
        (4, 2),
        (5, 2),
        (6, 2),
        (8, 2),
        (10, 0),
        (11, 2),
        (14, 2),
        (15, 2),
        (16, 0),
        (19, 2),
        (21, 2),
        (22, 0),
        (25, 0),
        (26, 2),
        (28, 2),
        (29, 0),
        (32, 0),
        (33, 0),
        (34, 2),
        (37, 2),
        (40, 2),
        (41, 2),
        (100_000, 2),
        (150_000, 2),
    ];
    assert_eq!(fields(&bytes), expected);
}

#[test]
#[allow(deprecated, reason = "clients read the old fields")]
fn what_a_flow_knows_arrives() {
    let sent = full();
    let bytes = sent.to_proto(&Node::new("east", "n1", vec!["a=b".into()])).encode_to_vec();
    let flow = proto::Flow::decode(&bytes[..]).expect("a flow");
    let time = flow.time.expect("a time");
    assert_eq!((time.seconds, time.nanos), (1_700_000_000, 123_456_789));
    assert_eq!(flow.uuid, "f81d4fae-7dec-41d0-a765-00a0c91e6bf6");
    assert_eq!((flow.node_name.as_str(), flow.node_labels.len()), ("east/n1", 1));
    assert_eq!((flow.drop_reason, flow.drop_reason_desc), (133, 133));
    assert_eq!((flow.reply, flow.is_reply), (true, Some(true)));
    let ethernet = flow.ethernet.as_ref().expect("addresses");
    assert_eq!(ethernet.destination, "0a:ff:00:00:00:02");
    let ip = flow.ip.as_ref().expect("addresses");
    assert_eq!((ip.source.as_str(), ip.source_xlated.as_str()), ("10.0.0.1", "10.0.0.3"));
    assert_eq!((ip.ip_version(), ip.encrypted), (proto::IpVersion::IPv4, true));
    assert_eq!(flow.source, sent.source.as_deref().cloned());
    assert_eq!(flow.ip_trace_id.map(|id| id.trace_id), Some(5));
    assert_eq!(flow.emitter.as_ref().map(|emitter| emitter.name.as_str()), Some("Chandra"));
    assert_eq!(flow.extensions.as_ref().expect("details").type_url, DETAILS_TYPE_URL);
    let details = flow.details().expect("details");
    assert_eq!(details.process.map(|process| process.pid), Some(42));
    assert_eq!((details.connection_key, details.rtt_us), (0xdead_beef, 7));
    assert_eq!((details.dns_id, details.backward), (Some(0), None));
}

#[test]
fn a_node_without_a_cluster_has_no_prefix() {
    assert_eq!(Node::new("", "n1", vec![]).name, "n1");
    assert_eq!(Node::new("default", "n1", vec![]).name, "default/n1");
}

#[test]
fn what_is_not_known_is_not_sent() {
    let flow = Flow::default().to_proto(&Node::new("", "n1", vec![]));
    assert_eq!(flow.is_reply, None);
    assert!(flow.ip.is_none() && flow.l4.is_none() && flow.source.is_none());
    assert!(flow.uuid.is_empty() && flow.extensions.is_none());
}

#[test]
#[cfg(feature = "grpc")]
fn the_services_have_hubbles_names() {
    use chandra_hubble::proto::{FILE_DESCRIPTOR_SET, observer, peer};
    assert_eq!(observer::observer_server::SERVICE_NAME, "observer.Observer");
    assert_eq!(peer::peer_server::SERVICE_NAME, "peer.Peer");
    let files = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("descriptors");
    let names: Vec<_> = files.file.iter().map(|file| file.name()).collect();
    for name in ["flow/flow.proto", "observer/observer.proto", "google/protobuf/any.proto"] {
        assert!(names.contains(&name), "{names:?}");
    }
}
