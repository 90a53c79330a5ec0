//! What filters look at: a flow, wherever it comes from.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::flow::{Endpoint, Flow, L4, L7Record, NetworkInterface, Node, Service};
use crate::proto::flow as proto;
use crate::proto::flow::layer7::Record;
use crate::proto::flow::{Dns, Http};

/// A flow as an agent keeps it, or as a message from elsewhere.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// As it is kept.
    Kept {
        /// The flow.
        flow: &'a Flow,
        /// Who observed it.
        node: &'a Node,
    },
    /// As a message.
    Message(&'a proto::Flow),
}

/// One end of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Who sent it.
    Source,
    /// Who gets it.
    Destination,
}

/// One of a flow's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address {
    Of(End),
    SourceXlated,
}

impl<'a> From<(&'a Flow, &'a Node)> for Subject<'a> {
    fn from((flow, node): (&'a Flow, &'a Node)) -> Self {
        Self::Kept { flow, node }
    }
}

impl<'a> From<&'a proto::Flow> for Subject<'a> {
    fn from(flow: &'a proto::Flow) -> Self {
        Self::Message(flow)
    }
}

impl<'a> Subject<'a> {
    pub(super) fn uuid_is(self, number: Option<u128>, text: &str) -> bool {
        match self {
            Subject::Kept { flow, .. } => !flow.uuid.is_none() && number == Some(flow.uuid.into()),
            Subject::Message(flow) => flow.uuid == text,
        }
    }

    /// Number and sub type.
    pub(super) fn event_type(self) -> Option<(i32, i32)> {
        match self {
            Subject::Kept { flow, .. } => Some((flow.event_type.number, flow.event_type.sub_type)),
            Subject::Message(flow) => {
                flow.event_type.as_ref().map(|event| (event.r#type, event.sub_type))
            }
        }
    }

    pub(super) fn verdict(self) -> i32 {
        match self {
            Subject::Kept { flow, .. } => flow.verdict.into(),
            Subject::Message(flow) => flow.verdict,
        }
    }

    pub(super) fn drop_reason(self) -> i32 {
        match self {
            Subject::Kept { flow, .. } => flow.drop_reason.into(),
            Subject::Message(flow) => flow.drop_reason_desc,
        }
    }

    pub(super) fn is_reply(self) -> Option<bool> {
        match self {
            Subject::Kept { flow, .. } => flow.is_reply,
            Subject::Message(flow) => flow.is_reply,
        }
    }

    pub(super) fn is_encrypted(self) -> Option<bool> {
        match self {
            Subject::Kept { flow, .. } => {
                flow.source_ip.or(flow.destination_ip).map(|_| flow.is_encrypted)
            }
            Subject::Message(flow) => flow.ip.as_ref().map(|ip| ip.encrypted),
        }
    }

    pub(super) fn endpoint(self, end: End) -> Option<&'a Endpoint> {
        match (self, end) {
            (Subject::Kept { flow, .. }, End::Source) => flow.source.as_deref(),
            (Subject::Kept { flow, .. }, End::Destination) => flow.destination.as_deref(),
            (Subject::Message(flow), End::Source) => flow.source.as_ref(),
            (Subject::Message(flow), End::Destination) => flow.destination.as_ref(),
        }
    }

    pub(super) fn service(self, end: End) -> Option<&'a Service> {
        match (self, end) {
            (Subject::Kept { flow, .. }, End::Source) => flow.source_service.as_deref(),
            (Subject::Kept { flow, .. }, End::Destination) => flow.destination_service.as_deref(),
            (Subject::Message(flow), End::Source) => flow.source_service.as_ref(),
            (Subject::Message(flow), End::Destination) => flow.destination_service.as_ref(),
        }
    }

