//! What the kernel counts by cgroup, told by namespace, workload or pod.
//!
//! A probe knows cgroups and no pods. So what each cgroup has grown by is read from its maps every few seconds,
//! in the thread that owns the tables in which pods are, and added to the series of whoever has it: those have a
//! budget, and go when nothing touches them any more. A cgroup that is gone is read once more, as long as it is
//! known whose it was, and taken out of the maps, which so have room for others.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chandra_event::histogram::Histogram;
use chandra_event::who::Who;
use chandra_identity::Identity;
use chandra_loader::MapCore;
use chandra_loader::abi::GroupKey;
use chandra_loader::load::Loaded;
use chandra_metrics::network::Level;
use chandra_metrics::{Counter, Family, PowersOfTwo, Registry, Spec, SpecError, Values};
use chandra_signals::{Metric, MetricKind, Signal};

use super::kernel_metrics;
use super::state::SignalState;
use crate::counts;

/// Maps are read so often.
const APART: Duration = Duration::from_secs(5);

/// A container that has no name after so long gets none: no runtime that is asked knows it.
const NAMELESS: Duration = Duration::from_secs(10);

/// A group's key, as it lies in a map.
type Bytes = [u8; GroupKey::BYTES];

/// The families of one signal that are told at a level.
#[derive(Debug)]
struct Leveled {
    signal: &'static Signal,
    level: Level,
    sums: Vec<(&'static Metric, Family<Counter>)>,
    histograms: Vec<(&'static Metric, Family<PowersOfTwo>)>,
    /// What each group had when it was read last.
    known_sums: HashMap<Bytes, u64>,
    known_histograms: HashMap<Bytes, Histogram>,
    early: Early,
}

/// Cgroups of containers whose names are not known yet, with when they were met first: what they had is told
/// when they have one.
#[derive(Debug, Default)]
struct Early(HashMap<(u32, u64), Instant>);

impl Early {
    fn waits(&mut self, key: &GroupKey, identity: &Identity) -> bool {
        let (hierarchy, id) = (key.cgroup_hierarchy, key.cgroup_id);
        let cgroup = identity.cgroups.get(hierarchy, id);
        let Some(container) = cgroup.filter(|it| !it.is_removed).and_then(|it| it.container) else {
            return false;
        };
        let who = identity.who_has(container.number);
        if who.container.is_some_and(|container| container.name.is_some()) {
            return false;
        }
        self.0.entry((hierarchy, id)).or_insert_with(Instant::now).elapsed() < NAMELESS
    }

    fn forget_known(&mut self, identity: &Identity) {
        self.0.retain(|(hierarchy, id), _| identity.cgroups.get(*hierarchy, *id).is_some());
    }
}

/// All of them.
#[derive(Debug)]
pub struct LeveledMetrics {
    all: Vec<Leveled>,
    values: Values,
    read: Option<Instant>,
}

/// The labels of a family at a level: those of the level before its own.
pub fn labels(metric: &Metric, level: Level) -> Vec<&'static str> {
    let operation = (!metric.operations.is_empty()).then_some("operation");
    let own = operation.into_iter().chain(metric.labels.iter().map(|(name, _)| *name));
    level.labels().iter().copied().chain(own).collect()
}

impl LeveledMetrics {
    /// Families for these signals, each at its level.
    ///
    /// # Errors
    /// When the registry has one of these names.
    pub fn new(signals: &[SignalState], registry: &Registry) -> Result<Self, SpecError> {
        let leveled = signals.iter().filter(|state| state.is_on && state.level != Level::Node);
        let all = leveled.map(|state| Leveled::new(state.signal, state.level, registry));
        Ok(Self { all: all.collect::<Result<_, _>>()?, values: Values::default(), read: None })
    }

    /// About once a second.
    pub fn look(&mut self, identity: &Identity, signals: &[&SignalState]) {
        let now = Instant::now();
        self.all.iter_mut().for_each(|leveled| leveled.tick(now));
        // What is removed is known for two seconds more.
        let is_removing = identity.cgroups.counts().lingering > 0;
        let is_due = is_removing || self.read.is_none_or(|read| now - read >= APART);
        if self.all.is_empty() || !is_due {
            return;
        }
        self.read = Some(now);
        for leveled in &mut self.all {
            let state =
                signals.iter().find(|state| state.signal.spec.name == leveled.signal.spec.name);
            let values = &mut self.values;
            state.and_then(|state| {
                state.with_loaded(|loaded| leveled.read(loaded, identity, values))
            });
        }
    }
}

impl Leveled {
    fn new(signal: &'static Signal, level: Level, registry: &Registry) -> Result<Self, SpecError> {
        let (mut sums, mut histograms) = (Vec::new(), Vec::new());
        for metric in signal.metrics {
            let spec = Spec {
                name: metric.name,
                help: metric.help,
                unit: metric.unit,
                labels: labels(metric, level),
            };
            match metric.kind {
                MetricKind::Counter => sums.push((metric, registry.counter(spec)?)),
                MetricKind::Histogram => histograms.push((metric, registry.powers_of_two(spec)?)),
            }
        }
        let (known_sums, known_histograms) = (HashMap::new(), HashMap::new());
        let early = Early::default();
        Ok(Self { signal, level, sums, histograms, known_sums, known_histograms, early })
    }

