//! What became of what was to be told, in numbers that balance: `made = sent + dropped by any cause + queued`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::signal::Signal;

chandra_alerts::causes! {
    "Why something was not told.";
    QueueFull "queue_full" "The collector was away, or slower than it is told things.",
    Refused "refused" "The collector will not have the request, however often it is asked.",
    Rejected "rejected" "The collector took the request but for these (partial success).",
    Stopped "stopped" "The agent ended first.",
}

/// The counts of a signal.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    made: AtomicU64,
    sent: AtomicU64,
    drops: [AtomicU64; Cause::ALL.len()],
    requests: AtomicU64,
    /// Requests that failed, by what was wrong: statuses of HTTP and gRPC, of which there are not many.
    failures: Mutex<BTreeMap<String, u64>>,
    queue_bytes: AtomicU64,
    queued: AtomicU64,
    /// Not in a request yet.
    pending: AtomicU64,
}

impl Counts {
    pub fn made(&self, items: u64) {
        self.made.fetch_add(items, Ordering::Relaxed);
    }

    /// A request was taken; of its items all but these.
    pub fn sent(&self, items: u64, rejected: u64) {
        let rejected = rejected.min(items);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.sent.fetch_add(items - rejected, Ordering::Relaxed);
        self.dropped(Cause::Rejected, rejected);
    }

    pub fn dropped(&self, cause: Cause, items: u64) {
        if let Some(count) = self.drops.get(cause as usize) {
            count.fetch_add(items, Ordering::Relaxed);
        }
    }

    pub fn failed(&self, reason: &str) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        match failures.get_mut(reason) {
            Some(count) => *count += 1,
            None => {
                failures.insert(reason.to_owned(), 1);
            }
        }
    }

    pub fn queued(&self, bytes: usize, items: u64) {
        self.queue_bytes.store(bytes as u64, Ordering::Relaxed);
        self.queued.store(items, Ordering::Relaxed);
    }

    pub fn pending(&self, items: u64) {
        self.pending.store(items, Ordering::Relaxed);
    }

    pub fn figures(&self, signal: Signal) -> SignalFigures {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let drops = Cause::ALL.iter().copied().zip(self.drops.iter().map(get));
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        SignalFigures {
            signal,
            made: get(&self.made),
            sent: get(&self.sent),
            drops: drops.filter(|(_, count)| *count > 0).collect(),
            requests: get(&self.requests),
            failures: failures.iter().map(|(reason, count)| (reason.clone(), *count)).collect(),
            queue_bytes: get(&self.queue_bytes),
            queued: get(&self.queued) + get(&self.pending),
        }
    }
}

/// What became of what was to be told of a signal, in data points or log records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalFigures {
    /// Which.
    pub signal: Signal,
    /// So many were to be told.
    pub made: u64,
    /// A collector took so many.
    pub sent: u64,
    /// So many will not be told.
    pub drops: Vec<(Cause, u64)>,
    /// Requests that a collector took.
    pub requests: u64,
    /// Those that failed, also where they were tried again, by what was wrong: `unreachable`, `timeout`,
    /// `broken`, `http_503`, `grpc_unavailable`.
    pub failures: Vec<(String, u64)>,
    /// What waits, in bytes as they go over the network.
    pub queue_bytes: u64,
    /// What waits.
    pub queued: u64,
}

impl SignalFigures {
    /// Nothing was to be told yet.
    pub fn none(signal: Signal) -> Self {
        Counts::default().figures(signal)
    }
}

/// Of each signal that is exported.
pub type Figures = Vec<SignalFigures>;
