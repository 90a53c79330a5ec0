//! The thread that reads one signal's ring.

use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::Duration;

use chandra_doctor::Problem;
use chandra_event::feed::Feed;
use chandra_event::json;
use chandra_event::record::{Event, Record};
use chandra_event::tcp::Happened;
use chandra_signals::Context;

use super::printer::{Lines, Queue};
use super::state::{AgentState, Canary, SignalState};
use crate::cli::common::Format;
use crate::session;
use crate::stop::Stop;

/// How long a quiet signal sleeps before it looks whether it should end.
const IDLE: Duration = Duration::from_millis(200);

/// Reads signal `index` until asked to stop, then what is still in its ring. Lets go of `ready` when
/// it listens.
pub fn watch(
    state: &AgentState,
    index: usize,
    context: &Context,
    queue: &Queue,
    format: Format,
    ready: Sender<()>,
    stop: &Stop,
) -> Result<(), Problem> {
    let Some(signal) = state.signals.get(index) else { return Ok(()) };
    let found = signal.with_loaded(|loaded| (signal.signal.seed)(loaded, context, &mut |_| {}));
    signal.found_at_start.store(found.unwrap_or(0) as u64, Ordering::Relaxed);
    if !signal.signal.spec.sends_records {
        return count(signal, ready, stop);
    }
    let sink = RefCell::new(Sink {
        signal,
        queue,
        format,
        lines: Lines::default(),
        feed: Feed::default(),
    });
    let name = signal.signal.spec.name;
    let own_port = state.http.map_or(0, |address| address.port());
    let mut on_record = |record: &dyn Record| {
        if !state.canary.is_done() {
            state.canary.look_at(record, own_port);
        }
        sink.borrow_mut().add(record);
    };
    let reader = signal.with_loaded(|loaded| {
        session::reader(loaded, |bytes| {
            signal.received.decode(signal.signal, bytes, context, &mut on_record);
        })
    });
    let Some(mut reader) = reader.transpose()? else { return Ok(()) };
    drop(ready);
    while !stop.is_asked() {
        let any = reader.wait(IDLE).map_err(|error| session::ring_problem(name, &error))?;
        sink.borrow_mut().flush();
        if !any {
            context.measure_clock();
        }
    }
    signal.detach();
    reader.drain().map_err(|error| session::ring_problem(name, &error))?;
    sink.borrow_mut().flush();
    Ok(())
}

/// Lets a signal that only counts do so until asked to stop: it has no ring.
fn count(signal: &SignalState, ready: Sender<()>, stop: &Stop) -> Result<(), Problem> {
    signal.with_loaded(session::listen).transpose()?;
    drop(ready);
    while !stop.is_asked() {
        std::thread::sleep(IDLE);
    }
    signal.detach();
    Ok(())
}

impl Canary {
    /// Both came through.
    pub fn is_done(&self) -> bool {
        self.exec_seen.load(Ordering::Relaxed) && self.connect_seen.load(Ordering::Relaxed)
    }

    fn look_at(&self, record: &dyn Record, own_port: u16) {
        match record.event() {
            Event::Exec(exec) if exec.process.ppid == std::process::id() => {
                self.exec_seen.store(true, Ordering::Relaxed);
            }
            Event::Tcp(tcp) => {
                let ours = tcp.process.is_some_and(|process| process.pid == std::process::id());
                let established = matches!(tcp.happened, Happened::Established { .. });
                if ours && established && tcp.connection.peer.port() == own_port {
                    self.connect_seen.store(true, Ordering::Relaxed);
                }
            }
            _ => {}
        }
    }
}

/// Renders records and hands the lines over, many at a time.
struct Sink<'a> {
    signal: &'a SignalState,
    queue: &'a Queue,
    format: Format,
    lines: Lines,
    feed: Feed,
}

/// So much is rendered before it is handed over.
const CHUNK_BYTES: usize = 32 << 10;

impl Sink<'_> {
    fn add(&mut self, record: &dyn Record) {
        if !self.queue.is_open() {
            return;
        }
        match self.format {
            Format::Json => json::write_line(record, None, &mut self.lines.bytes),
            Format::Table | Format::Wide => self.feed.write_record(record, &mut self.lines.bytes),
        }
        self.lines.count += 1;
        if self.lines.bytes.len() >= CHUNK_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.lines.count == 0 {
            return;
        }
        let lines = std::mem::take(&mut self.lines);
        let count = lines.count;
        let counter =
            if self.queue.send(lines) { &self.signal.delivered } else { &self.signal.shed };
        counter.fetch_add(count, Ordering::Relaxed);
    }
}
