//! The options of the verbs that describe the command line itself: `chandra completions` and
//! `chandra man`.

use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  source <(chandra completions bash)                                    in this shell
  chandra completions bash > /etc/bash_completion.d/chandra             for everybody
  chandra completions zsh > \"${fpath[1]}/_chandra\"
  chandra completions fish > ~/.config/fish/completions/chandra.fish";

const MANUAL_EXAMPLES: &str = "\
Examples:
  chandra man | man -l -                     the page of chandra
  chandra man trace exec | man -l -          the page of one verb
  chandra man --folder /usr/share/man/man1   all of them, a file each";

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash.
    Bash,
    /// The Z shell.
    Zsh,
    /// The friendly interactive shell.
    Fish,
}

/// `chandra completions`.
#[derive(Debug, Args)]
pub struct CompletionsOptions {
    /// Shell that the script is for
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `chandra man`.
#[derive(Debug, Args)]
pub struct ManualOptions {
    /// Verb whose page is printed, such as trace exec [default: chandra itself]
    #[arg(value_name = "VERB", conflicts_with = "folder")]
    pub verb: Vec<String>,
    /// Write the pages of all verbs to this folder instead
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

/// What is described.
#[derive(Debug)]
pub enum DescribeOptions {
    /// For a shell.
    Completions(CompletionsOptions),
    /// For man.
    Manual(ManualOptions),
}

impl DescribeOptions {
    /// What was typed after `verb`; nothing if it is none of these.
    pub fn parse(verb: &str, matches: &ArgMatches) -> Option<Result<Self, clap::Error>> {
        match verb {
            "completions" => {
                Some(CompletionsOptions::from_arg_matches(matches).map(Self::Completions))
            }
            "man" => Some(ManualOptions::from_arg_matches(matches).map(Self::Manual)),
            _ => None,
        }
    }
}

/// `chandra completions` and `chandra man`.
pub fn commands() -> [Command; 2] {
    [
        CompletionsOptions::augment_args(Command::new("completions"))
            .about("Print a script with which a shell completes what is typed")
            .long_about(None)
            .arg_required_else_help(true)
            .after_help(COMPLETIONS_EXAMPLES),
        ManualOptions::augment_args(Command::new("man"))
            .about("Print or write manual pages")
            .long_about(None)
            .after_help(MANUAL_EXAMPLES),
    ]
}
