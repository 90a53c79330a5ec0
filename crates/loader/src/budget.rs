//! How many records a second a cgroup may send of a signal, and what it had over that (`bpf/budget.h`).
//!
//! Invariant: a budget is of one signal and one cgroup. Whoever spends it takes nothing from another cgroup,
//! and nothing from its own records of another signal.

use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use libbpf_rs::MapCore;

use crate::abi::{CgroupKey, Config};
use crate::batch;
use crate::load::Loaded;
use crate::spec::SignalSpec;

/// The maps' names in every probe that keeps budgets.
pub(crate) const MAPS: [&str; 2] = [BUDGETS, RATE_LIMITED];
const BUDGETS: &str = "cgroup_budgets";
const RATE_LIMITED: &str = "cgroup_rate_limited";

/// What of a budget may be spent at once: so much as its rate gives in this time.
pub const BURST: Duration = Duration::from_millis(250);

/// The highest rate; a machine that sends more has no budget.
pub const MOST_RECORDS_PER_SECOND: u32 = 10_000_000;

/// A signal's budget for each cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Budget {
    /// None: all records are sent.
    #[default]
    Off,
    /// That which the signal says, if it says one.
    Own,
    /// So many records a second, of a signal that says one.
    Rate(NonZeroU32),
}

/// The budgets of all signals.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Budgets {
    /// That of signals that are not named.
    pub others: Budget,
    /// Those of signals that are, by name.
    pub named: Vec<(&'static str, Budget)>,
}

impl Budgets {
    /// Records a second of a cgroup, none where a signal has no budget.
    pub fn rate(&self, spec: &SignalSpec) -> Option<NonZeroU32> {
        let named = self.named.iter().rev().find(|(name, _)| *name == spec.name);
        let own = spec.records_per_second?;
        match named.map_or(self.others, |(_, budget)| *budget) {
            Budget::Off => None,
            Budget::Own => Some(own),
            Budget::Rate(rate) => Some(rate),
        }
    }

    /// Tells a probe's configuration.
    pub(crate) fn configure(&self, spec: &SignalSpec, config: &mut Config) {
        let Some(rate) = self.rate(spec) else { return };
        config.budget_record_ns = (NANOSECONDS / u64::from(rate.get())).max(1);
        config.budget_burst_ns = u64::try_from(BURST.as_nanos()).unwrap_or(u64::MAX);
    }
}

const NANOSECONDS: u64 = 1_000_000_000;

/// A cgroup that was over its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimited {
    /// Its hierarchy; 0 is the unified one.
    pub hierarchy: u32,
    /// Its id there; 0 for what is nobody's.
    pub id: u64,
    /// Records that it had over its budget, since it was last [forgotten](forget).
    pub records: u64,
}

/// The cgroups that were over their budgets; none where a signal has no budget.
///
/// # Errors
/// The kernel's refusal.
pub fn rate_limited(loaded: &Loaded) -> io::Result<Vec<RateLimited>> {
    let Some(map) = loaded.map(RATE_LIMITED) else { return Ok(Vec::new()) };
    let entries = batch::lookup(&map)?;
    let limited = entries.iter().filter_map(|(key, value)| {
        let CgroupKey { id, hierarchy, .. } = CgroupKey::read(key)?;
        let records = u64::from_ne_bytes(value.try_into().ok()?);
        Some(RateLimited { hierarchy, id, records })
    });
    Ok(limited.collect())
}

/// Makes room for others: of a cgroup whose flood is over. What a probe counts at this moment is in the
/// ledger only.
///
/// # Errors
/// The kernel's refusal.
pub fn forget(loaded: &Loaded, hierarchy: u32, id: u64) -> io::Result<()> {
    let Some(map) = loaded.map(RATE_LIMITED) else { return Ok(()) };
    let key = CgroupKey { id, hierarchy, padding: 0 }.to_array();
    match map.delete(&key) {
        Err(error) if error.kind() != libbpf_rs::ErrorKind::NotFound => {
            Err(io::Error::other(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::PackedObject;

    fn spec(name: &'static str, records_per_second: Option<u32>) -> SignalSpec {
        let records_per_second = records_per_second.and_then(NonZeroU32::new);
        SignalSpec {
            name,
            object: PackedObject::new(&[], 0),
            object_without_kernel_btf: None,
            kernel_types: &[],
            config_offset: 0,
            sends_records: true,
            records_per_second,
            governed: false,
            hooks: &[],
        }
    }

    fn rate(records_per_second: u32) -> Budget {
        Budget::Rate(NonZeroU32::new(records_per_second).unwrap())
    }

    #[test]
    fn a_signal_has_the_budget_that_names_it_or_that_of_all() {
        let (opens, execs, blocks) =
            (spec("open", Some(10)), spec("exec", Some(20)), spec("block", None));
        let rates = |budgets: &Budgets| {
            [&opens, &execs, &blocks].map(|spec| budgets.rate(spec).map(NonZeroU32::get))
        };
        assert_eq!(rates(&Budgets::default()), [None; 3]);
        let mut budgets = Budgets { others: Budget::Own, named: Vec::new() };
        assert_eq!(rates(&budgets), [Some(10), Some(20), None]);
        budgets.named = vec![("open", rate(5)), ("exec", Budget::Off), ("block", rate(7))];
        assert_eq!(rates(&budgets), [Some(5), None, None], "one that has none gets none");
        budgets.named.push(("open", rate(6)));
        assert_eq!(rates(&budgets), [Some(6), None, None], "the last word holds");
    }

    #[test]
    fn a_rate_is_told_as_the_time_that_a_record_takes() {
        let told = |budget| {
            let mut config = Config::ZERO;
            let budgets = Budgets { others: budget, named: Vec::new() };
            budgets.configure(&spec("open", Some(10_000)), &mut config);
            (config.budget_record_ns, config.budget_burst_ns)
        };
        assert_eq!(told(Budget::Off), (0, 0));
        assert_eq!(told(Budget::Own), (100_000, 250_000_000));
        assert_eq!(told(rate(1)), (1_000_000_000, 250_000_000));
        assert_eq!(told(rate(u32::MAX)).0, 1, "none would be no budget");
    }
}
