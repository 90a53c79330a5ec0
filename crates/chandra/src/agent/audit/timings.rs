//! What each rule takes, of some events: two readings of a clock for each rule would cost as much as the rules.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chandra_rules::rules::Ruleset;

/// One event in so many is timed.
pub const SAMPLING: u64 = 256;

/// What a rule took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// The rule's name.
    pub rule: Arc<str>,
    /// Times that it was timed.
    pub count: u64,
    /// All of that together.
    pub time: Duration,
}

/// Of each rule, in their order.
#[derive(Debug, Default)]
pub struct Timings(Vec<Timing>);

impl Timings {
    /// Those of rules that come in place of others, whose counts go on under the same names.
    pub fn of(rules: &Ruleset, before: &Self) -> Self {
        let known: HashMap<&str, &Timing> =
            before.0.iter().map(|timing| (&*timing.rule, timing)).collect();
        let timing = |name: &String| {
            let new = || Timing { rule: name.as_str().into(), count: 0, time: Duration::ZERO };
            known.get(name.as_str()).map_or_else(new, |timing| (*timing).clone())
        };
        Self(rules.rules().iter().map(|rule| timing(&rule.name)).collect())
    }

    /// Adds what a rule took, by its place.
    pub fn add(&mut self, rule: usize, time: Duration) {
        if let Some(timing) = self.0.get_mut(rule) {
            timing.count += 1;
            timing.time += time;
        }
    }

    /// Those of rules that were timed.
    pub fn told(&self) -> Vec<Timing> {
        self.0.iter().filter(|timing| timing.count > 0).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use chandra_rules::load::Options;
    use chandra_rules::source::{Source, Sources};

    use super::*;

    fn rules(names: &[&str]) -> Ruleset {
        let rule = |name: &&str| {
            format!(
                "- rule: {name}\n  desc: d\n  output: o\n  priority: INFO\n  condition: evt.type = execve\n"
            )
        };
        let mut sources = Sources::default();
        sources.add(Source::new("rules.yaml", names.iter().map(rule).collect::<String>()));
        Ruleset::load(&sources, &Options::default()).unwrap().0
    }

    #[test]
    fn counts_go_on_under_the_same_name_when_rules_change() {
        let mut timings = Timings::of(&rules(&["a", "b"]), &Timings::default());
        assert_eq!(timings.told(), []);
        timings.add(0, Duration::from_nanos(5));
        timings.add(1, Duration::from_nanos(3));
        timings.add(1, Duration::from_nanos(4));
        timings.add(7, Duration::from_nanos(1));
        let told = Timings::of(&rules(&["c", "b"]), &timings).told();
        let b = Timing { rule: "b".into(), count: 2, time: Duration::from_nanos(7) };
        assert_eq!(told, [b]);
    }
}
