//! The signals that a recording takes its records from.

use std::sync::RwLock;
use std::sync::atomic::AtomicU64;

use chandra_doctor::Problem;
use chandra_loader::ledger;
use chandra_loader::load::{Loaded, Options};
use chandra_signals::filter::Filter;
use chandra_signals::{SIGNALS, Signal};

use crate::agent::audit::Needs;
use crate::follow::{Part, Seeding};
use crate::session::{self, Received, Watch};

/// Kinds from which ancestors are known: recorded whatever rules need.
const LINEAGE: [&str; 4] = ["exec", "fork", "exit", "process_running"];

/// A loaded signal.
#[derive(Debug)]
pub struct Watched {
    signal: &'static Signal,
    loaded: RwLock<Loaded>,
    received: Received,
    found_at_start: AtomicU64,
    recorded_kinds: u32,
}

impl Watched {
    /// To be followed.
    pub fn part(&self) -> Part<'_> {
        let begins = !self.signal.identity.is_empty();
        let tells = self.recorded_kinds != 0;
        Part {
            signal: self.signal,
            loaded: &self.loaded,
            received: &self.received,
            found_at_start: &self.found_at_start,
            told_kinds: self.recorded_kinds,
            learns: begins || self.signal.names_peers,
            selects: false,
            seeding: begins.then_some(if tells { Seeding::LearnAndTell } else { Seeding::Learn }),
        }
    }

    /// `process (exec by tp_btf, …)`, where it is recorded.
    pub fn name(&self) -> Option<String> {
        let loaded = self.loaded.read().ok().filter(|_| self.recorded_kinds != 0)?;
        Some(format!("{} ({})", self.signal.spec.name, session::hooks_text(&loaded.hooks)))
    }

    /// Records that are missing: the ring had no room for them, or they could not be read.
    pub fn lost(&self) -> u64 {
        let lost = self.loaded.read().map(|loaded| ledger::read(loaded.object()).lost);
        let unreadable = self.received.decode_errors.load(std::sync::atomic::Ordering::Relaxed);
        lost.unwrap_or_default() + unreadable
    }

    /// What there is in its own tables at start is put there, where nothing is learnt from it.
    pub fn seed(&self, context: &chandra_signals::Context) {
        if self.signal.identity.is_empty()
            && let Ok(loaded) = self.loaded.read()
        {
            (self.signal.seed)(&loaded, context, &mut |_| {});
        }
    }
}

/// Loads all that is needed, at once.
///
/// # Errors
/// When the signal of processes cannot be loaded, without which nothing can be said of ancestors. Another one
/// is said and left out.
pub fn load(needs: &Needs, options: &Options) -> Result<Vec<Watched>, Problem> {
    let is_wanted = |signal: &&'static Signal| {
        !signal.identity.is_empty() || needs.kinds_of(signal) != 0 || signal.names_peers
    };
    let results = std::thread::scope(|scope| {
        let start = |signal: &'static Signal| {
            let thread = scope.spawn(move || start(signal, needs, options));
            (signal, thread)
        };
        let threads: Vec<_> = SIGNALS.iter().filter(is_wanted).map(start).collect();
        let join = |(signal, thread): (_, std::thread::ScopedJoinHandle<'_, _>)| {
            Some((signal, thread.join().ok()?))
        };
        threads.into_iter().filter_map(join).collect::<Vec<(&Signal, Result<Watched, Problem>)>>()
    });
    let mut watched = Vec::new();
    for (signal, result) in results {
        match result {
            Ok(one) => watched.push(one),
            Err(problem) if tells_of_lineage(signal) => return Err(problem),
            Err(problem) => {
                eprintln!("warning: signal {} is not recorded:\n{problem}", signal.spec.name)
            }
        }
    }
    Ok(watched)
}

fn tells_of_lineage(signal: &Signal) -> bool {
    signal.kinds.iter().any(|(name, _)| LINEAGE.contains(name))
}

fn start(signal: &'static Signal, needs: &Needs, options: &Options) -> Result<Watched, Problem> {
    let lineage = signal.kinds.iter().filter(|(name, _)| LINEAGE.contains(name));
    let lineage = lineage.fold(0, |bits, (_, number)| bits | 1 << number);
    let recorded_kinds = needs.kinds_of(signal) | lineage;
    let mut kinds = signal.identity.iter().fold(recorded_kinds, |kinds, (kind, _)| kinds | kind);
    if signal.names_peers {
        kinds |= signal.agent_kinds;
    }
    let has_all = recorded_kinds != 0 || signal.names_peers;
    let hooks: Vec<_> = match has_all {
        true => signal.spec.hooks.iter().map(|hook| hook.name).collect(),
        false => signal.identity.iter().map(|(_, hook)| *hook).collect(),
    };
    let takes = |filter| signal.filters.contains(&filter) && recorded_kinds != 0;
    let filter = Filter {
        calls: if takes("call") { needs.calls().to_vec() } else { Vec::new() },
        paths: if takes("path") { needs.opens().to_vec() } else { Vec::new() },
        sends_environment: needs.environment(),
        ..Filter::default()
    };
    let watch = Watch { signal, hooks: &hooks, kinds, group_by: 0, filter: &filter };
    let loaded = RwLock::new(session::start(&watch, options)?);
    Ok(Watched {
        signal,
        loaded,
        received: Received::default(),
        found_at_start: AtomicU64::new(0),
        recorded_kinds,
    })
}
