//! Who is over its budget of records (`chandra_loader::budget`): told as metrics, and to the log once a
//! minute for each cgroup, by the name of its pod.
//!
//! The thread that tells does this about once a second, since it owns the tables in which names are, and a
//! container may be gone when somebody asks. The ledger says whether there is anything to look at.

mod account;

use std::time::Instant;

use chandra_event::text::escape;
use chandra_identity::Identity;
use chandra_loader::abi::Counters;
use chandra_loader::budget;
use chandra_loader::load::Loaded;
use chandra_metrics::{Counter, Family, Registry, Spec, SpecError, Values};

use super::state::SignalState;
use account::{Account, Owner};

/// So many cgroups are warned of at a time, those with the most records; the others are counted.
const MOST_WARNINGS: usize = 8;

/// Tells of those that are over their budgets.
#[derive(Debug)]
pub struct Budgets {
    family: Family<Counter>,
    values: Values,
    /// By part.
    accounts: Vec<Account>,
}

/// The family of metrics of records over budget.
pub fn spec() -> Spec {
    Spec {
        name: "chandra_rate_limited",
        help: "Records that a cgroup had over its budget (`--event-budget`), which were counted and not told.",
        unit: "",
        labels: vec!["signal", "namespace", "pod", "container", "cgroup"],
    }
}

impl Budgets {
    /// Nobody is over a budget yet.
    ///
    /// # Errors
    /// When there is a family of this name.
    pub fn new(registry: &Registry) -> Result<Self, SpecError> {
        let family = registry.counter(spec())?;
        Ok(Self { family, values: Values::default(), accounts: Vec::new() })
    }

    /// About once a second: reads what the probes of these signals counted.
    pub fn look(&mut self, identity: &Identity, signals: &[&SignalState]) {
        let now = Instant::now();
        self.family.tick(now);
        self.accounts.resize_with(signals.len(), Account::default);
        let Self { family, values, accounts } = self;
        for (signal, account) in signals.iter().zip(accounts) {
            let name = signal.signal.spec.name;
            let Some(rate) = signal.records_per_second else { continue };
            let read = |loaded: &Loaded| read(account, loaded, now);
            let Some(growths) = signal.with_loaded(read) else { continue };
            for (owner, growth) in growths {
                Named::of(owner, identity).spell(name, values);
                family.with(values).add(growth);
            }
            let due = account.warnings(now);
            for (owner, records) in due.iter().take(MOST_WARNINGS) {
                let who = Named::of(*owner, identity);
                eprintln!(
                    "warning: {who} is over its budget of signal {name} ({rate} records a second): \
                     {records} were counted and not told"
                );
            }
            if let Some(rest) = due.get(MOST_WARNINGS..).filter(|rest| !rest.is_empty()) {
                let (cgroups, records) = (rest.len(), rest.iter().map(|(_, records)| records));
                eprintln!(
                    "warning: {cgroups} more cgroups are over their budgets of signal {name}: {} \
                     records were counted and not told",
                    records.sum::<u64>()
                );
            }
        }
    }
}

/// The ledger first: a probe counts there last, so what it has is with a cgroup by then, if it is with one
/// at all.
fn read(account: &mut Account, loaded: &Loaded, now: Instant) -> Vec<(Owner, u64)> {
    let Counters { rate_limited, .. } = chandra_loader::ledger::read(loaded.object());
    if account.is_at_rest(rate_limited) {
        return Vec::new();
    }
    let Ok(limited) = budget::rate_limited(loaded) else { return Vec::new() };
    let growths = account.grow(rate_limited, &limited, now);
    for (hierarchy, id) in account.forget_quiet(now) {
        // One that stays takes a place, no more.
        let _ = budget::forget(loaded, hierarchy, id);
    }
    growths
}

/// Whose records they were, as far as it is known.
#[derive(Debug, Default)]
struct Named<'a> {
    namespace: &'a str,
    pod: &'a str,
    /// Its name in its pod, or its id.
    container: &'a str,
    /// Of what is in no container: its path, or its number.
    cgroup: String,
}

impl<'a> Named<'a> {
    fn of(owner: Owner, identity: &'a Identity) -> Self {
        let (hierarchy, id) = match owner {
            Owner::Cgroup(_, 0) => return Self::cgroup("nobody".to_owned()),
            Owner::Others => return Self::cgroup("others".to_owned()),
            Owner::Cgroup(hierarchy, id) => (hierarchy, id),
        };
        let known = identity.cgroups.get(hierarchy, id);
        let Some(container) = known.and_then(|cgroup| cgroup.container) else {
            return Self::cgroup(match (known, hierarchy) {
                (Some(cgroup), _) => escape(cgroup.path),
                (None, 0) => id.to_string(),
                (None, _) => format!("{hierarchy}:{id}"),
            });
        };
        let who = identity.who_has(container.number);
        let pod = who.pod;
        let name = who.container.and_then(|container| container.name);
        Self {
            namespace: pod.and_then(|pod| pod.namespace).unwrap_or_default(),
            pod: pod.and_then(|pod| pod.name.or(pod.uid)).unwrap_or_default(),
            container: name.unwrap_or(&container.id),
            cgroup: String::new(),
        }
    }

    fn cgroup(cgroup: String) -> Self {
        Self { cgroup, ..Self::default() }
    }

    /// As labels.
    fn spell(&self, signal: &str, values: &mut Values) {
        values.clear();
        for value in [signal, self.namespace, self.pod, self.container, &self.cgroup] {
            values.push(value);
        }
    }
}

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { namespace, pod, container, cgroup } = self;
        match (pod.is_empty(), container.is_empty()) {
            (false, _) => write!(out, "pod {namespace}/{pod} (container {container})"),
            (true, false) => write!(out, "container {container}"),
            (true, true) => write!(out, "cgroup {cgroup}"),
        }
    }
}
