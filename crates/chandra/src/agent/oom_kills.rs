//! Processes that the kernel killed for want of memory, counted by whose they were.

use std::time::Instant;

use chandra_event::record::{Event, Record};
use chandra_metrics::{Counter, Family, Registry, Spec, SpecError, Values};

use super::pod_labels;
use crate::follow::Told;

/// Counts them.
#[derive(Debug)]
pub struct OomKills {
    family: Family<Counter>,
    values: Values,
}

/// The family of metrics of them.
pub fn spec() -> Spec {
    Spec {
        name: "chandra_oom_kills",
        help: "Processes that the kernel killed for want of memory; what was in no pod has empty labels.",
        unit: "",
        labels: pod_labels::LABELS.to_vec(),
    }
}

impl OomKills {
    /// None yet.
    ///
    /// # Errors
    /// When there is a family of this name.
    pub fn new(registry: &Registry) -> Result<Self, SpecError> {
        Ok(Self { family: registry.counter(spec())?, values: Values::default() })
    }

    /// Counts a record, if it is of such a kill; says whether it is.
    pub fn take(&mut self, told: &Told<'_>) -> bool {
        if !matches!(told.known.event(), Event::OomKill(_)) {
            return false;
        }
        let Self { family, values } = self;
        pod_labels::spell(told.known.who, values);
        family.with(values).add(1);
        true
    }

    /// Tells it the time, about once a second.
    pub fn tick(&mut self, now: Instant) {
        self.family.tick(now);
    }
}
