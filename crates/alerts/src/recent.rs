//! The latest alerts, as many as fit into some bytes, for whoever asks for them.
//!
//! - Alerts have numbers, without a gap, in the order in which they were told. The oldest make room for new
//!   ones; what is kept never takes more than the budget.
//! - Only what went through the redactor gets here.
//! - A writer never waits for a reader: readers copy a few references under the lock. Each has a place of its
//!   own; one that was lapped goes on at the oldest alert and is told how many it missed.

use std::collections::VecDeque;
use std::mem::size_of;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use uuid::Uuid;

use crate::alert::{Alert, Container, Pod, Priority, Redacted};
use crate::wanted::Wanted;

/// What is kept if nothing else is said, in bytes.
pub const DEFAULT_BUDGET_BYTES: usize = 4 << 20;
/// So many references are copied under one lock at most.
pub const BATCH: usize = 64;

/// An alert as it is kept: what it is chosen by, and what is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Names this alert, wherever and however often it arrives.
    pub id: Uuid,
    /// When the event was, in nanoseconds since 1970 (UTC).
    pub time_ns: u64,
    /// The rule's name.
    pub rule: Arc<str>,
    /// The rule's priority.
    pub priority: Priority,
    /// The rule's tags.
    pub tags: Arc<[String]>,
    /// The pod's namespace; empty where it is not known, like all below.
    pub namespace: Box<str>,
    /// The pod's name.
    pub pod: Box<str>,
    /// The container's name in the pod.
    pub container: Box<str>,
    /// The container's id.
    pub container_id: Box<str>,
    /// The line that Falco prints.
    pub text: Box<str>,
    /// The object that other sinks write, on one line.
    pub json: Box<[u8]>,
}

impl Kept {
    fn of(redacted: &Redacted, text: &[u8], json: &[u8]) -> Self {
        let Alert { time_ns, rule, priority, tags, context, .. } = redacted.alert();
        let (pod, container) = (context.pod.as_ref(), context.container.as_ref());
        let of_pod = |part: fn(&Pod) -> &String| Box::from(pod.map_or("", |pod| part(pod)));
        let of_container =
            |part: fn(&Container) -> &String| Box::from(container.map_or("", |it| part(it)));
        Self {
            id: redacted.id(),
            time_ns: *time_ns,
            rule: Arc::clone(rule),
            priority: *priority,
            tags: Arc::clone(tags),
            namespace: of_pod(|pod| &pod.namespace),
            pod: of_pod(|pod| &pod.name),
            container: of_container(|container| &container.name),
            container_id: of_container(|container| &container.id),
            text: String::from_utf8_lossy(text).into(),
            json: json.into(),
        }
    }

    /// What it takes in memory. Name and tags are counted with each alert, although they may be shared.
    fn bytes(&self) -> usize {
        let tags: usize = self.tags.iter().map(|tag| tag.len() + size_of::<String>()).sum();
        let Self { rule, namespace, pod, container, container_id, text, json, .. } = self;
        let texts = [&**rule, namespace, pod, container, container_id, text];
        let texts: usize = texts.iter().map(|text| text.len()).sum();
        // With the two counts of its reference, and that reference.
        size_of::<Self>() + 3 * size_of::<usize>() + tags + texts + json.len()
    }
}

/// The latest alerts. One writes, any number read.
#[derive(Debug)]
pub struct Recent {
    budget_bytes: usize,
    shelf: Mutex<Shelf>,
    /// The number of the next alert.
    next: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Shelf {
    alerts: VecDeque<Arc<Kept>>,
    /// The number of the oldest.
    first: u64,
    bytes: usize,
}

/// Some alerts in a row.
#[derive(Debug, Default)]
pub struct Batch {
    /// Those that were asked for.
    pub alerts: Vec<Arc<Kept>>,
    /// Alerts of any kind that had gone before they were looked at.
    pub missed: u64,
    /// The number to go on with.
    pub next: u64,
}

/// What is kept now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Alerts.
    pub alerts: u64,
    /// What they take in memory.
    pub bytes: u64,
    /// Alerts that were kept once and made room.
    pub gone: u64,
}

impl Recent {
    /// Keeps so many bytes of alerts.
    pub fn new(budget_bytes: usize) -> Self {
        Self { budget_bytes, shelf: Mutex::default(), next: watch::Sender::new(0) }
    }

    /// Keeps an alert. One that alone is beyond the budget is gone at once, and counted like others.
    pub(crate) fn add(&self, redacted: &Redacted, text: &[u8], json: &[u8]) {
        let kept = Kept::of(redacted, text, json);
        let bytes = kept.bytes();
        let mut shelf = self.shelf();
        shelf.alerts.push_back(Arc::new(kept));
        shelf.bytes += bytes;
        while shelf.bytes > self.budget_bytes
            && let Some(gone) = shelf.alerts.pop_front()
        {
            shelf.bytes -= gone.bytes();
            shelf.first += 1;
        }
        let next = shelf.next();
        drop(shelf);
        self.next.send_replace(next);
    }

