//! How long things on the network take, as histograms: opening connections, round trips, answers of DNS and of HTTP.
//!
//! Each family is told at a level, from the whole node down to pods: the finer it is the more series there
//! are, so who configures the agent chooses.

mod levels;

use std::fmt::Write;
use std::time::Instant;

use chandra_hubble::flow::{Endpoint, Flow, Http, L7FlowType, L7Record, TrafficDirection};

use crate::{Exemplar, ExemplarId, Family, Histogram, Registry, Spec, SpecError, Values};

pub use levels::{Level, Levels, LevelsError, Measure};

/// From a fast local network to a resolver that gave up.
const BOUNDS_SECONDS: [f64; 15] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 5.0,
];

/// Measures flows. Owned by the thread that has the flows; the registry tells what was measured.
#[derive(Debug)]
pub struct NetworkMetrics {
    families: Vec<Leveled>,
    values: Values,
}

#[derive(Debug)]
struct Leveled {
    measure: Measure,
    level: Level,
    family: Family<Histogram>,
}

impl NetworkMetrics {
    /// Adds the families that are not off to a registry.
    ///
    /// # Errors
    /// When the registry has families of these names.
    pub fn new(levels: &Levels, registry: &Registry) -> Result<Self, SpecError> {
        let on = levels.on();
        let on = on.filter_map(|(measure, level)| Some((measure, level, measure.describe()?)));
        let families = on.map(|(measure, level, (name, help))| {
            let spec = Spec {
                name,
                help,
                unit: "seconds",
                labels: [level.labels(), measure.labels()].concat(),
            };
            let family = registry.histogram(spec, &BOUNDS_SECONDS)?;
            Ok(Leveled { measure, level, family })
        });
        Ok(Self { families: families.collect::<Result<_, _>>()?, values: Values::default() })
    }

    /// Takes from a flow what it says of times.
    pub fn observe(&mut self, flow: &Flow) {
        let Some((measure, seconds)) = measured(flow) else { return };
        let Self { families, values } = self;
        let Some(of) = families.iter_mut().find(|of| of.measure == measure) else { return };
        values.clear();
        of.level.push(own_end(flow, measure), values);
        if let Some(http) = http(flow) {
            values.push(&http.method);
            let _ = write!(values, "{}", http.code);
            values.end();
        }
        let times = flow.details.stands_for();
        of.family.with(values).observe_with(seconds, times, exemplar(flow, seconds));
    }

    /// Tells it the time, about once a second: series that nothing touches are forgotten by it.
    pub fn tick(&mut self, now: Instant) {
        self.families.iter_mut().for_each(|of| of.family.tick(now));
    }

    /// Some of its labels name pods.
    pub fn name_pods(&self) -> bool {
        self.families.iter().any(|of| of.level == Level::Pod)
    }

    /// Forgets the series of a pod that is gone; says how many.
    pub fn forget_pod(&mut self, namespace: &str, name: &str) -> usize {
        let of_pods = self.families.iter_mut().filter(|of| of.level == Level::Pod);
        let forgotten = of_pods.map(|of| {
            of.family.remove_where(|values| {
                // The pod's name is the last label of its level.
                values.next() == Some(namespace) && values.nth(2) == Some(name)
            })
        });
        forgotten.sum()
    }
}

/// What a flow says of how long something took, in seconds.
fn measured(flow: &Flow) -> Option<(Measure, f64)> {
    let details = &flow.details;
    let (measure, seconds) = match details.event {
        // The packet that answers the first one; that one is told of, too, with the same latency.
        "tcp_established" if flow.is_reply == Some(true) => {
            (Measure::TcpConnect, details.latency_ns as f64 / 1e9)
        }
        "tcp_close" => (Measure::TcpRoundTrip, f64::from(details.rtt_us) / 1e6),
        _ => {
            let l7 = flow.l7.as_deref().filter(|l7| l7.kind == L7FlowType::Response)?;
            let measure = match (&l7.record, flow.traffic_direction) {
                (L7Record::Dns(_), _) => Measure::DnsLookup,
                (L7Record::Http(_), TrafficDirection::Egress) => Measure::HttpClient,
                (L7Record::Http(_), TrafficDirection::Ingress) => Measure::HttpServer,
                (L7Record::Http(_), TrafficDirection::Unknown) => return None,
            };
            (measure, l7.latency_ns as f64 / 1e9)
        }
    };
    // Nothing takes no time: it is not known.
    (seconds > 0.0).then_some((measure, seconds))
}

/// What a flow of HTTP tells of it.
fn http(flow: &Flow) -> Option<&Http> {
    match &flow.l7.as_deref()?.record {
        L7Record::Http(http) => Some(http),
        L7Record::Dns(_) => None,
    }
}

/// The end that is on this node. Of an answer over HTTP the direction is that of the request.
fn own_end(flow: &Flow, measure: Measure) -> Option<&Endpoint> {
    match measure {
        Measure::HttpClient => return flow.destination.as_deref(),
        Measure::HttpServer => return flow.source.as_deref(),
        _ => {}
    }
    match flow.traffic_direction {
        TrafficDirection::Egress => flow.source.as_deref(),
        TrafficDirection::Ingress => flow.destination.as_deref(),
        TrafficDirection::Unknown => None,
    }
}

/// The trace that it was part of, else its connection.
fn exemplar(flow: &Flow, value: f64) -> Option<Exemplar> {
    let trace = flow.rare.as_deref().and_then(|rare| rare.trace_id.as_deref());
    let trace = trace.and_then(|id| u128::from_str_radix(id, 16).ok()).map(ExemplarId::Trace);
    let key = flow.details.connection_key.map(|key| ExemplarId::Connection(key.get()));
    Some(Exemplar { id: trace.or(key)?, value, unix_ms: flow.time_ns / 1_000_000 })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
