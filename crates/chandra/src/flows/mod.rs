//! From records to flows as Hubble has them.
//!
//! A record tells of one end of a connection; a flow tells of something that went from a source to a
//! destination. Which way it went follows from what happened ([`tcp`], [`udp`], [`drops`], [`dns`],
//! [`http`], [`icmp`]); who is at each end
//! ([`endpoints`]) is what identity says at that time.
//!
//! Invariant: nothing is guessed. A record that says nothing of a packet makes no flow, and what is not
//! known (whether it is a reply, whose process it was) is absent.

pub mod cache;
mod details;
mod dns;
mod drops;
mod endpoints;
mod http;
mod icmp;
mod tcp;
mod udp;

use std::num::NonZeroU64;

use chandra_event::dns::Dns;
use chandra_event::drop::Drop;
use chandra_event::http::HttpRequest;
use chandra_event::icmp::Icmp;
use chandra_event::record::{Event, Record};
use chandra_event::tcp::Tcp;
use chandra_event::udp::Udp;
use chandra_hubble::flow::{Details, EventType, Flow, FlowType, TraceObservationPoint, Uuids};

use crate::follow::Told;
use details::Whose;
use drops::Drops;
use endpoints::Endpoints;

/// Names of the kinds of records that flows are made from.
pub const KINDS: &[&str] = &[
    "tcp_connect_retry",
    "tcp_connect_failed",
    "tcp_established",
    "tcp_accept",
    "tcp_retransmit",
    "tcp_reset",
    "tcp_update",
    "tcp_close",
    "packet_drop",
    "dns_query",
    "dns_response",
    "udp_open",
    "udp_reply",
    "udp_update",
    "udp_close",
    "http_request",
    "icmp_error",
    "icmp_echo",
];

/// Makes flows, and keeps what many of them have alike.
#[derive(Debug, Default)]
pub struct Maker {
    uuids: Uuids,
    endpoints: Endpoints,
    whose: Whose,
    drops: Drops,
}

impl Maker {
    /// Makes the flows that a record tells of, if it tells of any, in the order of their times.
    pub fn make(&mut self, told: &Told<'_>, each: &mut dyn FnMut(Flow)) {
        match told.known.event() {
            Event::Tcp(tcp) => self.make_tcp(told, tcp, each),
            Event::Drop(drop) if !drop.is_ordinary => self.make_drop(told, drop, each),
            Event::Dns(dns) => self.make_dns(told, dns, each),
            Event::Udp(udp) => self.make_udp(told, udp, each),
            Event::HttpRequest(http) => self.make_http(told, http, each),
            Event::Icmp(icmp) => self.make_icmp(told, icmp, each),
            _ => {}
        }
    }

    fn make_tcp(&mut self, told: &Told<'_>, event: &Tcp, each: &mut dyn FnMut(Flow)) {
        let Some(seen) = tcp::seen(event) else { return };
        let connection = &event.connection;
        let ends = self.endpoints.ends(told, connection.local, connection.peer);
        let details = sampled(self.whose.details(told), event.sampled_one_in);
        let time_ns = event.time.0;
        if let Some(before_ns) = tcp::opened_before_ns(event) {
            let time_ns = time_ns.saturating_sub(before_ns);
            let flow = Flow {
                socket_cookie: connection.socket_cookie,
                details: details.clone(),
                ..ends.flow(&tcp::opening())
            };
            each(Flow { time_ns, ..self.finish(told, flow) });
        }
        let flow = Flow {
            socket_cookie: connection.socket_cookie,
            details: tcp::fill(event, details),
            ..ends.flow(&seen)
        };
        each(self.finish(told, flow));
    }

    fn make_drop(&mut self, told: &Told<'_>, drop: &Drop, each: &mut dyn FnMut(Flow)) {
        // Without addresses there is nobody to tell of.
        let (Some(source), Some(destination)) = (drop.packet.source, drop.packet.destination)
        else {
            return;
        };
        let seen = drops::seen(drop);
        let (local, peer) =
            if seen.is_sent { (source, destination) } else { (destination, source) };
        let ends = self.endpoints.ends(told, local, peer);
        let reason = drops::hubble_reason(drop.reason);
        let kernel = self.drops.kernel(drop);
        let flow = Flow {
            drop_reason: reason,
            event_type: drops::event_type(reason),
            interface: drop.interface.as_ref().map(|interface| self.drops.interface(interface)),
            socket_cookie: drop.socket_cookie,
            details: Details { drop: Some(kernel), ..self.whose.details(told) },
            ..ends.flow(&seen)
        };
        each(self.finish(told, flow));
    }

