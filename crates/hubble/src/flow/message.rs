//! From what is kept to Hubble's message, filled as Hubble fills it: the old fields too.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

use prost_types::Timestamp;

use super::{Flow, L7, L7Record, Node, Rare, summary, uuid_text};
use crate::proto::flow as proto;
use crate::proto::flow::layer7::Record;

const NS_PER_SECOND: u64 = 1_000_000_000;

/// Nanoseconds since 1970 as the message for a moment.
pub fn timestamp(time_ns: u64) -> Timestamp {
    let seconds = i64::try_from(time_ns / NS_PER_SECOND).unwrap_or(i64::MAX);
    let nanos = i32::try_from(time_ns % NS_PER_SECOND).unwrap_or_default();
    Timestamp { seconds, nanos }
}

impl Flow {
    /// The whole of it as Hubble's message, as observed by a node.
    #[allow(deprecated, reason = "clients read the old fields")]
    pub fn to_proto(&self, node: &Node) -> proto::Flow {
        let rare = self.rare.as_deref();
        let mut flow = proto::Flow {
            time: Some(timestamp(self.time_ns)),
            uuid: if self.uuid.is_none() { String::new() } else { uuid_text(self.uuid) },
            emitter: Some(node.emitter.clone()),
            verdict: self.verdict.into(),
            drop_reason: self.drop_reason as u32,
            drop_reason_desc: self.drop_reason.into(),
            ip: self.ip_to_proto(),
            l4: self.l4.to_proto(),
            source: self.source.as_deref().cloned(),
            destination: self.destination.as_deref().cloned(),
            r#type: self.flow_type.into(),
            node_name: node.name.clone(),
            node_labels: node.labels.clone(),
            source_names: cloned(self.source_names.as_ref()),
            destination_names: cloned(self.destination_names.as_ref()),
            l7: self.l7.as_deref().map(L7::to_proto),
            reply: self.is_reply.unwrap_or_default(),
            is_reply: self.is_reply,
            event_type: Some(proto::CiliumEventType {
                r#type: self.event_type.number,
                sub_type: self.event_type.sub_type,
            }),
            source_service: self.source_service.as_deref().cloned(),
            destination_service: self.destination_service.as_deref().cloned(),
            traffic_direction: self.traffic_direction.into(),
            trace_observation_point: self.trace_observation_point.into(),
            trace_reason: self.trace_reason.into(),
            interface: self.interface.as_deref().cloned(),
            socket_cookie: self.socket_cookie,
            cgroup_id: self.cgroup_id,
            summary: summary(self),
            extensions: self.details.to_any(),
            ..Default::default()
        };
        if let Some(rare) = rare {
            rare.fill(&mut flow);
        }
        flow
    }

    fn ip_to_proto(&self) -> Option<proto::Ip> {
        let text = |ip: Option<IpAddr>| ip.map(|ip| ip.to_string()).unwrap_or_default();
        self.source_ip.or(self.destination_ip)?;
        Some(proto::Ip {
            source: text(self.source_ip),
            destination: text(self.destination_ip),
            ip_version: self.ip_version().into(),
            encrypted: self.is_encrypted,
            source_xlated: text(self.rare.as_ref().and_then(|rare| rare.source_xlated_ip)),
        })
    }
}

impl L7 {
    fn to_proto(&self) -> proto::Layer7 {
        proto::Layer7 {
            r#type: self.kind.into(),
            latency_ns: self.latency_ns,
            record: Some(match &self.record {
                L7Record::Dns(dns) => Record::Dns(dns.clone()),
                L7Record::Http(http) => Record::Http(http.clone()),
            }),
        }
    }
}

impl Rare {
    fn fill(&self, flow: &mut proto::Flow) {
        let parent = |trace_id: &String| proto::TraceParent { trace_id: trace_id.clone() };
        flow.ethernet = self.ethernet.map(|[source, destination]| proto::Ethernet {
            source: hardware_address(source),
            destination: hardware_address(destination),
        });
        flow.proxy_port = self.proxy_port.into();
        flow.sock_xlate_point = self.sock_xlate_point.into();
        flow.ip_trace_id = self.ip_trace_id;
        flow.trace_context =
            self.trace_id.as_ref().map(|id| proto::TraceContext { parent: Some(parent(id)) });
        flow.auth_type = self.auth_type.into();
        flow.policy_match_type = self.policy_match_type;
        flow.egress_allowed_by.clone_from(&self.egress_allowed_by);
        flow.ingress_allowed_by.clone_from(&self.ingress_allowed_by);
        flow.egress_denied_by.clone_from(&self.egress_denied_by);
        flow.ingress_denied_by.clone_from(&self.ingress_denied_by);
        flow.policy_log.clone_from(&self.policy_log);
        flow.tunnel.clone_from(&self.tunnel);
        flow.file.clone_from(&self.file);
        flow.debug_capture_point = self.debug_capture_point.into();
        flow.aggregate = self.aggregate;
    }
}

fn cloned(names: Option<&Arc<Vec<String>>>) -> Vec<String> {
    names.map(|names| names.to_vec()).unwrap_or_default()
}

fn hardware_address(address: [u8; 6]) -> String {
    let mut text = String::with_capacity(17);
    for (index, byte) in address.into_iter().enumerate() {
        let _ = write!(text, "{}{byte:02x}", if index > 0 { ":" } else { "" });
    }
    text
}