    fn tick(&mut self, now: Instant) {
        self.sums.iter_mut().for_each(|(_, family)| family.tick(now));
        self.histograms.iter_mut().for_each(|(_, family)| family.tick(now));
    }

    fn read(&mut self, loaded: &Loaded, identity: &Identity, values: &mut Values) {
        let Self { signal, level, sums, histograms, known_sums, known_histograms, early } = self;
        early.forget_known(identity);
        if !sums.is_empty() {
            for (key, sum) in counts::groups(loaded).unwrap_or_default() {
                if early.waits(&key, identity) {
                    continue;
                }
                let growth =
                    sum.saturating_sub(known_sums.insert(key.to_array(), sum).unwrap_or(0));
                for (metric, family) in sums.iter_mut().filter(|_| growth > 0) {
                    spell(signal, metric, *level, &key, identity, values);
                    family.with(values).add(growth);
                }
                if is_gone(&key, identity) && forget(loaded, "groups", &key) {
                    known_sums.remove(&key.to_array());
                }
            }
        }
        if !histograms.is_empty() {
            for (key, histogram) in counts::histograms(loaded).unwrap_or_default() {
                if early.waits(&key, identity) {
                    continue;
                }
                let growth = since(&histogram, known_histograms.get(&key.to_array()));
                known_histograms.insert(key.to_array(), histogram);
                for (metric, family) in histograms.iter_mut().filter(|_| growth.count() > 0) {
                    spell(signal, metric, *level, &key, identity, values);
                    family.with(values).add(&growth.buckets, growth.sum);
                }
                if is_gone(&key, identity) && forget(loaded, "histograms", &key) {
                    known_histograms.remove(&key.to_array());
                }
            }
        }
    }
}

/// Nothing is in its cgroup any more, so that nothing will be counted for it; or it is not known, and takes a
/// place all the same.
fn is_gone(key: &GroupKey, identity: &Identity) -> bool {
    let cgroup = identity.cgroups.get(key.cgroup_hierarchy, key.cgroup_id);
    cgroup.is_none_or(|cgroup| cgroup.is_removed)
}

fn forget(loaded: &Loaded, map: &str, key: &GroupKey) -> bool {
    loaded.map(map).is_some_and(|map| map.delete(&key.to_array()).is_ok())
}

fn since(now: &Histogram, before: Option<&Histogram>) -> Histogram {
    let mut growth = now.clone();
    if let Some(before) = before {
        for (count, before) in growth.buckets.iter_mut().zip(before.buckets) {
            *count = count.saturating_sub(before);
        }
        growth.sum = growth.sum.saturating_sub(before.sum);
    }
    growth
}

/// The values of [`labels`].
fn spell(
    signal: &Signal,
    metric: &Metric,
    level: Level,
    key: &GroupKey,
    identity: &Identity,
    values: &mut Values,
) {
    let container = identity.cgroups.container(key.cgroup_hierarchy, key.cgroup_id);
    let who = container.map(|it| identity.who_has(it.number)).unwrap_or_default();
    values.clear();
    for value in owner(&who).into_iter().take(level.labels().len()) {
        values.push(value.unwrap_or_default());
    }
    for (_, value) in kernel_metrics::own_labels(signal, metric, key) {
        values.push(&value);
    }
}

/// What the labels of levels say; nothing of what is in no pod.
fn owner<'w>(who: &Who<'w>) -> [Option<&'w str>; 4] {
    [
        who.pod.and_then(|pod| pod.namespace),
        who.workload.map(|workload| workload.kind),
        who.workload.map(|workload| workload.name),
        who.pod.and_then(|pod| pod.name.or(pod.uid)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_grows_by_what_came_since() {
        let (mut before, mut now) = (Histogram::default(), Histogram::default());
        before.record(5);
        for value in [5, 6, 1000] {
            now.record(value);
        }
        let growth = since(&now, Some(&before));
        assert_eq!((growth.count(), growth.sum), (2, 1006));
        assert_eq!(since(&now, None), now);
        // The kernel began anew.
        assert_eq!(since(&before, Some(&now)).count(), 0);
    }
}
