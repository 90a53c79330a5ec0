//! Options that say which rules are on, and how they are evaluated: the same for the agent and for every verb
//! that tries rules without one.

use chandra_alerts::Priority;
use chandra_doctor::Problem;
use chandra_rules::load::{Matching, Options, Unanswered};
use chandra_rules::selection::{Choice, Selection, Switch};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};
use serde::Deserialize;

use super::common::bad_value;

/// Which rules fire of those that match one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleMatching {
    /// The first, in the order of the files.
    #[default]
    First,
    /// All.
    All,
}

/// The arguments as typed.
#[derive(Debug, Clone, Default, Args)]
pub struct EvaluationArguments {
    /// Which rules fire of those that match one event [default: first]
    #[arg(long, env = "CHANDRA_RULE_MATCHING", value_name = "WHICH")]
    pub rule_matching: Option<RuleMatching>,
    /// Switch rules off: NAME, in which * stands for anything, or tag:TAG
    #[arg(long, env = "CHANDRA_RULES_DISABLE", value_name = "RULE", value_delimiter = ',')]
    pub rules_disable: Option<Vec<String>>,
    /// Switch rules on, after those that are switched off
    #[arg(long, env = "CHANDRA_RULES_ENABLE", value_name = "RULE", value_delimiter = ',')]
    pub rules_enable: Option<Vec<String>>,
    /// Switch rules off that are less urgent: emergency, alert, critical, error, warning, notice,
    /// informational or debug [default: none]
    #[arg(long, env = "CHANDRA_RULES_MINIMUM_PRIORITY", value_name = "PRIORITY")]
    pub rules_minimum_priority: Option<String>,
    /// What is not known makes a rule undecided, and not false
    #[arg(long, env = "CHANDRA_STRICT_UNKNOWN", num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub strict_unknown: Option<bool>,
    /// proc.name is compared with the name of what really runs, too [default: true]
    #[arg(long, env = "CHANDRA_MATCH_REAL_EXE", num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub match_real_exe: Option<bool>,
}

impl EvaluationArguments {
    /// Takes from the other what is not given here.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            rule_matching: self.rule_matching.or(other.rule_matching),
            rules_disable: self.rules_disable.or(other.rules_disable),
            rules_enable: self.rules_enable.or(other.rules_enable),
            rules_minimum_priority: self.rules_minimum_priority.or(other.rules_minimum_priority),
            strict_unknown: self.strict_unknown.or(other.strict_unknown),
            match_real_exe: self.match_real_exe.or(other.match_real_exe),
        }
    }

    /// `proc.name` is only the kernel's name of a process.
    pub fn by_name_only(&self) -> bool {
        !self.match_real_exe.unwrap_or(true)
    }

    /// What they mean.
    pub fn options(&self, unanswered: Unanswered) -> Result<Options, Problem> {
        let choices = |switch, typed: &Option<Vec<String>>| {
            let typed = typed.iter().flatten();
            typed.map(|text| (switch, Choice::of(text))).collect::<Vec<_>>()
        };
        let switches = [
            choices(Switch::Disable, &self.rules_disable),
            choices(Switch::Enable, &self.rules_enable),
        ];
        let minimum = self.rules_minimum_priority.as_deref();
        let option = "--rules-minimum-priority";
        let minimum_priority = minimum.map(|word| priority(option, word)).transpose()?;
        Ok(Options {
            matching: match self.rule_matching.unwrap_or_default() {
                RuleMatching::First => Matching::First,
                RuleMatching::All => Matching::All,
            },
            unanswered,
            selection: Selection { switches: switches.concat(), minimum_priority },
            strict_unknown: self.strict_unknown.unwrap_or(false),
        })
    }
}

/// A priority by its word.
pub fn priority(option: &str, word: &str) -> Result<Priority, Problem> {
    Priority::of_word(word).ok_or_else(|| {
        let words = Priority::ALL.map(|known| known.word().to_ascii_lowercase());
        let why = format!("no priority; there are: {}", words.join(", "));
        bad_value(option, word, &why, &format!("{option} warning"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_switched_on_comes_after_what_is_switched_off() {
        let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
        let arguments = EvaluationArguments {
            rules_disable: words(&["*"]),
            rules_enable: words(&["tag:shell"]),
            rules_minimum_priority: Some("info".into()),
            ..EvaluationArguments::default()
        };
        let selection = arguments.options(Unanswered::Refuse).unwrap().selection;
        let switches = [
            (Switch::Disable, Choice::Rule("*".into())),
            (Switch::Enable, Choice::Tag("shell".into())),
        ];
        assert_eq!(selection.switches, switches);
        assert_eq!(selection.minimum_priority, Some(Priority::Informational));
        let wrong =
            EvaluationArguments { rules_minimum_priority: Some("loud".into()), ..arguments };
        let problem = wrong.options(Unanswered::Refuse).unwrap_err().to_string();
        assert!(problem.contains("there are: emergency, alert"), "{problem}");
    }
}