    /// The numbers of the alerts that are kept now: of the last `count` that are wanted on, or of all.
    pub fn numbers(&self, count: Option<u64>, wanted: &Wanted) -> Range<u64> {
        let shelf = self.shelf();
        let (first, next) = (shelf.first, shelf.next());
        let begin = match count {
            None => first,
            Some(0) => next,
            Some(count) => {
                let newest_first = (first..next).rev().zip(shelf.alerts.iter().rev());
                let mut found = newest_first.filter(|(_, alert)| wanted.has(alert));
                let before = usize::try_from(count - 1).unwrap_or(usize::MAX);
                found.nth(before).map_or(first, |(number, _)| number)
            }
        };
        begin..next
    }

    /// Those that are wanted among the next of these numbers, at most [`BATCH`] of them.
    pub fn read(&self, numbers: Range<u64>, wanted: &Wanted) -> Batch {
        let shelf = self.shelf();
        let begin = numbers.start.max(shelf.first);
        let missed = begin.min(numbers.end).saturating_sub(numbers.start);
        let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let (skipped, left) = (begin - shelf.first, numbers.end.saturating_sub(begin));
        let some = shelf.alerts.iter().skip(place(skipped)).take(place(left).min(BATCH));
        let some: Vec<_> = some.cloned().collect();
        drop(shelf);
        let next = begin + some.len() as u64;
        let alerts = some.into_iter().filter(|alert| wanted.has(alert)).collect();
        Batch { alerts, missed, next }
    }

    /// Is told of the number that the next alert gets whenever there is a new one.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.next.subscribe()
    }

    /// What is kept now.
    pub fn figures(&self) -> Figures {
        let shelf = self.shelf();
        let Shelf { alerts, first, bytes } = &*shelf;
        Figures { alerts: alerts.len() as u64, bytes: *bytes as u64, gone: *first }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn next(&self) -> u64 {
        self.first + self.alerts.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::sample;

    fn add(recent: &Recent, rule: &str, text: &str) {
        let alert = Alert { rule: rule.into(), context: sample::context(), ..sample::alert() };
        recent.add(&Redacted::new(alert, None), text.as_bytes(), b"{}");
    }

    fn texts(batch: &Batch) -> Vec<&str> {
        batch.alerts.iter().map(|alert| &*alert.text).collect()
    }

    fn of_rule(pattern: &str) -> Wanted {
        Wanted { rules: vec![pattern.to_owned()], ..Wanted::default() }
    }

    #[test]
    fn the_budget_holds_and_what_was_missed_is_told() {
        let size = {
            let recent = Recent::new(usize::MAX);
            add(&recent, "r", "00");
            usize::try_from(recent.figures().bytes).unwrap()
        };
        let recent = Recent::new(10 * size + size / 2);
        for number in 0..25 {
            add(&recent, "r", &format!("{number:02}"));
        }
        let figures = recent.figures();
        assert_eq!((figures.alerts, figures.gone), (10, 15));
        assert_eq!(figures.bytes, 10 * size as u64);
        let batch = recent.read(3..u64::MAX, &Wanted::default());
        assert_eq!((batch.missed, batch.next, batch.alerts.len()), (12, 25, 10));
        assert_eq!(texts(&batch)[0], "15");
        assert_eq!(recent.read(25..u64::MAX, &Wanted::default()).alerts.len(), 0);
        // One that is larger than all of the budget leaves nothing, and is counted.
        add(&recent, "r", &"x".repeat(20 * size));
        assert_eq!((recent.figures().alerts, recent.figures().gone), (0, 26));
        assert_eq!(recent.read(25..u64::MAX, &Wanted::default()).missed, 1);
    }

    #[test]
    fn the_last_that_are_wanted_are_found_behind_others() {
        let recent = Recent::new(usize::MAX);
        for number in 0..100 {
            add(&recent, if number % 10 == 0 { "wanted" } else { "other" }, &number.to_string());
        }
        let wanted = of_rule("want*");
        let numbers = recent.numbers(Some(3), &wanted);
        assert_eq!(numbers, 70..100);
        // What came later is not among them.
        add(&recent, "wanted", "later");
        assert_eq!(texts(&recent.read(numbers, &wanted)), ["70", "80", "90"]);
        assert_eq!(recent.numbers(Some(0), &wanted), 101..101);
        assert_eq!(recent.numbers(Some(12), &wanted), 0..101);
        assert_eq!(recent.numbers(None, &wanted), 0..101);
        let batch = recent.read(0..u64::MAX, &wanted);
        assert_eq!((batch.next, texts(&batch).len()), (BATCH as u64, 7));
    }
}
