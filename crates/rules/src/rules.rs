//! Rules that are loaded, and their evaluation.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::catalogue::{EventType, EventTypes};
use crate::compile::{Graph, Groups, Predicates, Tree};
use crate::evaluate::{
    Facts, Operand, Scratch, Test, TextTest, Truth, Value, Written, write_value,
};
use crate::load::{Matching, Options};
use crate::output::Output;
use crate::sigma::Origin;
use chandra_event::priority::Priority;

/// Fields whose values are names of programs.
const PROGRAM_NAMES: [&str; 4] = ["proc.name", "proc.pname", "proc.aname", "proc.exe_copy_of"];

/// Whether a rule is evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is.
    Active,
    /// It is switched off.
    Disabled,
    /// It cannot be answered, for these reasons.
    LeftOut(Vec<String>),
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How urgent its alerts are.
    pub priority: Priority,
    /// Words that it is found by.
    pub tags: Vec<String>,
    /// The source of its events: `syscall`.
    pub source: String,
    /// Where it is written: `rules.yaml:3:9`.
    pub place: String,
    /// Whether it is evaluated.
    pub state: State,
    /// Captured events that it may fire of.
    pub event_types: EventTypes,
    /// Events that its condition names and that are not captured.
    pub not_captured: EventTypes,
    /// Events that its condition names.
    pub(crate) by_type: EventTypes,
    /// Fields that its condition compares.
    pub fields: Vec<&'static str>,
    /// What it says of itself in Sigma, if it is of that.
    pub sigma: Option<Origin>,
    pub(crate) output: Output,
    pub(crate) tree: Arc<Tree>,
}

impl Rule {
    /// Fields of its output that no event answers.
    pub fn unanswered_output(&self) -> impl Iterator<Item = &str> {
        self.output.unanswered.iter().map(AsRef::as_ref)
    }

    /// Its condition says of which events it is.
    pub fn names_events(&self) -> bool {
        self.by_type != EventTypes::ALL
    }
}

/// What became of a rule that did not simply not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It fires.
    Fires,
    /// Whether it does depends on what is not known. Only with three-valued logic.
    Undecided,
}

/// An active rule of a type of events.
#[derive(Debug, Clone, Copy)]
struct Entry {
    rule: u32,
    start: u32,
    /// It fires whatever other rules do: rules of Sigma's know nothing of each other.
    is_independent: bool,
}

/// Rules, ready to be evaluated.
#[derive(Debug, Clone)]
pub struct Ruleset {
    rules: Vec<Rule>,
    by_type: Vec<Vec<Entry>>,
    graph: Graph,
    pub(crate) predicates: Predicates,
    /// The number of a predicate by the one that trees have.
    pub(crate) places: Vec<u32>,
    groups: Groups,
    matching: Matching,
    strict_unknown: bool,
}

impl Ruleset {
    pub(crate) fn new(
        rules: Vec<Rule>,
        entries: Vec<Option<u32>>,
        graph: Graph,
        predicates: Predicates,
        places: Vec<u32>,
        groups: Groups,
        options: &Options,
    ) -> Self {
        let of_type = |event_type: &EventType| {
            let rules = (0..).zip(rules.iter().zip(&entries));
            let entries = rules.filter(|(_, (rule, _))| rule.event_types.contains(*event_type));
            // What the type alone decides is decided here.
            let first =
                |start: u32| graph.skip(start, |number| predicates.of_type(number, *event_type));
            entries
                .filter_map(|(number, (rule, start))| {
                    let is_independent = rule.sigma.is_some();
                    Some(Entry { rule: number, start: first((*start)?), is_independent })
                })
                .collect()
        };
        let by_type = EventType::ALL.iter().map(of_type).collect();
        let Options { matching, strict_unknown, .. } = *options;
        Self { rules, by_type, graph, predicates, places, groups, matching, strict_unknown }
    }

