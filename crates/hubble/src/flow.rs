//! A flow as it is kept: small, made without many allocations, and told as Hubble's message when somebody
//! asks.
//!
//! What many flows have alike (endpoints, services, names, a process) is shared and is the message
//! itself, so that what was put in is what comes out. What differs from flow to flow has a fixed size.
//! A field that is absent, or of its type's unknown value, is not known.

mod details;
mod l4;
mod message;
mod node;
mod size;
mod summary;
mod uuids;

use std::net::IpAddr;
use std::sync::Arc;

use crate::proto::flow as proto;

pub use crate::proto::chandra::v1::{Container, Icmp, KernelDrop, Process, QuotedPacket};
pub use crate::proto::flow::{
    Aggregate, AuthType, DebugCapturePoint, Dns, DropReason, Endpoint, FileInfo, FlowType, Http,
    HttpHeader, IpTraceId, L7FlowType, NetworkInterface, Policy, Service, SocketTranslationPoint,
    TraceObservationPoint, TraceReason, TrafficDirection, Tunnel, Verdict, Workload,
};
pub use details::{Actor, DETAILS_TYPE_URL, Details, Traffic};
pub use l4::{L4, TcpFlags};
pub use message::timestamp;
pub use node::Node;
pub use summary::{IcmpType, summary};
pub use uuids::{Uuid, Uuids, uuid_text};

/// One observation of a packet, a connection or a request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Flow {
    /// When, nanoseconds since 1970 (UTC).
    pub time_ns: u64,
    /// From [`Uuids`].
    pub uuid: Uuid,
    /// What became of it.
    pub verdict: Verdict,
    /// Why, if it was dropped.
    pub drop_reason: DropReason,
    /// At which layer it was observed.
    pub flow_type: FlowType,
    /// The number of the event.
    pub event_type: EventType,
    /// Where on its way.
    pub trace_observation_point: TraceObservationPoint,
    /// What connection tracking said.
    pub trace_reason: TraceReason,
    /// Seen from the observed endpoint.
    pub traffic_direction: TrafficDirection,
    /// Whether it answers; absent if not known, as of drops.
    pub is_reply: Option<bool>,
    /// It travels encrypted.
    pub is_encrypted: bool,
    /// Where from; the version of IP follows from it.
    pub source_ip: Option<IpAddr>,
    /// Where to.
    pub destination_ip: Option<IpAddr>,
    /// The protocol above IP.
    pub l4: L4,
    /// The socket, as the kernel numbers it; 0 is none.
    pub socket_cookie: u64,
    /// The cgroup of the observed process; 0 is none.
    pub cgroup_id: u64,
    /// Who sent it.
    pub source: Option<Arc<Endpoint>>,
    /// Who gets it.
    pub destination: Option<Arc<Endpoint>>,
    /// The service that the source's address is of.
    pub source_service: Option<Arc<Service>>,
    /// The service that it was sent to.
    pub destination_service: Option<Arc<Service>>,
    /// Names that were resolved to the source's address, without a dot at the end.
    pub source_names: Option<Arc<Vec<String>>>,
    /// Names that were resolved to the destination's address.
    pub destination_names: Option<Arc<Vec<String>>>,
    /// Where it was seen.
    pub interface: Option<Arc<NetworkInterface>>,
    /// What the application said.
    pub l7: Option<Arc<L7>>,
    /// What Hubble's message has no field for.
    pub details: Details,
    /// What few flows have.
    pub rare: Option<Arc<Rare>>,
}

/// The number of an event, and its number among those of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventType {
    /// One of those below.
    pub number: i32,
    /// Of a trace the observation point, of a drop the reason.
    pub sub_type: i32,
}

impl EventType {
    /// A packet was dropped.
    pub const DROP: i32 = 1;
    /// A message for developers.
    pub const DEBUG: i32 = 2;
    /// A packet was captured.
    pub const CAPTURE: i32 = 3;
    /// A packet passed.
    pub const TRACE: i32 = 4;
    /// A policy decided.
    pub const POLICY_VERDICT: i32 = 5;
    /// A socket's address was translated.
    pub const TRACE_SOCK: i32 = 7;
    /// A request or response of an application.
    pub const L7: i32 = 129;
    /// The agent did something.
    pub const AGENT: i32 = 130;

    /// A drop for a reason.
    pub fn drop(reason: DropReason) -> Self {
        Self { number: Self::DROP, sub_type: reason as i32 }
    }

    /// A trace at a point. The number of the point `TO_ENDPOINT` differs between events and messages.
    pub fn trace(point: TraceObservationPoint) -> Self {
        let sub_type = match point {
            TraceObservationPoint::ToEndpoint => 0,
            point => point as i32,
        };
        Self { number: Self::TRACE, sub_type }
    }

    /// What an application said.
    pub fn l7() -> Self {
        Self { number: Self::L7, sub_type: 0 }
    }
}

/// What an application said.
#[derive(Debug, Clone, PartialEq)]
pub struct L7 {
    /// Which half of the exchange.
    pub kind: L7FlowType,
    /// Of a response: how long it took.
    pub latency_ns: u64,
    /// What was said.
    pub record: L7Record,
}

/// A request or response.
#[derive(Debug, Clone, PartialEq)]
pub enum L7Record {
    /// Of DNS; `query` ends with a dot.
    Dns(Dns),
    /// Of HTTP.
    Http(Http),
}

/// What few flows have.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rare {
    /// Hardware addresses: source, destination.
    pub ethernet: Option<[[u8; 6]; 2]>,
    /// The source after its translation.
    pub source_xlated_ip: Option<IpAddr>,
    /// The port of a proxy; 0 is none.
    pub proxy_port: u16,
    /// Where a socket's address was translated.
    pub sock_xlate_point: SocketTranslationPoint,
    /// The trace in an IP option.
    pub ip_trace_id: Option<IpTraceId>,
    /// The trace id of W3C Trace Context.
    pub trace_id: Option<String>,
    /// How the ends authenticated each other.
    pub auth_type: AuthType,
    /// How a policy matched: 0 none, 1 L3, 2 L3 and L4, 3 L4, 4 all, 5 L3 and protocol, 6 protocol.
    pub policy_match_type: u32,
    /// Policies that let it out.
    pub egress_allowed_by: Vec<Policy>,
    /// Policies that let it in.
    pub ingress_allowed_by: Vec<Policy>,
    /// Policies that did not let it out.
    pub egress_denied_by: Vec<Policy>,
    /// Policies that did not let it in.
    pub ingress_denied_by: Vec<Policy>,
    /// What policies want to be logged.
    pub policy_log: Vec<String>,
    /// The packet around the packet.
    pub tunnel: Option<Tunnel>,
    /// Where in the datapath.
    pub file: Option<FileInfo>,
    /// Where it was captured.
    pub debug_capture_point: DebugCapturePoint,
    /// How many flows it stands for.
    pub aggregate: Option<Aggregate>,
}

impl Flow {
    /// Which IP, by the source's address or else the destination's.
    pub fn ip_version(&self) -> proto::IpVersion {
        match self.source_ip.or(self.destination_ip) {
            None => proto::IpVersion::IpNotUsed,
            Some(IpAddr::V4(_)) => proto::IpVersion::IPv4,
            Some(IpAddr::V6(_)) => proto::IpVersion::IPv6,
        }
    }
}
