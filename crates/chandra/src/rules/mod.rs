//! `chandra rules`: what is wrong with files of rules, what is in them, whether they do what their tests say, and
//! why they fire or do not; and
//! `chandra replay`, which puts recorded events through them.

mod check;
mod explain;
pub(crate) mod files;
mod list;
mod recorded;
mod replay;
mod test;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use chandra_doctor::{Check, Problem};
use chandra_rules::diagnostic::{Report, Severity};
use chandra_rules::load::{Matching, Options, Unanswered};
use chandra_rules::rules::Ruleset;
use chandra_rules::selection::{Choice, Switch};

use crate::cli::rules::{OWN, RulesFormat, RulesOptions, RulesTask};
use crate::output;

/// Files larger than this are no rules.
const MAX_BYTES: u64 = 16 << 20;

/// Runs the verb.
pub(crate) fn run(options: &RulesOptions) -> Result<ExitCode, Problem> {
    let sources = files::sources(&options.files)?;
    let unanswered = if options.leave_out || options.task == RulesTask::List {
        Unanswered::LeaveOut
    } else {
        Unanswered::Refuse
    };
    let mut how = options.evaluation.options(unanswered)?;
    if matches!(options.task, RulesTask::Replay { all_matching: true, .. } | RulesTask::Test { .. })
    {
        how.matching = Matching::All;
    }
    let loaded = Ruleset::load(&sources, &how);
    if let Ok((rules, _)) = &loaded {
        for warning in unused_switches(rules, &how) {
            eprintln!("warning: {warning}");
        }
    }
    let text = match (&options.task, &loaded) {
        (RulesTask::Check, Ok((rules, report))) => {
            check::text(Some(rules), report, &sources, options.format)
        }
        (RulesTask::Check, Err(report)) => check::text(None, report, &sources, options.format),
        (RulesTask::List, Ok((rules, _))) => list::text(rules, options),
        (RulesTask::Test { tests }, Ok((rules, _))) => {
            let tests = match tests.is_empty() {
                true => files::tests(&options.files)?,
                false => tests.clone(),
            };
            let (text, code) = test::run(rules, &tests, options)?;
            output::print(&text)?;
            return Ok(code);
        }
        (RulesTask::Replay { events, .. }, Ok((rules, _))) => {
            replay::run(rules, events, options)?;
            String::new()
        }
        (RulesTask::Explain { event, rule }, Ok((rules, _))) => {
            explain::text(rules, event, rule.as_deref(), options)?
        }
        (_, Err(report)) => return Err(unloadable(report, options)),
    };
    output::print(&text)?;
    Ok(if loaded.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The rules that Chandra comes with.
pub(crate) fn own() -> Result<Arc<Ruleset>, Problem> {
    let named = OWN.map(|(name, _)| PathBuf::from(name));
    let options = Options { unanswered: Unanswered::LeaveOut, ..Options::default() };
    let loaded = Ruleset::load(&files::sources(&named)?, &options);
    loaded.map(|(rules, _)| Arc::new(rules)).map_err(|report| do_not_load(&report, &named))
}

/// What was to be switched on or off and is not there, in words.
pub(crate) fn unused_switches(rules: &Ruleset, options: &Options) -> Vec<String> {
    let is_there =
        |choice: &Choice| rules.rules().iter().any(|rule| choice.has(&rule.name, &rule.tags));
    let switches = options.selection.switches.iter().filter(|(_, choice)| !is_there(choice));
    let word = |switch: &Switch| match switch {
        Switch::Enable => "on",
        Switch::Disable => "off",
    };
    switches
        .map(|(switch, choice)| {
            let word = word(switch);
            format!("no rule is like \"{choice}\", which was to be switched {word}")
        })
        .collect()
}

/// The problem of rules that another verb than `check` needs.
fn unloadable(report: &Report, options: &RulesOptions) -> Problem {
    do_not_load(report, &options.files)
}

/// The same of these files.
pub(crate) fn do_not_load(report: &Report, files: &[PathBuf]) -> Problem {
    let errors = report.diagnostics.iter().filter(|one| one.severity == Severity::Error);
    let first = errors.map(ToString::to_string).next().unwrap_or_default();
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let count = report.count(Severity::Error);
    Problem::new(
        Check::RULES,
        format!("the rules do not load: {}", counted(count, "error")),
        first,
        format!("chandra rules check {}", files.join(" ")),
    )
}

/// What a file of rules holds.
pub(crate) fn read(file: &Path) -> Result<String, Problem> {
    let problem = |why: String| {
        Problem::new(
            Check::RULES,
            format!("cannot read {}", file.display()),
            why,
            format!("ls -l {}", file.display()),
        )
    };
    let metadata = fs::metadata(file).map_err(|error| problem(error.to_string()))?;
    if metadata.len() > MAX_BYTES {
        return Err(problem(format!("it has more than {} MiB", MAX_BYTES >> 20)));
    }
    let bytes = fs::read(file).map_err(|error| problem(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| problem("it is not UTF-8".to_owned()))
}

/// `1 rule`, `2 rules`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