    /// All rules, in the order of the files.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Types of events that some active rule may fire of.
    pub fn event_types(&self) -> EventTypes {
        let types = EventType::ALL.iter().copied().zip(&self.by_type);
        types.filter(|(_, entries)| !entries.is_empty()).map(|(event_type, _)| event_type).collect()
    }

    /// Active rules of a type of events.
    pub(crate) fn active(&self, event_type: EventType) -> impl Iterator<Item = &Rule> {
        let entries = self.by_type.get(event_type as usize).into_iter().flatten();
        entries.filter_map(|entry| self.rules.get(entry.rule as usize))
    }

    /// It tells what is not known from what is false.
    pub fn is_strict(&self) -> bool {
        self.strict_unknown
    }

    /// Names that programs are compared with, for whoever has to know which programs matter.
    pub fn program_names(&self) -> impl Iterator<Item = &[u8]> {
        let numbers = 0..u32::try_from(self.predicates.len()).unwrap_or(u32::MAX);
        let predicates = numbers.filter_map(|number| self.predicates.get(number));
        let named = predicates.filter(|predicate| match &predicate.operand {
            Operand::Field(field) => PROGRAM_NAMES.contains(&field.spec.name),
            _ => false,
        });
        named.flat_map(|predicate| match &predicate.test {
            Test::Text(TextTest::Equal(text)) => vec![&**text],
            Test::Text(TextTest::In(texts)) => texts.iter().map(|text| &**text).collect(),
            _ => Vec::new(),
        })
    }

    /// Distinct comparisons of all rules.
    pub fn comparisons(&self) -> usize {
        self.predicates.len()
    }

    /// Calls `each` for every rule that fires of an event, or may. Does not allocate once `scratch` has
    /// been used for some events.
    pub fn evaluate<'r>(
        &'r self,
        facts: &dyn Facts,
        scratch: &mut Scratch,
        each: &mut dyn FnMut(&'r Rule, Outcome),
    ) {
        self.walk(facts, scratch, each, &mut |_| {});
    }

    /// The same, and calls `timed` with the place among [`rules`](Self::rules) of each rule that was
    /// evaluated and the time that it took. What a rule found out others after it have for nothing, so that the
    /// first of those that ask the same costs most.
    pub fn evaluate_timed<'r>(
        &'r self,
        facts: &dyn Facts,
        scratch: &mut Scratch,
        each: &mut dyn FnMut(&'r Rule, Outcome),
        timed: &mut dyn FnMut(usize, Duration),
    ) {
        let mut since = Instant::now();
        self.walk(facts, scratch, each, &mut |rule| {
            let now = Instant::now();
            timed(rule as usize, now - since);
            since = now;
        });
    }

    /// Evaluates, and calls `done` with the number of each rule that was.
    fn walk<'r>(
        &'r self,
        facts: &dyn Facts,
        scratch: &mut Scratch,
        each: &mut dyn FnMut(&'r Rule, Outcome),
        done: &mut impl FnMut(u32),
    ) {
        let entries = self.by_type.get(facts.event_type() as usize);
        let entries = entries.map(Vec::as_slice).unwrap_or_default();
        if entries.is_empty() {
            return;
        }
        scratch.memo.clear();
        scratch.memo.resize(self.predicates.len(), 0);
        let mut is_decided = false;
        for entry in entries {
            if is_decided && !entry.is_independent {
                continue;
            }
            let holds = self.holds(entry.start, facts, scratch, false);
            let may =
                !holds && self.strict_unknown && self.holds(entry.start, facts, scratch, true);
            done(entry.rule);
            let outcome = match (holds, may) {
                (true, _) => Outcome::Fires,
                (false, true) => Outcome::Undecided,
                (false, false) => continue,
            };
            if let Some(rule) = self.rules.get(entry.rule as usize) {
                each(rule, outcome);
            }
            let is_first = self.matching == Matching::First && !entry.is_independent;
            is_decided |= outcome == Outcome::Fires && is_first;
        }
    }

