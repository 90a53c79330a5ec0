//! From sources to rules that can be evaluated, or to what is wrong with them.

use std::sync::Arc;

use crate::catalogue::{self, EventTypes};
use crate::compile::{Built, Compiler, Graph, Groups, Predicates, Tree};
use crate::definitions::{self, Definitions};
use crate::diagnostic::{Code, Diagnostic, Report, Severity};
use crate::items::{self, called};
use crate::output::Output;
use crate::reporter::Reporter;
use crate::rules::{Rule, Ruleset, State};
use crate::selection::Selection;
use crate::sigma;
use crate::source::Sources;
use crate::text::Text;

/// Which rules fire of those that match one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Matching {
    /// The first, in the order of the files, as Falco does by default. Rules of Sigma's all fire.
    #[default]
    First,
    /// All.
    All,
}

/// What becomes of a rule that cannot be answered: it compares a field that no captured event has, or
/// is of events that are not captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unanswered {
    /// It is an error, and nothing is loaded.
    #[default]
    Refuse,
    /// It is left out, and listed as such.
    LeaveOut,
}

/// How rules are loaded and evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Which rules fire of those that match one event.
    pub matching: Matching,
    /// What becomes of rules that cannot be answered.
    pub unanswered: Unanswered,
    /// Which rules are on.
    pub selection: Selection,
    /// Three-valued logic: what is not known makes a rule undecided, instead of false.
    pub strict_unknown: bool,
}

impl Ruleset {
    /// Loads rules; all of what is wrong comes back if something keeps them from loading, else what
    /// somebody should look at.
    pub fn load(sources: &Sources, options: &Options) -> Result<(Ruleset, Report), Report> {
        let mut reporter = Reporter::new(sources);
        let mut definitions = Definitions::default();
        let mut sigma = sigma::Reading::new(options.unanswered == Unanswered::LeaveOut);
        for (id, _) in sources.iter() {
            for root in items::documents(id, &mut reporter) {
                if sigma::is_sigma(&root) {
                    if let Some(rule) = sigma.rule(&root, &mut reporter) {
                        definitions.add_sigma(rule, &mut reporter);
                    }
                    continue;
                }
                for item in items::read(&root, &mut reporter) {
                    definitions.add(item, &mut reporter);
                }
            }
        }
        sigma.finish(&mut reporter);
        let loading = Loading { definitions: &definitions, options };
        let (rules, trees, predicates) = loading.rules(&mut reporter);
        let mut report = reporter.report;
        report.sort(sources);
        if report.has_errors() {
            return Err(report);
        }
        Ok((assemble(rules, trees, predicates, options), report))
    }
}

/// What leaves rules out that have no key for that.
const LEFT_OUT_SO: &str =
    "`--leave-out` (of the agent `--rules-leave-out`) leaves the rule out instead";

struct Loading<'l> {
    definitions: &'l Definitions,
    options: &'l Options,
}

