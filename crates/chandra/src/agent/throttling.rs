//! Containers that had to wait because they had used up their share of processors (CFS bandwidth control), as
//! the cgroup file system tells it.
//!
//! The thread that tells reads them, since it owns the tables of containers: some at a time, so that it never
//! reads for long. What grew since a container was read last is added to its series; one that is gone leaves
//! what it had grown by until then.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chandra_identity::Identity;
use chandra_identity::container::Number;
use chandra_metrics::{Counter, Family, Registry, Seconds, Spec, SpecError, Values};
use chandra_signals::hierarchies::{Hierarchy, hierarchies};

use super::pod_labels;

/// Every container is read so often.
const ROUND: Duration = Duration::from_secs(5);

/// So many are read in one go, about once a second.
const AT_A_TIME: usize = 64;

/// What `cpu.stat` says of a cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct CpuStat {
    /// Periods in which it had something to do.
    periods: u64,
    /// Those in which it had to wait.
    throttled_periods: u64,
    /// How long it waited, its processors added up.
    throttled_ns: u64,
}

impl CpuStat {
    fn read(folder: &Path) -> Option<Self> {
        std::fs::read_to_string(folder.join("cpu.stat")).ok().map(|text| Self::parse(&text))
    }

    /// The unified hierarchy counts microseconds, that of v1 nanoseconds.
    fn parse(text: &str) -> Self {
        let mut stat = Self::default();
        for line in text.lines() {
            let Some((name, value)) = line.split_once(' ') else { continue };
            let Ok(value) = value.parse::<u64>() else { continue };
            match name {
                "nr_periods" => stat.periods = value,
                "nr_throttled" => stat.throttled_periods = value,
                "throttled_usec" => stat.throttled_ns = value.saturating_mul(1000),
                "throttled_time" => stat.throttled_ns = value,
                _ => {}
            }
        }
        stat
    }

    fn since(self, before: Self) -> Self {
        Self {
            periods: self.periods.saturating_sub(before.periods),
            throttled_periods: self.throttled_periods.saturating_sub(before.throttled_periods),
            throttled_ns: self.throttled_ns.saturating_sub(before.throttled_ns),
        }
    }
}

/// Reads them, and counts.
#[derive(Debug)]
pub struct Throttling {
    /// That with the controller of processors; none where there is none.
    hierarchy: Option<Hierarchy>,
    periods: Family<Counter>,
    throttled_periods: Family<Counter>,
    throttled_seconds: Family<Seconds>,
    values: Values,
    /// What each cgroup was when it was read last.
    known: HashMap<u64, CpuStat>,
    /// Those without a name when they were read first.
    unnamed: HashSet<u64>,
    /// Cgroups that are to be read yet in this round, with their containers.
    due: Vec<(u64, Number)>,
    began: Option<Instant>,
}

/// The families, in the order in which they are made.
pub fn specs() -> [Spec; 3] {
    let spec = |name, unit, help| Spec { name, help, unit, labels: pod_labels::LABELS.to_vec() };
    [
        spec(
            "chandra_cpu_periods",
            "",
            "Periods in which a container whose processor time is limited had something to do.",
        ),
        spec(
            "chandra_cpu_throttled_periods",
            "",
            "Those of them in which it had used up its limit and had to wait.",
        ),
        spec(
            "chandra_cpu_throttled_seconds",
            "seconds",
            "How long it had to wait for that, its processors added up.",
        ),
    ]
}

impl Throttling {
    /// Nothing was read yet.
    ///
    /// # Errors
    /// When there is a family of one of these names.
    pub fn new(registry: &Registry) -> Result<Self, SpecError> {
        let known = hierarchies();
        let v1 = known.iter().find(|hierarchy| hierarchy.id != 0 && hierarchy.has("cpu"));
        let hierarchy = v1.or_else(|| known.iter().find(|hierarchy| hierarchy.id == 0)).cloned();
        let [periods, throttled_periods, throttled_seconds] = specs();
        Ok(Self {
            hierarchy,
            periods: registry.counter(periods)?,
            throttled_periods: registry.counter(throttled_periods)?,
            throttled_seconds: registry.seconds(throttled_seconds)?,
            values: Values::default(),
            known: HashMap::new(),
            unnamed: HashSet::new(),
            due: Vec::new(),
            began: None,
        })
    }

    /// About once a second: reads some of the containers that are due.
    pub fn look(&mut self, identity: &Identity) {
        let now = Instant::now();
        self.periods.tick(now);
        self.throttled_periods.tick(now);
        self.throttled_seconds.tick(now);
        let Some(hierarchy) = &self.hierarchy else { return };
        if self.due.is_empty() && self.began.is_none_or(|began| now - began >= ROUND) {
            self.began = Some(now);
            let due = &mut self.due;
            identity.cgroups.each_own(|its, id, number| {
                if its == hierarchy.id {
                    due.push((id, number));
                }
            });
            let is_there: HashMap<u64, CpuStat> =
                due.iter().filter_map(|(id, _)| Some((*id, *self.known.get(id)?))).collect();
            self.known = is_there;
            self.unnamed.retain(|id| due.iter().any(|(due, _)| due == id));
        }
        let rest = self.due.len().saturating_sub(AT_A_TIME);
        for (id, number) in self.due.split_off(rest) {
            let Some(cgroup) = identity.cgroups.get(hierarchy.id, id) else { continue };
            let Some(folder) = folder(hierarchy, cgroup.path) else { continue };
            let Some(stat) = CpuStat::read(&folder).filter(|stat| stat.periods > 0) else {
                continue;
            };
            let who = identity.who_has(number);
            // The runtime may be about to say its name.
            let is_named = who.container.is_some_and(|container| container.name.is_some());
            if !is_named && self.unnamed.insert(id) {
                continue;
            }
            let before = self.known.insert(id, stat);
            let growth = stat.since(before.unwrap_or_default());
            pod_labels::spell(&who, &mut self.values);
            self.periods.with(&self.values).add(growth.periods);
            self.throttled_periods.with(&self.values).add(growth.throttled_periods);
            self.throttled_seconds.with(&self.values).add_ns(growth.throttled_ns);
        }
    }
}

/// Where the cgroup of this path from the root of its hierarchy can be seen.
fn folder(hierarchy: &Hierarchy, path: &[u8]) -> Option<PathBuf> {
    let below = path.strip_prefix(hierarchy.root.as_slice())?;
    let below = Path::new(OsStr::from_bytes(below));
    Some(hierarchy.mount.join(below.strip_prefix("/").unwrap_or(below)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hierarchies_are_read_in_their_own_units() {
        let unified =
            "usage_usec 9\nuser_usec 5\nnr_periods 12\nnr_throttled 7\nthrottled_usec 3\n";
        let v1 = "nr_periods 12\nnr_throttled 7\nthrottled_time 3000\nnr_bursts 0\n";
        let stat = CpuStat { periods: 12, throttled_periods: 7, throttled_ns: 3000 };
        assert_eq!((CpuStat::parse(unified), CpuStat::parse(v1)), (stat, stat));
        assert_eq!(CpuStat::parse("usage_usec 9\nnr_periods many\n"), CpuStat::default());
    }

    #[test]
    fn one_that_began_anew_grows_by_nothing() {
        let before = CpuStat { periods: 12, throttled_periods: 7, throttled_ns: 3000 };
        let now = CpuStat { periods: 13, throttled_periods: 8, throttled_ns: 5000 };
        let growth = CpuStat { periods: 1, throttled_periods: 1, throttled_ns: 2000 };
        assert_eq!((now.since(before), before.since(now)), (growth, CpuStat::default()));
    }
}
