//! Packets of SCTP that open or end an association, by their first chunk.

use chandra_hubble::flow::{Flow, L4};
use chandra_hubble::proto::flow::SctpChunkType;

use super::super::family::{Contextual, Forget, Metric, Of};
use super::super::options;
use super::super::words;
use crate::{Counter, Registry, SpecError, Values};

#[derive(Debug)]
pub(super) struct Sctp(Contextual<Counter>);

impl Sctp {
    pub fn new(options: &options::Metric, registry: &Registry) -> Result<Self, SpecError> {
        let of = Of(
            "hubble_sctp_chunk_types",
            "Chunks of SCTP that were seen.",
            "",
            &["chunk_type", "family"],
        );
        Ok(Self(Contextual::counter(registry, &options.contexts, &of)?))
    }
}

impl Metric for Sctp {
    fn observe(&mut self, flow: &Flow, values: &mut Values) {
        let has_ip = flow.source_ip.or(flow.destination_ip).is_some();
        let L4::Sctp { chunk_type, .. } = flow.l4 else { return };
        if !has_ip || !words::has_passed(flow) || chunk_type == SctpChunkType::Unsupported {
            return;
        }
        let own = [chunk_type.as_str_name(), flow.ip_version().as_str_name()];
        self.0.count(flow, values, &own);
    }

    fn families(&mut self) -> Vec<&mut dyn Forget> {
        vec![&mut self.0]
    }
}
