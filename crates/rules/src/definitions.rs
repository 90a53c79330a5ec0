//! What rules files define when all their items have been put together, in the order in which they came.
//!
//! A later item of a name takes the place of the earlier one, adds to it, or changes it key by key; it
//! keeps the earlier one's place in the order. What uses a macro or a list sees the last definition of it,
//! if the first came before.

mod change;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use crate::diagnostic::{Code, nearest};
use crate::items::{
    Change, Item, ListItem, MacroItem, OneOrMany, Override, Plugin, Required, RuleItem, ValueItem,
    Way, called,
};
use crate::reporter::Reporter;
use crate::sigma::{Detection, Origin};
use crate::source::Place;
use crate::text::{Style, Text};
use crate::version::{ENGINE, PLUGINS};
use chandra_event::priority::Priority;

/// A list.
#[derive(Debug, Clone)]
pub(crate) struct List {
    pub name: Text,
    pub items: Vec<Text>,
    /// When it was defined first, counted in items.
    pub defined: usize,
}

/// A macro.
#[derive(Debug, Clone)]
pub(crate) struct Macro {
    pub name: Text,
    pub condition: Text,
    /// When it was defined first.
    pub defined: usize,
}

/// An exception.
#[derive(Debug, Clone)]
pub(crate) struct Exception {
    pub name: Text,
    pub fields: Option<OneOrMany>,
    pub comps: Option<OneOrMany>,
    pub values: Vec<ValueItem>,
    pub place: Place,
}

/// A rule.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub name: Text,
    pub condition: Text,
    pub output: Text,
    pub desc: Text,
    pub priority: Priority,
    pub source: Option<Text>,
    pub enabled: bool,
    pub tags: Vec<Text>,
    pub exceptions: Vec<Exception>,
    pub warn_evttypes: bool,
    pub skip_if_unknown_filter: bool,
    /// When it was changed last.
    pub changed: usize,
    /// What it is in Sigma, if it is of that: the condition is then the text that joins its searches.
    pub sigma: Option<Arc<Sigma>>,
}

/// A rule of Sigma's.
#[derive(Debug)]
pub(crate) struct Sigma {
    pub origin: Origin,
    pub detection: Detection,
}

/// Things by name, in the order in which they were defined first.
#[derive(Debug, Clone)]
pub(crate) struct ByName<T> {
    all: Vec<T>,
    index: HashMap<String, usize>,
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self { all: Vec::new(), index: HashMap::new() }
    }
}

