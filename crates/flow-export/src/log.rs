//! One flow log: its filters on the thread that has the flows, its text and its file on a thread of its
//! own.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use chandra_hubble::filter::Filters;
use chandra_hubble::flow::{Flow, Node, timestamp};
use chandra_hubble::json;
use chandra_hubble::mask::Mask;
use chandra_hubble::proto::flow as proto;
use chandra_hubble::proto::observer::GetFlowsResponse;
use chandra_hubble::proto::observer::get_flows_response::ResponseTypes;
use chandra_rotating_file::Rotating;

use crate::aggregation::{Aggregation, Group};
use crate::exporter::Failure;
use crate::settings::{FlowLog, Target};

/// So many flows are handed over at once.
const BATCH: usize = 256;
/// So many batches wait for the disk at most.
const BATCHES: usize = 32;
/// What became of the flows that a log's filters let pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Flows that were written, each as a line or among others in one.
    pub written: u64,
    /// Flows for which the queue had no room, because writing takes too long.
    pub slow: u64,
    /// Flows that could not be written.
    pub failed: u64,
}

#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    slow: AtomicU64,
    failed: AtomicU64,
}

/// A log that is written.
#[derive(Debug)]
pub(crate) struct Log {
    pub settings: FlowLog,
    filters: Filters,
    node: Arc<Node>,
    batch: Vec<Flow>,
    queue: SyncSender<Vec<Flow>>,
    ended: Ended,
    counts: Arc<Counts>,
}

impl Log {
    /// Starts its thread, which waits until that of a log before it, of the same file, has ended. `say` is told once of each row of lines that cannot be written.
    pub fn start(
        settings: &FlowLog,
        node: &Arc<Node>,
        before: Option<Ended>,
        say: fn(&str, &io::Error),
    ) -> Result<Self, Failure> {
        let (filters, mask, aggregation) = settings.compile()?;
        let (queue, batches) = sync_channel::<Vec<Flow>>(BATCHES);
        let (ending, ended) = channel();
        let counts = Arc::new(Counts::default());
        let mut writer = Writer {
            name: settings.name.clone(),
            node: Arc::clone(node),
            mask,
            aggregation,
            lines: Lines::default(),
            out: Out::new(settings),
            counts: Arc::clone(&counts),
            say,
            has_failed: false,
        };
        let thread = std::thread::Builder::new().name("flow-log".into());
        let run = move || {
            before.into_iter().for_each(Ended::wait);
            writer.run(&batches);
            drop::<Sender<()>>(ending);
        };
        thread.spawn(run).map_err(Failure::Thread)?;
        let (settings, batch) = (settings.clone(), Vec::with_capacity(BATCH));
        let ended = Ended(ended);
        let node = Arc::clone(node);
        Ok(Self { settings, filters, node, batch, queue, ended, counts })
    }

    /// Takes a flow, if the filters let it pass.
    pub fn take(&mut self, flow: &Flow) {
        if self.filters.matches((flow, &*self.node)) {
            self.batch.push(flow.clone());
            if self.batch.len() >= BATCH {
                self.flush();
            }
        }
    }

    /// Hands over what was taken.
    pub fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        let count = batch.len() as u64;
        if self.queue.try_send(batch).is_err() {
            self.counts.slow.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Its time has come.
    pub fn is_over(&self, now: SystemTime) -> bool {
        self.settings.end.is_some_and(|end| end <= now)
    }

    /// Ends it: its thread writes what was taken and then ends by itself.
    pub fn end(mut self) -> Ended {
        self.flush();
        self.ended
    }

    pub fn figures(&self) -> Figures {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { written, slow, failed } = &*self.counts;
        Figures { written: get(written), slow: get(slow), failed: get(failed) }
    }
}

/// The end of a log's thread: disconnected once it has ended.
#[derive(Debug)]
pub(crate) struct Ended(Receiver<()>);

impl Ended {
    pub fn wait(self) {
        let _ = self.0.recv();
    }

    /// The same, until then at the latest.
    pub fn wait_until(self, latest: Instant) {
        let _ = self.0.recv_timeout(latest.saturating_duration_since(Instant::now()));
    }
}

#[derive(Debug)]
enum Out {
    Stdout,
    File(Rotating),
}

impl Out {
    fn new(settings: &FlowLog) -> Self {
        match &settings.target {
            Target::Stdout => Self::Stdout,
            Target::File(path) => Self::File(Rotating::new(path.clone(), settings.rotation)),
        }
    }

