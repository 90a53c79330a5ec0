//! Going on where another stream ended, without telling a flow twice or leaving one out: the second
//! stream begins a little before the end of the first, and what both have is known by its id.

use std::collections::{HashSet, VecDeque};

use chandra_hubble::proto::flow::Flow;
use prost_types::Timestamp;

/// So far back a stream begins: flows of several nodes are not quite in order.
const OVERLAP_SECONDS: i64 = 10;
/// The most ids that are kept.
const MOST_IDS: usize = 1_000_000;

/// The flows of the last few seconds.
#[derive(Debug, Default)]
pub struct Resume {
    latest: Option<Timestamp>,
    recent: VecDeque<(i64, String)>,
    ids: HashSet<String>,
}

impl Resume {
    /// Whether it was not seen before; it is from now on. One without id is always new.
    pub fn is_new(&mut self, flow: &Flow) -> bool {
        let Some(time) = flow.time else { return true };
        if flow.uuid.is_empty() {
            return true;
        }
        if !self.ids.insert(flow.uuid.clone()) {
            return false;
        }
        let order = |time: &Timestamp| (time.seconds, time.nanos);
        if self.latest.as_ref().is_none_or(|latest| order(latest) < order(&time)) {
            self.latest = Some(time);
        }
        self.recent.push_back((time.seconds, flow.uuid.clone()));
        let oldest = self.latest.map_or(i64::MIN, |latest| latest.seconds - 2 * OVERLAP_SECONDS);
        while self.recent.front().is_some_and(|(seconds, _)| *seconds < oldest)
            || self.recent.len() > MOST_IDS
        {
            if let Some((_, id)) = self.recent.pop_front() {
                self.ids.remove(&id);
            }
        }
        true
    }

    /// From when on to go on.
    pub fn since(&self) -> Option<Timestamp> {
        let latest = self.latest?;
        Some(Timestamp { seconds: latest.seconds - OVERLAP_SECONDS, ..latest })
    }
}
