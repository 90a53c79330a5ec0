//! Hubble's metrics: families of counters that are fed with flows, named and labelled as Hubble's, so
//! that dashboards and alerts made for those work.
//!
//! Where Hubble is wrong this is not followed: ICMPv6 is of the family `IPv6`, a pod without a name is not
//! called `namespace/`, and a drop whose reason only the kernel can name is called by the kernel's name.

mod context;
mod error;
mod family;
mod metrics;
mod options;
mod words;

use std::time::Instant;

use chandra_hubble::flow::Flow;
use chandra_hubble::proto::flow::LostEventSource;

use crate::{Counter, Family, Registry, Spec, SpecError, Values};

pub use error::{OptionsError, Problem, What};
pub use options::{DEFAULT, Options};

use family::Metric;

/// Counts flows. Owned by the thread that has the flows; the registry tells what was counted.
#[derive(Debug)]
pub struct HubbleMetrics {
    metrics: Vec<Box<dyn Metric>>,
    lost: Family<Counter>,
    name_pods: bool,
    /// Made anew for each flow, in the same memory.
    values: Values,
}

impl HubbleMetrics {
    /// Adds the families of these metrics to a registry.
    ///
    /// # Errors
    /// When the registry has families of these names.
    pub fn new(options: &Options, registry: &Registry) -> Result<Self, SpecError> {
        let metrics = options.metrics.iter().map(|metric| metrics::make(metric, registry));
        let lost = Spec {
            name: "hubble_lost_events",
            help: "Flows that were lost on their way, by where.",
            unit: "",
            labels: vec!["source"],
        };
        Ok(Self {
            metrics: metrics.collect::<Result<_, _>>()?,
            lost: registry.counter(lost)?,
            name_pods: options.metrics.iter().any(|metric| metric.contexts.can_name_pods()),
            values: Values::default(),
        })
    }

    /// Counts a flow.
    pub fn observe(&mut self, flow: &Flow) {
        for metric in &mut self.metrics {
            self.values.clear();
            metric.observe(flow, &mut self.values);
        }
    }

    /// Counts flows that were lost.
    pub fn lost(&mut self, source: LostEventSource, count: u64) {
        self.values.clear();
        self.values.push(match source {
            LostEventSource::PerfEventRingBuffer => "perf_event_ring_buffer",
            LostEventSource::ObserverEventsQueue => "observer_events_queue",
            LostEventSource::HubbleRingBuffer => "hubble_ring_buffer",
            LostEventSource::UnknownLostEventSource => "unknown",
        });
        self.lost.with(&self.values).add(count);
    }

    /// Tells it the time, about once a second: series that nothing touches are forgotten by it.
    pub fn tick(&mut self, now: Instant) {
        self.lost.tick(now);
        self.metrics.iter_mut().for_each(|metric| metric.tick(now));
    }

    /// Some of its labels name pods together with their namespaces.
    pub fn name_pods(&self) -> bool {
        self.name_pods
    }

    /// Forgets the series of a pod that is gone; says how many.
    pub fn forget_pod(&mut self, namespace: &str, name: &str) -> usize {
        self.metrics.iter_mut().map(|metric| metric.forget_pod(namespace, name)).sum()
    }
}

#[cfg(test)]
mod tests;
