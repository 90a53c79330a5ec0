//! The command line: one file per verb. What is wrong with it comes out as a [`Problem`], like
//! everything else that goes wrong.

use std::ffi::OsString;

use chandra_doctor::{Check, Problem};
use chandra_signals::registry::traces;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Command, FromArgMatches};
use profiling::elsewhere;

pub(crate) mod agent;
pub(crate) mod alerts;
pub(crate) mod audit;
mod budget;
pub(crate) mod common;
pub mod config_file;
mod cpu_budget;
pub(crate) mod describe;
pub(crate) mod doctor;
pub(crate) mod evaluation;
pub(crate) mod export;
pub(crate) mod hubble;
pub(crate) mod hubble_config;
pub(crate) mod hubble_server;
pub(crate) mod identity;
pub(crate) mod install;
pub(crate) mod kernel_levels;
pub(crate) mod list;
pub(crate) mod metrics;
pub(crate) mod observe;
mod observe_filters;
pub(crate) mod observe_others;
mod otlp;
mod owner;
pub(crate) mod profile;
pub(crate) mod profiling;
pub(crate) mod record;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod reference;
pub(crate) mod rules;
pub(crate) mod selection;
pub(crate) mod sysdump;
pub(crate) mod top;
pub(crate) mod trace;

/// What was asked.
#[derive(Debug)]
pub(crate) enum Verb {
    /// `chandra trace …`
    Trace(Box<trace::TraceOptions>),
    /// `chandra list …`
    List(Box<list::ListOptions>),
    /// `chandra observe …`
    Observe(Box<observe::ObserveOptions>),
    /// `chandra status`, `chandra list nodes`, … of a server
    OtherOfServer(Box<observe_others::OtherOptions>),
    /// `chandra alerts …`
    Alerts(Box<alerts::AlertsOptions>),
    /// `chandra record …`
    Record(Box<record::RecordOptions>),
    /// `chandra top …`
    Top(Box<top::TopOptions>),
    /// `chandra rules …`
    Rules(Box<rules::RulesOptions>),
    /// `chandra profile …` of what runs
    Profiling(Box<profiling::ProfilingOptions>),
    /// `chandra profile --server …`
    ProfilingElsewhere(Box<elsewhere::ElsewhereOptions>),
    /// `chandra profile convert …`, `chandra profile diff …`
    Profile(Box<profile::ProfileOptions>),
    /// `chandra doctor …`
    Doctor(Box<doctor::DoctorOptions>),
    /// `chandra agent …`
    Agent(Box<agent::AgentOptions>),
    /// `chandra sysdump …`
    Sysdump(Box<sysdump::SysdumpOptions>),
    /// `chandra install …`
    Install(install::InstallOptions),
    /// `chandra completions`, `chandra man`
    Describe(describe::DescribeOptions),
    /// What the agent executes to see its own exec.
    Canary,
    /// Nothing was asked: the help that says what there is to ask.
    Missing(String),
    /// A text was asked for: help or the version.
    Shown(String),
}

/// The hidden verb of the agent's canary.
pub const CANARY: &str = "canary";

