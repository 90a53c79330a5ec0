//! From a record to its alerts. The same for what happens now and for what was recorded, so that both give the
//! same alerts.

use std::sync::Arc;

use chandra_alerts::Alert;
use chandra_alerts::alert::Context;
use chandra_event::record::Record;
use chandra_event::time::Timestamp;
use chandra_executables::Figures as Compared;
use chandra_rules::adapter::{Node, RecordFacts};
use chandra_rules::evaluate::Scratch;
use chandra_rules::rules::{Outcome, Rule, Ruleset};

use super::accounts::Accounts;
use super::context;
use super::copies::Copies;
use super::lineage::ProcessLineage;
use super::past::Past;
use super::timings::{SAMPLING, Timing, Timings};
use crate::follow::Told;

/// Where records are put before rules.
#[derive(Debug)]
pub struct Evaluator {
    rules: Arc<Ruleset>,
    scratch: Scratch,
    node: Node,
    past: Past,
    copies: Copies,
    accounts: Accounts,
    timings: Timings,
    /// When the first event happened, and the latest.
    moments: Option<(Timestamp, Timestamp)>,
    events: u64,
    undecided: u64,
}

impl Evaluator {
    /// These rules, on this node, where executables are known by these comparisons and users of containers by
    /// these databases.
    pub fn new(rules: Arc<Ruleset>, node: Node, copies: Copies, accounts: Accounts) -> Self {
        Self {
            timings: Timings::of(&rules, &Timings::default()),
            rules,
            scratch: Scratch::default(),
            node,
            past: Past::default(),
            copies,
            accounts,
            moments: None,
            events: 0,
            undecided: 0,
        }
    }

    /// Puts a record before the rules. Whether it was one that rules can be asked about.
    pub fn take(&mut self, told: &Told<'_>, each: &mut dyn FnMut(Alert)) -> bool {
        let record: &dyn Record = told.known.record;
        self.copies.look(record);
        self.accounts.look(record, told.known.who, self.node.namespaces.as_ref());
        let lineage = ProcessLineage::of(told, &self.copies, &self.accounts);
        let number = self.events + 1;
        let facts = RecordFacts::new(record, number, told.known.who, &lineage, &self.node);
        let Some(facts) = facts else { return false };
        let (first, before) = self.moments.unwrap_or((record.time(), record.time()));
        let facts = facts.after(first, before);
        self.moments = Some((first, record.time()));
        self.events = number;
        let (mut fired, mut undecided): (Vec<&Rule>, u64) = (Vec::new(), 0);
        let mut outcomes = |rule, outcome| match outcome {
            Outcome::Fires => fired.push(rule),
            Outcome::Undecided => undecided += 1,
        };
        if number.is_multiple_of(SAMPLING) {
            let mut timed = |rule, time| self.timings.add(rule, time);
            self.rules.evaluate_timed(&facts, &mut self.scratch, &mut outcomes, &mut timed);
        } else {
            self.rules.evaluate(&facts, &mut self.scratch, &mut outcomes);
        }
        self.undecided += undecided;
        for rule in fired {
            let said = rule.alert(&facts, record.time(), &mut self.scratch);
            let fields = said.output_fields.into_iter();
            each(Alert {
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

    /// Other rules from now on, if these are others. Gives back those before them.
    pub fn adopt(&mut self, rules: &Arc<Ruleset>) -> Option<Arc<Ruleset>> {
        if Arc::ptr_eq(&self.rules, rules) {
            return None;
        }
        self.timings = Timings::of(rules, &self.timings);
        self.copies.set_rules(rules);
        Some(std::mem::replace(&mut self.rules, Arc::clone(rules)))
    }

    /// The node that records are of.
    pub fn node_mut(&mut self) -> &mut Node {
        &mut self.node
    }

    /// What executables are copies of.
    pub fn copies_mut(&mut self) -> &mut Copies {
        &mut self.copies
    }

    /// Users and groups of containers.
    pub fn accounts_mut(&mut self) -> &mut Accounts {
        &mut self.accounts
    }

    /// Events that were put before rules.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Rules that may have fired, by what is not known.
    pub fn undecided(&self) -> u64 {
        self.undecided
    }

    /// What became of comparisons of executables with known programs.
    pub fn compared(&self) -> Compared {
        self.copies.figures()
    }

    /// What rules took.
    pub fn timings(&self) -> Vec<Timing> {
        self.timings.told()
    }
}
