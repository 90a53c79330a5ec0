//! How TCP does, counted by whose the connections are: opened and refused, sent again, reset, held up, dropped.
//!
//! Counted from records, so each number is the sum of what `chandra trace` would show one by one, where all are told;
//! else each record counts for those that it stands for. What held up a connection is known at its end.

use std::time::Instant;

use chandra_event::names::errno_name;
use chandra_event::record::{Event, Record};
use chandra_event::tcp::{Happened, Totals};
use chandra_metrics::network::Level;
use chandra_metrics::{Counter, Family, Registry, Seconds, Spec, SpecError, Values};

use super::pod_labels;
use crate::follow::Told;

/// Counts them.
#[derive(Debug)]
pub struct TcpHealth {
    level: Level,
    values: Values,
    connects: Family<Counter>,
    accepts: Family<Counter>,
    retransmits: Family<Counter>,
    resets: Family<Counter>,
    listen_drops: Family<Counter>,
    limited: Family<Seconds>,
}

impl TcpHealth {
    /// Nothing yet.
    ///
    /// # Errors
    /// When there is a family of one of these names.
    pub fn new(level: Level, registry: &Registry) -> Result<Self, SpecError> {
        let spec = |name, unit, help, own: &[&'static str]| {
            let labels = [level.labels(), own].concat();
            Spec { name, help, unit, labels }
        };
        let counter = |name, help, own: &[_]| registry.counter(spec(name, "", help, own));
        Ok(Self {
            level,
            values: Values::default(),
            connects: counter(
                "chandra_tcp_connects",
                "Connections that a process opened, by what came of it: established, the error, or given_up.",
                &["outcome"],
            )?,
            accepts: counter("chandra_tcp_accepts", "Connections that accept(2) returned.", &[])?,
            retransmits: counter(
                "chandra_tcp_retransmits",
                "Segments of TCP that were sent again.",
                &[],
            )?,
            resets: counter(
                "chandra_tcp_resets",
                "Resets of TCP, with the kernel's reason where it gives one (6.10 and later).",
                &["direction", "reason"],
            )?,
            listen_drops: counter(
                "chandra_tcp_listen_drops",
                "SYNs and last segments of handshakes that a listening socket had no room for.",
                &[],
            )?,
            limited: registry.seconds(spec(
                "chandra_tcp_limited_seconds",
                "seconds",
                "How long connections that are closed now were held up in sending by the receiver's window, or by their own buffer.",
                &["by"],
            ))?,
        })
    }

    /// Counts a record, if it is of that; says whether it is.
    pub fn take(&mut self, told: &Told<'_>) -> bool {
        let Event::Tcp(tcp) = told.known.event() else { return false };
        let times = u64::from(tcp.sampled_one_in.max(1));
        let mut series = Series(self.level, told, &mut self.values);
        match tcp.happened {
            Happened::Established { .. } => {
                series.count(&mut self.connects, &["established"], times)
            }
            Happened::ConnectFailed { error, .. } => {
                series.count(&mut self.connects, &[outcome(error)], times);
            }
            Happened::Accept { .. } => series.count(&mut self.accepts, &[], times),
            Happened::Retransmit { .. } => series.count(&mut self.retransmits, &[], times),
            Happened::Reset { sent, reason, .. } => {
                let direction = if sent { "sent" } else { "received" };
                let labels = [direction, reason.unwrap_or_default()];
                series.count(&mut self.resets, &labels, times);
            }
            Happened::ListenDrop { drops, .. } => series.count(&mut self.listen_drops, &[], drops),
            Happened::Close(totals) => series.limited(&mut self.limited, &totals, times),
            _ => return false,
        }
        true
    }

    /// Tells it the time, about once a second: series that nothing touches are forgotten.
    pub fn tick(&mut self, now: Instant) {
        for family in [
            &mut self.connects,
            &mut self.accepts,
            &mut self.retransmits,
            &mut self.resets,
            &mut self.listen_drops,
        ] {
            family.tick(now);
        }
        self.limited.tick(now);
    }
}

/// Where what a record tells is added.
struct Series<'a>(Level, &'a Told<'a>, &'a mut Values);

impl Series<'_> {
    fn count(&mut self, family: &mut Family<Counter>, own: &[&str], more: u64) {
        family.with(self.values(own)).add(more);
    }

    fn limited(&mut self, family: &mut Family<Seconds>, totals: &Totals, times: u64) {
        for (by, ns) in [
            ("receive_window", totals.receive_window_limited_ns),
            ("send_buffer", totals.send_buffer_limited_ns),
        ] {
            if ns > 0 {
                family.with(self.values(&[by])).add_ns(ns.saturating_mul(times));
            }
        }
    }

    fn values(&mut self, own: &[&str]) -> &Values {
        let Self(level, told, values) = self;
        pod_labels::spell_to(level.labels().len(), told.known.who, values);
        own.iter().for_each(|value| values.push(value));
        values
    }
}

/// What came of a connection that was not established.
fn outcome(error: u32) -> &'static str {
    match error {
        0 => "given_up",
        error => errno_name(error).unwrap_or("other"),
    }
}
