//! `chandra top`: who talks, runs and loses packets, an interval after the other.
//!
//! Figures come from probes of its own ([`kernel`]), or from an agent's flows ([`agent`]); either is a
//! [`Source`], which feeds a watch from a thread of its own. What is made of them is `chandra_top`'s affair;
//! [`display`] shows it as text or JSON, or on the terminal ([`terminal`]).

mod agent;
mod cpu;
mod display;
mod flow_facts;
mod kernel;
mod owners;
mod record_facts;
mod terminal;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chandra_doctor::{Check, Problem};
use chandra_top::Watch;
use chandra_top::views::signals::Signal;

use crate::cli::top::{From, Shape, TopOptions};
use crate::stop::Stop;

/// Where figures come from, while they come.
trait Source {
    /// Where from, in a few words.
    fn name(&self) -> String;
    /// The same for programs.
    fn json(&self) -> serde_json::Value;
    /// Brings the watch up to now, as far as that can be waited for.
    fn settle(&mut self, watch: &Feed);
    /// What watching cost since the last call.
    fn signals(&mut self, length: Duration) -> Vec<Signal>;
    /// Nothing more comes.
    fn is_over(&self) -> bool;
}

/// The watch, which one thread feeds and another takes intervals from. It is locked for a batch of facts at a
/// time.
#[derive(Debug)]
struct Feed(Mutex<Watch>);

impl Feed {
    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows it until the end.
pub fn run(options: &TopOptions) -> Result<(), Problem> {
    if options.shape == Shape::Screen {
        terminal::check()?;
    }
    let stop = Stop::on_signals().map_err(|error| {
        Problem::new(Check::USAGE, "cannot listen for Ctrl-C", error, "start it from a shell")
    })?;
    let feed = Feed(Mutex::new(Watch::new(options.rows, options.by)));
    match options.from {
        From::Kernel => kernel::run(options, &feed, &stop),
        From::Agent => agent::run(options, &feed, &stop),
        From::AgentIfThere if agent::answers(options) => agent::run(options, &feed, &stop),
        From::AgentIfThere => kernel::run(options, &feed, &stop),
    }
}