    pub(super) fn names(self, end: End) -> &'a [String] {
        let kept = match (self, end) {
            (Subject::Kept { flow, .. }, End::Source) => flow.source_names.as_deref(),
            (Subject::Kept { flow, .. }, End::Destination) => flow.destination_names.as_deref(),
            (Subject::Message(flow), End::Source) => Some(&flow.source_names),
            (Subject::Message(flow), End::Destination) => Some(&flow.destination_names),
        };
        kept.map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn address(self, address: Address) -> Option<IpAddr> {
        match self {
            Subject::Kept { flow, .. } => match address {
                Address::Of(End::Source) => flow.source_ip,
                Address::Of(End::Destination) => flow.destination_ip,
                Address::SourceXlated => flow.rare.as_deref()?.source_xlated_ip,
            },
            Subject::Message(flow) => {
                let ip = flow.ip.as_ref()?;
                let text = match address {
                    Address::Of(End::Source) => &ip.source,
                    Address::Of(End::Destination) => &ip.destination,
                    Address::SourceXlated => &ip.source_xlated,
                };
                text.parse().ok()
            }
        }
    }

    pub(super) fn ip_version(self) -> i32 {
        match self {
            Subject::Kept { flow, .. } => flow.ip_version().into(),
            Subject::Message(flow) => flow.ip.as_ref().map(|ip| ip.ip_version).unwrap_or_default(),
        }
    }

    pub(super) fn l4(self) -> L4 {
        match self {
            Subject::Kept { flow, .. } => flow.l4,
            Subject::Message(flow) => flow.l4.as_ref().map(L4::from).unwrap_or_default(),
        }
    }

    pub(super) fn dns(self) -> Option<&'a Dns> {
        match self {
            Subject::Kept { flow, .. } => match flow.l7.as_deref().map(|l7| &l7.record) {
                Some(L7Record::Dns(dns)) => Some(dns),
                _ => None,
            },
            Subject::Message(flow) => match flow.l7.as_ref()?.record.as_ref() {
                Some(Record::Dns(dns)) => Some(dns),
                _ => None,
            },
        }
    }

    pub(super) fn http(self) -> Option<&'a Http> {
        match self {
            Subject::Kept { flow, .. } => match flow.l7.as_deref().map(|l7| &l7.record) {
                Some(L7Record::Http(http)) => Some(http),
                _ => None,
            },
            Subject::Message(flow) => match flow.l7.as_ref()?.record.as_ref() {
                Some(Record::Http(http)) => Some(http),
                _ => None,
            },
        }
    }

    pub(super) fn node_name(self) -> &'a str {
        match self {
            Subject::Kept { node, .. } => &node.name,
            Subject::Message(flow) => &flow.node_name,
        }
    }

    pub(super) fn node_labels(self) -> &'a [String] {
        match self {
            Subject::Kept { node, .. } => &node.labels,
            Subject::Message(flow) => &flow.node_labels,
        }
    }

    pub(super) fn interface(self) -> Option<&'a NetworkInterface> {
        match self {
            Subject::Kept { flow, .. } => flow.interface.as_deref(),
            Subject::Message(flow) => flow.interface.as_ref(),
        }
    }

    pub(super) fn trace_id(self) -> Option<&'a str> {
        match self {
            Subject::Kept { flow, .. } => flow.rare.as_deref()?.trace_id.as_deref(),
            Subject::Message(flow) => {
                let parent = flow.trace_context.as_ref()?.parent.as_ref()?;
                Some(&parent.trace_id)
            }
        }
    }

    pub(super) fn ip_trace_id(self) -> Option<u64> {
        let id = match self {
            Subject::Kept { flow, .. } => flow.rare.as_deref()?.ip_trace_id.as_ref(),
            Subject::Message(flow) => flow.ip_trace_id.as_ref(),
        };
        id.map(|id| id.trace_id)
    }

    pub(super) fn traffic_direction(self) -> i32 {
        match self {
            Subject::Kept { flow, .. } => flow.traffic_direction.into(),
            Subject::Message(flow) => flow.traffic_direction,
        }
    }

    /// The whole flow as a message, made where it is none.
    pub fn message(self) -> Cow<'a, proto::Flow> {
        match self {
            Subject::Kept { flow, node } => Cow::Owned(flow.to_proto(node)),
            Subject::Message(flow) => Cow::Borrowed(flow),
        }
    }
}
