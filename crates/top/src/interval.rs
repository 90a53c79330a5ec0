//! What happened in an interval, and the watch that one interval after another is taken from.

use std::net::SocketAddr;
use std::time::Duration;

use crate::connections::Connections;
use crate::fact::{End, Fact, Owner, Place, Protocol, Totals};
use crate::largest::{Figures, Largest};
use crate::table::{Row, Table};
use crate::views::flows::{self, By, Flow};
use crate::views::processes::{self, Process};
use crate::views::workloads::{self, Doings};
use crate::views::{View, drops, signals};

/// What was not counted. Where any of it is not 0 figures are too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Records or flows that did not arrive.
    pub lost: u64,
    /// Totals of connections of which nobody knows what is new: too many are open, or they were never told of
    /// before.
    pub unknown_totals: u64,
}

/// What happened in an interval.
#[derive(Debug)]
pub struct Interval {
    /// Which connections count together.
    pub by: By,
    /// How long it was.
    pub length: Duration,
    /// What was not counted.
    pub losses: Losses,
    /// What watching cost.
    pub signals: Vec<signals::Signal>,
    flows: Largest<flows::Key, Flow>,
    workloads: Largest<PlaceKey, Workload>,
    processes: Largest<processes::Key, Process>,
    drops: Largest<drops::Key, drops::Drops>,
}

/// A place by its name, which is none for the host.
type PlaceKey = Option<String>;

#[derive(Debug, Default)]
struct Workload {
    place: Place,
    doings: Doings,
}

impl Figures for Workload {
    fn weight(&self) -> u64 {
        self.doings.weight()
    }

    fn add(&mut self, other: &Self) {
        self.doings.add(&other.doings);
    }
}

/// Takes what is told, and gives an interval after the other.
#[derive(Debug)]
pub struct Watch {
    connections: Connections,
    interval: Interval,
    most: usize,
}

impl Watch {
    /// A watch whose tables keep so many rows each.
    pub fn new(most: usize, by: By) -> Self {
        Self { connections: Connections::default(), interval: Interval::new(most, by), most }
    }

    /// Takes something that happened.
    pub fn take(&mut self, fact: &Fact<'_>) {
        self.interval.take(&mut self.connections, fact);
    }

    /// Something was told of this process in the interval that goes on.
    pub fn has_process(&mut self, pid: u32, start_ticks: u64) -> bool {
        self.interval.processes.get_mut(&(pid, start_ticks)).is_some()
    }

    /// Counts what did not arrive.
    pub fn lose(&mut self, count: u64) {
        self.interval.losses.lost += count;
    }

    /// The interval that ends now, after so long; the next one counts by this.
    pub fn end_interval(&mut self, length: Duration, by: By) -> Interval {
        let mut ended = std::mem::replace(&mut self.interval, Interval::new(self.most, by));
        ended.length = length;
        ended.losses.unknown_totals = self.connections.end_interval();
        ended
    }
}

impl Interval {
    /// One in which nothing happened yet.
    pub fn new(most: usize, by: By) -> Self {
        Self {
            by,
            length: Duration::ZERO,
            losses: Losses::default(),
            signals: Vec::new(),
            flows: Largest::new(most),
            workloads: Largest::new(most),
            processes: Largest::new(most),
            drops: Largest::new(most),
        }
    }

    /// A view of it.
    pub fn table(&mut self, view: View) -> Table {
        let length = self.length;
        let (rows, others) = match view {
            View::Flows => rows(&mut self.flows, |key, flow| flow.row(key)),
            View::Workloads => rows(&mut self.workloads, |key, workload| {
                workloads::row(&workload.doings, key.map(|_| &workload.place))
            }),
            View::Processes => rows(&mut self.processes, |key, process| process.row(key, length)),
            View::Drops => rows(&mut self.drops, |key, drops| drops.row(key)),
            View::Signals => (self.signals.iter().map(signals::Signal::row).collect(), None),
        };
        Table { columns: view.columns(), rows, others }
    }

