//! `chandra agent`.
use crate::cli::agent::AgentOptions;
use chandra_doctor::Problem;
/// Runs the agent.
pub fn run(_options: Box<AgentOptions>) -> Result<(), Problem> {
    Ok(())
}
