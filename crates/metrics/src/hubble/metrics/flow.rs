//! All flows, by what they are.

use chandra_hubble::flow::{EventType, Flow, L7Record};

use super::super::family::{Contextual, Forget, Metric, Of};
use super::super::options;
use crate::{Counter, Registry, SpecError, Values};
use std::fmt::Write;

use super::super::words;

#[derive(Debug)]
pub(super) struct Flows(Contextual<Counter>);

impl Flows {
    pub fn new(options: &options::Metric, registry: &Registry) -> Result<Self, SpecError> {
        let of = Of(
            "hubble_flows_processed",
            "Flows that were seen.",
            "",
            &["protocol", "type", "subtype", "verdict"],
        );
        Ok(Self(Contextual::counter(registry, &options.contexts, &of)?))
    }
}

impl Metric for Flows {
    fn observe(&mut self, flow: &Flow, values: &mut Values) {
        let EventType { number, sub_type } = flow.event_type;
        let record = flow.l7.as_deref().map(|l7| &l7.record);
        let (kind, sub_kind) = match (number, record) {
            (EventType::L7, Some(L7Record::Dns(_))) => ("L7", "DNS"),
            (EventType::L7, Some(L7Record::Http(_))) => ("L7", "HTTP"),
            (EventType::L7, None) => ("L7", ""),
            (EventType::DROP, _) => ("Drop", ""),
            (EventType::CAPTURE, _) => ("Capture", ""),
            (EventType::TRACE, _) => ("Trace", words::trace_point(sub_type)),
            (EventType::POLICY_VERDICT, _) => ("PolicyVerdict", ""),
            _ => ("Unknown", ""),
        };
        self.0.push_contexts(flow, false, values);
        values.push(words::protocol(flow));
        values.push(kind);
        match kind {
            "Unknown" => drop(write!(values, "{number}")),
            _ => values.add(sub_kind),
        }
        values.end();
        values.push(flow.verdict.as_str_name());
        self.0.with(values).add(flow.details.stands_for());
    }

    fn families(&mut self) -> Vec<&mut dyn Forget> {
        vec![&mut self.0]
    }
}
