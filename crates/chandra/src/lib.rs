//! Chandra: X-ray vision from inside the Linux kernel.
//!
//! [`main`] only parses the command line and dispatches; each verb has a file under `cli/` for its
//! options and a folder of its own for what it does.
#![forbid(unsafe_code)]

mod agent;
mod alerts;
mod cgroup;
pub mod cli;
mod companions;
mod counts;
mod describe;
mod device;
mod doctor;
mod flows;
mod follow;
mod here;
mod install;
mod list;
mod observe;
mod output;
mod profile;
mod profiling;
mod record;
mod rules;
mod session;
mod status;
mod stop;
mod sysdump;
mod top;
mod trace;

use std::process::ExitCode;

use chandra_doctor::Problem;

/// The program.
pub fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(problem.exit_code())
        }
    }
}

fn run() -> Result<ExitCode, Problem> {
    match cli::parse(std::env::args_os())? {
        cli::Verb::Trace(options) => trace::run(&options)?,
        cli::Verb::List(options) => list::run(&options)?,
        cli::Verb::Observe(options) => observe::run(&options)?,
        cli::Verb::OtherOfServer(options) => return observe::run_other(&options),
        cli::Verb::Alerts(options) => alerts::run(&options)?,
        cli::Verb::Record(options) => record::run(&options)?,
        cli::Verb::Top(options) => top::run(&options)?,
        cli::Verb::Profiling(options) => profiling::run(&options)?,
        cli::Verb::ProfilingElsewhere(options) => profiling::elsewhere::run(&options)?,
        cli::Verb::Rules(options) => return rules::run(&options),
        cli::Verb::Profile(options) => profile::run(&options)?,
        cli::Verb::Doctor(options) => return doctor::run(&options),
        cli::Verb::Agent(options) => agent::run(&options)?,
        cli::Verb::Sysdump(options) => sysdump::run(&options)?,
        cli::Verb::Install(options) => install::run(&options)?,
        cli::Verb::Describe(options) => describe::run(&options)?,
        cli::Verb::Canary => {}
        cli::Verb::Shown(text) => output::print(&text)?,
        cli::Verb::Missing(help) => {
            eprint!("{help}");
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}
