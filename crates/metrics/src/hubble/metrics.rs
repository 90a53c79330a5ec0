//! Each of Hubble's metrics: which flows it counts, and by what.

mod dns;
mod drop;
mod flow;
mod flows_to_world;
mod http;
mod icmp;
mod policy;
mod port_distribution;
mod sctp;
mod tcp;

use super::family::Metric;
use super::options::{self, Name};
use crate::{Registry, SpecError};

/// A metric as its options have it.
pub(super) fn make(
    options: &options::Metric,
    registry: &Registry,
) -> Result<Box<dyn Metric>, SpecError> {
    Ok(match options.name {
        Name::Dns => Box::new(dns::Dns::new(options, registry)?),
        Name::Drop => Box::new(drop::Drop::new(options, registry)?),
        Name::Flow => Box::new(flow::Flows::new(options, registry)?),
        Name::FlowsToWorld => Box::new(flows_to_world::FlowsToWorld::new(options, registry)?),
        Name::Http => Box::new(http::Http::new(options, registry)?),
        Name::HttpV2 => Box::new(http::HttpV2::new(options, registry)?),
        Name::Icmp => Box::new(icmp::Icmp::new(options, registry)?),
        Name::Policy => Box::new(policy::Policy::new(options, registry)?),
        Name::PortDistribution => Box::new(port_distribution::Ports::new(options, registry)?),
        Name::Sctp => Box::new(sctp::Sctp::new(options, registry)?),
        Name::Tcp => Box::new(tcp::Tcp::new(options, registry)?),
    })
}
