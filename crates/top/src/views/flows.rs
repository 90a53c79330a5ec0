//! Who talks to whom: a connection, or all connections of two addresses to one port.

use std::net::IpAddr;

use crate::connections::New;
use crate::fact::{End, Protocol, Totals};
use crate::largest::Figures;
use crate::table::{Column, Row};
use crate::value::Value;

/// The columns. Source is who opened the connection; figures are seen from it.
pub const COLUMNS: &[Column] = &[
    Column::name("protocol", "PROTO", 5, 3),
    Column::name("source.name", "SOURCE", 12, 0),
    Column::name("destination.name", "DESTINATION", 12, 0),
    Column::json("source.address"),
    Column::json("source.port"),
    Column::json("destination.address"),
    Column::new("destination.port", "PORT", 5, 1),
    Column::new("bytes_sent", "SENT", 7, 0),
    Column::new("bytes_received", "RECV", 7, 0),
    Column::new("packets_sent", "PKTS>", 6, 5),
    Column::new("packets_received", "PKTS<", 6, 5),
    Column::new("retransmits", "RETR", 4, 2),
    Column::new("rtt_us", "RTT", 5, 2),
    Column::new("connections_opened", "OPEN", 5, 4),
    Column::new("connect_latency_ns", "LATENCY", 7, 6),
    Column::new("connections_failed", "FAILED", 6, 7),
    Column::new("drops", "DROPS", 5, 4),
];

/// Which connections count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum By {
    /// Those of two addresses to one port.
    #[default]
    Pair,
    /// None: each is a row.
    Connection,
}

impl By {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::Connection => "connection",
        }
    }
}

/// Whose figures: the source port is none where connections count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// What carries the data.
    pub protocol: Protocol,
    /// Who opened it.
    pub source: (IpAddr, Option<u16>),
    /// Whom to.
    pub destination: (IpAddr, u16),
}

impl Key {
    /// Of a connection.
    pub fn of(end: &End<'_>, by: By) -> Self {
        let (source, destination) =
            if end.is_opener { (end.local, end.peer) } else { (end.peer, end.local) };
        Self {
            protocol: end.protocol,
            source: (source.ip().to_canonical(), (by == By::Connection).then_some(source.port())),
            destination: (destination.ip().to_canonical(), destination.port()),
        }
    }
}

/// The figures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Flow {
    names: [Name; 2],
    traffic: Totals,
    /// The largest that was told.
    rtt_us: Option<u64>,
    opened: u64,
    failed: u64,
    /// Of those that told how long they took: their sum, and how many.
    latency: (u64, u64),
    drops: u64,
}

/// Who is at an end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Name {
    #[default]
    Unknown,
    /// As the other end calls it.
    Heard(String),
    /// Its own name.
    Known(String),
    /// More than one process there has own names.
    Several,
}

impl Name {
    fn learn(&mut self, name: &str, is_own: bool) {
        match self {
            Self::Unknown if !is_own => *self = Self::Heard(name.to_owned()),
            Self::Unknown | Self::Heard(_) if is_own => *self = Self::Known(name.to_owned()),
            Self::Known(known) if is_own && known != name => *self = Self::Several,
            _ => {}
        }
    }

    fn text(&self, address: IpAddr) -> String {
        match self {
            Self::Unknown => address.to_string(),
            Self::Heard(name) | Self::Known(name) => name.clone(),
            Self::Several => "(several)".to_owned(),
        }
    }
}

impl Flow {
    /// Takes what an end says of who is where. A process knows itself best.
    pub fn name(&mut self, end: &End<'_>) {
        let [source, destination] = &mut self.names;
        let (own, peer) = if end.is_opener { (source, destination) } else { (destination, source) };
        if let Some(owner) = end.owner {
            own.learn(&owner.name, true);
        }
        if let Some(name) = end.peer_name {
            peer.learn(name, false);
        }
    }

    /// Adds what went over it, seen from this end.
    pub fn add_traffic(&mut self, end: &End<'_>, new: &New, rtt_us: Option<u64>) {
        let mut traffic = new.of_connection;
        if !end.is_opener {
            traffic.turn();
        }
        self.traffic.add(&traffic);
        self.rtt_us = self.rtt_us.max(rtt_us);
    }

    /// Counts one that was opened, if the other end did not tell of it before.
    pub fn add_opened(&mut self, is_new: bool, latency_ns: Option<u64>, times: u64) {
        self.opened += if is_new { times } else { 0 };
        if let Some(latency_ns) = latency_ns {
            self.latency.0 = self.latency.0.saturating_add(latency_ns.saturating_mul(times));
            self.latency.1 += times;
        }
    }

    /// Counts one that could not be opened.
    pub fn add_failed(&mut self, times: u64) {
        self.failed += times;
    }

    /// Counts a dropped packet.
    pub fn add_drop(&mut self) {
        self.drops += 1;
    }

    /// Its row.
    pub fn row(&self, key: Option<&Key>) -> Row {
        let [source, destination] = &self.names;
        let address = |address: IpAddr| Value::Text(address.to_string());
        let port = |port: Option<u16>| Value::of(port.map(u64::from), Value::Number);
        let mean = self.latency.0.checked_div(self.latency.1);
        vec![
            Value::text(key.map(|key| key.protocol.word())),
            Value::text(key.map(|key| source.text(key.source.0))),
            Value::text(key.map(|key| destination.text(key.destination.0))),
            key.map_or(Value::Absent, |key| address(key.source.0)),
            port(key.and_then(|key| key.source.1)),
            key.map_or(Value::Absent, |key| address(key.destination.0)),
            port(key.map(|key| key.destination.1)),
            Value::Bytes(self.traffic.bytes_sent),
            Value::Bytes(self.traffic.bytes_received),
            Value::Count(self.traffic.packets_sent),
            Value::Count(self.traffic.packets_received),
            Value::Count(self.traffic.retransmits),
            Value::of(self.rtt_us, Value::Microseconds),
            Value::Count(self.opened),
            Value::of(mean, Value::Nanoseconds),
            Value::Count(self.failed),
            Value::Count(self.drops),
        ]
    }
}

/// What a packet counts for beside bytes.
const PACKET_BYTES: u64 = 64;

impl Figures for Flow {
    fn weight(&self) -> u64 {
        let Totals { bytes_sent, bytes_received, packets_sent, packets_received, .. } =
            self.traffic;
        let times = [packets_sent, packets_received, self.opened, self.failed, self.drops];
        let times = times.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
        bytes_sent.saturating_add(bytes_received).saturating_add(times.saturating_mul(PACKET_BYTES))
    }

    fn add(&mut self, other: &Self) {
        self.traffic.add(&other.traffic);
        self.rtt_us = self.rtt_us.max(other.rtt_us);
        self.opened += other.opened;
        self.failed += other.failed;
        self.latency.0 = self.latency.0.saturating_add(other.latency.0);
        self.latency.1 += other.latency.1;
        self.drops += other.drops;
    }
}
