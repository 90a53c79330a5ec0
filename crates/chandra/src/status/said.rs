//! What an agent says of itself on `/signals` and `/readyz`, as far as a status shows it. What is missing
//! there (an older agent has less) is taken for nothing.

use serde::{Deserialize, Serialize};

/// `/readyz`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Ready {
    /// Its own canaries came through.
    pub ready: bool,
    /// Those that did not yet.
    pub waiting_for_canary: Vec<String>,
}

/// `/signals`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Signals {
    /// The kernel's release.
    pub kernel: String,
    /// How long it runs.
    pub uptime_seconds: u64,
    /// Why programs are not measured.
    pub cost_not_measured_because: Option<String>,
    /// Each that is loaded.
    pub signals: Vec<Signal>,
    /// Who did it.
    pub identity: Identity,
}

/// A signal.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Signal {
    /// Its name.
    pub signal: String,
    /// `active`, `unsupported`, `failed`, `off`
    pub verdict: String,
    /// It was asked for, rather than needed by another.
    pub is_on: bool,
    /// Where it is attached.
    pub hooks: Vec<Hook>,
    /// What became of its facts.
    pub ledger: Ledger,
    /// How it stands with the governor.
    pub governor: Governor,
    /// What it costs.
    pub programs: Vec<Program>,
    /// Why it could not be loaded.
    pub problem: Option<Problem>,
}

/// How a signal stands with the governor.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Governor {
    /// Why it is told whole, where it would be governed.
    pub why: Option<String>,
    /// How much of it is told: `all`, `1/8`, `counted`, `detached`.
    pub rung: String,
    /// What it cost of one CPU in the last window.
    pub cost_percent: Option<f64>,
    /// What it may.
    pub allowed_percent: Option<f64>,
    /// It is told whole and has cost more for some windows.
    pub costs_too_much: bool,
}

/// Where a signal is attached.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Hook {
    /// Its name.
    pub hook: String,
    /// As of signals.
    pub verdict: String,
    /// The way that works.
    pub rung: Option<String>,
    /// What refused the others.
    pub why: Option<String>,
}

/// Why a signal could not be loaded.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// What failed.
    pub what: String,
}

/// What a program costs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Program {
    /// Of one CPU.
    pub percent_of_one_core: Option<f64>,
}

/// What became of the facts of a signal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// All.
    pub seen: u64,
    /// Counted in the kernel.
    pub aggregated: u64,
    /// Left out, one of many being kept.
    pub sampled_out: u64,
    /// Left out for being too many.
    pub rate_limited: u64,
    /// No room in the ring.
    pub lost: u64,
    /// Records that were not understood.
    pub decode_errors: u64,
    /// Told.
    pub delivered: u64,
    /// Not told, as who reads was too slow.
    pub shed: Shed,
    /// Facts that no book accounts for.
    pub imbalance: i64,
}

/// Not told, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shed {
    /// Who reads was too slow.
    pub slow_reader: u64,
}

/// Who did it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// Processes that are known.
    pub processes: Processes,
    /// Their cgroups.
    pub cgroups: Cgroups,
    /// What a runtime or the cluster says of containers.
    pub descriptions: Descriptions,
    /// What the cluster's API says; nothing where none is asked.
    pub cluster: Option<Cluster>,
}

/// Processes that are known.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Processes {
    /// Those that run.
    pub live: u64,
}

/// Cgroups that are known.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Cgroups {
    /// Those that are containers'.
    pub containers: u64,
}

/// What is known of containers and pods.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Descriptions {
    /// How many.
    pub containers_and_pods: u64,
    /// Why it may be out of date.
    pub stale: Option<String>,
}

/// What the cluster's API says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Cluster {
    /// How many of each.
    pub pods: u64,
    /// How many.
    pub services: u64,
    /// How many.
    pub nodes: u64,
    /// How far each is to be believed.
    pub resources: std::collections::BTreeMap<String, Resource>,
}

/// How far a resource of the cluster is to be believed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Resource {
    /// Why it may be out of date.
    pub stale: Option<String>,
}
