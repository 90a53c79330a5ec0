//! The export as a whole: a thread that asks for metrics, and sends what there is.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use chandra_metrics::Writer;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};

use crate::batch::Packing;
use crate::figures::{Cause, Counts, Figures};
use crate::profiles::Profiles;
use crate::queue::Queue;
use crate::resource::Resource;
use crate::sender::Sender;
use crate::settings::Settings;
use crate::signal::Signal;
use crate::temporality::Past;
use crate::traces::Traces;
use crate::wire::logs::Record;
use crate::wire::metrics::{Manner, Metrics};
use crate::wire::{ITEM, nested};

/// Told once of each row of failures, and of what follows.
pub type Tell = fn(&str);
/// Writes all metrics there are.
type Collect = Box<dyn Fn(&mut Writer<'_>) + Send>;

/// Log records and spans wait so long for others to go with.
const DELAY: Duration = Duration::from_secs(1);
/// Not so long where there are so many bytes of them.
const LOGS_ENOUGH: usize = 256 << 10;
/// More than that are not waited with: the thread that takes them is held up.
const LOGS_BOUND: usize = 1 << 20;

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no thread for it, or nothing to wait with in it.
    #[error("no thread for the export: {0}")]
    Thread(io::Error),
}

/// An export that runs.
#[derive(Debug)]
pub struct Exporter {
    thread: Option<JoinHandle<()>>,
    stop: watch::Sender<Option<Instant>>,
    exported: Exported,
    logs: Option<Logs>,
    traces: Option<Traces>,
    profiles: Option<Profiles>,
}

/// What became of what was to be told, for whoever asks.
#[derive(Debug, Clone)]
pub struct Exported(Vec<(Signal, Arc<Counts>)>);

impl Exported {
    /// Figures of each signal that is exported.
    pub fn figures(&self) -> Figures {
        self.0.iter().map(|(signal, counts)| counts.figures(*signal)).collect()
    }
}

/// Log records on their way. A clone is the same way.
#[derive(Debug, Clone)]
pub struct Logs(Arc<Pending>);

#[derive(Debug)]
struct Pending {
    counts: Arc<Counts>,
    is_enough: Notify,
    /// As fields of their scope, and how many.
    records: Mutex<(Vec<u8>, u64)>,
}

impl Logs {
    /// Hands a record over. Never waits for the collector.
    pub fn push(&self, record: &Record<'_>) {
        let Pending { counts, is_enough, records } = &*self.0;
        let mut records = records.lock().unwrap_or_else(PoisonError::into_inner);
        counts.made(1);
        if records.0.len() >= LOGS_BOUND {
            return counts.dropped(Cause::QueueFull, 1);
        }
        nested(ITEM, &mut records.0, |out| record.write(out));
        records.1 += 1;
        counts.pending(records.1);
        if records.0.len() >= LOGS_ENOUGH {
            is_enough.notify_one();
        }
    }

    fn pack(&self, packing: &Packing) {
        let mut records = self.0.records.lock().unwrap_or_else(PoisonError::into_inner);
        let (fields, items) = std::mem::take(&mut *records);
        drop(records);
        if items > 0 {
            packing.pack(&fields, items);
            // Until there are others.
            self.0.counts.pending(0);
        }
    }
}

/// What metrics are made of.
struct Collecting {
    packing: Packing,
    collect: Collect,
    past: Past,
    started_ns: u64,
}

