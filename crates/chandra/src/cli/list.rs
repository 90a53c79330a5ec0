//! The options of `chandra list`.

use chandra_doctor::Problem;
use chandra_loader::load::Options;
use clap::{Args, ValueEnum};

use super::common::LoadArguments;

/// Shown below the help of `chandra list`.
pub const EXAMPLES: &str = "\
Examples:
  chandra list processes -o tree       who started whom, and in which container
  chandra list processes -o json | jq 'select(.container)'
  chandra list containers";

/// What can be listed, with one line of help.
pub const KINDS: [(&str, &str); 2] = [
    ("processes", "Processes that run, with their real executable and their container"),
    ("containers", "Containers that have a cgroup, with their pod's uid"),
];

/// How a list looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ListFormat {
    /// Columns.
    #[default]
    Table,
    /// Processes below their parents.
    Tree,
    /// One JSON object a line.
    Json,
}

/// The arguments as typed.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// How the list looks
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    load: LoadArguments,
}

/// What is listed.
#[derive(Debug)]
pub struct ListOptions {
    /// Containers rather than processes.
    pub containers: bool,
    /// How it looks.
    pub format: ListFormat,
    /// Options of loading.
    pub load: Options,
}

impl ListOptions {
    /// Checks the arguments of `chandra list KIND`.
    pub fn new(kind: &str, arguments: &ListArguments) -> Result<Self, Problem> {
        let load = arguments.load.options()?;
        Ok(Self { containers: kind == "containers", format: arguments.output, load })
    }
}
