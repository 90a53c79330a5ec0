//! The signals that identity lives from, loaded beside the one that is traced, for what that one does
//! not send itself; and beside one whose records have peers, those that say which names peers have.

use std::sync::RwLock;
use std::sync::atomic::AtomicU64;

use chandra_doctor::Problem;
use chandra_loader::load::{Loaded, Options};
use chandra_signals::filter::Filter;
use chandra_signals::{SIGNALS, Signal};

use crate::follow::{Part, Seeding, Sources};
use crate::session::{self, Watch};

/// A loaded signal.
#[derive(Debug)]
pub struct Companion {
    /// The signal.
    pub signal: &'static Signal,
    /// Its object.
    pub loaded: RwLock<Loaded>,
    /// What became of its records.
    pub received: session::Received,
    /// What was there at start.
    pub found_at_start: AtomicU64,
}

impl Companion {
    /// To be learnt from.
    pub fn part(&self) -> Part<'_> {
        Part {
            signal: self.signal,
            loaded: &self.loaded,
            received: &self.received,
            found_at_start: &self.found_at_start,
            told_kinds: 0,
            learns: true,
            selects: false,
            seeding: (!self.signal.identity.is_empty()).then_some(Seeding::Learn),
        }
    }
}

/// What is followed, and behind it those that are learnt from.
pub fn behind<'a>(followed: Part<'a>, companions: &'a [Companion]) -> Vec<Part<'a>> {
    std::iter::once(followed).chain(companions.iter().map(Companion::part)).collect()
}

/// Who is asked: nobody, where there is nothing to learn from.
pub fn sources<'a>(companions: &[Companion], asked: &'a Sources) -> &'a Sources {
    if companions.is_empty() { &Sources::NOBODY } else { asked }
}

/// Loads them. `known` is sent by the traced signal, unfiltered: the bits of its kinds.
/// One that cannot be loaded is said and left out.
pub fn load(traced: &Signal, known: u32, options: &Options) -> Vec<Companion> {
    let has_peers = traced.class == "network" && !traced.names_peers;
    let is_wanted =
        |signal: &&Signal| !signal.identity.is_empty() || has_peers && signal.names_peers;
    let signals = SIGNALS.iter().filter(is_wanted);
    let known = (traced.spec.name, known);
    let threads = std::thread::scope(|scope| {
        let start = |signal: &'static Signal| scope.spawn(move || start(signal, known, options));
        let threads: Vec<_> = signals.map(start).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join().ok();
        threads.into_iter().filter_map(join).collect::<Vec<_>>()
    });
    let loaded = threads.into_iter().filter_map(|loaded: Result<Companion, Problem>| {
        loaded
            .inspect_err(|problem| {
                eprintln!("warning: who did what is known only in part:\n{problem}")
            })
            .ok()
    });
    loaded.collect()
}

fn start(
    signal: &'static Signal,
    (name, known_kinds): (&str, u32),
    options: &Options,
) -> Result<Companion, Problem> {
    let known_kinds = if signal.spec.name == name { known_kinds } else { 0 };
    let wanted = signal.identity.iter().filter(|(kind, _)| kind & known_kinds == 0);
    let mut hooks: Vec<_> = wanted.clone().map(|(_, hook)| *hook).collect();
    let mut kinds = wanted.fold(0, |kinds, (kind, _)| kinds | kind);
    if signal.names_peers {
        hooks.extend(signal.spec.hooks.iter().map(|hook| hook.name));
        kinds |= signal.agent_kinds;
    }
    let filter = Filter::default();
    let watch = Watch { signal, hooks: &hooks, kinds, group_by: 0, filter: &filter };
    let loaded = RwLock::new(session::start(&watch, options)?);
    let (received, found_at_start) = (session::Received::default(), AtomicU64::new(0));
    Ok(Companion { signal, loaded, received, found_at_start })
}
