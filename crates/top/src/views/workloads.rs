//! Pods with what they belong to, containers of no pod, and the host's own processes as one.

use crate::fact::{Place, Totals};
use crate::largest::Figures;
use crate::table::{Column, Row};
use crate::value::Value;

/// The columns.
pub const COLUMNS: &[Column] = &[
    Column::name("name", "POD", 16, 0),
    Column::name("workload", "WORKLOAD", 12, 1),
    Column::json("pod.namespace"),
    Column::json("pod.name"),
    Column::json("container.name"),
    Column::new("bytes_sent", "SENT", 7, 0),
    Column::new("bytes_received", "RECV", 7, 0),
    Column::new("retransmits", "RETR", 4, 2),
    Column::new("connections_opened", "OPENED", 6, 2),
    Column::new("connections_accepted", "ACCEPT", 6, 3),
    Column::new("connections_failed", "FAILED", 6, 4),
    Column::new("execs", "EXECS", 5, 1),
    Column::new("drops", "DROPS", 5, 2),
];

/// The figures; of a process they are the same.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Doings {
    /// Over all its connections.
    pub traffic: Totals,
    /// Connections that it opened.
    pub opened: u64,
    /// Connections that it accepted.
    pub accepted: u64,
    /// Connections that it could not open.
    pub failed: u64,
    /// Programs that it executed.
    pub execs: u64,
    /// Packets of its sockets that were dropped.
    pub drops: u64,
    /// How long it ran on a processor.
    pub cpu_ns: u64,
    /// Processes that ended.
    pub exits: u64,
}

/// The name of the host's row.
const HOST: &str = "(host)";

/// A row.
pub fn row(doings: &Doings, place: Option<&Place>) -> Row {
    let name = place.map(|place| place.name().unwrap_or_else(|| HOST.to_owned()));
    let pod = place.and_then(|place| place.pod.clone());
    let container = place.filter(|place| place.pod.is_none());
    let workload = place.and_then(|place| place.workload.as_ref());
    vec![
        Value::text(name),
        Value::text(workload.map(|(kind, name)| format!("{kind}/{name}"))),
        Value::text(place.and_then(|place| place.namespace.clone())),
        Value::text(pod),
        Value::text(container.and_then(|place| place.container.clone())),
        Value::Bytes(doings.traffic.bytes_sent),
        Value::Bytes(doings.traffic.bytes_received),
        Value::Count(doings.traffic.retransmits),
        Value::Count(doings.opened),
        Value::Count(doings.accepted),
        Value::Count(doings.failed),
        Value::Count(doings.execs),
        Value::Count(doings.drops),
    ]
}

impl Figures for Doings {
    fn weight(&self) -> u64 {
        let Totals { bytes_sent, bytes_received, .. } = self.traffic;
        let times = [self.opened, self.accepted, self.failed, self.execs, self.drops, self.exits];
        let times = times.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
        // A thing that happens, like a kibibyte, is worth about what a microsecond on a processor is.
        (bytes_sent.saturating_add(bytes_received) >> 10)
            .saturating_add(times)
            .saturating_add(self.cpu_ns / 1_000)
    }

    fn add(&mut self, other: &Self) {
        self.traffic.add(&other.traffic);
        self.opened += other.opened;
        self.accepted += other.accepted;
        self.failed += other.failed;
        self.execs += other.execs;
        self.drops += other.drops;
        self.cpu_ns = self.cpu_ns.saturating_add(other.cpu_ns);
        self.exits += other.exits;
    }
}