    /// Whether a condition holds; or, for a `benefit` of the doubt, whether it might.
    fn holds(&self, start: u32, facts: &dyn Facts, scratch: &mut Scratch, benefit: bool) -> bool {
        let mut at = start;
        // Each step leads to an instruction that was made before, or to an end.
        while let Some(instruction) = self.graph.instructions.get(at as usize) {
            let known = scratch.memo.get(instruction.predicate as usize).copied();
            let truth = match known.and_then(truth_of) {
                Some(truth) => truth,
                None => self.find_out(instruction.predicate, facts, scratch),
            };
            let holds = match truth {
                Truth::True => true,
                Truth::False => false,
                Truth::Unknown if self.strict_unknown => benefit != instruction.negated,
                Truth::Unknown => false,
            };
            at = if holds { instruction.if_true } else { instruction.if_false };
        }
        at == Graph::TRUE
    }

    /// What a predicate says of the event at hand, which is found out once.
    pub(crate) fn ask(&self, predicate: u32, facts: &dyn Facts, scratch: &mut Scratch) -> Truth {
        let known = scratch.memo.get(predicate as usize).copied();
        known.and_then(truth_of).unwrap_or_else(|| self.find_out(predicate, facts, scratch))
    }

    fn find_out(&self, predicate: u32, facts: &dyn Facts, scratch: &mut Scratch) -> Truth {
        if self.ask_group(predicate, facts, scratch) {
            let known = scratch.memo.get(predicate as usize).copied();
            return known.and_then(truth_of).unwrap_or(Truth::False);
        }
        let holds = self.predicates.get(predicate);
        let truth = holds.map_or(Truth::False, |one| one.holds(facts, &mut scratch.buffers));
        if let Some(memo) = scratch.memo.get_mut(predicate as usize) {
            *memo = memo_of(truth);
        }
        truth
    }

    /// Finds out what all predicates of a group say, if the field's values are texts that are wholly known.
    fn ask_group(&self, predicate: u32, facts: &dyn Facts, scratch: &mut Scratch) -> bool {
        let Some(group) = self.groups.of(predicate) else { return false };
        let members = group.first as usize..(group.first + group.count) as usize;
        let Scratch { memo, buffers } = scratch;
        let Some(memo) = memo.get_mut(members) else { return false };
        let field = &group.field;
        let has_several = field.spec.has_several(&field.argument);
        let first = field.value(facts);
        let mut note_text = |text: &[u8]| {
            group.holding(text, |place| {
                if let Some(memo) = memo.get_mut(place as usize) {
                    *memo = memo_of(Truth::True);
                }
            });
        };
        let spelled = &mut buffers.names;
        let mut else_says = Truth::False;
        let mut note = |value: Value<'_>| match value {
            Value::Text(text) => {
                note_text(text);
                true
            }
            Value::Absent => true,
            // Whatever is asked of it is not known either.
            Value::Unknown => {
                else_says = Truth::Unknown;
                true
            }
            value if group.takes_spelled() => {
                spelled.clear();
                let is_whole = write_value(value, spelled) == Written::Yes;
                if is_whole {
                    note_text(spelled);
                }
                is_whole
            }
            _ => false,
        };
        // What is not a text is left to each predicate; those that hold already do so with it as well.
        if !note(first) {
            return false;
        }
        let mut others =
            (1..).map_while(|number| facts.another(field.spec.id, &field.argument, number));
        if has_several && !others.all(&mut note) {
            return false;
        }
        for memo in memo.iter_mut().filter(|memo| **memo == 0) {
            *memo = memo_of(else_says);
        }
        true
    }
}

fn memo_of(truth: Truth) -> u8 {
    match truth {
        Truth::False => 1,
        Truth::Unknown => 2,
        Truth::True => 3,
    }
}

fn truth_of(memo: u8) -> Option<Truth> {
    match memo {
        1 => Some(Truth::False),
        2 => Some(Truth::Unknown),
        3 => Some(Truth::True),
        _ => None,
    }
}
