//! From records to flows as Hubble has them.
//!
//! A record tells of one end of a connection; a flow tells of something that went from a source to a
//! destination. Which way it went follows from what happened ([`tcp`]); who is at each end
//! ([`endpoints`]) is what identity says at that time.
//!
//! Invariant: nothing is guessed. A record that says nothing of a packet makes no flow, and what is not
//! known (whether it is a reply, whose process it was) is absent.

mod cache;
mod details;
mod endpoints;
mod tcp;

use chandra_event::record::{Event, Record};
use chandra_hubble::flow::{Flow, Uuids};

use crate::follow::Told;
use details::Whose;
use endpoints::Endpoints;

/// Names of the kinds of records that flows are made from.
pub const KINDS: &[&str] = &[
    "tcp_connect",
    "tcp_connect_retry",
    "tcp_connect_failed",
    "tcp_established",
    "tcp_accept",
    "tcp_retransmit",
    "tcp_reset",
    "tcp_close",
];

/// Makes flows, and keeps what many of them have alike.
#[derive(Debug, Default)]
pub struct Maker {
    uuids: Uuids,
    endpoints: Endpoints,
    whose: Whose,
}

impl Maker {
    /// The flow that a record tells of, if it tells of one.
    pub fn make(&mut self, told: &Told<'_>) -> Option<Flow> {
        let record = told.known;
        let mut flow = match record.event() {
            Event::Tcp(event) => {
                let seen = tcp::seen(event)?;
                let connection = &event.connection;
                let ends = self.endpoints.ends(told, connection.local, connection.peer);
                let mut details = self.whose.details(told);
                tcp::fill(event, &mut details);
                let mut flow = ends.flow(&seen);
                flow.socket_cookie = connection.socket_cookie;
                flow.details = Some(Box::new(details));
                flow
            }
            _ => return None,
        };
        flow.time_ns = record.time().0;
        flow.uuid = self.uuids.make();
        flow.cgroup_id = record.process().map_or(0, |process| process.cgroup_id);
        Some(flow)
    }
}
