//! The options of `chandra rules`.

use std::path::PathBuf;

use super::evaluation::EvaluationArguments;
use chandra_rules::{DEFAULT_FILE_RULES, DEFAULT_RULES};
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  chandra rules check rules.yaml local.yaml      what is wrong with them, and where
  chandra rules check sigma/rules/linux          a folder of Sigma's rules
  chandra rules list                             the rules that chandra comes with
  chandra rules list rules.yaml                  each rule, with the events it can fire of
  chandra rules test rules.yaml                  run the tests beside it, in rules.tests.yaml
  chandra trace exec -o json | head -1 > event.json
  chandra rules explain event.json --rules rules.yaml
Exit codes: 0 done, 1 the rules do not load or a test failed, 2 the command line is wrong";

const REPLAY_EXAMPLES: &str = "\
Examples:
  sudo chandra record -o events.jsonl -d 1m
  chandra replay events.jsonl --rules rules.yaml
  chandra replay events.jsonl --rules rules.yaml -o json | jq .output_fields";

/// In place of files: the rules that Chandra comes with, those on files and system calls apart, because
/// what they have watched costs more.
pub(crate) const OWN: [(&str, &str); 2] =
    [("default", DEFAULT_RULES), ("default-files", DEFAULT_FILE_RULES)];

/// How it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum RulesFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object; of alerts one a line.
    Json,
}

/// What all verbs below `rules` take.
#[derive(Debug, Args)]
struct CommonArguments {
    /// How it is shown
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: RulesFormat,
    /// Leave rules out that this build cannot answer, instead of refusing the files
    #[arg(long)]
    leave_out: bool,
    #[command(flatten, next_help_heading = "As the agent has them")]
    evaluation: EvaluationArguments,
}

#[derive(Debug, Args)]
struct FilesArguments {
    /// Files of rules, or folders of them, read one after the other; default and default-files are
    /// chandra's own
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    common: CommonArguments,
}

#[derive(Debug, Args)]
struct ListArguments {
    /// Files of rules, or folders of them, read one after the other; without any, the rules that chandra comes with
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    common: CommonArguments,
}

#[derive(Debug, Args)]
struct TestArguments {
    /// Files of rules, or folders of them, read one after the other; default and default-files are
    /// chandra's own
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Files of tests, instead of those beside the rules: rules.tests.yaml of rules.yaml
    #[arg(long, value_name = "FILE")]
    tests: Vec<PathBuf>,
    #[command(flatten)]
    common: CommonArguments,
}

#[derive(Debug, Args)]
struct ExplainArguments {
    /// A record as `-o json` prints it, or lines of a recording; of several records the first
    #[arg(value_name = "EVENT")]
    event: PathBuf,
    /// Files of rules, or folders of them, read one after the other; default and default-files are
    /// chandra's own
    #[arg(long, required = true, value_name = "FILE", value_delimiter = ',')]
    rules: Vec<PathBuf>,
    /// Only the rule of this name
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    #[command(flatten)]
    common: CommonArguments,
}

#[derive(Debug, Args)]
struct ReplayArguments {
    /// What chandra record wrote, or records as `-o json` prints them, one a line
    #[arg(value_name = "EVENTS")]
    events: PathBuf,
    /// Files of rules, or folders of them, read one after the other; default and default-files are
    /// chandra's own
    #[arg(long, required = true, value_name = "FILE", value_delimiter = ',')]
    rules: Vec<PathBuf>,
    /// The same as --rule-matching all
    #[arg(long)]
    all_matching: bool,
    #[command(flatten)]
    common: CommonArguments,
}

/// What is asked of rules.
#[derive(Debug, PartialEq, Eq)]
pub enum RulesTask {
    /// What is wrong with them.
    Check,
    /// What there is.
    List,
    /// Whether their tests hold.
    Test {
        /// Files of tests; none stands for those beside the rules.
        tests: Vec<PathBuf>,
    },
    /// Which alerts recorded events make.
    Replay {
        /// The records.
        events: PathBuf,
        /// Every rule that matches fires.
        all_matching: bool,
    },
    /// Why they fire of an event, or do not.
    Explain {
        /// The record.
        event: PathBuf,
        /// Only this rule.
        rule: Option<String>,
    },
}

/// `chandra rules …`
#[derive(Debug)]
pub struct RulesOptions {
    /// What is asked.
    pub task: RulesTask,
    /// Files of rules.
    pub files: Vec<PathBuf>,
    /// How it is shown.
    pub format: RulesFormat,
    /// Rules that cannot be answered are left out.
    pub leave_out: bool,
    /// Which rules are on, and how they are evaluated.
    pub evaluation: EvaluationArguments,
}

impl RulesOptions {
    /// What was typed below `chandra rules`, or behind `chandra replay`.
    pub fn parse(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let (verb, matches) = matches.subcommand().unwrap_or(("replay", matches));
        let (task, files, common) = match verb {
            "explain" => {
                let ExplainArguments { event, rules, rule, common } =
                    ExplainArguments::from_arg_matches(matches)?;
                (RulesTask::Explain { event, rule }, rules, common)
            }
            "replay" => {
                let ReplayArguments { events, rules, all_matching, common } =
                    ReplayArguments::from_arg_matches(matches)?;
                (RulesTask::Replay { events, all_matching }, rules, common)
            }
            "test" => {
                let TestArguments { files, tests, common } =
                    TestArguments::from_arg_matches(matches)?;
                (RulesTask::Test { tests }, files, common)
            }
            "list" => {
                let ListArguments { files, common } = ListArguments::from_arg_matches(matches)?;
                let own = || OWN.map(|(name, _)| PathBuf::from(name)).to_vec();
                (RulesTask::List, if files.is_empty() { own() } else { files }, common)
            }
            _ => {
                let FilesArguments { files, common } = FilesArguments::from_arg_matches(matches)?;
                (RulesTask::Check, files, common)
            }
        };
        let CommonArguments { output, leave_out, evaluation } = common;
        Ok(Self { task, files, format: output, leave_out, evaluation })
    }
}

/// `chandra rules`, with its verbs.
pub fn command() -> Command {
    Command::new("rules")
        .about("Check, list, test and explain rules in Falco's language or in Sigma's")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            FilesArguments::augment_args(Command::new("check"))
                .about("Say what is wrong with files of rules, and where")
                .long_about(None),
        )
        .subcommand(
            ListArguments::augment_args(Command::new("list"))
                .about(
                    "List the rules of files, or chandra's own, with the events they can fire of",
                )
                .long_about(None),
        )
        .subcommand(
            TestArguments::augment_args(Command::new("test"))
                .about("Run the tests beside files of rules: what must fire and what must not")
                .long_about(None),
        )
        .subcommand(
            ExplainArguments::augment_args(Command::new("explain"))
                .about("Say why rules fire of an event, or do not")
                .long_about(None),
        )
        .after_help(EXAMPLES)
}

/// `chandra replay`
pub fn replay_command() -> Command {
    ReplayArguments::augment_args(Command::new("replay"))
        .about("Put recorded events through rules and print the alerts, as Falco does")
        .long_about(None)
        .after_help(REPLAY_EXAMPLES)
}