/// Parses the command line.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Verb, Problem> {
    let arguments: Vec<_> = arguments.collect();
    let matches = match command().try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return Ok(Verb::Missing(error.render().to_string()));
        }
        Err(error) if !error.use_stderr() => return Ok(Verb::Shown(error.render().to_string())),
        Err(error) => return Err(problem(&error, &arguments)),
    };
    let of_server = matches.subcommand().and_then(|(verb, matches)| {
        let (what, matches) = matches.subcommand().unwrap_or(("", matches));
        observe_others::OtherOptions::parse([verb, what], matches)
    });
    if let Some(options) = of_server {
        let options = options.map_err(|error| problem(&error, &arguments))?;
        return options.map(Box::new).map(Verb::OtherOfServer);
    }
    let described = matches
        .subcommand()
        .and_then(|(verb, matches)| describe::DescribeOptions::parse(verb, matches));
    if let Some(options) = described {
        return options.map(Verb::Describe).map_err(|error| problem(&error, &arguments));
    }
    match matches.subcommand() {
        Some(("observe", matches)) => {
            let typed = observe::parse(matches).map_err(|error| problem(&error, &arguments))?;
            Ok(match typed? {
                observe::Observe::Run(options) => Verb::Observe(options),
                observe::Observe::Text(text) => Verb::Shown(text),
            })
        }
        Some(("trace", matches)) => {
            let (name, matches) = matches.subcommand().unwrap_or(("", matches));
            let arguments = trace::TraceArguments::from_arg_matches(matches)
                .map_err(|error| problem(&error, &arguments))?;
            trace::TraceOptions::new(name, &arguments).map(Box::new).map(Verb::Trace)
        }
        Some(("list", matches)) => {
            let (kind, matches) = matches.subcommand().unwrap_or(("", matches));
            let arguments = list::ListArguments::from_arg_matches(matches)
                .map_err(|error| problem(&error, &arguments))?;
            list::ListOptions::new(kind, &arguments).map(Box::new).map(Verb::List)
        }
        Some(("alerts", matches)) => {
            let options = alerts::AlertsOptions::parse(matches)
                .map_err(|error| problem(&error, &arguments))?;
            options.map(Box::new).map(Verb::Alerts)
        }
        Some(("record", matches)) => {
            let options = record::RecordOptions::parse(matches)
                .map_err(|error| problem(&error, &arguments))?;
            options.map(Box::new).map(Verb::Record)
        }
        Some(("top", matches)) => {
            let options =
                top::TopOptions::parse(matches).map_err(|error| problem(&error, &arguments))?;
            options.map(Box::new).map(Verb::Top)
        }
        Some(("rules" | "replay", matches)) => {
            let options =
                rules::RulesOptions::parse(matches).map_err(|error| problem(&error, &arguments))?;
            Ok(Verb::Rules(Box::new(options)))
        }
        Some(("profile", matches)) => {
            if matches.subcommand().is_none() {
                let arguments = profiling::ProfilingArguments::from_arg_matches(matches)
                    .map_err(|error| problem(&error, &arguments))?;
                elsewhere::check(matches)?;
                if elsewhere::is_meant(matches) {
                    let options = elsewhere::ElsewhereOptions::new(&arguments);
                    return options.map(Box::new).map(Verb::ProfilingElsewhere);
                }
                return profiling::ProfilingOptions::new(&arguments)
                    .map(Box::new)
                    .map(Verb::Profiling);
            }
            let options = profile::ProfileOptions::parse(matches)
                .map_err(|error| problem(&error, &arguments))?;
            options.map(Box::new).map(Verb::Profile)
        }
        Some(("doctor", matches)) => {
            let options = doctor::DoctorOptions::parse(matches)
                .map_err(|error| problem(&error, &arguments))?;
            options.map(Box::new).map(Verb::Doctor)
        }
        Some(("sysdump", matches)) => {
            let options = sysdump::SysdumpOptions::parse(matches)
                .map_err(|error| problem(&error, &arguments))?;
            options.map(Box::new).map(Verb::Sysdump)
        }
        Some(("install", matches)) => install::InstallOptions::parse(matches)
            .map(Verb::Install)
            .map_err(|error| problem(&error, &arguments)),
        Some(("agent", matches)) => {
            let arguments = agent::AgentArguments::from_arg_matches(matches)
                .map_err(|error| problem(&error, &arguments))?;
            agent::AgentOptions::new(arguments).map(Box::new).map(Verb::Agent)
        }
        _ => Ok(Verb::Canary),
    }
}

/// All that is parsed: what is shown, and what the agent asks of itself.
fn command() -> Command {
    shown().subcommand(Command::new(CANARY).hide(true))
}