    fn make_dns(&mut self, told: &Told<'_>, dns: &Dns<'_>, each: &mut dyn FnMut(Flow)) {
        let asks_from_here = || {
            let peer = told.identity.peer_of(told.known, told.container);
            peer.is_some_and(|peer| told.identity.is_here(&peer))
        };
        if !dns::is_client(dns) && asks_from_here() {
            return;
        }
        let Some(l7) = dns::l7(dns) else { return };
        let ends = self.endpoints.ends(told, dns.ends.local, dns.ends.peer);
        let details = Details {
            latency_ns: dns.latency_ns.unwrap_or_default(),
            dns_id: Some(dns.message.id),
            ..self.whose.details(told)
        };
        let flow = Flow {
            flow_type: FlowType::L7,
            event_type: EventType::l7(),
            trace_observation_point: TraceObservationPoint::UnknownPoint,
            socket_cookie: dns.ends.cookie,
            l7: Some(l7),
            details,
            ..ends.flow(&dns::seen(dns))
        };
        each(self.finish(told, flow));
    }

    fn make_udp(&mut self, told: &Told<'_>, udp: &Udp, each: &mut dyn FnMut(Flow)) {
        let ends = self.endpoints.ends(told, udp.ends.local, udp.ends.peer);
        let flow = Flow {
            socket_cookie: udp.ends.cookie,
            details: udp::fill(udp, sampled(self.whose.details(told), udp.sampled_one_in)),
            ..ends.flow(&udp::seen(udp))
        };
        each(self.finish(told, flow));
    }

    fn make_http(&mut self, told: &Told<'_>, http: &HttpRequest<'_>, each: &mut dyn FnMut(Flow)) {
        let halves = http::halves(http);
        if halves.is_empty() {
            return;
        }
        let ends = self.endpoints.ends(told, http.ends.local, http.ends.peer);
        let (whose, trace) = (self.whose.details(told), http::trace(http));
        for half in halves.iter().copied() {
            let Some(l7) = http::l7(http, half) else { continue };
            let details = Details {
                connection_key: http.key.and_then(NonZeroU64::new),
                latency_ns: l7.latency_ns,
                ..whose.clone()
            };
            let flow = Flow {
                flow_type: FlowType::L7,
                event_type: EventType::l7(),
                trace_observation_point: TraceObservationPoint::UnknownPoint,
                socket_cookie: http.ends.cookie,
                l7: Some(l7),
                details,
                rare: trace.clone(),
                ..ends.flow(&http::seen(http, half))
            };
            let time_ns = http.time.0.saturating_sub(http::before_ns(http, half));
            let traffic_direction = http::direction(http);
            each(Flow { time_ns, traffic_direction, ..self.finish(told, flow) });
        }
    }

    fn make_icmp(&mut self, told: &Told<'_>, icmp: &Icmp, each: &mut dyn FnMut(Flow)) {
        let Some(seen) = icmp::seen(icmp) else { return };
        // Whose address it is, is not known where only the kernel's tracepoint tells of it.
        let Some((local, peer)) = icmp::ends(icmp) else { return };
        let ends = self.endpoints.ends(told, local, peer);
        let details = Details {
            latency_ns: icmp.latency_ns.unwrap_or_default(),
            icmp: Some(icmp::details(icmp)),
            ..self.whose.details(told)
        };
        let flow = Flow {
            interface: icmp.interface.as_ref().map(|interface| self.drops.interface(interface)),
            socket_cookie: icmp.socket_cookie,
            details,
            ..ends.flow(&seen)
        };
        each(self.finish(told, flow));
    }

    /// With what every flow has.
    fn finish(&mut self, told: &Told<'_>, flow: Flow) -> Flow {
        let record = told.known;
        Flow {
            time_ns: record.time().0,
            uuid: self.uuids.make(),
            cgroup_id: record.process().map_or(0, |process| process.cgroup_id),
            ..flow
        }
    }
}

/// Of so many flows like it one is told.
fn sampled(details: Details, one_in: u32) -> Details {
    Details { sampled_one_in: if one_in > 1 { one_in } else { 0 }, ..details }
}
