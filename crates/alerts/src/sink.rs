//! Where alerts go: each sink has a thread of its own behind a queue with a bound, so that one that is slow
//! or dead holds up nobody and costs nothing but its own alerts, which are counted.

mod backoff;
mod http;
mod lines;
mod post;
mod syslog;
mod tls;

use std::fmt::Display;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::alert::Redacted;
use crate::figures::{Cause, SinkCounts, SinkFigures};
use crate::spool;

pub use backoff::Backoff;
pub use chandra_rotating_file::Rotation;
pub use post::{Http, Unusable};
pub use syslog::{Syslog, Transport};
pub use tls::Files as TlsFiles;

/// How an alert is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A line as Falco prints it.
    Text,
    /// A JSON object with Falco's keys and Chandra's.
    #[default]
    Json,
}

/// Where alerts go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Lines on standard output.
    Stdout(Format),
    /// Lines in a file that is rotated.
    File {
        /// The file.
        path: PathBuf,
        /// When it is begun anew.
        rotation: Rotation,
        /// What the lines are.
        format: Format,
    },
    /// Messages as RFC 5424 has them.
    Syslog(Syslog),
    /// Requests of HTTP, by way of a spool.
    Http(Http),
    /// Somebody who tells them in another way.
    Taken(Taker),
}

/// Who takes alerts and tells them in another way.
pub trait Take: std::fmt::Debug + Send + Sync {
    /// Takes one, in the thread of its sink.
    fn take(&self, alert: &Redacted);
}

/// One of those; each is like itself alone.
#[derive(Debug, Clone)]
pub struct Taker(pub Arc<dyn Take>);

impl PartialEq for Taker {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Taker {}

/// A sink, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Its name in figures.
    pub name: String,
    /// Where it writes to.
    pub target: Target,
    /// So many alerts wait for it at most.
    pub queue: usize,
}

/// Why there is no such sink.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be used as it is described.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// Its spool cannot be.
    #[error(transparent)]
    Spool(#[from] spool::Error),
    /// There is no thread for it.
    #[error("no thread for it: {0}")]
    Thread(io::Error),
}

/// Told the name of a sink that fails, and why, once for each row of failures.
pub type Say = fn(&str, &dyn Display);

/// An alert with its text and its JSON, each made once, by the first sink that wants it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub redacted: Redacted,
    json: OnceLock<Vec<u8>>,
    text: OnceLock<String>,
}

impl Prepared {
    pub fn new(redacted: Redacted) -> Self {
        Self { redacted, json: OnceLock::new(), text: OnceLock::new() }
    }

    pub fn bytes(&self, format: Format) -> &[u8] {
        match format {
            Format::Text => self.text.get_or_init(|| self.redacted.text()).as_bytes(),
            Format::Json => self.json.get_or_init(|| self.redacted.json()),
        }
    }
}

/// When all has to end.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    deadline: Mutex<Option<Instant>>,
    is_set: Condvar,
}

impl Stop {
    pub fn by(&self, deadline: Instant) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
        self.is_set.notify_all();
    }

    pub fn deadline(&self) -> Option<Instant> {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is too late for anything more.
    pub fn is_over(&self) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Waits so long, but not beyond the deadline, which may be set while it waits.
    pub fn wait(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut deadline = self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let until = deadline.map_or(until, |deadline| deadline.min(until));
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.is_set.wait_timeout(deadline, left);
            deadline = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// What the thread of a sink knows of it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub name: String,
    pub counts: Arc<SinkCounts>,
    pub stop: Arc<Stop>,
    pub say: Say,
}

/// A sink that runs.
#[derive(Debug)]
pub(crate) struct Running {
    name: String,
    has_spool: bool,
    counts: Arc<SinkCounts>,
    /// Disconnected once its thread has ended.
    ended: mpsc::Receiver<()>,
}

/// The way to a sink.
#[derive(Debug)]
pub(crate) struct Queue {
    sender: Sender<Arc<Prepared>>,
    counts: Arc<SinkCounts>,
}

impl Queue {
    /// Hands an alert over, or counts it.
    pub fn send(&self, alert: &Arc<Prepared>) {
        if self.sender.try_send(Arc::clone(alert)).is_err() {
            self.counts.dropped(Cause::QueueFull);
        }
    }
}

/// Starts a sink's thread.
pub(crate) fn start(
    options: &Options,
    stop: &Arc<Stop>,
    say: Say,
) -> Result<(Queue, Running), Error> {
    let (sender, receiver) = channel(options.queue.max(1));
    let counts = Arc::new(SinkCounts::default());
    let place = Place {
        name: options.name.clone(),
        counts: Arc::clone(&counts),
        stop: Arc::clone(stop),
        say,
    };
    let run: Box<dyn FnOnce(Receiver<Arc<Prepared>>) + Send> = match &options.target {
        Target::Stdout(format) => {
            let mut sink = lines::Lines::stdout(*format);
            Box::new(move |queue| each(queue, &place, |alert| sink.write(alert)))
        }
        Target::File { path, rotation, format } => {
            let mut sink = lines::Lines::file(path.clone(), *rotation, *format);
            Box::new(move |queue| each(queue, &place, |alert| sink.write(alert)))
        }
        Target::Syslog(syslog) => {
            let mut sink = syslog::Sender::new(syslog.clone(), place.clone());
            Box::new(move |queue| each(queue, &place, |alert| sink.send(alert)))
        }
        Target::Http(http) => {
            let poster = post::Poster::new(http, place)?;
            Box::new(move |queue| poster.run(queue))
        }
        Target::Taken(Taker(taker)) => {
            let taker = Arc::clone(taker);
            let take = move |alert: &Prepared| {
                taker.take(&alert.redacted);
                Ok(())
            };
            Box::new(move |queue| each(queue, &place, take))
        }
    };
    let (ending, ended) = mpsc::channel::<()>();
    let thread = std::thread::Builder::new().name(format!("alert-{}", options.name));
    let body = move || {
        run(receiver);
        drop(ending);
    };
    thread.spawn(body).map_err(Error::Thread)?;
    let has_spool = matches!(options.target, Target::Http(_));
    let running =
        Running { name: options.name.clone(), has_spool, counts: Arc::clone(&counts), ended };
    Ok((Queue { sender, counts }, running))
}

/// Writes each alert, and counts what became of it; says once of each row of failures that it fails.
fn each(
    mut queue: Receiver<Arc<Prepared>>,
    place: &Place,
    mut write: impl FnMut(&Prepared) -> io::Result<()>,
) {
    let mut has_failed = false;
    while let Some(alert) = queue.blocking_recv() {
        if place.stop.is_over() {
            place.counts.dropped(Cause::Stopped);
            continue;
        }
        match write(&alert) {
            Ok(()) => {
                place.counts.delivered();
                has_failed = false;
            }
            Err(error) => {
                place.counts.dropped(Cause::WriteFailed);
                if !std::mem::replace(&mut has_failed, true) {
                    (place.say)(&place.name, &error);
                }
            }
        }
    }
}

impl Running {
    pub fn figures(&self) -> SinkFigures {
        self.counts.figures(&self.name, self.has_spool)
    }

    /// Waits until its thread has ended, until then at the latest.
    pub fn wait_until(&self, latest: Instant) {
        let _ = self.ended.recv_timeout(latest.saturating_duration_since(Instant::now()));
    }
}
