//! Drops, by why.
//!
//! Hubble has a number for each reason of its own datapath. The kernel has others, and names them; where
//! there is no number, the label has the kernel's name, which none of Hubble's is like.

use chandra_hubble::flow::{DropReason, Flow, Verdict};

use super::super::family::{Contextual, Forget, Metric, Of};
use super::super::options;
use super::super::words;
use crate::{Counter, Registry, SpecError, Values};

#[derive(Debug)]
pub(super) struct Drop(Contextual<Counter>);

impl Drop {
    pub fn new(options: &options::Metric, registry: &Registry) -> Result<Self, SpecError> {
        let of = Of("hubble_drop", "Flows that were dropped.", "", &["reason", "protocol"]);
        Ok(Self(Contextual::counter(registry, &options.contexts, &of)?))
    }
}

impl Metric for Drop {
    fn observe(&mut self, flow: &Flow, values: &mut Values) {
        if flow.verdict != Verdict::Dropped {
            return;
        }
        let by_kernel = flow.details.drop.as_ref();
        let by_kernel = by_kernel.map(|drop| drop.reason.as_str()).filter(|name| !name.is_empty());
        let reason = match (flow.drop_reason, by_kernel) {
            (DropReason::Unknown, Some(name)) => name,
            (reason, _) => reason.as_str_name(),
        };
        self.0.count(flow, values, &[reason, words::protocol(flow)]);
    }

    fn families(&mut self) -> Vec<&mut dyn Forget> {
        vec![&mut self.0]
    }
}
