//! Flows as Hubble has them, so that Hubble's command line, user interface and relay understand Chandra.
//!
//! This crate is pure: no kernel, no sockets, no unsafe code. An agent makes [`flow::Flow`]s; a server
//! tells them as the messages and services of [`proto`].
//!
//! | module | what |
//! |---|---|
//! | [`proto`] | the messages and services, written from Hubble's wire contract |
//! | [`flow`] | a flow as it is kept, and as a message |
//! | [`ring`] | the latest flows, within a budget of bytes |
//! | [`filter`] | which flows are asked for |
//! | [`mask`] | which fields of them |
//! | [`query`] | what a request gives, step by step |
//! | [`print`](mod@print) | flows as text |
//! | [`json`] | flows and filters as JSON, and back |
//!
//! An agent makes a flow. What many flows have alike is made once and shared:
//!
//! ```
//! use std::net::IpAddr;
//! use std::sync::Arc;
//! use chandra_hubble::flow::*;
//!
//! let web = Arc::new(Endpoint {
//!     identity: 4711,
//!     namespace: "shop".into(),
//!     pod_name: "web-0".into(),
//!     labels: vec!["k8s:app=web".into()],
//!     ..Default::default()
//! });
//! let mut uuids = Uuids::default();
//! let flow = Flow {
//!     time_ns: 1_700_000_000_000_000_000,
//!     uuid: uuids.make(),
//!     verdict: Verdict::Forwarded,
//!     flow_type: FlowType::L3L4,
//!     event_type: EventType::trace(TraceObservationPoint::ToStack),
//!     trace_observation_point: TraceObservationPoint::ToStack,
//!     traffic_direction: TrafficDirection::Egress,
//!     is_reply: Some(false),
//!     source_ip: Some(IpAddr::from([10, 0, 0, 1])),
//!     destination_ip: Some(IpAddr::from([10, 0, 0, 2])),
//!     l4: L4::Tcp { source_port: 40000, destination_port: 80, flags: TcpFlags::SYN },
//!     source: Some(web.clone()),
//!     ..Default::default()
//! };
//! let node = Node::new("default", "worker-1", vec![]);
//! let message = flow.to_proto(&node);
//! assert_eq!(message.node_name, "default/worker-1");
//! # #[allow(deprecated)]
//! # { assert_eq!(message.summary, "TCP Flags: SYN"); }
//!
//! // The agent keeps it, and a server gives it to who asks; a stream is stepped until it is done.
//! use chandra_hubble::filter::Limits;
//! use chandra_hubble::proto::observer::GetFlowsRequest;
//! use chandra_hubble::query::{Query, Step};
//! use chandra_hubble::ring::{DEFAULT_BUDGET_BYTES, Ring};
//!
//! let ring = Ring::with_notice(DEFAULT_BUDGET_BYTES, || { /* wake who follows */ });
//! ring.push(flow);
//! let request = GetFlowsRequest { number: 20, ..Default::default() };
//! let mut query = Query::new(&request, &Limits::default())?;
//! let (now_ns, mut responses) = (1_700_000_001_000_000_000, Vec::new());
//! // A follower gets `Step::Wait`, with the number to wait for.
//! while query.step(&ring, &node, now_ns, &mut responses) != Step::Done {}
//! assert_eq!(responses.len(), 1);
//! # Ok::<(), chandra_hubble::query::Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod filter;
pub mod flow;
pub mod json;
pub mod mask;
pub mod print;
pub mod proto;
pub mod query;
mod reflect;
pub mod ring;
mod wire;