impl Loading<'_> {
    fn rules(&self, reporter: &mut Reporter<'_>) -> (Vec<Rule>, Vec<Arc<Tree>>, Predicates) {
        let (mut rules, mut trees) = (Vec::new(), Vec::new());
        // What compiling finds is put together with the rest when it is known what becomes of the rule.
        let found = Reporter::new(reporter.sources);
        let mut compiler = Compiler::new(self.definitions, &found);
        for definition in self.definitions.rules.iter() {
            let built = compiler.rule(definition);
            reporter.within = Some(called("rule", &definition.name));
            let output = Output::parse(&definition.output, reporter);
            let (rule, tree) = self.rule(definition, built, output, &compiler.predicates, reporter);
            rules.push(rule);
            trees.push(tree);
        }
        reporter.within = None;
        // A macro that no rule uses yet is checked too, but for what is not answered.
        for index in 0..self.definitions.macros.iter().count() {
            let issues = compiler.check_macro(index).into_iter();
            let issues = issues.filter(|one| one.code != Code::UnansweredField);
            issues.for_each(|one| reporter.put(one));
        }
        (rules, trees, compiler.predicates)
    }

    fn rule(
        &self,
        definition: &definitions::Rule,
        built: Built,
        output: Output,
        predicates: &Predicates,
        reporter: &mut Reporter<'_>,
    ) -> (Rule, Arc<Tree>) {
        let owned = |text: &Text| text.as_str().to_owned();
        let tags: Vec<String> = definition.tags.iter().map(owned).collect();
        let (name, priority) = (owned(&definition.name), definition.priority);
        let is_on = self.options.selection.is_on(&name, &tags, priority, definition.enabled);
        let by_type = built.tree.may(&|number| predicates.may_by_type(number)).be_true;
        let may = built.tree.may(&|number| predicates.may(number)).be_true;
        let source = definition.source.as_ref().map_or("syscall", Text::as_str).to_owned();

        let mut issues = built.issues;
        issues.extend(self.event_types(definition, by_type, reporter));
        issues.extend(unanswered_there(definition, by_type, may, &built.fields, reporter));
        let mut state = if is_on { State::Active } else { State::Disabled };
        if let Some(text) = definition.source.as_ref().filter(|text| text.as_str() != "syscall") {
            let message = format!("there are no events of source {source}: the rule is left out");
            reporter.put(reporter.warning(Code::EventSource, &text.place(), message));
            state = State::LeftOut(vec![format!("source {source}")]);
            issues.clear();
        }
        // Who switched a rule off, or said that it may be left out, need not be told.
        let silent = state == State::Disabled || definition.skip_if_unknown_filter;
        let lenient = silent || self.options.unanswered == Unanswered::LeaveOut;
        let mut reasons = Vec::new();
        for mut issue in issues {
            if definition.sigma.is_some() && self.may_be_left_out(&issue, definition) {
                issue.hint.get_or_insert_with(|| LEFT_OUT_SO.to_owned());
            }
            if lenient && self.may_be_left_out(&issue, definition) {
                if issue.severity == Severity::Error {
                    reasons.push(issue.message.clone());
                }
                if silent {
                    continue;
                }
                issue.severity = Severity::Warning;
                issue.hint = None;
            }
            reporter.put(issue);
        }
        if state == State::Active && !reasons.is_empty() {
            state = State::LeftOut(reasons);
        }
        let rule = Rule {
            name,
            description: owned(&definition.desc).trim_end().to_owned(),
            priority,
            tags,
            source,
            place: reporter.sources.spell(&definition.name.place()),
            state,
            event_types: may
                .intersection(EventTypes::CAPTURED)
                .told_once(by_type != EventTypes::ALL),
            not_captured: by_type.intersection(EventTypes::CAPTURED.complement()),
            by_type,
            fields: built.fields,
            output,
            sigma: definition.sigma.as_ref().map(|sigma| sigma.origin.clone()),
            tree: built.tree.clone(),
        };
        (rule, built.tree)
    }

    /// What is to be said of the events that a rule looks at.
    fn event_types(
        &self,
        definition: &definitions::Rule,
        by_type: EventTypes,
        reporter: &Reporter<'_>,
    ) -> Option<Diagnostic> {
        let place = definition.condition.place();
        if by_type == EventTypes::ALL {
            let message =
                "the condition does not say of which events it is, and looks at all of them";
            let warning = reporter.warning(Code::EventType, &place, message);
            let hint = "begin with evt.type = …, or say `warn_evttypes: false`";
            return definition.warn_evttypes.then(|| warning.hint(hint));
        }
        // A rule of no event at all is what `never_true` makes, on purpose.
        if by_type.is_empty() || !by_type.intersection(EventTypes::CAPTURED).is_empty() {
            return None;
        }
        let message = format!("none of its events is captured: {}", by_type.names());
        let error = reporter.error(Code::UnansweredField, &place, message);
        let told = by_type.iter().find_map(|one| Some((one.name(), one.told_as()?.name())));
        Some(match told {
            Some((one, other)) => error.hint(format!("{one} is told as {other}: name that, too")),
            None => error.hint("`skip-if-unknown-filter: true` leaves the rule out instead"),
        })
    }

    fn may_be_left_out(&self, issue: &Diagnostic, definition: &definitions::Rule) -> bool {
        match issue.code {
            Code::UnansweredField => true,
            Code::UnknownField if definition.sigma.is_none() => definition.skip_if_unknown_filter,
            Code::UnknownField | Code::Modifier | Code::Unsupported => true,
            _ => false,
        }
    }
}

/// A rule whose events are captured, and answer none of what it compares, would never fire.
fn unanswered_there(
    definition: &definitions::Rule,
    by_type: EventTypes,
    may: EventTypes,
    fields: &[&'static str],
    reporter: &Reporter<'_>,
) -> Option<Diagnostic> {
    let types = by_type.intersection(EventTypes::CAPTURED);
    if types.is_empty() || !types.intersection(may).is_empty() {
        return None;
    }
    let missing = fields.iter().filter_map(|name| catalogue::field(name)).find(|spec| {
        // What is answered of nothing is told where it stands.
        !spec.answered.is_empty() && spec.answered.intersection(types).is_empty()
    })?;
    let message = format!("none of its events answers {}: {}", missing.name, types.names());
    let error = reporter.error(Code::UnansweredField, &definition.condition.place(), message);
    Some(error.hint("`skip-if-unknown-filter: true` leaves the rule out instead"))
}

fn assemble(
    rules: Vec<Rule>,
    trees: Vec<Arc<Tree>>,
    predicates: Predicates,
    options: &Options,
) -> Ruleset {
    let (groups, order) = Groups::find(&predicates);
    let mut places = vec![0; order.len()];
    for (place, number) in (0u32..).zip(&order) {
        if let Some(known) = places.get_mut(*number as usize) {
            *known = place;
        }
    }
    let mut graph = Graph::default();
    let active = rules.iter().zip(&trees);
    let entries: Vec<Option<u32>> = active
        .map(|(rule, tree)| (rule.state == State::Active).then(|| graph.add(tree, &predicates)))
        .collect();
    for instruction in &mut graph.instructions {
        let place = places.get(instruction.predicate as usize);
        instruction.predicate = place.copied().unwrap_or_default();
    }
    Ruleset::new(rules, entries, graph, predicates.reorder(&order), places, groups, options)
}
