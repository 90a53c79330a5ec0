//! Sends what waits in a queue, one request after another, until there is nothing more to come.
//!
//! A request that may be taken later is tried until it is, or until newer ones have pushed the others out of
//! the queue and the agent ends: what is in hand is never what is pushed out.

use std::sync::Arc;
use std::time::Duration;

use chandra_alerts::sink::Backoff;
use tokio::sync::watch;

use crate::batch::Batch;
use crate::client::{Client, Outcome};
use crate::exporter::Tell;
use crate::figures::{Cause, Counts};
use crate::queue::Queue;
use crate::settings::{Destination, Retry};

#[derive(Debug)]
pub(crate) struct Sender {
    client: Client,
    queue: Arc<Queue>,
    counts: Arc<Counts>,
    retry: Retry,
    tell: Tell,
    /// `metrics to collector:4317`
    what: String,
    is_failing: bool,
    told_partial: bool,
    /// Nothing is queued any more.
    ending: watch::Receiver<bool>,
}

impl Sender {
    pub fn new(
        destination: Destination,
        (queue, counts): (Arc<Queue>, Arc<Counts>),
        retry: Retry,
        tell: Tell,
        ending: watch::Receiver<bool>,
    ) -> Self {
        let what = format!("{} to {}", destination.signal, destination.endpoint.authority);
        let client = Client::new(destination);
        let (is_failing, told_partial) = (false, false);
        Self { client, queue, counts, retry, tell, what, is_failing, told_partial, ending }
    }

    /// Sends all there is, and ends when nothing more comes.
    pub async fn run(mut self) {
        loop {
            if let Some(batch) = self.queue.try_take() {
                self.send(&batch).await;
                self.queue.done();
            } else if *self.ending.borrow_and_update() {
                return;
            } else {
                tokio::select! {
                    () = self.queue.filled() => {}
                    _ = self.ending.changed() => {}
                }
            }
        }
    }

    /// Until the collector has it, or will not have it.
    async fn send(&mut self, batch: &Batch) {
        let mut backoff = Backoff::new(self.retry.first, self.retry.longest);
        loop {
            match self.client.send(batch).await {
                Outcome::Taken(partial) => {
                    self.counts.sent(batch.items, partial.rejected);
                    if std::mem::take(&mut self.is_failing) {
                        self.say("it takes them again");
                    }
                    let is_partial = partial.rejected > 0 || !partial.why.is_empty();
                    if is_partial && !std::mem::replace(&mut self.told_partial, true) {
                        let rejected = partial.rejected.min(batch.items);
                        self.say(&format!(
                            "it rejected {rejected} of {}: {} (said once)",
                            batch.items, partial.why
                        ));
                    }
                    return;
                }
                Outcome::Refused(failure) => {
                    self.counts.failed(&failure.reason);
                    self.counts.dropped(Cause::Refused, batch.items);
                    self.fails(&failure.why, "what it refuses is given up");
                    return;
                }
                Outcome::Again(failure, after) => {
                    self.counts.failed(&failure.reason);
                    self.fails(&failure.why, "it is tried again");
                    self.wait(&mut backoff, after).await;
                }
            }
        }
    }

    /// As long as the collector said. Else as it is due; but not while the agent waits to end.
    async fn wait(&mut self, backoff: &mut Backoff, after: Option<Duration>) {
        if let Some(after) = after {
            return tokio::time::sleep(after).await;
        }
        let is_ending = *self.ending.borrow_and_update();
        tokio::select! {
            () = tokio::time::sleep(backoff.wait()) => {}
            _ = self.ending.changed(), if !is_ending => backoff.reset(),
        }
    }

    /// Says it once of each row of failures.
    fn fails(&mut self, why: &str, then: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            self.say(&format!("{why}; {then}"));
        }
    }

    fn say(&self, what: &str) {
        (self.tell)(&format!("{}: {what}", self.what));
    }
}