/// All that is there for people.
pub(crate) fn shown() -> Command {
    // The help texts come last: deriving sets the struct's own documentation.
    let verbs = traces().map(|(signal, verb)| {
        let command = trace::TraceArguments::augment_args(Command::new(verb.name));
        let command = command.about(verb.summary).long_about(None);
        trace::fit_help(command, signal, verb)
    });
    let lists = list::KINDS.map(|(kind, about)| {
        let command = list::ListArguments::augment_args(Command::new(kind));
        command.about(about).long_about(None)
    });
    let agent = agent::AgentArguments::augment_args(Command::new("agent"))
        .about("Load all signals that are on and serve their state")
        .long_about(None)
        .after_help(agent::EXAMPLES);
    Command::new("chandra")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "X-ray vision from inside the Linux kernel: processes, connections and file I/O, live",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("trace")
                .about("Show what the kernel does, live, on this machine")
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommands(verbs)
                .after_help(trace::EXAMPLES),
        )
        .subcommand(
            Command::new("list")
                .about("List what is there now: processes, containers, pods; nodes and namespaces")
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommands(lists)
                .subcommands(observe_others::list_commands())
                .after_help(list::EXAMPLES),
        )
        .subcommand(top::command())
        .subcommand(observe::command())
        .subcommand(observe_others::status_command())
        .subcommand(observe_others::watch_command())
        .subcommand(alerts::command())
        .subcommand(rules::command())
        .subcommand(record::command())
        .subcommand(rules::replay_command())
        .subcommand(profile::command())
        .subcommand(doctor::command())
        .subcommand(agent)
        .subcommand(sysdump::command())
        .subcommand(install::command())
        .subcommands(describe::commands())
        .after_help(
            "Exit codes: 0 done, 1 something failed, 2 the command line or configuration is wrong",
        )
}

/// A mistake on the command line in four parts.
fn problem(error: &clap::Error, arguments: &[OsString]) -> Problem {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        Some(ContextValue::StyledStrs(texts)) => {
            Some(texts.iter().map(StyledStr::to_string).collect::<Vec<_>>().join(", "))
        }
        _ => None,
    };
    let typed: Vec<_> =
        arguments.iter().skip(1).map(|argument| argument.to_string_lossy()).collect();
    let verb = typed.first().filter(|first| command().find_subcommand(&***first).is_some());
    let help = verb.map_or("chandra --help".to_owned(), |verb| format!("chandra {verb} --help"));
    let what = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            format!(
                "there is no verb {:?}",
                context(ContextKind::InvalidSubcommand).unwrap_or_default()
            )
        }
        ErrorKind::UnknownArgument => {
            format!("there is no option {:?}", context(ContextKind::InvalidArg).unwrap_or_default())
        }
        _ => format!("cannot understand: chandra {}", typed.join(" ")),
    };
    let nearest =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue]
            .into_iter()
            .find_map(context);
    let why = match (error.kind(), nearest) {
        (ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument, Some(nearest)) => {
            format!("the nearest there is: {nearest}")
        }
        (ErrorKind::InvalidSubcommand, None) if help == "chandra trace --help" => {
            let names: Vec<_> = traces().map(|(_, verb)| verb.name).collect();
            format!("there are: {}", names.join(", "))
        }
        _ => {
            let text = error.render().to_string();
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let listed = match error.kind() {
                ErrorKind::MissingRequiredArgument => {
                    context(ContextKind::InvalidArg).map(|names| format!(" {names}"))
                }
                ErrorKind::InvalidValue => context(ContextKind::ValidValue)
                    .filter(|values| !values.is_empty())
                    .map(|values| format!("; there are: {values}")),
                _ => None,
            };
            format!("{first}{}", listed.unwrap_or_default())
        }
    };
    Problem::usage(Check::USAGE, what, why, help)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What is said of a mistake.
    fn told(line: &str) -> String {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let error = command().try_get_matches_from(&arguments).expect_err(line);
        problem(&error, &arguments).to_string()
    }

    #[test]
    fn what_is_missing_is_named() {
        let said = told("chandra replay events.jsonl");
        assert!(said.contains("--rules <FILE>"), "{said}");
        assert!(said.contains("chandra replay --help"), "{said}");
    }

    #[test]
    fn values_that_there_are_are_listed() {
        let said = told("chandra completions csh");
        assert!(said.contains("'csh'") && said.contains("there are: bash, "), "{said}");
    }

    #[test]
    fn help_is_of_the_verb_or_of_all() {
        assert!(told("chandra profile --nope").contains("chandra profile --help"));
        assert!(told("chandra nope").contains("next: chandra --help"));
    }
}
