//! The options of `chandra record`.

use std::path::PathBuf;
use std::time::Duration;

use chandra_doctor::Problem;
use chandra_loader::load::Options;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::audit::{AuditArguments, AuditOptions};
use super::common::{LoadArguments, bad_value, duration, size_bytes};
use super::identity::{IdentityArguments, IdentityOptions};

const EXAMPLES: &str = "\
Examples:
  chandra record -o events.jsonl -d 1m                          all that rules can be asked about
  chandra record -o events.jsonl --rules default,local.yaml     what these rules need
  chandra replay events.jsonl --rules local.yaml                later, on any machine

Command lines, and variables where a rule asks for them, are written as they are, with the secrets in them; the file
is its owner's only.";

/// How large a file gets if nothing else is said.
const USUAL_MAX_BYTES: u64 = 1 << 30;

#[derive(Debug, Args)]
struct Arguments {
    /// File to write to, or - for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// End after this time (10s, 500ms, 2m)
    #[arg(short, long, value_name = "TIME")]
    duration: Option<String>,
    /// End at this size: bytes, or with k, m or g [default: 1g]
    #[arg(long, value_name = "SIZE")]
    max_size: Option<String>,
    /// Record what these files of rules need; default and default-files are chandra's own [default: all
    /// that rules can be asked about]
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    identity: IdentityArguments,
    #[command(flatten)]
    load: LoadArguments,
}

/// `chandra record`, checked.
#[derive(Debug)]
pub struct RecordOptions {
    /// Where to.
    pub file: PathBuf,
    /// For how long.
    pub duration: Option<Duration>,
    /// How large it gets.
    pub max_bytes: u64,
    /// Rules that say what is needed; off where everything is.
    pub audit: AuditOptions,
    /// Who did it.
    pub identity: IdentityOptions,
    /// Options of loading.
    pub load: Options,
}

impl RecordOptions {
    /// What was typed.
    pub fn parse(matches: &ArgMatches) -> Result<Result<Self, Problem>, clap::Error> {
        Arguments::from_arg_matches(matches).map(Arguments::options)
    }
}

impl Arguments {
    fn options(self) -> Result<RecordOptions, Problem> {
        let max_bytes = self.max_size.as_deref().map(|text| {
            let why = "not a size";
            size_bytes(text).ok_or_else(|| bad_value("--max-size", text, why, "--max-size 100m"))
        });
        let max_bytes = max_bytes.transpose()?.map_or(USUAL_MAX_BYTES, |bytes| bytes as u64);
        let off = || vec!["off".into()];
        // What cannot be answered needs nothing.
        let audit = AuditArguments {
            rules: Some(if self.rules.is_empty() { off() } else { self.rules }),
            rules_leave_out: Some(true),
            ..AuditArguments::default()
        };
        let duration = self.duration.as_deref().map(|text| duration("--duration", text));
        Ok(RecordOptions {
            file: self.output,
            duration: duration.transpose()?,
            max_bytes,
            audit: audit.options(false)?,
            identity: self.identity.options(),
            load: self.load.options(true)?,
        })
    }
}

/// `chandra record`.
pub fn command() -> Command {
    Arguments::augment_args(Command::new("record"))
        .about("Write down what happens, so that rules can be tried on it later (chandra replay)")
        .long_about(None)
        .after_help(EXAMPLES)
}
