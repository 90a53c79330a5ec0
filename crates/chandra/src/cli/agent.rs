//! The options of `chandra agent`: flags over environment over file over defaults.

use chandra_doctor::Problem;
use clap::Args;

/// Shown below the help.
pub const EXAMPLES: &str = "";

/// The arguments as typed.
#[derive(Debug, Args)]
pub struct AgentArguments {}

/// The agent's configuration.
#[derive(Debug)]
pub struct AgentOptions {}

impl AgentOptions {
    /// Merges flags, environment, file and defaults.
    pub fn new(_arguments: AgentArguments) -> Result<Self, Problem> {
        Ok(Self {})
    }
}