impl Exporter {
    /// Starts it. `collect` writes all metrics; what does not say when it began was counted since `started`.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn start(
        settings: &Settings,
        resource: &Resource,
        started: SystemTime,
        collect: impl Fn(&mut Writer<'_>) + Send + 'static,
        tell: Tell,
    ) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::Thread)?;
        let (stop, stopping) = watch::channel(None);
        let (ended, ending) = watch::channel(false);
        let (mut counts, mut senders, mut queues) = (Vec::new(), Vec::new(), Vec::new());
        let (mut metrics, mut logs, mut traces, mut profiles) = (None, None, None, None);
        let (of_agent, started_ns) = (resource.fields(), unix_ns(started));
        let mut collect = Some(Box::new(collect) as Collect);
        for destination in &settings.destinations {
            let of = Arc::new(Counts::default());
            let queue = Arc::new(Queue::new(settings.queue_bytes, Arc::clone(&of)));
            let (of_agent, gzip) = (Arc::clone(&of_agent), destination.gzip);
            let packing = Packing { resource: of_agent, gzip, queue: Arc::clone(&queue) };
            match destination.signal {
                Signal::Metrics => {
                    metrics = collect.take().map(|collect| Collecting {
                        packing,
                        collect,
                        past: Past::default(),
                        started_ns,
                    });
                }
                Signal::Logs => {
                    let (is_enough, records) = (Notify::new(), Mutex::default());
                    let pending = Pending { counts: Arc::clone(&of), is_enough, records };
                    logs = Some((Logs(Arc::new(pending)), packing));
                }
                Signal::Traces => {
                    traces = Some((Traces::new(resource.clone(), Arc::clone(&of)), packing));
                }
                Signal::Profiles => profiles = Some(Profiles::new(packing, resource.clone())),
            }
            let ends = (Arc::clone(&queue), Arc::clone(&of));
            let sender =
                Sender::new(destination.clone(), ends, settings.retry, tell, ending.clone());
            senders.push(sender);
            queues.push(queue);
            counts.push((destination.signal, of));
        }
        let way = logs.as_ref().map(|(logs, _)| logs.clone());
        let way_of_traces = traces.as_ref().map(|(traces, _)| traces.clone());
        let settings = settings.clone();
        let work = move || {
            run(&runtime, &settings, senders, (metrics, logs, traces), stopping, &ended);
            // A look-up of a name may take longer than anybody waits; no sender is left after this.
            runtime.shutdown_background();
            queues.iter().for_each(|queue| queue.give_up(Cause::Stopped));
        };
        let thread = std::thread::Builder::new().name("otlp".into()).spawn(work);
        let thread = Some(thread.map_err(Error::Thread)?);
        let (exported, logs, traces) = (Exported(counts), way, way_of_traces);
        Ok(Self { thread, stop, exported, logs, traces, profiles })
    }

    /// What became of what was to be told.
    pub fn exported(&self) -> Exported {
        self.exported.clone()
    }

    /// The way of log records, where they are exported.
    pub fn logs(&self) -> Option<Logs> {
        self.logs.clone()
    }

    /// The way of spans, where they are exported.
    pub fn traces(&self) -> Option<Traces> {
        self.traces.clone()
    }

    /// The way of profiles, where they are exported.
    pub fn profiles(&self) -> Option<Profiles> {
        self.profiles.clone()
    }

    /// Tells all metrics a last time, sends what waits, and gives up after so long, which is counted.
    pub fn stop(mut self, patience: Duration) -> Figures {
        self.end(patience);
        self.exported.figures()
    }

    fn end(&mut self, patience: Duration) {
        let now = Instant::now();
        self.stop.send_replace(Some(now.checked_add(patience).unwrap_or(now)));
        if let Some(thread) = self.thread.take() {
            // It ended well, or said on stderr why it did not.
            let _ = thread.join();
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// What requests are made of, of each signal that is exported and not written where it is handed over.
type Made = (Option<Collecting>, Option<(Logs, Packing)>, Option<(Traces, Packing)>);

/// Until all is sent after it was asked to stop, or it is too late.
fn run(
    runtime: &Runtime,
    settings: &Settings,
    senders: Vec<Sender>,
    made: Made,
    mut stopping: watch::Receiver<Option<Instant>>,
    ended: &watch::Sender<bool>,
) {
    runtime.block_on(async {
        let mut sending = JoinSet::new();
        for sender in senders {
            sending.spawn(sender.run());
        }
        make(settings, made, &mut stopping).await;
        ended.send_replace(true);
        let deadline = stopping.borrow().unwrap_or_else(Instant::now);
        tokio::select! {
            () = sleep_until(deadline) => {}
            () = async { while sending.join_next().await.is_some() {} } => {}
        }
    });
}

/// Makes requests of what there is, until it was asked to stop; then a last time.
async fn make(
    settings: &Settings,
    (mut metrics, logs, traces): Made,
    stopping: &mut watch::Receiver<Option<Instant>>,
) {
    let mut due = interval_at(Instant::now() + settings.interval, settings.interval);
    due.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let many_logs = async || match &logs {
        Some((logs, _)) => logs.0.is_enough.notified().await,
        None => std::future::pending().await,
    };
    let many_spans = async || match &traces {
        Some((traces, _)) => traces.enough().await,
        None => std::future::pending().await,
    };
    let waits = logs.is_some() || traces.is_some();
    loop {
        let is_stopping = tokio::select! {
            _ = stopping.wait_for(Option::is_some) => true,
            _ = due.tick() => {
                metrics.iter_mut().for_each(|metrics| metrics.make(settings));
                false
            }
            () = many_logs() => false,
            () = many_spans() => false,
            () = sleep(DELAY), if waits => false,
        };
        if let Some((logs, packing)) = &logs {
            logs.pack(packing);
        }
        if let Some((traces, packing)) = &traces {
            traces.pack(packing);
        }
        if is_stopping {
            return metrics.iter_mut().for_each(|metrics| metrics.make(settings));
        }
    }
}

impl Collecting {
    fn make(&mut self, settings: &Settings) {
        let manner = Manner {
            started_ns: self.started_ns,
            now_ns: unix_ns(SystemTime::now()),
            temporality: settings.temporality,
            exponential: settings.exponential,
        };
        let mut writer = Writer::to(Metrics::new(manner, &self.packing, &mut self.past));
        (self.collect)(&mut writer);
        writer.finish();
    }
}

pub(crate) fn unix_ns(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
