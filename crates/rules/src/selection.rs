//! Which rules are on, beside what they say themselves.

use crate::matching::Glob;
use chandra_event::priority::Priority;

/// Whether rules are switched on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// On.
    Enable,
    /// Off.
    Disable,
}

/// By what rules are chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// By their name, in which `*` stands for anything.
    Rule(String),
    /// By a tag.
    Tag(String),
}

/// What is switched on and off, one after the other, and what is urgent enough.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Applied in order.
    pub switches: Vec<(Switch, Choice)>,
    /// Rules that are less urgent are off.
    pub minimum_priority: Option<Priority>,
}

impl Choice {
    /// `tag:NAME`, or the name of a rule.
    pub fn of(text: &str) -> Self {
        match text.strip_prefix("tag:") {
            Some(tag) => Self::Tag(tag.to_owned()),
            None => Self::Rule(text.to_owned()),
        }
    }

    /// Whether it chooses a rule.
    pub fn has(&self, name: &str, tags: &[String]) -> bool {
        match self {
            Self::Rule(pattern) => Glob::new(pattern, false).matches(name.as_bytes()),
            Self::Tag(tag) => tags.contains(tag),
        }
    }
}

impl std::fmt::Display for Choice {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rule(pattern) => out.write_str(pattern),
            Self::Tag(tag) => write!(out, "tag:{tag}"),
        }
    }
}

impl Selection {
    /// Whether a rule is on, which says of itself whether it is.
    pub(crate) fn is_on(&self, name: &str, tags: &[String], priority: Priority, on: bool) -> bool {
        let switched = self.switches.iter().fold(on, |on, (switch, choice)| {
            if choice.has(name, tags) { *switch == Switch::Enable } else { on }
        });
        switched && self.minimum_priority.is_none_or(|minimum| priority <= minimum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_as_it_is_written() {
        for text in ["tag:shell", "Shell in *"] {
            assert_eq!(Choice::of(text).to_string(), text);
        }
        assert!(Choice::of("tag:a").has("b", &["a".to_owned()]));
        assert!(!Choice::of("a").has("b", &["a".to_owned()]));
    }

    #[test]
    fn switches_apply_in_order() {
        let switches = vec![
            (Switch::Disable, Choice::Rule("*".into())),
            (Switch::Enable, Choice::Tag("shell".into())),
            (Switch::Disable, Choice::Rule("Shell in *".into())),
        ];
        let selection = Selection { switches, minimum_priority: Some(Priority::Warning) };
        let tags = ["shell".to_owned()];
        assert!(selection.is_on("Shell", &tags, Priority::Error, false));
        assert!(!selection.is_on("Shell in pod", &tags, Priority::Error, true));
        assert!(!selection.is_on("Other", &[], Priority::Error, true));
        assert!(!selection.is_on("Shell", &tags, Priority::Notice, true));
    }
}
