//! What leaves the cluster.

use std::fmt::Write;

use chandra_hubble::flow::{DropReason, Flow, L4, TcpFlags, Verdict};

use super::super::family::{Contextual, Forget, Metric, Of};
use super::super::options;
use crate::{Counter, Registry, SpecError, Values};

use super::super::options::Switch;
use super::super::words;

#[derive(Debug)]
pub(super) struct FlowsToWorld {
    flows: Contextual<Counter>,
    any_drop: bool,
    port: bool,
    syn_only: bool,
}

impl FlowsToWorld {
    pub fn new(options: &options::Metric, registry: &Registry) -> Result<Self, SpecError> {
        let port = options.has(Switch::Port);
        let own: &[_] =
            if port { &["protocol", "verdict", "port"] } else { &["protocol", "verdict"] };
        let of = Of("hubble_flows_to_world", "Flows to outside of the cluster.", "", own);
        Ok(Self {
            flows: Contextual::counter(registry, &options.contexts, &of)?,
            any_drop: options.has(Switch::AnyDrop),
            port,
            syn_only: options.has(Switch::SynOnly),
        })
    }

    fn counts(&self, flow: &Flow) -> bool {
        let destination = flow.destination.as_ref();
        let labels = destination.map(|endpoint| endpoint.labels.as_slice()).unwrap_or_default();
        // With the families of IP too: world-ipv4, world-ipv6.
        let is_world = labels.iter().any(|label| label.starts_with("reserved:world"));
        if !is_world || flow.event_type.number == 0 || flow.l4 == L4::Unknown {
            return false;
        }
        let is_dropped = flow.verdict == Verdict::Dropped;
        let by_policy = flow.drop_reason == DropReason::PolicyDenied;
        let is_reply = flow.is_reply == Some(true);
        let is_syn = flow.l4.tcp_flags().is_some_and(|flags| flags.contains(TcpFlags::SYN));
        let is_wanted_drop = by_policy || self.any_drop;
        (if is_dropped { is_wanted_drop } else { !is_reply })
            && (!self.syn_only || is_syn && !is_reply)
    }
}

impl Metric for FlowsToWorld {
    fn observe(&mut self, flow: &Flow, values: &mut Values) {
        if !self.counts(flow) {
            return;
        }
        self.flows.push_contexts(flow, false, values);
        values.push(words::protocol(flow));
        values.push(flow.verdict.as_str_name());
        if self.port {
            if let Some((_, port)) = flow.l4.ports() {
                let _ = write!(values, "{port}");
            }
            values.end();
        }
        self.flows.with(values).add(flow.details.stands_for());
    }

    fn families(&mut self) -> Vec<&mut dyn Forget> {
        vec![&mut self.flows]
    }
}