impl<T> ByName<T> {
    pub fn index(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    pub fn get(&self, name: &str) -> Option<&T> {
        self.all.get(self.index(name)?)
    }

    pub fn at(&self, index: usize) -> Option<&T> {
        self.all.get(index)
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.all.get_mut(*self.index.get(name)?)
    }

    fn put(&mut self, name: &str, one: T) {
        match self.get_mut(name) {
            Some(known) => *known = one,
            None => {
                self.index.insert(name.to_owned(), self.all.len());
                self.all.push(one);
            }
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.index.keys().map(String::as_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.all.iter()
    }
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Definitions {
    pub lists: ByName<List>,
    pub macros: ByName<Macro>,
    pub rules: ByName<Rule>,
    /// Items that came so far.
    items: usize,
}

impl Definitions {
    /// Takes in the next item.
    pub fn add(&mut self, item: Item, reporter: &mut Reporter<'_>) {
        self.items += 1;
        match item {
            Item::EngineVersion(required) => require_engine(&required, reporter),
            Item::PluginVersions(all) => {
                all.iter().for_each(|alternatives| require_plugin(alternatives, reporter));
            }
            Item::List(list) => {
                reporter.within = Some(called("list", &list.name));
                self.add_list(list, reporter);
            }
            Item::Macro(one) => {
                reporter.within = Some(called("macro", &one.name));
                self.add_macro(one, reporter);
            }
            Item::Rule(rule) => {
                reporter.within = Some(called("rule", &rule.name));
                self.add_rule(*rule, reporter);
            }
        }
        reporter.within = None;
    }

    /// Takes in a rule of Sigma's. Its titles are not unique, and two rules of one are two rules.
    pub fn add_sigma(&mut self, mut rule: Rule, reporter: &mut Reporter<'_>) {
        self.items += 1;
        rule.changed = self.items;
        reporter.within = Some(called("rule", &rule.name));
        if let Some(known) = self.rules.get(rule.name.as_str()) {
            let id = rule.sigma.as_ref().and_then(|sigma| sigma.origin.id.as_deref());
            let longer = id.map(|id| format!("{} ({id})", rule.name.as_str()));
            let longer = longer.filter(|name| self.rules.get(name).is_none());
            let place = rule.name.place();
            let first = reporter.sources.spell(&known.name.place());
            let Some(longer) = longer else {
                let message = format!("there is a rule of this title, at {first}");
                let error = reporter.error(Code::Duplicate, &place, message);
                reporter.put(error.hint("give it another title, or an id of its own"));
                reporter.within = None;
                return;
            };
            let message = format!("there is a rule of this title, at {first}");
            let warning = reporter.warning(Code::Duplicate, &place, message);
            reporter.put(warning.hint(format!("this one is called {longer:?}")));
            rule.name = Text::new(longer, place, Style::Plain);
        }
        reporter.within = None;
        self.rules.put(rule.name.clone().as_str(), rule);
    }

    fn add_list(&mut self, item: ListItem, reporter: &mut Reporter<'_>) {
        let ListItem { name, items, change } = item;
        let items = items.unwrap_or_default();
        let known = self.lists.get_mut(name.as_str());
        match (way_of(&change, "items"), known) {
            (None, known) => {
                let defined = known.map_or(self.items, |known| {
                    warn_duplicate("list", &known.name, &name, reporter);
                    known.defined
                });
                self.lists.put(name.clone().as_str(), List { name, items, defined });
            }
            (Some(Way::Append), Some(known)) => known.items.extend(items),
            (Some(Way::Replace), Some(known)) => known.items = items,
            (Some(_), None) => undefined("list", &name, self.lists.names(), reporter),
        }
    }

    fn add_macro(&mut self, item: MacroItem, reporter: &mut Reporter<'_>) {
        let MacroItem { name, condition, change } = item;
        let Some(condition) = condition else { return };
        let known = self.macros.get_mut(name.as_str());
        match (way_of(&change, "condition"), known) {
            (None, known) => {
                let defined = known.map_or(self.items, |known| {
                    warn_duplicate("macro", &known.name, &name, reporter);
                    known.defined
                });
                self.macros.put(name.clone().as_str(), Macro { name, condition, defined });
            }
            (Some(Way::Append), Some(known)) => known.condition.append(&condition),
            (Some(Way::Replace), Some(known)) => known.condition = condition,
            (Some(_), None) => undefined("macro", &name, self.macros.names(), reporter),
        }
    }

    fn add_rule(&mut self, item: RuleItem, reporter: &mut Reporter<'_>) {
        let says_something = item.condition.is_some()
            || item.output.is_some()
            || item.desc.is_some()
            || item.priority.is_some();
        if item.change == Change::Define && says_something {
            return self.define_rule(item, reporter);
        }
        let Some(known) = self.rules.get_mut(item.name.as_str()) else {
            return undefined("rule", &item.name, self.rules.names(), reporter);
        };
        known.changed = self.items;
        match &item.change {
            Change::Define => match item.enabled {
                Some(enabled) => known.enabled = enabled,
                None => {
                    let message = "a rule needs condition, output, desc and priority";
                    reporter.put(reporter.error(Code::Key, &item.name.place(), message));
                }
            },
            Change::Append => change::append(known, item, reporter),
            Change::Override(_) => change::apply(known, item, reporter),
        }
    }

    fn define_rule(&mut self, item: RuleItem, reporter: &mut Reporter<'_>) {
        let place = item.name.place();
        let needed = [
            ("condition", item.condition.is_some()),
            ("output", item.output.is_some()),
            ("desc", item.desc.is_some()),
        ];
        for (key, _) in needed.iter().filter(|(_, given)| !given) {
            reporter.put(reporter.error(Code::Key, &place, format!("the rule has no {key}")));
        }
        // One that could not be read has been told of.
        let told = reporter
            .report
            .diagnostics
            .iter()
            .any(|one| one.code == Code::Priority && one.within == reporter.within);
        if item.priority.is_none() && !told {
            reporter.put(reporter.error(Code::Key, &place, "the rule has no priority"));
        }
        if let Some(known) = self.rules.get(item.name.as_str()) {
            warn_duplicate("rule", &known.name, &item.name, reporter);
        }
        let exceptions = item.exceptions.unwrap_or_default();
        let mut rule = Rule {
            condition: item.condition.unwrap_or_else(|| item.name.clone()),
            output: item.output.unwrap_or_else(|| item.name.clone()),
            desc: item.desc.unwrap_or_else(|| item.name.clone()),
            priority: item.priority.unwrap_or(Priority::Debug),
            source: item.source,
            enabled: item.enabled.unwrap_or(true),
            tags: item.tags.unwrap_or_default(),
            exceptions: Vec::new(),
            warn_evttypes: item.warn_evttypes.unwrap_or(true),
            skip_if_unknown_filter: item.skip_if_unknown_filter.unwrap_or(false),
            changed: self.items,
            sigma: None,
            name: item.name,
        };
        change::define_exceptions(&mut rule, exceptions, reporter);
        self.rules.put(rule.name.clone().as_str(), rule);
    }
}

/// What a change does with a key; nothing if it defines all anew.
fn way_of(change: &Change, key: &str) -> Option<Way> {
    match change {
        Change::Define => None,
        Change::Append => Some(Way::Append),
        Change::Override(all) => {
            all.iter().find(|Override { key: known, .. }| known == key).map(|one| one.way)
        }
    }
}

/// To change what another file says is what files are for; twice in one file is perhaps an oversight.
fn warn_duplicate(kind: &str, known: &Text, name: &Text, reporter: &mut Reporter<'_>) {
    let (first, place) = (known.place(), name.place());
    if first.source == place.source {
        let first = reporter.sources.spell(&first);
        let message = format!("this {kind} takes the place of the one at {first}");
        let warning = reporter.warning(Code::Duplicate, &place, message);
        reporter.put(warning.hint("give it another name, or say with override what it changes"));
    }
}

fn undefined<'n>(
    kind: &str,
    name: &Text,
    names: impl Iterator<Item = &'n str>,
    reporter: &mut Reporter<'_>,
) {
    let message =
        format!("there is no {kind} {:?} before this that could be changed", name.as_str());
    let hint = nearest(name.as_str(), names).map(|known| format!("did you mean {known:?}?"));
    let error = reporter.error(Code::Override, &name.place(), message);
    reporter.put(error.maybe_hint(hint));
}

fn require_engine(required: &Required, reporter: &mut Reporter<'_>) {
    if !ENGINE.satisfies(required.version) {
        let version = required.version;
        let message = format!("rules for engine {version}, but this is {ENGINE}");
        let error = reporter.error(Code::Version, &required.place, message);
        reporter.put(error.hint("take an earlier version of the rules, or a later one of chandra"));
    }
}

fn require_plugin(alternatives: &[Plugin], reporter: &mut Reporter<'_>) {
    let is_there = |plugin: &Plugin| {
        PLUGINS.iter().any(|(name, version)| {
            *name == plugin.name.as_str() && version.satisfies(plugin.required.version)
        })
    };
    if alternatives.iter().any(is_there) {
        return;
    }
    let Some(first) = alternatives.first() else { return };
    let (name, version) = (first.name.as_str(), first.required.version);
    let message = format!("plugin {name} {version} is not there");
    let built_in = PLUGINS.map(|(name, version)| format!("{name} {version}"));
    let error = reporter.error(Code::Plugin, &first.name.place(), message);
    reporter.put(error.hint(format!("built in: {}", built_in.join(", "))));
}
