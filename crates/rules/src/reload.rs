//! Rules that are in force, and how others take their place.

use std::sync::Arc;

use crate::diagnostic::Report;
use crate::load::Options;
use crate::rules::Ruleset;
use crate::source::Sources;

/// Rules in force. Files that do not load change nothing: the rules before them stay.
#[derive(Debug, Clone)]
pub struct InForce {
    rules: Arc<Ruleset>,
    options: Options,
}

impl InForce {
    /// The first rules, and what somebody should look at; or what keeps them from loading.
    pub fn load(sources: &Sources, options: Options) -> Result<(Self, Report), Report> {
        let (rules, report) = Ruleset::load(sources, &options)?;
        Ok((Self { rules: Arc::new(rules), options }, report))
    }

    /// Puts other rules in force; or says what keeps them from loading, and keeps those that are.
    pub fn reload(&mut self, sources: &Sources) -> Result<Report, Report> {
        let (rules, report) = Ruleset::load(sources, &self.options)?;
        self.rules = Arc::new(rules);
        Ok(report)
    }

    /// The rules, which stay as they are for as long as somebody has them.
    pub fn rules(&self) -> &Arc<Ruleset> {
        &self.rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    fn sources(name: &str, condition: &str) -> Sources {
        let mut sources = Sources::default();
        let text = format!(
            "- rule: {name}\n  desc: d\n  output: o\n  priority: INFO\n  condition: {condition}\n"
        );
        sources.add(Source::new("rules.yaml", text));
        sources
    }

    #[test]
    fn a_bad_file_keeps_the_old_rules_and_says_why() {
        let name = |rules: &InForce| rules.rules().rules().first().map(|rule| rule.name.clone());
        let good = sources("first", "evt.type = execve");
        let (mut rules, _) = InForce::load(&good, Options::default()).unwrap();
        let before = rules.rules().clone();
        let why = rules.reload(&sources("second", "evt.type = execve and")).unwrap_err();
        assert!(why.to_string().starts_with("rules.yaml:5:"), "{why}");
        assert_eq!(name(&rules).as_deref(), Some("first"));
        assert!(rules.reload(&sources("third", "evt.type = connect")).is_ok());
        assert_eq!(name(&rules).as_deref(), Some("third"));
        assert_eq!(before.rules().len(), 1, "who has the old ones keeps them");
    }
}
