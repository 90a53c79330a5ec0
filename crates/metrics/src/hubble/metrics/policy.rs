//! What network policies decided.

use chandra_hubble::flow::{EventType, Flow, L7Record, TrafficDirection, Verdict};

use super::super::family::{Contextual, Forget, Metric, Of};
use super::super::options;
use super::super::words;
use crate::{Counter, Registry, SpecError, Values};

#[derive(Debug)]
pub(super) struct Policy(Contextual<Counter>);

impl Policy {
    pub fn new(options: &options::Metric, registry: &Registry) -> Result<Self, SpecError> {
        let of = Of(
            "hubble_policy_verdicts",
            "Verdicts of network policies.",
            "",
            &["direction", "match", "action"],
        );
        Ok(Self(Contextual::counter(registry, &options.contexts, &of)?))
    }
}

impl Metric for Policy {
    fn observe(&mut self, flow: &Flow, values: &mut Values) {
        let matched = match (flow.event_type.number, flow.l7.as_deref().map(|l7| &l7.record)) {
            // The host may talk to all that runs on it.
            (EventType::POLICY_VERDICT, _) if is_host(flow) => return,
            (EventType::POLICY_VERDICT, _) => {
                let rare = flow.rare.as_ref();
                words::policy_match(rare.map_or(0, |rare| rare.policy_match_type))
            }
            (EventType::L7, Some(L7Record::Dns(_))) => "l7/dns",
            (EventType::L7, Some(L7Record::Http(_))) => "l7/http",
            (EventType::L7, None) => "l7/",
            _ => return,
        };
        let direction = match flow.traffic_direction {
            TrafficDirection::Ingress => "ingress",
            TrafficDirection::Egress => "egress",
            TrafficDirection::Unknown => "traffic_direction_unknown",
        };
        let action = match flow.verdict {
            Verdict::Unknown => "verdict_unknown",
            Verdict::Forwarded => "forwarded",
            Verdict::Dropped => "dropped",
            Verdict::Error => "error",
            Verdict::Audit => "audit",
            Verdict::Redirected => "redirected",
            Verdict::Traced => "traced",
            Verdict::Translated => "translated",
        };
        self.0.count(flow, values, &[direction, matched, action]);
    }

    fn families(&mut self) -> Vec<&mut dyn Forget> {
        vec![&mut self.0]
    }
}

/// The number of the identity `host`.
const HOST: u32 = 1;

fn is_host(flow: &Flow) -> bool {
    flow.source.as_ref().is_some_and(|source| source.identity == HOST)
}
