//! Alerts by HTTP: into the spool first, and from there, one after another, to the receiver.
//!
//! The thread owns the spool. While a request is on its way, or the receiver is down, it goes on
//! taking alerts into the spool. A request that fails is tried again until it is taken or refused for
//! good, so an alert that the spool acknowledged arrives at least once, also after a restart; its id tells
//! that it is the same one.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc::Receiver;
use tokio::time::{sleep, sleep_until};

use super::backoff::Backoff;
use super::http::{Client, Outcome, Target};
use super::tls::Files;
use super::{Format, Place, Prepared};
use crate::figures::Cause;
use crate::spool::{self, Refused, Spool};

/// A receiver of alerts by HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// `http://` or `https://`; each alert is posted there as a JSON object.
    pub url: String,
    /// More headers: name and value.
    pub headers: Vec<(String, String)>,
    /// How long one request may take, its connection included.
    pub timeout: Duration,
    /// The first wait before a request is tried again; each is twice as long as the one before.
    pub first_retry: Duration,
    /// The longest such wait.
    pub longest_retry: Duration,
    /// The spool's folder, of this sink alone.
    pub spool_folder: PathBuf,
    /// How large the spool may be.
    pub spool: spool::Options,
    /// Whom to trust.
    pub tls: Files,
}

impl Http {
    /// A receiver with the usual patience.
    pub fn new(url: &str, spool_folder: PathBuf) -> Self {
        Self {
            url: url.to_owned(),
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            first_retry: Duration::from_millis(250),
            longest_retry: Duration::from_secs(30),
            spool_folder,
            spool: spool::Options::default(),
            tls: Files::default(),
        }
    }
}

/// A receiver that there cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Unusable {
    what: String,
    why: String,
}

/// How often the spool is looked after while nothing comes.
const LOOK: Duration = Duration::from_millis(200);

/// Takes alerts into the spool, and posts them.
#[derive(Debug)]
pub(super) struct Poster {
    spool: Spool,
    client: Option<Client>,
    backoff: Backoff,
    place: Place,
    has_failed: bool,
    has_spool_failed: bool,
}

/// A request on its way, and the client that it gives back.
type Request = Pin<Box<dyn Future<Output = (Client, u64, Outcome)>>>;

impl Poster {
    pub fn new(http: &Http, place: Place) -> Result<Self, super::Error> {
        let unusable = |why| Unusable { what: without_query(&http.url).to_owned(), why };
        let target = Target::new(&http.url, &http.headers, || http.tls.read()).map_err(unusable)?;
        let spool = Spool::open(&http.spool_folder, http.spool)?;
        place.counts.spool(spool.figures());
        Ok(Self {
            spool,
            client: Some(Client::new(target, http.timeout)),
            backoff: Backoff::new(http.first_retry, http.longest_retry),
            place,
            has_failed: false,
            has_spool_failed: false,
        })
    }

    /// Runs until the queue has ended and all is delivered, or it is too late for more.
    pub fn run(mut self, queue: Receiver<Arc<Prepared>>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(self.serve(queue)),
            Err(error) => (self.place.say)(&self.place.name, &error),
        }
    }

    async fn serve(&mut self, mut queue: Receiver<Arc<Prepared>>) {
        let mut request: Option<Request> = None;
        let mut not_before = tokio::time::Instant::now();
        let mut is_open = true;
        loop {
            if request.is_none() && tokio::time::Instant::now() >= not_before {
                request = self.next_request();
                if request.is_none() && self.spool.figures().records > 0 {
                    // The disk cannot be read now; asking all the time would not mend it.
                    not_before = tokio::time::Instant::now() + self.backoff.wait();
                }
            }
            let is_idle = request.is_none();
            if !is_open && (self.place.stop.is_over() || self.spool.figures().records == 0) {
                break;
            }
            let is_waiting = is_idle && self.spool.figures().records > 0;
            tokio::select! {
                alert = queue.recv(), if is_open => match alert {
                    Some(alert) => self.keep(&alert),
                    None => is_open = false,
                },
                (client, number, outcome) = on_its_way(&mut request), if !is_idle => {
                    (request, self.client) = (None, Some(client));
                    not_before = tokio::time::Instant::now() + self.settle(number, outcome);
                }
                () = sleep_until(not_before), if is_waiting => {}
                () = sleep(LOOK) => {}
            }
            if let Err(error) = self.spool.tick(Instant::now()) {
                self.spool_failed(&error);
            }
            self.place.counts.spool(self.spool.figures());
        }
        if let Err(error) = self.spool.close() {
            self.spool_failed(&error);
        }
    }

    fn keep(&mut self, alert: &Prepared) {
        match self.spool.append(alert.bytes(Format::Json), Instant::now()) {
            Ok(_) => {
                self.has_spool_failed = false;
                self.place.counts.spooled();
            }
            Err(refused) => {
                let cause = match &refused {
                    Refused::Full => Cause::SpoolFull,
                    Refused::TooLarge => Cause::TooLarge,
                    Refused::Io(_) => Cause::SpoolFailed,
                };
                self.place.counts.dropped(cause);
                self.spool_failed(&refused);
            }
        }
    }

    fn next_request(&mut self) -> Option<Request> {
        let oldest = match self.spool.oldest() {
            Ok(oldest) => oldest,
            Err(error) => {
                self.spool_failed(&error);
                None
            }
        };
        let (number, payload) = oldest?;
        let mut client = self.client.take()?;
        Some(Box::pin(async move {
            let outcome = client.post(Bytes::from(payload)).await;
            (client, number, outcome)
        }))
    }

    /// Notes what became of a request; returns how long to wait before the next.
    fn settle(&mut self, number: u64, outcome: Outcome) -> Duration {
        match outcome {
            Outcome::Delivered => {
                self.place.counts.delivered();
                self.has_failed = false;
            }
            Outcome::Refused(status) => {
                self.place.counts.dropped(Cause::Refused);
                self.failed(&format_args!("refused an alert for good: {status}"));
            }
            Outcome::Retry(why, after) => {
                self.place.counts.retried();
                self.failed(&why);
                return after.unwrap_or(Duration::ZERO).max(self.backoff.wait());
            }
        }
        if let Err(error) = self.spool.deliver(number) {
            // It will be the oldest again.
            self.spool_failed(&error);
            return self.backoff.wait();
        }
        self.backoff.reset();
        Duration::ZERO
    }

    fn failed(&mut self, why: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.has_failed, true) {
            (self.place.say)(&self.place.name, why);
        }
    }

    fn spool_failed(&mut self, why: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.has_spool_failed, true) {
            (self.place.say)(&self.place.name, why);
        }
    }
}

/// The request's end; never, where there is none.
async fn on_its_way(request: &mut Option<Request>) -> (Client, u64, Outcome) {
    match request {
        Some(request) => request.await,
        None => std::future::pending().await,
    }
}

/// An address without what may be a secret.
fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}
