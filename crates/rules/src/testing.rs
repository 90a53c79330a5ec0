//! Tests beside rules: events that a rule must fire of, and near misses that it must not.
//!
//! A file of tests is a sequence. Each of its items is about one rule, or says with `ordinary` of which events
//! no rule at all may fire:
//!
//! ```yaml
//! - rule: Shell of a server
//!   fires:
//!     - title: a web shell
//!       exe: /bin/dash
//!       argv: [sh, -c, id]
//!       ancestors: [/usr/sbin/nginx]
//!   silent:
//!     - title: the entrypoint
//!       exe: /bin/dash
//!       script: /docker-entrypoint.sh
//! - ordinary:
//!     - { exe: /usr/sbin/nginx }
//! ```
//!
//! An event names only what matters; [`event`] lists the keys. It becomes a record, and is asked through
//! [`adapter`](crate::adapter), so that what a field answers is tested together with the rule.

mod event;
mod read;

use std::fmt;

use crate::evaluate::{Facts, Scratch, Truth};
use crate::explain::Explanation;
use crate::rules::{Outcome, Rule, Ruleset, State};
use event::Event;

/// A file of tests that cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Unreadable {
    /// `rules.tests.yaml:3:5`
    pub place: String,
    /// What is wrong there.
    pub message: String,
}

/// What is expected of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    /// This rule fires.
    Fires(String),
    /// This rule does not.
    Silent(String),
    /// No rule does.
    Ordinary,
}

#[derive(Debug, Clone)]
struct Case {
    expected: Expected,
    event: Event,
}

/// Tests of rules.
#[derive(Debug, Clone, Default)]
pub struct Tests(Vec<Case>);

/// A test that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Where the event is written: `rules.tests.yaml:5:7`.
    pub place: String,
    /// What the event is.
    pub event: String,
    /// The rule.
    pub rule: String,
    /// What is wrong.
    pub why: Why,
}

/// Why a test failed.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// There is no such rule.
    NoRule,
    /// It is switched off, or left out for these reasons.
    NotActive(Vec<String>),
    /// It does not fire, and should; the parts of its condition that decide.
    Silent(Explanation),
    /// It fires, and should not; the parts of its condition that decide.
    Fires(Explanation),
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, event, rule, why } = self;
        match why {
            Why::NoRule => write!(out, "{place}: there is no rule {rule:?}"),
            Why::NotActive(reasons) => {
                write!(out, "{place}: {rule:?} is not active")?;
                reasons.iter().try_for_each(|reason| write!(out, "\n  {reason}"))
            }
            Why::Silent(explanation) => {
                write!(out, "{place}: {rule:?} does not fire of {event:?}\n{explanation}")
            }
            Why::Fires(explanation) => {
                write!(out, "{place}: {rule:?} fires of {event:?}\n{explanation}")
            }
        }
    }
}

impl Tests {
    /// Reads a file of tests; `name` is what it is shown by.
    pub fn read(name: &str, text: &str) -> Result<Self, Unreadable> {
        read::tests(name, text).map(Self)
    }

    /// Takes in the tests of another file.
    pub fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Events that a rule must fire of, and near misses that it must not.
    pub fn count_of(&self, rule: &str) -> (usize, usize) {
        let count = |wanted: &Expected| self.0.iter().filter(|one| one.expected == *wanted).count();
        (count(&Expected::Fires(rule.to_owned())), count(&Expected::Silent(rule.to_owned())))
    }

    /// What fails. Each rule is looked at alone: load them with [`Matching::All`](crate::load::Matching).
    pub fn run(&self, rules: &Ruleset) -> Vec<Failure> {
        let mut scratch = Scratch::default();
        self.0.iter().flat_map(|case| case.run(rules, &mut scratch)).collect()
    }
}

