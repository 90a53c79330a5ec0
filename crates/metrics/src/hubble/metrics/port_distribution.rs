//! What is asked for, by the port.
//!
//! Answers go to ports that mean nothing, so what is not known to be no answer is not counted.

use chandra_hubble::flow::{Flow, L4};

use super::super::family::{Contextual, Forget, Metric, Of};
use super::super::options;
use crate::{Counter, Registry, SpecError, Values};

use super::super::words;

#[derive(Debug)]
pub(super) struct Ports(Contextual<Counter>);

impl Ports {
    pub fn new(options: &options::Metric, registry: &Registry) -> Result<Self, SpecError> {
        let of = Of(
            "hubble_port_distribution",
            "Flows by the port that they go to.",
            "",
            &["protocol", "port"],
        );
        Ok(Self(Contextual::counter(registry, &options.contexts, &of)?))
    }
}

impl Metric for Ports {
    fn observe(&mut self, flow: &Flow, values: &mut Values) {
        if !words::has_passed(flow) || flow.is_reply != Some(false) || flow.l4 == L4::Unknown {
            return;
        }
        self.0.push_contexts(flow, false, values);
        // That of the packet, also where it is known what the application said.
        values.push(words::l4_protocol(flow.l4));
        let port = flow.l4.ports().map_or(0, |(_, port)| port);
        values.push(itoa::Buffer::new().format(port));
        self.0.with(values).add(flow.details.stands_for());
    }

    fn families(&mut self) -> Vec<&mut dyn Forget> {
        vec![&mut self.0]
    }
}
