//! The security audit: records are put before rules, and what fires becomes alerts.
//!
//! It runs in the thread that tells, which owns the tables that rules ask, so that an alert names who did it
//! as it was then. What becomes of an alert happens elsewhere and never holds this up (`chandra_alerts`).
//!
//! Files: `evaluator` (from a record to its alerts), `watch` (the rules in force, and what has to be watched for
//! them), `lineage` (a process and its ancestors as rules ask for them), `copies` (which program an executed file
//! is a copy of), `accounts` (users and groups of containers), `context` (what an alert tells beside its rule's words), `node` (what is the same for all events
//! of this machine), `past` (what each process did lately), `timings` (what rules take), `figures` (counts for
//! Prometheus).

mod accounts;
mod context;
mod copies;
mod evaluator;
mod figures;
mod lineage;
pub mod node;
mod past;
mod timings;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chandra_alerts::recent::{self, Recent};
use chandra_alerts::{Figures, Outlets, fold, redact, sink};
use chandra_doctor::{Check, Problem};
use chandra_executables::Figures as Compared;

use crate::cli::audit::AuditOptions;
use crate::follow::Told;
pub use accounts::{Accounts, Place};
pub use copies::Copies;
pub use evaluator::Evaluator;
#[cfg(test)]
pub use figures::example;
pub use figures::write;
use timings::Timing;
pub use watch::{Needs, Watch};

/// Alerts that wait to be redacted at most.
const QUEUE: usize = 4096;
/// How long sinks may take to end.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Figures that the HTTP thread reads.
#[derive(Debug, Clone, Default)]
pub struct Shared(Arc<Mutex<Option<Audited>>>);

/// What was audited so far.
#[derive(Debug, Clone, Default)]
pub struct Audited {
    /// Rules that are evaluated.
    pub rules: u64,
    /// Events that were put before them.
    pub events: u64,
    /// Rules that may have fired, by what is not known.
    pub undecided: u64,
    /// Times that rules were loaded anew.
    pub reloads: u64,
    /// Times that they could not be.
    pub failed_reloads: u64,
    /// What rules took, of some events.
    pub timings: Vec<Timing>,
    /// What became of comparisons of executables with known programs.
    pub compared: Compared,
    /// What became of alerts.
    pub alerts: Figures,
    /// The latest alerts, where they are kept.
    pub recent: Option<recent::Figures>,
}

impl Shared {
    /// The latest figures; none where nothing is audited.
    pub fn latest(&self) -> Option<Audited> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, audited: Audited) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(audited);
    }
}

/// Where records are put before rules.
#[derive(Debug)]
pub struct Auditing {
    watch: Watch,
    evaluator: Evaluator,
    outlets: Outlets,
    recent: Option<Arc<Recent>>,
    shared: Shared,
}

impl Auditing {
    /// Starts the sinks of alerts, and one `more`. The rules are those that `watch` has in force.
    pub fn new(
        watch: Watch,
        options: &AuditOptions,
        more: Option<sink::Options>,
        node: &str,
        shared: Shared,
    ) -> Result<Self, Problem> {
        let recent = options.buffer_bytes.map(|bytes| Arc::new(Recent::new(bytes)));
        let outlets = Outlets::new(&chandra_alerts::Options {
            fold: fold::Options::default(),
            redact: redact::Options { enabled: options.redacts, ..redact::Options::default() },
            queue: QUEUE,
            sinks: options.sinks.iter().cloned().chain(more).collect(),
            recent: recent.clone(),
            say: |name, why| eprintln!("warning: alerts to {name}: {why}"),
        });
        let outlets = outlets.map_err(|error| {
            let next = "name another place, or leave that option out";
            Problem::new(Check::USAGE, "alerts cannot go there", error, next)
        })?;
        let node = node::of_this_machine(node, options.by_name_only);
        let copies = Copies::of(watch.rules(), !options.by_name_only);
        let rules = Arc::clone(watch.rules());
        let evaluator = Evaluator::new(rules, node, copies, Accounts::start());
        let this = Self { watch, evaluator, outlets, recent, shared };
        this.shared.set(this.audited(this.outlets.figures()));
        Ok(this)
    }

    /// The latest alerts, where they are kept.
    pub fn recent(&self) -> Option<Arc<Recent>> {
        self.recent.clone()
    }

    /// Puts a record before the rules. Whether it was one that rules can be asked about.
    pub fn take(&mut self, told: &Told<'_>) -> bool {
        let Self { evaluator, outlets, .. } = self;
        evaluator.take(told, &mut |alert| outlets.take(alert))
    }

    /// About once a second: what waits for its time is told, and rules that changed are loaded.
    pub fn look(&mut self) {
        self.outlets.tick();
        self.watch.look();
        if let Some(before) = self.evaluator.adopt(self.watch.rules()) {
            // Many rules take longer to be taken apart than records may wait.
            std::thread::spawn(move || drop(before));
        }
        self.shared.set(self.audited(self.outlets.figures()));
    }

    /// Tells what is still to be told.
    pub fn end(self) {
        let (shared, started) = (self.shared.clone(), Instant::now());
        let mut audited = self.audited(Figures::default());
        audited.alerts = self.outlets.stop(LAST_WORDS);
        shared.set(audited);
        if started.elapsed() >= LAST_WORDS {
            eprintln!(
                "warning: some alerts were not delivered in time (see chandra_alerts_dropped)"
            );
        }
    }

    fn audited(&self, alerts: Figures) -> Audited {
        Audited {
            rules: self.watch.active_rules(),
            events: self.evaluator.events(),
            undecided: self.evaluator.undecided(),
            reloads: self.watch.reloads(),
            failed_reloads: self.watch.failed_reloads(),
            timings: self.evaluator.timings(),
            compared: self.evaluator.compared(),
            alerts,
            recent: self.recent.as_ref().map(|recent| recent.figures()),
        }
    }
}
