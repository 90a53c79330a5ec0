//! What a rules file says, item by item, before items are put together.

mod exception;
pub(crate) mod keys;
mod print;
mod read;

#[cfg(test)]
mod tests;

pub use exception::{ExceptionItem, OneOrMany, ValueItem};
pub(crate) use read::{documents, read};

use crate::source::Place;
use crate::text::Text;
use crate::version::Version;
use chandra_event::priority::Priority;

/// An item of a rules file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// `list:`
    List(ListItem),
    /// `macro:`
    Macro(MacroItem),
    /// `rule:`
    Rule(Box<RuleItem>),
    /// `required_engine_version:`
    EngineVersion(Required),
    /// `required_plugin_versions:`, each with its alternatives.
    PluginVersions(Vec<Vec<Plugin>>),
}

/// A version, and where it is written. Equal to another if the versions are.
#[derive(Debug, Clone)]
pub struct Required {
    /// The version.
    pub version: Version,
    /// Where.
    pub place: Place,
}

impl PartialEq for Required {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
    }
}

impl Eq for Required {}

/// A plugin that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// Its name.
    pub name: Text,
    /// The version that it has to have at least.
    pub required: Required,
}

/// A named list of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListItem {
    /// Its name.
    pub name: Text,
    /// Values, or names of other lists.
    pub items: Option<Vec<Text>>,
    /// How it changes what was there before.
    pub change: Change,
}

/// A named condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacroItem {
    /// Its name.
    pub name: Text,
    /// The condition.
    pub condition: Option<Text>,
    /// How it changes what was there before.
    pub change: Change,
}

/// A rule, or a change of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleItem {
    /// Its name.
    pub name: Text,
    /// What has to hold.
    pub condition: Option<Text>,
    /// What an alert says.
    pub output: Option<Text>,
    /// What it is for.
    pub desc: Option<Text>,
    /// How urgent it is.
    pub priority: Option<Priority>,
    /// The source of its events.
    pub source: Option<Text>,
    /// Whether it is on.
    pub enabled: Option<bool>,
    /// Words that it is found by.
    pub tags: Option<Vec<Text>>,
    /// When it does not fire after all.
    pub exceptions: Option<Vec<ExceptionItem>>,
    /// Warn if it looks at every type of event.
    pub warn_evttypes: Option<bool>,
    /// Leave it out if a field is not known.
    pub skip_if_unknown_filter: Option<bool>,
    /// Record events when it fires. Read, and nothing else yet.
    pub capture: Option<bool>,
    /// For how many milliseconds.
    pub capture_duration_ms: Option<u64>,
    /// How it changes what was there before.
    pub change: Change,
}

/// How an item changes what has its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It takes the place of what was there.
    Define,
    /// `append: true`: it adds to what was there.
    Append,
    /// `override:`: key by key.
    Override(Vec<Override>),
}

/// A key of `override`. Equal to another if key and way are.
#[derive(Debug, Clone)]
pub struct Override {
    /// The key.
    pub key: String,
    /// Whether it is added or replaced.
    pub way: Way,
    /// Where it is written.
    pub place: Place,
}

impl PartialEq for Override {
    fn eq(&self, other: &Self) -> bool {
        (&self.key, self.way) == (&other.key, other.way)
    }
}

impl Eq for Override {}

/// What a key of `override` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It adds.
    Append,
    /// It replaces.
    Replace,
}

/// What a rule, macro or list calls itself in messages.
pub(crate) fn called(kind: &str, name: &Text) -> String {
    format!("{kind} {:?}", name.as_str())
}
