//! What became of alerts, in numbers that balance: `taken = told_at_once + folded`, `folded = told_folded +
//! held + evicted`, and for each sink `told = delivered + dropped by any cause + on its way`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::alert::Priority;
use crate::redact::Kind;
use crate::spool;

/// An `enum Cause` with a metric's label for each, from lines `Variant "label" "what it means",` behind a line that
/// says what they are causes of.
#[macro_export]
macro_rules! causes {
    ($of:literal; $($cause:ident $name:literal $what:literal,)*) => {
        #[doc = $of]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Cause {
            $(#[doc = $what] $cause,)*
        }

        impl Cause {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$cause,)*];

            /// As a label of a metric.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$cause => $name,)*
                }
            }
        }
    };
}

causes! {
    "Why a sink did not deliver an alert.";
    QueueFull "queue_full" "The sink is slower than alerts come.",
    WriteFailed "write_failed" "It could not be written or sent.",
    TooLarge "too_large" "It is larger than a record of the spool may be.",
    SpoolFull "spool_full" "The spool has no room.",
    SpoolFailed "spool_failed" "The spool cannot be written.",
    Refused "refused" "The receiver will not have this one, however often it is asked.",
    Stopped "stopped" "The agent ended first.",
}

/// The counts of one sink.
#[derive(Debug, Default)]
pub(crate) struct SinkCounts {
    delivered: AtomicU64,
    shortened: AtomicU64,
    retries: AtomicU64,
    spooled: AtomicU64,
    drops: [AtomicU64; Cause::ALL.len()],
    spool_records: AtomicU64,
    spool_bytes: AtomicU64,
    spool_damaged_bytes: AtomicU64,
}

impl SinkCounts {
    pub fn delivered(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    pub fn shortened(&self) {
        self.shortened.fetch_add(1, Ordering::Relaxed);
    }

    pub fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub fn spooled(&self) {
        self.spooled.fetch_add(1, Ordering::Release);
    }

    pub fn dropped(&self, cause: Cause) {
        if let Some(count) = self.drops.get(cause as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn spool(&self, figures: spool::Figures) {
        self.spool_records.store(figures.records, Ordering::Relaxed);
        self.spool_bytes.store(figures.bytes, Ordering::Relaxed);
        self.spool_damaged_bytes.store(figures.damaged_bytes, Ordering::Relaxed);
    }

    pub fn figures(&self, name: &str, has_spool: bool) -> SinkFigures {
        let get = |count: &AtomicU64| count.load(Ordering::Acquire);
        let drops = Cause::ALL.iter().zip(&self.drops).map(|(cause, count)| (*cause, get(count)));
        SinkFigures {
            name: name.to_owned(),
            delivered: get(&self.delivered),
            shortened: get(&self.shortened),
            retries: get(&self.retries),
            spooled: get(&self.spooled),
            drops: drops.collect(),
            spool: has_spool.then(|| spool::Figures {
                records: get(&self.spool_records),
                bytes: get(&self.spool_bytes),
                damaged_bytes: get(&self.spool_damaged_bytes),
            }),
        }
    }
}

/// What became of what a sink was handed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SinkFigures {
    /// The sink's name.
    pub name: String,
    /// Alerts that were written, or that the receiver acknowledged.
    pub delivered: u64,
    /// Of those, some that were told without Chandra's additions, or cut, for lack of room.
    pub shortened: u64,
    /// Tries that failed and were followed by another.
    pub retries: u64,
    /// Alerts that the spool acknowledged.
    pub spooled: u64,
    /// Alerts that were not delivered, by cause.
    pub drops: Vec<(Cause, u64)>,
    /// How much waits in the spool, where there is one.
    pub spool: Option<spool::Figures>,
}

impl SinkFigures {
    /// So many were dropped for this cause.
    pub fn dropped(&self, cause: Cause) -> u64 {
        self.drops.iter().find(|(known, _)| *known == cause).map_or(0, |(_, count)| *count)
    }
}

/// What became of all alerts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// Alerts that came in, by rule and priority.
    pub taken: Vec<(Arc<str>, Priority, u64)>,
    /// What was handed to the sinks: alerts on their own, and counts of several.
    pub told: u64,
    /// Alerts that were told on their own, at once.
    pub told_at_once: u64,
    /// Alerts that were folded into a count: `chandra_alerts_folded_total`.
    pub folded: u64,
    /// Of those, so many were told in a count.
    pub told_folded: u64,
    /// Of those, so many wait for their interval to end.
    pub held: u64,
    /// Of those, so many were given up for lack of room, their count untold.
    pub evicted: u64,
    /// Secrets that were taken out, by what they were.
    pub redacted: Vec<(Kind, u64)>,
    /// Each sink.
    pub sinks: Vec<SinkFigures>,
}
