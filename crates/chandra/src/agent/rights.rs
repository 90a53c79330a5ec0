//! The rights that an agent goes on with. Once all hooks are attached nothing is loaded any more, so most of
//! what root may do is given up, for good: who takes over the agent by what it reads has no more than is left.
//! Where the governor may attach hooks again, what that takes is kept.
//!
//! Invariant: this is done before any thread is started that goes on, because the kernel has capabilities by
//! thread. Some are older, and give up their own: those that open events of perf's on processors that come (the clock of
//! profiles, doorbells, page faults), and what reads rules again.

use chandra_alerts::sink::Target;
use chandra_loader::capability;

use super::state::SignalState;
use crate::cli::agent::AgentOptions;

/// What each is for while the agent runs:
///
/// - `CAP_BPF`: maps are read and written (kernels before 5.19 ask for it), and made for unwind tables;
/// - `CAP_SYS_ADMIN`: what programs cost is measured (`BPF_ENABLE_STATS`);
/// - `CAP_SYS_PTRACE`, `CAP_DAC_READ_SEARCH`: executables, environments and memory maps of other users' processes
///   are looked at, and files of theirs that the configuration names;
/// - `CAP_SYSLOG`: functions of the kernel have names.
const ALWAYS: [&str; 5] =
    ["CAP_BPF", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_SYSLOG"];

/// Of a thread that only reads files.
pub fn give_up_for_reading() {
    // Where that cannot be done, it cannot for the agent either, which says so.
    let _ = capability::keep_only(&["CAP_DAC_READ_SEARCH"]);
}

/// Gives up all others. Where a sandbox forbids even that, the agent says so and runs on with what it has.
pub fn give_up(options: &AgentOptions, signals: &[SignalState]) {
    if let Err(error) = capability::keep_only(&needed(options, signals)) {
        eprintln!("warning: rights that are not needed any more could not be given up: {error}");
    }
}

fn needed(options: &AgentOptions, signals: &[SignalState]) -> Vec<&'static str> {
    let mut needed = ALWAYS.to_vec();
    // The governor may detach it, and attach it again.
    let comes_back = |signal: &&SignalState| signal.role.can_detach();
    needed.extend(signals.iter().filter(comes_back).flat_map(|it| it.signal.capabilities));
    // Connection tracking tells of translations, and is asked again when it was not there.
    if options.identity.sources.translations {
        needed.push("CAP_NET_ADMIN");
    }
    // Into whosever folder they were told to be.
    if writes_files(options) {
        needed.push("CAP_DAC_OVERRIDE");
    }
    needed
}

fn writes_files(options: &AgentOptions) -> bool {
    let is_file = |target: &Target| matches!(target, Target::File { .. } | Target::Http(_));
    !options.export.is_off() || options.audit.sinks.iter().any(|sink| is_file(&sink.target))
}