    fn write(&mut self, lines: &[u8]) -> Result<(), (usize, io::Error)> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(lines).and_then(|()| stdout.flush()).map_err(|error| (0, error))
            }
            Self::File(file) => file.write(lines),
        }
    }
}

/// The thread's side.
#[derive(Debug)]
struct Writer {
    name: String,
    node: Arc<Node>,
    mask: Mask,
    aggregation: Option<Aggregation>,
    lines: Lines,
    out: Out,
    counts: Arc<Counts>,
    say: fn(&str, &io::Error),
    has_failed: bool,
}

/// Lines that are not written yet.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    /// How many flows each of them tells of.
    flows: Vec<u64>,
}

impl Writer {
    /// Writes what comes, until nothing more can.
    fn run(&mut self, batches: &Receiver<Vec<Flow>>) {
        loop {
            match self.next(batches) {
                Ok(batch) => batch.iter().for_each(|flow| self.take(flow)),
                Err(RecvTimeoutError::Timeout) => self.tell_groups(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.write();
        }
        self.tell_groups();
        self.write();
    }

    /// The next flows, unless the time of groups comes before.
    fn next(&self, batches: &Receiver<Vec<Flow>>) -> Result<Vec<Flow>, RecvTimeoutError> {
        match self.aggregation.as_ref().and_then(Aggregation::due) {
            None => batches.recv().map_err(RecvTimeoutError::from),
            Some(due) => match due.saturating_duration_since(Instant::now()) {
                // Also where flows never cease to come.
                Duration::ZERO => Err(RecvTimeoutError::Timeout),
                left => batches.recv_timeout(left),
            },
        }
    }

    fn take(&mut self, flow: &Flow) {
        match &mut self.aggregation {
            None => self.tell(self.mask.apply(flow.to_proto(&self.node)), flow.time_ns, 1),
            Some(aggregation) => {
                let early = aggregation.take(flow, &self.node, Instant::now());
                self.tell_each(early);
            }
        }
    }

    fn tell_groups(&mut self) {
        let groups = self.aggregation.as_mut().map(Aggregation::all);
        self.tell_each(groups.unwrap_or_default());
    }

    fn tell_each(&mut self, groups: Vec<Group>) {
        for mut group in groups {
            let (count, counts) = (group.count, group.flow.aggregate.take());
            // The counts are no field of a flow that a mask could ask for.
            let flow = proto::Flow { aggregate: counts, ..self.mask.apply(group.flow) };
            self.tell(flow, group.first_time_ns, count);
        }
    }

    /// `ExportEvent` of a flow has the shape of a response. When and where do not depend on the mask.
    fn tell(&mut self, flow: proto::Flow, time_ns: u64, count: u64) {
        let event = GetFlowsResponse {
            node_name: self.node.name.clone(),
            time: Some(timestamp(time_ns)),
            response_types: Some(ResponseTypes::Flow(flow)),
        };
        match json::response_line(&event) {
            Ok(line) => {
                self.lines.bytes.extend_from_slice(line.as_bytes());
                self.lines.bytes.push(b'\n');
                self.lines.flows.push(count);
            }
            Err(_) => self.fail(count),
        }
    }

    fn write(&mut self) {
        let Lines { bytes, flows } = std::mem::take(&mut self.lines);
        let all = flows.iter().sum::<u64>();
        match self.out.write(&bytes) {
            Ok(()) => {
                self.counts.written.fetch_add(all, Ordering::Relaxed);
                self.has_failed = false;
            }
            Err((written, error)) => {
                let written = bytes.get(..written).unwrap_or_default();
                let lines = written.iter().filter(|byte| **byte == b'\n').count();
                let written = flows.iter().take(lines).sum::<u64>();
                self.counts.written.fetch_add(written, Ordering::Relaxed);
                self.fail(all - written);
                if !std::mem::replace(&mut self.has_failed, true) {
                    (self.say)(&self.name, &error);
                }
            }
        }
    }

    fn fail(&self, count: u64) {
        self.counts.failed.fetch_add(count, Ordering::Relaxed);
    }
}
