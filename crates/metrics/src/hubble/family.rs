//! A family whose labels are those of its contexts, then its own.

use std::fmt;
use std::time::Instant;

use chandra_hubble::flow::Flow;

use super::context::Contexts;
use crate::{Cell, Counter, Family, Histogram, Mark, Registry, Spec, SpecError, Values};

/// One of Hubble's metrics.
pub(super) trait Metric: fmt::Debug + Send {
    /// Counts a flow. The values are empty, and left as they are.
    fn observe(&mut self, flow: &Flow, values: &mut Values);

    /// Its families.
    fn families(&mut self) -> Vec<&mut dyn Forget>;

    /// Tells it the time.
    fn tick(&mut self, now: Instant) {
        self.families().into_iter().for_each(|family| family.tick(now));
    }

    /// Forgets the series of a pod; says how many.
    fn forget_pod(&mut self, namespace: &str, name: &str) -> usize {
        let families = self.families().into_iter();
        families.map(|family| family.forget_pod(namespace, name)).sum()
    }
}

/// A family, by what makes it forget series.
pub(super) trait Forget {
    fn tick(&mut self, now: Instant);
    fn forget_pod(&mut self, namespace: &str, name: &str) -> usize;
}

/// A family with its contexts.
#[derive(Debug)]
pub(super) struct Contextual<C: Cell> {
    family: Family<C>,
    contexts: Contexts,
}

/// Name, help, unit, and own labels.
pub(super) struct Of<'a>(
    pub &'static str,
    pub &'static str,
    pub &'static str,
    pub &'a [&'static str],
);

impl Of<'_> {
    fn spec(&self, contexts: &Contexts) -> Spec {
        let Self(name, help, unit, own) = *self;
        let mut labels = contexts.names();
        labels.extend_from_slice(own);
        Spec { name, help, unit, labels }
    }
}

impl Contextual<Counter> {
    pub fn counter(
        registry: &Registry,
        contexts: &Contexts,
        of: &Of<'_>,
    ) -> Result<Self, SpecError> {
        let family = registry.counter(of.spec(contexts))?;
        Ok(Self { family, contexts: contexts.clone() })
    }

    /// Counts a flow, and those that it stands for, with these values of the own labels.
    pub fn count(&mut self, flow: &Flow, values: &mut Values, own: &[&str]) {
        self.contexts.push(flow, false, values);
        self.count_in(flow, values, own);
    }

    /// The same where the values of the contexts are there already; they stay.
    pub fn count_in(&mut self, flow: &Flow, values: &mut Values, own: &[&str]) {
        let mark = values.mark();
        own.iter().for_each(|value| values.push(value));
        self.family.with(values).add(flow.details.stands_for());
        values.truncate(&mark);
    }
}

impl<C: Cell> Contextual<C> {
    /// Writes the values of the contexts; turned around, for what is told from an answer.
    pub fn push_contexts(&self, flow: &Flow, is_turned: bool, values: &mut Values) -> Mark {
        self.contexts.push(flow, is_turned, values);
        values.mark()
    }

    /// The series of these values.
    pub fn with(&mut self, values: &Values) -> &C {
        self.family.with(values)
    }
}

impl Contextual<Histogram> {
    pub fn histogram(
        registry: &Registry,
        contexts: &Contexts,
        of: &Of<'_>,
        bounds: &[f64],
    ) -> Result<Self, SpecError> {
        let family = registry.histogram(of.spec(contexts), bounds)?;
        Ok(Self { family, contexts: contexts.clone() })
    }
}

impl<C: Cell> Forget for Contextual<C> {
    fn tick(&mut self, now: Instant) {
        self.family.tick(now);
    }

    fn forget_pod(&mut self, namespace: &str, name: &str) -> usize {
        let Self { family, contexts } = self;
        family.remove_where(|values| contexts.name_pod(values, namespace, name))
    }
}
