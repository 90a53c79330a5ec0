//! Proves that every hook of every verb emits a correct record on this kernel.
//!
//! usage: signal-proof --chandra PATH [VERB…]
//!
//! For each verb, or each that is named, it starts `chandra trace`, does what the verb watches for, and compares every field
//! of the records with the truth. It needs nothing but `/proc` and a loopback interface, so that it
//! runs in a bare guest. What it prints is what tests/kernels/matrix reads: one line of JSON for
//! each hook. Exit code 0: all is well.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a proof ends where something does not hold; the end of each is caught and reported"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use chandra_tests::actor::{self, Actor};
use serde_json::json;

mod block_io;
mod cgroup;
mod cpu_hotplug;
mod cpu_profile;
mod cpu_python;
mod dns;
mod drops;
mod file_io;
mod file_open;
mod hooks;
mod http_request;
mod icmp;
mod interrupt;
mod off_cpu;
mod oom_kill;
mod page_fault;
mod process;
mod run_queue;
mod signal_sent;
mod system_call;
mod system_call_count;
mod tcp;
mod tcp_losses;
mod tcp_request;
mod udp;

use hooks::Hooks;

/// What makes this program an actor instead: its second argument, so that the first is a name.
const ACT: &str = "act";

/// A new process of this program that does what the proof asks.
fn new_actor() -> Actor {
    let mut command = Command::new("/proc/self/exe");
    Actor::start(command.arg(ACT))
}

/// A verb, or what is asked of one, and the proof of its hooks.
type Proof = (&'static str, fn(&Path, &mut Hooks));

const PROOFS: &[Proof] = &[
    ("exec", process::exec),
    ("exit", process::exit),
    ("running", process::running),
    ("cgroup", cgroup::lives),
    ("cgroup v1", cgroup::processes_of_v1),
    ("tcp-connect", tcp::connect),
    ("tcp-accept", tcp::accept),
    ("tcp-close", tcp::close),
    ("tcp-traffic", tcp::traffic),
    ("tcp-listen-drops", tcp::listen_drops),
    ("tcp-state", tcp::state),
    ("tcp-retransmit", tcp_losses::retransmit),
    ("tcp-reset", tcp_losses::reset),
    ("drops", drops::drops),
    ("dns", dns::exchange),
    ("dns tcp", dns::by_tcp),
    ("open", file_open::opens),
    ("open, over budget", file_open::over_budget),
    ("syscalls", system_call::calls),
    ("syscalls, many of them", system_call::many_calls),
    ("udp", udp::conversations),
    ("udp, over budget", udp::over_budget),
    ("icmp", icmp::messages),
    ("icmp on every packet", icmp::messages_on_every_packet),
    ("http", http_request::requests),
    ("request-latency", tcp_request::latency),
    ("request-latency by cgroup v1", tcp_request::by_cgroup_of_v1),
    ("vfs-latency", file_io::latency),
    ("run-queue-latency", run_queue::latency),
    ("cpu", cpu_profile::samples),
    ("cpu hot-plug", cpu_hotplug::moves),
    ("cpu python", cpu_python::stacks),
    ("off-cpu", off_cpu::waits),
    ("block-latency", block_io::latency),
    ("oom", oom_kill::kill),
    ("page-faults", page_fault::faults),
    ("syscall-counts", system_call_count::counts),
    ("irq", interrupt::handlers),
    ("signals", signal_sent::signals),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (chandra, named) = match &arguments[..] {
        [_, ACT] => return actor::play(),
        [_, "--chandra", path, named @ ..] => (PathBuf::from(path), named),
        _ => {
            eprintln!("usage: signal-proof --chandra PATH [VERB…]");
            return ExitCode::from(2);
        }
    };
    let mut hooks = Hooks::default();
    for (verb, proof) in PROOFS.iter().filter(|(verb, _)| named.is_empty() || named.contains(verb))
    {
        let started = std::time::Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| proof(&chandra, &mut hooks)));
        if let Err(panic) = outcome {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            hooks.verb_failed(verb, &text.unwrap_or_default());
        }
        println!("{verb}: {:.1} s", started.elapsed().as_secs_f64());
    }
    if !named.is_empty() {
        hooks.leave_out_what_was_not_compared();
    }
    for hook in hooks.all() {
        let detail = hook.not_tried.clone().unwrap_or_else(|| hook.problems.join("; "));
        println!(
            "{}",
            json!({ "signal": hook.signal, "hook": hook.name, "rung": hook.rung,
                "verdict": hook.verdict, "event_ok": hook.is_right(), "detail": detail })
        );
    }
    if hooks.all().iter().all(|hook| hook.is_right()) && hooks.is_complete() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
