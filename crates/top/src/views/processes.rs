//! Processes, by what they do.

use std::time::Duration;

use super::workloads::Doings;
use crate::fact::{Owner, Place};
use crate::largest::Figures;
use crate::table::{Column, Row};
use crate::value::Value;

/// The columns.
pub const COLUMNS: &[Column] = &[
    Column::new("process.pid", "PID", 7, 0),
    Column::name("process.comm", "COMM", 15, 0),
    Column::name("pod.name", "POD", 12, 1),
    Column::json("pod.namespace"),
    Column::json("container.name"),
    Column::new("cpu_percent_of_one_core", "CPU%", 6, 0),
    Column::new("bytes_sent", "SENT", 7, 0),
    Column::new("bytes_received", "RECV", 7, 0),
    Column::new("connections_opened", "OPENED", 6, 1),
    Column::new("connections_accepted", "ACCEPT", 6, 1),
    Column::new("connections_failed", "FAILED", 6, 4),
    Column::new("execs", "EXECS", 5, 2),
    Column::new("drops", "DROPS", 5, 3),
    Column::new("retransmits", "RETR", 4, 3),
    Column::new("ended", "ENDED", 5, 5),
];

/// Which process: its pid and its start.
pub type Key = (u32, u64);

/// The figures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Process {
    comm: String,
    place: Place,
    /// What it did.
    pub doings: Doings,
    /// Somebody measures how long processes run.
    pub is_measured: bool,
}

impl Process {
    /// Takes its latest name and place.
    pub fn name(&mut self, owner: &Owner) {
        if self.comm != owner.comm {
            self.comm.clone_from(&owner.comm);
        }
        if owner.place != Place::default() && self.place != owner.place {
            self.place.clone_from(&owner.place);
        }
    }

    /// Its row.
    pub fn row(&self, key: Option<&Key>, interval: Duration) -> Row {
        let doings = &self.doings;
        let cpu = Duration::from_nanos(doings.cpu_ns).as_secs_f64() / interval.as_secs_f64();
        let cpu = (self.is_measured && cpu.is_finite()).then_some(Value::Percent(cpu * 100.0));
        vec![
            Value::of(key.map(|key| u64::from(key.0)), Value::Number),
            Value::text(key.map(|_| self.comm.clone())),
            Value::text(self.place.pod.clone()),
            Value::text(self.place.namespace.clone()),
            Value::text(self.place.container.clone()),
            cpu.unwrap_or_default(),
            Value::Bytes(doings.traffic.bytes_sent),
            Value::Bytes(doings.traffic.bytes_received),
            Value::Count(doings.opened),
            Value::Count(doings.accepted),
            Value::Count(doings.failed),
            Value::Count(doings.execs),
            Value::Count(doings.drops),
            Value::Count(doings.traffic.retransmits),
            Value::Count(doings.exits),
        ]
    }
}

impl Figures for Process {
    fn weight(&self) -> u64 {
        self.doings.weight()
    }

    fn add(&mut self, other: &Self) {
        self.doings.add(&other.doings);
        self.is_measured |= other.is_measured;
    }
}
