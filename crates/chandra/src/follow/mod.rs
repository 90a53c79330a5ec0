//! From the rings of several signals to one sink that is told, in order, what happened and who did it.
//!
//! Three steps, so that no record is told before what it stands on is known:
//!
//! 1. *Take* ([`drain`]): a thread empties all rings into memory, those that identity lives from last.
//!    What a record refers to (a fork, an exec, a new cgroup) was sent before it, so it is in what was
//!    taken by then.
//! 2. *Learn*, in the order of time: an identity record goes into the tables.
//! 3. *Tell*, in the same order: each record goes to the sink with who did it, as far as it was so by
//!    then. A record of a container that the runtime has not described yet is held a moment ([`held`])
//!    or told as pending.
//!
//! One thread learns and tells ([`teller`]), and owns the tables: there is no lock on the way. Those who
//! watch a runtime or an API hand their findings to it as messages.

mod choice;
mod drain;
mod held;
mod losses;
mod sources;
mod teller;
mod translations;

use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use chandra_doctor::{Check, Problem};
use chandra_event::record::Kind;
use chandra_identity::selector::Selector;
use chandra_loader::load::Loaded;
use chandra_signals::{Context, Signal};

use crate::session::Received;
use translations::Translations;

pub use sources::{KubernetesChoice, RuntimeChoice, Sources};
pub use teller::{Late, Sink, Tally, Told};

/// A loaded signal that is followed.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The signal.
    pub signal: &'static Signal,
    /// Its object.
    pub loaded: &'a RwLock<Loaded>,
    /// What became of its records.
    pub received: &'a Received,
    /// What was found at start, where it is seeded here.
    pub found_at_start: &'a AtomicU64,
    /// Bits of the kinds that are told; the others are there to learn from.
    pub told_kinds: u32,
    /// Identity lives from its records.
    pub learns: bool,
    /// Its probe asks whose records are wanted.
    pub selects: bool,
    /// What becomes of what it finds at start; nothing if it was looked for before.
    pub seeding: Option<Seeding>,
}

/// What becomes of what a signal finds at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeding {
    /// Identity begins with it.
    Learn,
    /// It is told, as far as its kind is.
    Tell,
    /// Both.
    LearnAndTell,
}

impl Part<'_> {
    /// Records of this kind are told.
    fn tells(&self, kind: &Kind) -> bool {
        let number = self.signal.kinds.iter().find(|(name, _)| *name == kind.name);
        number.is_some_and(|(_, number)| self.told_kinds >> number & 1 == 1)
    }

    /// Records are told that have somebody at the other end.
    fn tells_of_connections(&self) -> bool {
        let kinds = self.signal.event_kinds;
        kinds.iter().any(|kind| kind.has_connection() && self.tells(kind))
    }
}

/// How to follow.
pub struct Plan<'a> {
    /// The signals.
    pub parts: &'a [Part<'a>],
    /// Who describes containers.
    pub sources: &'a Sources,
    /// Who is told of.
    pub selector: &'a Selector,
    /// This node.
    pub node: &'a str,
    /// What happens to records that come before the description of their container.
    pub late: Late,
    /// How long to wait at most before asking again; `None` when it is over.
    pub patience: &'a (dyn Fn() -> Option<Duration> + Sync),
    /// Called when all signals are listened to, and what was there before is known.
    pub on_listening: &'a (dyn Fn() + Sync),
}

/// Messages that may wait for the teller beside batches, which are bounded by their bytes.
const WAITING_MESSAGES: usize = 1024;

fn no_thread(error: &std::io::Error) -> Problem {
    let what = "cannot start a thread that reads records";
    Problem::new(Check::USAGE, what, error, "raise the limit on processes (ulimit -u)")
}

/// Follows until the plan is over, then tells what was still under way.
pub fn follow(plan: &Plan<'_>, context: &Context, sink: &mut dyn Sink) -> Result<Tally, Problem> {
    let shared = drain::Shared::default();
    let (messages, received) = sync_channel(WAITING_MESSAGES);
    plan.sources.start(&messages);
    let bundles = plan.sources.bundles(&messages);
    let wants = plan.sources.translations && plan.parts.iter().any(Part::tells_of_connections);
    let says_why_not = plan.sources.describe_containers();
    let translations = wants.then(|| Translations::start(&messages, says_why_not));
    std::thread::scope(|scope| {
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (shared, messages) = (&shared, &messages);
        // By its name what it costs can be told from what the others do.
        let draining = std::thread::Builder::new().name("drain".to_owned());
        let drainer = draining.spawn_scoped(scope, move || {
            let drained = drain::run(plan, shared, translations, ready, messages);
            let _ = messages.send(drain::Message::End);
            drained
        });
        let drainer = drainer.map_err(|error| no_thread(&error))?;
        let listens = is_ready.recv().is_ok();
        let mut teller = teller::Teller::new(plan, context, sink, bundles);
        teller.seed();
        shared.is_seeded.store(true, Ordering::Relaxed);
        if listens {
            (plan.on_listening)();
        }
        let tally = teller.run(&received, shared);
        drainer.join().unwrap_or(Ok(())).map(|()| tally)
    })
}
