//! Signals that were sent, counted by which, what became of it, and whose process sent it.

use std::fmt::Write;
use std::time::Instant;

use chandra_event::names::signal;
use chandra_event::record::{Event, Record};
use chandra_metrics::{Counter, Family, Registry, Spec, SpecError, Values};

use super::pod_labels;
use crate::follow::Told;

/// Counts them.
#[derive(Debug)]
pub struct SignalsSent {
    family: Family<Counter>,
    values: Values,
}

/// The family of metrics of them.
pub fn spec() -> Spec {
    Spec {
        name: "chandra_signals_sent",
        help: "Signals that were sent, by the sender; one that is in no pod, or the kernel, has empty labels.",
        unit: "",
        labels: [&pod_labels::LABELS[..], &["signal", "outcome"]].concat(),
    }
}

impl SignalsSent {
    /// None yet.
    ///
    /// # Errors
    /// When there is a family of this name.
    pub fn new(registry: &Registry) -> Result<Self, SpecError> {
        Ok(Self { family: registry.counter(spec())?, values: Values::default() })
    }

    /// Counts a record for all that it stands for, if it is of a signal; says whether it is.
    pub fn take(&mut self, told: &Told<'_>) -> bool {
        let Event::SignalSent(sent) = told.known.event() else { return false };
        let Self { family, values } = self;
        pod_labels::spell(told.known.who, values);
        // Into memory: it cannot fail.
        let _ = write!(values, "{}", signal(sent.signal));
        values.end();
        values.push(sent.outcome.word());
        family.with(values).add(u64::from(sent.sampled_one_in.max(1)));
        true
    }

    /// Tells it the time, about once a second.
    pub fn tick(&mut self, now: Instant) {
        self.family.tick(now);
    }
}
