//! Requests that wait for a collector, bounded in bytes.
//!
//! What is new pushes out what is oldest, but for the request that is being sent: of metrics the newest says
//! most, of log records the newest are asked for first.
//!
//! Invariant: the bytes of all that waits, the one in hand included, are no more than the bound.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::batch::Batch;
use crate::figures::{Cause, Counts};

#[derive(Debug)]
pub(crate) struct Queue {
    bound: usize,
    waiting: Mutex<Waiting>,
    is_filled: Notify,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    /// Of the one that was taken and is not done.
    in_hand: Option<(usize, u64)>,
    bytes: usize,
}

impl Queue {
    pub fn new(bound: usize, counts: Arc<Counts>) -> Self {
        Self { bound, waiting: Mutex::default(), is_filled: Notify::new(), counts }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many items are about to be added.
    pub fn made(&self, items: u64) {
        self.counts.made(items);
    }

    /// Adds one whose items were counted as made.
    pub fn push(&self, batch: Batch) {
        let mut waiting = self.lock();
        let size = batch.body.len();
        while waiting.bytes + size > self.bound {
            let Some(oldest) = waiting.batches.pop_front() else { break };
            waiting.bytes -= oldest.body.len();
            self.counts.dropped(Cause::QueueFull, oldest.items);
        }
        if waiting.bytes + size > self.bound {
            self.counts.dropped(Cause::QueueFull, batch.items);
        } else {
            waiting.bytes += size;
            waiting.batches.push_back(batch);
        }
        self.tell(&waiting);
        self.is_filled.notify_one();
    }

    /// Waits until something was added.
    pub async fn filled(&self) {
        self.is_filled.notified().await;
    }

    /// The oldest, to be sent, and given back by [`Self::done`].
    pub fn try_take(&self) -> Option<Batch> {
        let mut waiting = self.lock();
        let batch = waiting.batches.pop_front()?;
        waiting.in_hand = Some((batch.body.len(), batch.items));
        self.tell(&waiting);
        Some(batch)
    }

    /// What became of the one that was taken is counted.
    pub fn done(&self) {
        let mut waiting = self.lock();
        if let Some((size, _)) = waiting.in_hand.take() {
            waiting.bytes -= size;
        }
        self.tell(&waiting);
    }

    /// Gives up all.
    pub fn give_up(&self, cause: Cause) {
        let mut waiting = std::mem::take(&mut *self.lock());
        let in_hand = waiting.in_hand.take().map(|(_, items)| items);
        let items = waiting.batches.iter().map(|batch| batch.items).chain(in_hand).sum();
        self.counts.dropped(cause, items);
        self.tell(&Waiting::default());
    }

    fn tell(&self, waiting: &Waiting) {
        let waits = waiting.batches.iter().map(|batch| batch.items);
        let in_hand = waiting.in_hand.map(|(_, items)| items);
        self.counts.queued(waiting.bytes, waits.chain(in_hand).sum());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Signal;

    fn batch(size: usize, items: u64) -> Batch {
        Batch { body: vec![0; size].into(), items, is_gzip: false }
    }

    #[test]
    fn what_is_new_pushes_out_what_is_oldest_but_not_what_is_in_hand() {
        let counts = Arc::new(Counts::default());
        let queue = Queue::new(100, Arc::clone(&counts));
        let state = || {
            let figures = counts.figures(Signal::Logs);
            (figures.queue_bytes, figures.queued, figures.drops)
        };
        (1..=2).for_each(|items| queue.push(batch(40, items)));
        assert_eq!(queue.try_take().unwrap().items, 1);
        assert_eq!(state(), (80, 3, vec![]));
        queue.push(batch(50, 10));
        assert_eq!(state(), (90, 11, vec![(Cause::QueueFull, 2)]));
        // Nothing that could go makes room enough.
        queue.push(batch(61, 100));
        assert_eq!(state(), (40, 1, vec![(Cause::QueueFull, 112)]));
        queue.done();
        assert_eq!((state().0, state().1), (0, 0));
        queue.push(batch(101, 1000));
        assert_eq!(state(), (0, 0, vec![(Cause::QueueFull, 1112)]));
        (0..2).for_each(|_| queue.push(batch(10, 1)));
        queue.try_take().unwrap();
        queue.give_up(Cause::Stopped);
        assert_eq!(state(), (0, 0, vec![(Cause::QueueFull, 1112), (Cause::Stopped, 2)]));
        queue.done();
        assert_eq!(state().0, 0);
    }
}
