//! Where the agent's records go: into flows and profiles, and rendered for the printer, many at a time.

use std::sync::atomic::Ordering;
use std::time::Instant;

use chandra_event::feed::Feed;
use chandra_event::json;
use chandra_event::record::{Event, Record};
use chandra_event::tcp::Happened;
use chandra_event::who::CONTAINER_DESCRIBED;
use chandra_identity::Identity;

use super::audit::Auditing;
use super::budgets::Budgets;
use super::flows::Flowing;
use super::leveled::LeveledMetrics;
use super::oom_kills::OomKills;
use super::otlp::{Drops, Spans};
use super::printer::{Lines, Queue};
use super::signals_sent::SignalsSent;
use super::state::{AgentState, Canary, SignalState};
use super::tcp_health::TcpHealth;
use super::throttling::Throttling;
use super::waits::Waits;
use crate::cli::agent::AgentOptions;
use crate::cli::common::Format;
use crate::follow::{Sink, Tally, Told};

/// So much is rendered before it is handed over.
const CHUNK_BYTES: usize = 32 << 10;

/// Who takes records beside the printer.
#[derive(Debug)]
pub struct Consumers {
    /// The Hubble API, its metrics and files.
    pub flows: Option<Flowing>,
    /// Rules.
    pub audit: Option<Auditing>,
    /// The export by OTLP.
    pub drops: Option<Drops>,
    /// The same, of requests that are part of a trace.
    pub spans: Option<Spans>,
    /// Takes none: looks at what was over budget.
    pub budgets: Budgets,
    /// Kills for want of memory.
    pub oom_kills: OomKills,
    /// Signals that are sent.
    pub signals_sent: SignalsSent,
    /// How TCP does.
    pub tcp_health: Option<TcpHealth>,
    /// Waits of threads.
    pub waits: Waits,
    /// Takes none: looks at who had to wait for processors.
    pub throttling: Throttling,
    /// Takes none: looks at what the kernel counted by cgroups.
    pub leveled: LeveledMetrics,
}

/// Takes records: each counts as delivered once, unless it was to be printed and there was no room.
#[derive(Debug)]
pub struct Delivering<'a> {
    state: &'a AgentState,
    /// By part.
    signals: Vec<&'a SignalState>,
    queue: Queue,
    format: Format,
    node: &'a str,
    consumers: Consumers,
    lines: Lines,
    /// Lines of each signal that are not handed over yet.
    counts: Vec<u64>,
    feed: Feed,
    own_port: u16,
}

impl<'a> Delivering<'a> {
    /// A sink for the records of these signals.
    pub fn new(
        state: &'a AgentState,
        signals: Vec<&'a SignalState>,
        queue: Queue,
        consumers: Consumers,
        options: &'a AgentOptions,
    ) -> Self {
        Self {
            state,
            queue,
            format: options.format,
            node: &options.identity.node,
            consumers,
            lines: Lines::default(),
            counts: vec![0; signals.len()],
            signals,
            feed: Feed::default(),
            own_port: state.http.map_or(0, |address| address.port()),
        }
    }
}

impl Sink for Delivering<'_> {
    fn tell(&mut self, part: usize, told: &Told<'_>) {
        let record = told.known;
        if !self.state.canary.is_done() {
            self.state.canary.look_at(record, self.own_port);
        }
        let is_flow = self.consumers.flows.as_mut().is_some_and(|flows| flows.take(told));
        let is_audited = self.consumers.audit.as_mut().is_some_and(|audit| audit.take(told));
        self.consumers.waits.take(told);
        let is_profiled = self.state.profiles.iter().find_map(|profiles| profiles.take(told));
        let is_exported = self.consumers.drops.as_mut().is_some_and(|drops| drops.take(told));
        let is_span = self.consumers.spans.as_mut().is_some_and(|spans| spans.take(told));
        let is_health = self.consumers.tcp_health.as_mut().is_some_and(|tcp| tcp.take(told));
        let is_counted = is_health
            || self.consumers.oom_kills.take(told)
            || self.consumers.signals_sent.take(told);
        // What completes others was sent by no probe.
        let is_sent = record.kind() != &CONTAINER_DESCRIBED;
        let Some(signal) = self.signals.get(part) else { return };
        if let Some(is_taken) = is_profiled {
            let counter = if is_taken { &signal.delivered } else { &signal.shed };
            counter.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if !self.queue.is_open() || !prints(signal, record) {
            if is_flow || is_audited || is_exported || is_span || is_counted {
                signal.delivered.fetch_add(1, Ordering::Relaxed);
            }
            return;
        }
        match self.format {
            Format::Json => json::write_line(record, Some(self.node), &mut self.lines.bytes),
            Format::Table | Format::Wide => self.feed.write_record(record, &mut self.lines.bytes),
        }
        if let Some(count) = self.counts.get_mut(part).filter(|_| is_sent) {
            *count += 1;
        }
        if self.lines.bytes.len() >= CHUNK_BYTES {
            self.hand_over();
        }
    }

    fn flush(&mut self) {
        if let Some(flows) = &mut self.consumers.flows {
            flows.flush();
        }
        self.hand_over();
    }

    fn note(&mut self, told_until_boottime_ns: u64) {
        let all = self.state.profiles.iter();
        all.for_each(|profiles| profiles.note(told_until_boottime_ns));
    }

    fn look(&mut self, identity: &Identity, tally: &Tally) {
        self.state.note_identity(identity, tally);
        self.consumers.budgets.look(identity, &self.signals);
        self.consumers.oom_kills.tick(Instant::now());
        self.consumers.signals_sent.tick(Instant::now());
        self.consumers.waits.tick(Instant::now());
        if let Some(tcp) = &mut self.consumers.tcp_health {
            tcp.tick(Instant::now());
        }
        self.consumers.throttling.look(identity);
        self.consumers.leveled.look(identity, &self.signals);
        if let Some(flows) = &mut self.consumers.flows {
            let signals = self.signals.iter().filter(|signal| signal.tells_of_flows());
            flows.look(identity, signals.map(|signal| signal.lost_in_kernel()).sum());
        }
        if let Some(audit) = &mut self.consumers.audit {
            audit.look();
        }
    }
}

/// Records of this kind are printed; those that no signal has a number for complete others.
fn prints(signal: &SignalState, record: &dyn Record) -> bool {
    let name = record.kind().name;
    let number = signal.signal.kinds.iter().find(|(known, _)| *known == name);
    number.is_none_or(|(_, number)| signal.printed_kinds >> number & 1 == 1)
}

impl Delivering<'_> {
    /// No more records come.
    pub fn end(self) {
        if let Some(audit) = self.consumers.audit {
            audit.end();
        }
    }

    fn hand_over(&mut self) {
        if self.lines.bytes.is_empty() {
            return;
        }
        let is_taken = self.queue.send(std::mem::take(&mut self.lines));
        for (signal, count) in self.signals.iter().zip(&mut self.counts) {
            let counter = if is_taken { &signal.delivered } else { &signal.shed };
            counter.fetch_add(std::mem::take(count), Ordering::Relaxed);
        }
    }
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
