//! What a stream misses, as totals by where it was lost.

use prost_types::Timestamp;

use super::LOST_INTERVAL_NS;
use crate::flow::{Node, timestamp};
use crate::proto::flow::{LostEvent, LostEventSource};
use crate::proto::observer::GetFlowsResponse;
use crate::proto::observer::get_flows_response::ResponseTypes;

/// Totals that are not told yet.
#[derive(Debug, Default)]
pub(super) struct LostEvents {
    /// One for each source, few as these are.
    totals: Vec<LostEvent>,
    told_ns: Option<u64>,
}

impl LostEvents {
    /// Entries of the ring were overwritten before the stream came to them.
    pub fn overwritten(&mut self, count: u64, now_ns: u64) {
        let at = Some(timestamp(now_ns));
        self.passed(&LostEvent {
            source: LostEventSource::HubbleRingBuffer.into(),
            num_events_lost: count,
            first: at,
            last: at,
            ..LostEvent::default()
        });
    }

    /// Something was lost before it came into the ring.
    pub fn passed(&mut self, lost: &LostEvent) {
        let Some(total) = self.totals.iter_mut().find(|total| total.source == lost.source) else {
            return self.totals.push(*lost);
        };
        total.num_events_lost = total.num_events_lost.saturating_add(lost.num_events_lost);
        // A total of several processors is of none.
        if total.cpu != lost.cpu {
            total.cpu = None;
        }
        total.first = earlier(total.first, lost.first);
        total.last = later(total.last, lost.last);
    }

    /// When the totals are to be told, if there are any.
    pub fn due_ns(&self) -> Option<u64> {
        let after = self.told_ns.map_or(0, |told| told.saturating_add(LOST_INTERVAL_NS));
        (!self.totals.is_empty()).then_some(after)
    }

    /// Tells the totals, if it is time or the stream ends.
    pub fn tell(
        &mut self,
        now_ns: u64,
        is_over: bool,
        node: &Node,
        responses: &mut Vec<GetFlowsResponse>,
    ) {
        if !self.due_ns().is_some_and(|due| is_over || due <= now_ns) {
            return;
        }
        self.told_ns = Some(now_ns);
        responses.extend(self.totals.drain(..).map(|total| GetFlowsResponse {
            node_name: node.name.clone(),
            time: Some(timestamp(now_ns)),
            response_types: Some(ResponseTypes::LostEvents(total)),
        }));
    }
}

fn key(time: &Timestamp) -> (i64, i32) {
    (time.seconds, time.nanos)
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min_by_key(key)
}

fn later(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).max_by_key(key)
}
