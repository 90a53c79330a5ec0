//! `chandra doctor`: gathers what a node is like, and shows how `chandra_doctor` judges it. What is asked of
//! the machine is asked here and in the loader; nothing here decides what is good or bad.

mod agent;
pub mod certificates;
mod explain;
pub mod gather;
mod hubble;
mod print;
mod trial;

use std::process::ExitCode;

use chandra_doctor::capabilities::{self, Need};
use chandra_doctor::node::Node;
use chandra_doctor::{Problem, Report, examine};
use chandra_signals::Signal;

use crate::cli::doctor::{DoctorFormat, DoctorOptions, NodeOptions, What};
use crate::output;

/// Looks and tells; the code is 1 when something failed.
pub fn run(options: &DoctorOptions) -> Result<ExitCode, Problem> {
    chandra_loader::kernel_log::capture();
    let report = match &options.what {
        What::Explain(text) => return explain::run(text, options.format),
        What::Capabilities(signals) => return tell_capabilities(signals, options.format),
        What::Agent(server) => agent::ask(server)?,
        What::Node(asked) => look(asked),
    };
    show(&report, options.format)?;
    Ok(ExitCode::from(report.exit_code()))
}

fn look(asked: &NodeOptions) -> Report {
    let node = gather::node(asked);
    let needs = needs(&asked.signals, &node);
    examine(&node, &needs)
}

/// What is found on this node, as JSON.
pub fn node_json(asked: &NodeOptions) -> String {
    print::json(&look(asked))
}

fn show(report: &Report, format: DoctorFormat) -> Result<(), Problem> {
    let text = match format {
        DoctorFormat::Table => print::table(report),
        DoctorFormat::Json => print::json(report),
    };
    output::print(&text)
}

fn needs(signals: &[&'static Signal], node: &Node) -> Vec<Need> {
    let mounts = node.mounts.as_deref().unwrap_or_default();
    let has_tracefs = mounts.iter().any(|mount| mount.filesystem == "tracefs");
    needs_of(signals, &node.kernel, has_tracefs)
}

fn needs_of(
    signals: &[&'static Signal],
    kernel: &chandra_doctor::node::Kernel,
    has_tracefs: bool,
) -> Vec<Need> {
    let signals: Vec<_> =
        signals.iter().map(|signal| (signal.spec.name, signal.capabilities)).collect();
    capabilities::needs(&signals, kernel, has_tracefs)
}

fn tell_capabilities(
    signals: &[&'static Signal],
    format: DoctorFormat,
) -> Result<ExitCode, Problem> {
    let text = match format {
        DoctorFormat::Table => print::needs_table(&needs_here(signals), held()),
        DoctorFormat::Json => capabilities_json(signals),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What these signals need on this node, and what is held, as JSON.
pub fn capabilities_json(signals: &[&'static Signal]) -> String {
    print::needs_json(&needs_here(signals), held())
}

fn needs_here(signals: &[&'static Signal]) -> Vec<Need> {
    let mounts = gather::mounts().unwrap_or_default();
    let has_tracefs = mounts.iter().any(|mount| mount.filesystem == "tracefs");
    needs_of(signals, &gather::kernel(), has_tracefs)
}

fn held() -> u64 {
    chandra_loader::capability::effective()
}
