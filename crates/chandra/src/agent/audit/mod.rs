//! The security audit: records are put before rules, and what fires becomes alerts.
//!
//! It runs in the thread that tells, which owns the tables that rules ask, so that an alert names who did it
//! as it was then. What becomes of an alert happens elsewhere and never holds this up (`chandra_alerts`).
//!
//! Files: `watch` (the rules in force, and what has to be watched for them), `lineage` (a process and its
//! ancestors as rules ask for them), `copies` (which program an executed file is a copy of), `context` (what an alert tells beside its rule's words), `node` (what
//! is the same for all events of this machine), `past` (what each process did lately), `figures` (counts for
//! Prometheus).

mod context;
mod copies;
mod figures;
mod lineage;
mod node;
mod past;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chandra_alerts::alert::Context;
use chandra_alerts::{Alert, Figures, Outlets, fold, redact};
use chandra_doctor::{Check, Problem};
use chandra_event::record::Record;
use chandra_executables::Figures as Compared;
use chandra_rules::adapter::{Node, RecordFacts};
use chandra_rules::evaluate::Scratch;
use chandra_rules::rules::{Outcome, Rule, Ruleset};

use crate::cli::audit::AuditOptions;
use crate::follow::Told;
use copies::Copies;
pub use figures::write;
use lineage::ProcessLineage;
use past::Past;
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
    /// What became of comparisons of executables with known programs.
    pub compared: Compared,
    /// What became of alerts.
    pub alerts: Figures,
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
    rules: Arc<Ruleset>,
    scratch: Scratch,
    node: Node,
    past: Past,
    copies: Copies,
    outlets: Outlets,
    events: u64,
    undecided: u64,
    shared: Shared,
}

impl Auditing {
    /// Starts the sinks of alerts. The rules are those that `watch` has in force.
    pub fn new(
        watch: Watch,
        options: &AuditOptions,
        node: &str,
        shared: Shared,
    ) -> Result<Self, Problem> {
        let outlets = Outlets::new(&chandra_alerts::Options {
            fold: fold::Options::default(),
            redact: redact::Options { enabled: options.redacts, ..redact::Options::default() },
            queue: QUEUE,
            sinks: options.sinks.clone(),
            say: |name, why| eprintln!("warning: alerts to {name}: {why}"),
        });
        let outlets = outlets.map_err(|error| {
            let next = "name another place, or leave that option out";
            Problem::new(Check::USAGE, "alerts cannot go there", error, next)
        })?;
        let node = node::of_this_machine(node, options.by_name_only);
        let rules = Arc::clone(watch.rules());
        let (scratch, past) = (Scratch::default(), Past::default());
        let copies = Copies::of(&rules, !options.by_name_only);
        Ok(Self {
            watch,
            rules,
            scratch,
            node,
            past,
            copies,
            outlets,
            events: 0,
            undecided: 0,
            shared,
        })
    }

    /// Puts a record before the rules. Whether it was one that rules can be asked about.
    pub fn take(&mut self, told: &Told<'_>) -> bool {
        let record: &dyn Record = told.known.record;
        self.copies.look(record);
        let lineage = ProcessLineage::of(told, &self.copies);
        let number = self.events + 1;
        let facts = RecordFacts::new(record, number, told.known.who, &lineage, &self.node);
        let Some(facts) = facts else { return false };
        self.events = number;
        let (mut fired, mut undecided): (Vec<&Rule>, u64) = (Vec::new(), 0);
        self.rules.evaluate(&facts, &mut self.scratch, &mut |rule, outcome| match outcome {
            Outcome::Fires => fired.push(rule),
            Outcome::Undecided => undecided += 1,
        });
        self.undecided += undecided;
        for rule in fired {
            let said = rule.alert(&facts, record.time(), &mut self.scratch);
            let fields = said.output_fields.into_iter();
            self.outlets.take(Alert {
                time_ns: record.time().0,
                rule: said.rule.into(),
                priority: said.priority,
                source: said.source.into(),
                hostname: self.node.hostname.as_str().into(),
                tags: said.tags.into(),
                output: said.message,
                output_fields: fields
                    .map(|(name, value)| (name.into(), context::value(value)))
                    .collect(),
                context: Context {
                    preceding: self.past.before(record),
                    ..context::of(told, &lineage)
                },
            });
        }
        self.past.note(record);
        true
    }

    /// About once a second: what waits for its time is told, and rules that changed are loaded.
    pub fn look(&mut self) {
        self.outlets.tick();
        self.watch.look();
        if !Arc::ptr_eq(&self.rules, self.watch.rules()) {
            self.rules = Arc::clone(self.watch.rules());
            self.copies.set_rules(&self.rules);
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
            events: self.events,
            undecided: self.undecided,
            reloads: self.watch.reloads(),
            failed_reloads: self.watch.failed_reloads(),
            compared: self.copies.figures(),
            alerts,
        }
    }
}