impl Case {
    fn run(&self, rules: &Ruleset, scratch: &mut Scratch) -> Vec<Failure> {
        self.event.with(&mut |facts| {
            let mut fired: Vec<&Rule> = Vec::new();
            rules.evaluate(facts, scratch, &mut |rule, outcome| {
                if outcome == Outcome::Fires {
                    fired.push(rule);
                }
            });
            let is = |rule: &&&Rule, name: &String| rule.name == *name;
            match &self.expected {
                Expected::Ordinary => (fired.iter())
                    .map(|rule| self.failure(&rule.name, why(rules, rule, facts, scratch)))
                    .collect(),
                Expected::Fires(name) | Expected::Silent(name) => {
                    let wanted = matches!(self.expected, Expected::Fires(_));
                    let rule = rules.rules().iter().find(|rule| rule.name == *name);
                    let Some(rule) = rule else { return vec![self.failure(name, Why::NoRule)] };
                    match &rule.state {
                        State::Active if fired.iter().any(|one| is(&one, name)) == wanted => {
                            Vec::new()
                        }
                        State::Active => vec![self.failure(name, why(rules, rule, facts, scratch))],
                        State::Disabled => vec![self.failure(name, Why::NotActive(Vec::new()))],
                        State::LeftOut(reasons) => {
                            vec![self.failure(name, Why::NotActive(reasons.clone()))]
                        }
                    }
                }
            }
        })
    }

    fn failure(&self, rule: &str, why: Why) -> Failure {
        let event = &self.event;
        Failure { place: event.place.clone(), event: event.title(), rule: rule.to_owned(), why }
    }
}

/// Of a rule that does what it should not: what decides that.
fn why(rules: &Ruleset, rule: &Rule, facts: &dyn Facts, scratch: &mut Scratch) -> Why {
    let explanation = rules.explain(rule, facts, scratch);
    let deciding = explanation.deciding();
    if explanation.truth == Truth::True { Why::Fires(deciding) } else { Why::Silent(deciding) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Matching, Options};
    use crate::source::{Source, Sources};

    #[test]
    fn an_event_has_variables_and_what_a_runtime_says_of_its_container() {
        let rule = |name: &str, condition: &str| {
            format!(
                "- rule: {name}\n  desc: d\n  output: o\n  priority: INFO\n  condition: {condition}\n"
            )
        };
        let rules = [
            rule("Preloads", "evt.type = execve and proc.env[LD_PRELOAD] startswith /tmp/"),
            rule("Below", "evt.type in (execve, openat) and proc.aenv[MARK] = x"),
            rule("Privileged", "evt.type = execve and container.privileged = true"),
            rule("Mounts", "evt.type = execve and container.mount.dest[/proc*] exists"),
            rule(
                "Labelled",
                "evt.type = execve and container.label[tier] = front and container.name = web",
            ),
        ];
        let tests = r"
- rule: Preloads
  fires: [{ exe: /a, env: { LD_PRELOAD: /tmp/x.so } }]
  silent: [{ exe: /a, env: { LD_PRELOAD2: /tmp/x.so } }, { exe: /a }]
- rule: Below
  fires:
    - { exe: /a, ancestors: [/b, { exe: /c, env: { MARK: x } }] }
    - { exe: /a, open: /etc/x, ancestors: [{ exe: /c, env: { MARK: x } }] }
  silent: [{ exe: /a, env: { MARK: x }, ancestors: [{ exe: /c, env: { MARK: y } }] }]
- rule: Privileged
  fires: [{ exe: /a, privileged: true }]
  silent: [{ exe: /a }, { exe: /a, privileged: true, container: false }]
- rule: Mounts
  fires: [{ exe: /a, mounts: ['/proc:/host/proc:ro'] }]
  silent: [{ exe: /a, mounts: ['/srv:/proc'] }]
- rule: Labelled
  fires: [{ exe: /a, container_name: web, labels: { tier: front } }]
  silent: [{ exe: /a, container_name: web, labels: { tier: back } }]
";
        let mut sources = Sources::default();
        sources.add(Source::new("f", rules.concat()));
        let options = Options { matching: Matching::All, ..Options::default() };
        let (rules, _) = Ruleset::load(&sources, &options).unwrap();
        let failures = Tests::read("t.yaml", tests).unwrap().run(&rules);
        assert!(failures.is_empty(), "{failures:#?}");
    }
}
