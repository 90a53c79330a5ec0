//! What Chandra knows of a flow and Hubble's message has no field for.

use std::num::NonZeroU64;
use std::sync::Arc;

use prost::Message;
use prost_types::Any;

use crate::proto::chandra::v1::{self, Container, FlowDetails, Icmp, KernelDrop, Process};
use crate::proto::flow as proto;

/// The type of [`FlowDetails`] in `Flow.extensions`.
pub const DETAILS_TYPE_URL: &str = "type.googleapis.com/chandra.v1.FlowDetails";

/// Who did it, how much, how fast. What is absent, or 0, is not known.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Details {
    /// Who it was at the observed end.
    pub actor: Option<Arc<Actor>>,
    /// The event that the flow was made from: `tcp_close`.
    pub event: &'static str,
    /// Equal at both ends of a TCP connection.
    pub connection_key: Option<NonZeroU64>,
    /// From source to destination.
    pub forward: Traffic,
    /// From destination to source.
    pub backward: Traffic,
    /// The smoothed round-trip time.
    pub rtt_us: u32,
    /// Segments sent again by the observed end.
    pub retransmits: u32,
    /// How long what the flow tells of took.
    pub latency_ns: u64,
    /// How long the connection has been there.
    pub duration_ns: u64,
    /// Why the kernel dropped it.
    pub drop: Option<Arc<KernelDrop>>,
    /// The id of a DNS message.
    pub dns_id: Option<u16>,
    /// What a message of ICMP says beyond its type and code.
    pub icmp: Option<Arc<Icmp>>,
    /// Of so many flows like it one is told; 0: all are.
    pub sampled_one_in: u32,
}

/// A program and where it belongs: the same for all its flows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Actor {
    /// The program.
    pub process: Process,
    /// Its parent.
    pub parent: Option<Process>,
    /// The container that it runs in.
    pub container: Option<Container>,
}

/// How much went one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
}

impl Traffic {
    fn to_proto(self) -> Option<v1::Traffic> {
        let Traffic { bytes, packets } = self;
        (self != Traffic::default()).then_some(v1::Traffic { bytes, packets })
    }
}

impl Details {
    /// As the message.
    pub fn to_proto(&self) -> FlowDetails {
        let actor = self.actor.as_deref();
        FlowDetails {
            process: actor.map(|actor| actor.process.clone()),
            parent: actor.and_then(|actor| actor.parent.clone()),
            container: actor.and_then(|actor| actor.container.clone()),
            event: self.event.into(),
            connection_key: self.connection_key.map_or(0, NonZeroU64::get),
            forward: self.forward.to_proto(),
            backward: self.backward.to_proto(),
            rtt_us: self.rtt_us,
            retransmits: self.retransmits.into(),
            latency_ns: self.latency_ns,
            duration_ns: self.duration_ns,
            drop: self.drop.as_deref().cloned(),
            dns_id: self.dns_id.map(u32::from),
            icmp: self.icmp.as_deref().cloned(),
            sampled_one_in: self.sampled_one_in,
        }
    }

    /// How many flows it stands for, itself included.
    pub fn stands_for(&self) -> u64 {
        self.sampled_one_in.max(1).into()
    }

    /// As it travels in `Flow.extensions`; nothing where nothing is known.
    pub(super) fn to_any(&self) -> Option<Any> {
        let value = || self.to_proto().encode_to_vec();
        let is_known = *self != Self::default();
        is_known.then(|| Any { type_url: DETAILS_TYPE_URL.into(), value: value() })
    }
}

impl FlowDetails {
    /// How many flows it stands for, itself included.
    pub fn stands_for(&self) -> u64 {
        self.sampled_one_in.max(1).into()
    }
}

impl proto::Flow {
    /// What Chandra knows of the flow beside; `None` where nothing, or something else, travels with it.
    pub fn details(&self) -> Option<FlowDetails> {
        let extensions = self.extensions.as_ref()?;
        let (_, name) = extensions.type_url.rsplit_once('/')?;
        let is_ours = name == "chandra.v1.FlowDetails";
        is_ours.then(|| FlowDetails::decode(&extensions.value[..]).ok()).flatten()
    }
}
