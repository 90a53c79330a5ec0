//! `chandra rules test`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chandra_doctor::{Check, Problem};
use chandra_rules::rules::Ruleset;
use chandra_rules::testing::{Failure, Tests, Unreadable};
use serde_json::{Value, json};

use super::{RulesFormat, RulesOptions, counted, read};

/// What failed, and how many tests there are; the exit code says whether one did.
pub(super) fn run(
    rules: &Ruleset,
    files: &[PathBuf],
    options: &RulesOptions,
) -> Result<(String, ExitCode), Problem> {
    let mut tests = Tests::default();
    for file in files {
        let text = read(file)?;
        let read = Tests::read(&file.display().to_string(), &text);
        tests.add(read.map_err(|error| unreadable(file, &error))?);
    }
    let failures = tests.run(rules);
    let has_none = |name: &str| tests.count_of(name) == (0, 0);
    let names = rules.rules().iter().map(|rule| rule.name.as_str());
    let untested: Vec<&str> = names.filter(|name| has_none(name)).collect();
    let text = match options.format {
        RulesFormat::Json => {
            let failures: Vec<Value> = failures.iter().map(object).collect();
            let object =
                json!({ "events": tests.len(), "failures": failures, "untested_rules": untested });
            format!("{object}\n")
        }
        RulesFormat::Text => text(&tests, &failures, &untested),
    };
    let code = if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    Ok((text, code))
}

fn text(tests: &Tests, failures: &[Failure], untested: &[&str]) -> String {
    let mut text: String =
        failures.iter().map(|failure| format!("{}\n\n", failure.to_string().trim_end())).collect();
    for rule in untested {
        text.push_str(&format!("no test of {rule:?}\n"));
    }
    let (events, failed) = (counted(tests.len(), "event"), counted(failures.len(), "failure"));
    text.push_str(&format!("{events}: {failed}\n"));
    text
}

fn object(failure: &Failure) -> Value {
    let Failure { place, event, rule, .. } = failure;
    json!({ "place": place, "event": event, "rule": rule, "message": failure.to_string().trim_end() })
}

fn unreadable(file: &Path, error: &Unreadable) -> Problem {
    Problem::new(
        Check::RULES,
        format!("cannot read tests from {}", file.display()),
        error.to_string(),
        format!("${{EDITOR:-vi}} {}", file.display()),
    )
}
