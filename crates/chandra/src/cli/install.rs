//! The options of `chandra install`.

use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, FromArgMatches};

const EXAMPLES: &str = "\
Examples:
  chandra install | kubectl apply -f -                  an agent on every node
  chandra install --set image.repository=registry.example/chandra | kubectl apply -f -
  chandra install -n kube-system --values own.yaml > chandra.yaml
  chandra install | kubectl delete -f -                 gone again

What can be set is in deploy/chart/values.yaml; Helm makes the same of that chart.";

/// `chandra install`.
#[derive(Debug, Args)]
pub struct InstallOptions {
    /// Namespace that agents live in
    #[arg(short, long, default_value = "chandra", value_name = "NAMESPACE")]
    pub namespace: String,
    /// File of values (YAML), put over the chart's own, one after the other
    #[arg(short = 'f', long, value_name = "FILE")]
    pub values: Vec<PathBuf>,
    /// A value by its path, put over those of files
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

impl InstallOptions {
    /// What was typed.
    pub fn parse(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::from_arg_matches(matches)
    }
}

/// `chandra install`.
pub fn command() -> Command {
    InstallOptions::augment_args(Command::new("install"))
        .about("Print what puts an agent on every node of a Kubernetes cluster, for kubectl apply")
        .long_about(None)
        .after_help(EXAMPLES)
}
