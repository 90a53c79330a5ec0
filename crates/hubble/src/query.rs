//! What `GetFlows` gives, step by step: a pure state machine over a [`Ring`] that a server drives.
//!
//! The semantics are Hubble's, with what is weak there made right:
//!
//! - `since` with a number gives the *last* so many since then, not the first; `until` with a number
//!   the last so many until then.
//! - A number counts flows that match, of the range of time that was asked for.
//! - The newest flow is given at once.
//! - Losses are told as totals, once a second at most, and what is left when the stream ends.
//! - Flows may be a little out of the order of time ([`DISORDER_NS`]): a range of time still gets all
//!   of its flows.
//! - A response has its time and node also where the mask leaves them out of the flow, so that a relay
//!   can sort.

mod lost;
#[cfg(test)]
mod tests;
mod window;

use prost_types::Timestamp;

use crate::filter::{self, Filters, Limits};
use crate::flow::{Node, timestamp};
use crate::mask::{self, Mask};
use crate::proto::observer::get_flows_response::ResponseTypes;
use crate::proto::observer::{GetFlowsRequest, GetFlowsResponse};
use crate::ring::{Entry, Ring};
use lost::LostEvents;
use window::Window;

/// Flows are looked for so far beyond a range of time; the agent hands them on in order within less.
pub const DISORDER_NS: u64 = 5_000_000_000;

/// Losses are told so often at most.
pub const LOST_INTERVAL_NS: u64 = 1_000_000_000;

