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
use chandra_event::tcp::Tcp;
use chandra_hubble::flow::{Flow, Uuids};

use crate::follow::Told;
use details::Whose;
use endpoints::Endpoints;

/// Names of the kinds of records that flows are made from.
pub const KINDS: &[&str] = &[
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
    /// Makes the flows that a record tells of, if it tells of any, in the order of their times.
    pub fn make(&mut self, told: &Told<'_>, each: &mut dyn FnMut(Flow)) {
        let record = told.known;
        if let Event::Tcp(event) = record.event() {
            self.make_tcp(told, event, each);
        }
    }

    fn make_tcp(&mut self, told: &Told<'_>, event: &Tcp, each: &mut dyn FnMut(Flow)) {
        let Some(seen) = tcp::seen(event) else { return };
        let connection = &event.connection;
        let ends = self.endpoints.ends(told, connection.local, connection.peer);
        let details = self.whose.details(told);
        let mut finish = |flow: Flow, time_ns, details| {
            each(Flow {
                time_ns,
                uuid: self.uuids.make(),
                cgroup_id: event.process.map_or(0, |process| process.cgroup_id),
                socket_cookie: connection.socket_cookie,
                details,
                ..flow
            });
        };
        let time_ns = event.time.0;
        if let Some(before_ns) = tcp::opened_before_ns(event) {
            let opened_ns = time_ns.saturating_sub(before_ns);
            finish(ends.flow(&tcp::opening()), opened_ns, details.clone());
        }
        let details = tcp::fill(event, details);
        finish(ends.flow(&seen), time_ns, details);
    }
}
