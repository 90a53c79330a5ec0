//! The thread that looks for bundles: for each container once, when its cgroup appears.
//!
//! Invariants: who asks never waits. What waits to be looked for and what is remembered has a ceiling. That a
//! bundle is gone is told within a few seconds.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use chandra_identity::description::{Change, RuntimeId};

use super::{Bundles, Missing};

/// Containers that wait to be looked for.
const MAX_WAITING: usize = 1024;
/// Bundles that are watched for their end.
const MAX_WATCHED: usize = 8192;
/// How often they are looked for again.
const AGAIN: Duration = Duration::from_secs(2);

/// Asks for bundles from elsewhere. Clones ask the same.
#[derive(Debug, Clone)]
pub struct Handle {
    looks: SyncSender<RuntimeId>,
    counters: Arc<Counters>,
}

impl Handle {
    /// Looks for this container's bundle. It is answered by `Found` or by `NotFound`. Never waits; false when too
    /// many are waiting, or the watch has ended.
    pub fn look(&self, id: RuntimeId) -> bool {
        let is_taken = self.looks.try_send(id).is_ok();
        if !is_taken {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
        is_taken
    }

    /// What came of it so far.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { found, not_found, too_long, unreadable, malformed, dropped, unwatched } =
            &*self.counters;
        Counts {
            found: read(found),
            not_found: read(not_found),
            too_long: read(too_long),
            unreadable: read(unreadable),
            malformed: read(malformed),
            dropped: read(dropped),
            unwatched: read(unwatched),
        }
    }
}

/// What came of looking for bundles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Those that were found.
    pub found: u64,
    /// Containers without one.
    pub not_found: u64,
    /// Files that are too long to be read.
    pub too_long: u64,
    /// Files that could not be read.
    pub unreadable: u64,
    /// Files that are not what they should be.
    pub malformed: u64,
    /// Looks asked for while too many were waiting.
    pub dropped: u64,
    /// Bundles whose end is not watched for, because too many are.
    pub unwatched: u64,
}

#[derive(Debug, Default)]
struct Counters {
    found: AtomicU64,
    not_found: AtomicU64,
    too_long: AtomicU64,
    unreadable: AtomicU64,
    malformed: AtomicU64,
    dropped: AtomicU64,
    unwatched: AtomicU64,
}

/// Starts the thread. `tell` gets what it finds out, and says whether anybody still listens.
pub fn watch(bundles: Bundles, tell: impl FnMut(Change) -> bool + Send + 'static) -> Handle {
    let (looks, waiting) = sync_channel(MAX_WAITING);
    let counters = Arc::new(Counters::default());
    let watched = HashMap::new();
    let watcher = Watcher { bundles, counters: Arc::clone(&counters), watched, tell };
    std::thread::spawn(move || watcher.run(&waiting));
    Handle { looks, counters }
}

struct Watcher<T> {
    bundles: Bundles,
    counters: Arc<Counters>,
    /// By container, the file that was found.
    watched: HashMap<RuntimeId, String>,
    tell: T,
}

impl<T: FnMut(Change) -> bool> Watcher<T> {
    /// Until nobody asks, or nobody listens.
    fn run(mut self, waiting: &Receiver<RuntimeId>) {
        let mut due = Instant::now() + AGAIN;
        loop {
            let is_heard = match waiting.recv_timeout(due.saturating_duration_since(Instant::now()))
            {
                Ok(id) => self.look(id),
                Err(RecvTimeoutError::Timeout) => {
                    due = Instant::now() + AGAIN;
                    self.look_again()
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if !is_heard {
                return;
            }
        }
    }

    fn look(&mut self, id: RuntimeId) -> bool {
        let counters = &self.counters;
        let (counter, change) = match self.bundles.look(&id) {
            Ok(found) => {
                if self.watched.len() < MAX_WATCHED || self.watched.contains_key(&id) {
                    self.watched.insert(id, found.path);
                } else {
                    counters.unwatched.fetch_add(1, Ordering::Relaxed);
                }
                (&counters.found, Change::Found(Box::new(found.bundle)))
            }
            Err(missing) => {
                let counter = match missing {
                    Missing::NotFound => &counters.not_found,
                    Missing::TooLong => &counters.too_long,
                    Missing::Unreadable(_) => &counters.unreadable,
                    Missing::Malformed => &counters.malformed,
                };
                (counter, Change::NotFound(id))
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
        (self.tell)(change)
    }

    /// Tells of those that are gone.
    fn look_again(&mut self) -> bool {
        let bundles = &self.bundles;
        let gone = self.watched.extract_if(|_, path| !bundles.has(path));
        let gone: Vec<_> = gone.map(|(id, _)| id).collect();
        gone.into_iter().all(|id| (self.tell)(Change::Lost(id)))
    }
}