/// What is wrong with a request; all are `InvalidArgument`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The first ones are there already; what comes is not among them.
    #[error("first cannot be specified with follow")]
    FirstAndFollow,
    /// Not a moment since 1970.
    #[error("{0} is not a valid time")]
    Time(&'static str),
    /// The filters.
    #[error(transparent)]
    Filter(#[from] filter::Error),
    /// The mask.
    #[error(transparent)]
    Mask(#[from] mask::Error),
}

/// What a server does after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There is more to look at now.
    More,
    /// Nothing until the ring's next number is another than this, or until the time, if there is one,
    /// nanoseconds since 1970: losses are to be told then.
    Wait {
        /// [`Ring::next`] as it was.
        next: u64,
        /// When to step in any case.
        until_ns: Option<u64>,
    },
    /// It is over.
    Done,
}

/// A request on its way through a ring.
#[derive(Debug)]
pub struct Query {
    filters: Filters,
    mask: Mask,
    window: Window,
    /// How many are wanted; `None` is all.
    number: Option<u64>,
    is_first: bool,
    follow: bool,
    state: State,
    lost: LostEvents,
    entries: Vec<Entry>,
}

#[derive(Debug)]
enum State {
    /// Nothing was looked at.
    New,
    /// Looks backwards for where to begin: before `place` there may be more, `found` were behind it.
    Rewinding { place: u64, end: u64, found: u64 },
    /// Gives flows from `cursor` on; up to `end`, or as they come.
    Giving { cursor: u64, end: u64, left: Option<u64> },
    /// Gave all.
    Done,
}

impl Query {
    /// A request, understood.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(request: &GetFlowsRequest, limits: &Limits) -> Result<Self, Error> {
        let GetFlowsRequest { number, follow, first, .. } = *request;
        if first && follow {
            return Err(Error::FirstAndFollow);
        }
        let time = |name, time: Option<&Timestamp>| {
            time.map(|time| nanoseconds(time).ok_or(Error::Time(name))).transpose()
        };
        let since_ns = time("since", request.since.as_ref())?;
        let until_ns = time("until", request.until.as_ref())?;
        let paths = request.field_mask.as_ref().map(|mask| &mask.paths[..]);
        Ok(Self {
            filters: Filters::compile(&request.whitelist, &request.blacklist, limits)?,
            mask: Mask::compile(paths.unwrap_or_default())?,
            window: Window { since_ns, until_ns },
            number: (number > 0).then_some(number),
            is_first: first,
            follow,
            state: State::New,
            lost: LostEvents::default(),
            entries: Vec::new(),
        })
    }

    /// Looks at some entries, at most [`crate::ring::BATCH`], and appends what is to be sent.
    pub fn step(
        &mut self,
        ring: &Ring,
        node: &Node,
        now_ns: u64,
        responses: &mut Vec<GetFlowsResponse>,
    ) -> Step {
        match self.state {
            State::New => self.begin(ring),
            State::Rewinding { place, end, found } => self.rewind(ring, node, place, end, found),
            State::Giving { cursor, end, left } => {
                return self.give(ring, node, now_ns, (cursor, end, left), responses);
            }
            State::Done => return Step::Done,
        }
        Step::More
    }

    /// Where to begin, where that is known without looking.
    fn begin(&mut self, ring: &Ring) {
        let range = ring.range();
        let end = if self.follow { u64::MAX } else { range.end };
        let has_since = self.window.since_ns.is_some();
        self.state = match self.number {
            _ if self.is_first => State::Giving { cursor: range.start, end, left: self.number },
            None if self.follow && !has_since => {
                State::Giving { cursor: range.end, end, left: None }
            }
            // As many as there are, from the beginning.
            Some(number) if number >= range.end - range.start && !has_since => {
                State::Giving { cursor: range.start, end, left: None }
            }
            None if !has_since => State::Giving { cursor: range.start, end, left: None },
            _ => State::Rewinding { place: range.end, end, found: 0 },
        };
    }

    /// One batch backwards, counting flows that match.
    fn rewind(&mut self, ring: &Ring, node: &Node, mut place: u64, end: u64, mut found: u64) {
        let first = ring.read_back(place, &mut self.entries);
        let mut is_begin = first == place;
        while let Some(entry) = self.entries.pop() {
            if let Entry::Flow(flow) = &entry {
                is_begin = self.window.is_long_before(flow.time_ns);
                if is_begin {
                    break;
                }
                let is_counted = self.number.is_some() && self.window.contains(flow.time_ns);
                found += u64::from(is_counted && self.filters.matches((&**flow, node)));
            }
            place -= 1;
            if self.number == Some(found) {
                is_begin = true;
                break;
            }
        }
        self.state = if is_begin {
            State::Giving { cursor: place, end, left: None }
        } else {
            State::Rewinding { place, end, found }
        };
    }

    /// One batch forwards.
    fn give(
        &mut self,
        ring: &Ring,
        node: &Node,
        now_ns: u64,
        (mut cursor, end, mut left): (u64, u64, Option<u64>),
        responses: &mut Vec<GetFlowsResponse>,
    ) -> Step {
        let mut entries = std::mem::take(&mut self.entries);
        let gone = ring.read(&mut cursor, end, &mut entries);
        if gone > 0 {
            self.lost.overwritten(gone, now_ns);
        }
        let is_all = entries.is_empty();
        let mut is_over = is_all && cursor >= end;
        for entry in entries.drain(..) {
            match entry {
                Entry::Lost(lost) => self.lost.passed(&lost),
                Entry::Flow(flow) if self.window.is_long_after(flow.time_ns) => is_over = true,
                Entry::Flow(flow) => {
                    if self.window.contains(flow.time_ns) && self.filters.matches((&*flow, node)) {
                        responses.push(self.response(&flow, node));
                        left = left.map(|left| left - 1);
                    }
                }
            }
            is_over |= left == Some(0);
            if is_over {
                break;
            }
        }
        self.entries = entries;
        self.lost.tell(now_ns, is_over, node, responses);
        self.state = if is_over { State::Done } else { State::Giving { cursor, end, left } };
        match (is_over, is_all) {
            (true, _) => Step::Done,
            (false, false) => Step::More,
            (false, true) => Step::Wait { next: cursor, until_ns: self.lost.due_ns() },
        }
    }

    fn response(&self, flow: &crate::flow::Flow, node: &Node) -> GetFlowsResponse {
        let message = self.mask.apply(flow.to_proto(node));
        GetFlowsResponse {
            node_name: node.name.clone(),
            time: Some(timestamp(flow.time_ns)),
            response_types: Some(ResponseTypes::Flow(message)),
        }
    }
}

/// Nanoseconds since 1970 of a moment, if it is one.
fn nanoseconds(time: &Timestamp) -> Option<u64> {
    let nanos = u64::try_from(time.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    // A moment before 1970 is before all flows.
    let seconds = u64::try_from(time.seconds.max(0)).ok()?;
    Some(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}
