//! How long threads waited, counted by whose they were and by why: the signal `off_cpu`, beside its profiles.

use std::time::Instant;

use chandra_event::off_cpu::OffCpu;
use chandra_event::record::{Event, Record};
use chandra_metrics::{Family, Registry, Seconds, Spec, SpecError, Values};

use super::pod_labels;
use crate::follow::Told;

/// Counts it.
#[derive(Debug)]
pub struct Waits {
    family: Family<Seconds>,
    values: Values,
}

/// The family of metrics of it.
pub fn spec() -> Spec {
    Spec {
        name: "chandra_off_cpu_seconds",
        help: "How long threads were away from a processor for 1 ms and longer, by why; runnable: none took them.",
        unit: "seconds",
        labels: [&pod_labels::LABELS[..], &["reason"]].concat(),
    }
}

impl Waits {
    /// None yet.
    ///
    /// # Errors
    /// When there is a family of this name.
    pub fn new(registry: &Registry) -> Result<Self, SpecError> {
        Ok(Self { family: registry.seconds(spec())?, values: Values::default() })
    }

    /// Adds a record, if it is of a wait.
    pub fn take(&mut self, told: &Told<'_>) {
        let Event::OffCpu(wait) = told.known.event() else { return };
        for (reason, ns) in [(reason(wait), wait.blocked_ns()), ("runnable", wait.runnable_ns)] {
            if ns > 0 {
                pod_labels::spell(told.known.who, &mut self.values);
                self.values.push(reason);
                self.family.with(&self.values).add_ns(ns);
            }
        }
    }

    /// Tells it the time, about once a second.
    pub fn tick(&mut self, now: Instant) {
        self.family.tick(now);
    }
}

fn reason(wait: &OffCpu<'_>) -> &'static str {
    if wait.is_io_wait { "disk" } else { wait.reason.word() }
}