    fn take(&mut self, connections: &mut Connections, fact: &Fact<'_>) {
        match *fact {
            Fact::Opened { end, latency_ns } => {
                let is_new = connections.is_new(&end);
                self.flow(&end).add_opened(is_new, latency_ns, end.stands_for);
                self.count(end.owner, |doings| match end.is_opener {
                    true => doings.opened += end.stands_for,
                    false => doings.accepted += end.stands_for,
                });
            }
            Fact::Failed { end } => {
                self.flow(&end).add_failed(end.stands_for);
                self.count(end.owner, |doings| doings.failed += end.stands_for);
            }
            Fact::Traffic { end, totals, rtt_us, is_older, is_over } => {
                let new = connections.new_traffic(&end, &totals, is_older, is_over);
                let Some(new) = new else { return };
                if new.of_end != Totals::default() {
                    self.flow(&end).add_traffic(&end, &new, rtt_us);
                    self.count(end.owner, |doings| doings.traffic.add(&new.of_end));
                }
            }
            Fact::Exec { owner } => self.count(Some(owner), |doings| doings.execs += 1),
            Fact::Exit { owner } => self.count(Some(owner), |doings| doings.exits += 1),
            Fact::Ran { owner, cpu_ns } => {
                let process = self.process(owner);
                process.is_measured = true;
                process.doings.cpu_ns = process.doings.cpu_ns.saturating_add(cpu_ns);
            }
            Fact::Dropped { reason, protocol, ends, owner, length_bytes } => {
                let key = drops::Key {
                    reason: reason.to_owned(),
                    protocol: protocol.to_owned(),
                    owner: owner.map(|owner| owner.name.clone()),
                    destination: ends.map(|[_, destination]| destination.to_string()),
                };
                let drops = self.drops.of(key);
                drops.packets += 1;
                drops.length_bytes = drops.length_bytes.saturating_add(length_bytes);
                self.count(owner, |doings| doings.drops += 1);
                if let Some(ends) = ends {
                    self.dropped_of_flow(protocol, ends);
                }
            }
        }
    }

    /// A packet that was dropped went one of both ways of a flow.
    fn dropped_of_flow(&mut self, protocol: &str, [source, destination]: [SocketAddr; 2]) {
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return,
        };
        let end = |local, peer| End {
            protocol,
            local,
            peer,
            is_opener: true,
            key: None,
            net_namespace: 0,
            owner: None,
            peer_name: None,
            stands_for: 1,
        };
        let back = flows::Key::of(&end(destination, source), self.by);
        match self.flows.get_mut(&back) {
            Some(flow) => flow.add_drop(),
            None => self.flow(&end(source, destination)).add_drop(),
        }
    }

    fn flow(&mut self, end: &End<'_>) -> &mut Flow {
        let flow = self.flows.of(flows::Key::of(end, self.by));
        flow.name(end);
        flow
    }

    fn process(&mut self, owner: &Owner) -> &mut Process {
        let process = self.processes.of((owner.pid, owner.start_ticks));
        process.name(owner);
        process
    }

    /// Counts for a process, and for where it runs.
    fn count(&mut self, owner: Option<&Owner>, count: impl Fn(&mut Doings)) {
        let Some(owner) = owner else { return };
        count(&mut self.process(owner).doings);
        let workload = self.workloads.of(owner.place_name.clone());
        if workload.place != owner.place {
            workload.place.clone_from(&owner.place);
        }
        count(&mut workload.doings);
    }
}

fn rows<K: Eq + std::hash::Hash + Ord + Clone, F: Figures>(
    largest: &mut Largest<K, F>,
    row: impl Fn(Option<&K>, &F) -> Row,
) -> (Vec<Row>, Option<(Row, u64)>) {
    let rows = largest.rows().into_iter().map(|(key, figures)| row(Some(key), figures)).collect();
    let others = largest.others().map(|(figures, count)| (row(None, figures), count));
    (rows, others)
}
