//! Messages of ICMP and ICMPv6, by their type.

use chandra_hubble::flow::{Flow, IcmpType, L4};

use super::super::family::{Contextual, Forget, Metric, Of};
use super::super::options;
use crate::{Counter, Registry, SpecError, Values};
use std::fmt::Write;

#[derive(Debug)]
pub(super) struct Icmp(Contextual<Counter>);

impl Icmp {
    pub fn new(options: &options::Metric, registry: &Registry) -> Result<Self, SpecError> {
        let of = Of("hubble_icmp", "Messages of ICMP.", "", &["family", "type"]);
        Ok(Self(Contextual::counter(registry, &options.contexts, &of)?))
    }
}

impl Metric for Icmp {
    fn observe(&mut self, flow: &Flow, values: &mut Values) {
        let Some(kind) = IcmpType::of(flow.l4) else { return };
        self.0.push_contexts(flow, false, values);
        values.push(if matches!(flow.l4, L4::Icmpv4 { .. }) { "IPv4" } else { "IPv6" });
        let _ = write!(values, "{kind}");
        values.end();
        self.0.with(values).add(flow.details.stands_for());
    }

    fn families(&mut self) -> Vec<&mut dyn Forget> {
        vec![&mut self.0]
    }
}
