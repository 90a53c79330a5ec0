//! Requests and answers between two actors, and how long each can have taken at either end at least and at
//! most, by the clock of whoever directs them.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::actor::Actor;
use crate::record::Record;
use crate::wall_clock::since_boot;

/// Bytes of a request, and of an answer.
pub const REQUEST: usize = 100;
/// Of an answer.
pub const ANSWER: usize = 1234;

/// Two processes with a connection between them.
#[derive(Debug)]
pub struct Pair {
    /// Who opened it, and asks.
    pub client: Actor,
    /// Who accepted it, and answers.
    pub server: Actor,
    /// `LOCAL PEER`, as the client has them.
    pub ends: String,
}

/// Nanoseconds that something took, at least and at most.
pub type Bounds = RangeInclusive<u64>;

impl Pair {
    /// Connects over this address, whose port is 0.
    pub fn connect(client: Actor, mut server: Actor, address: &str) -> Self {
        let address = server.ask(&format!("listen {address}"));
        Self::connect_to(client, server, &address)
    }

    /// Connects to where the server listens already.
    pub fn connect_to(mut client: Actor, mut server: Actor, address: &str) -> Self {
        let ends = client.ask(&format!("connect {address}"));
        server.ask("accept");
        Self { client, server, ends }
    }

    /// The server's port.
    ///
    /// # Panics
    /// When the connection has no ends.
    pub fn port(&self) -> u16 {
        self.ends.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// One request, whose answer the server begins after it has waited for so long. What it took at the
    /// client's end, and at the server's.
    pub fn exchange(&mut self, wait: Duration) -> [Bounds; 2] {
        let sending = since_boot();
        self.client.ask(&format!("send {REQUEST}"));
        let sent = since_boot();
        self.server.ask(&format!("receive {REQUEST}"));
        let received = since_boot();
        std::thread::sleep(wait);
        let answering = since_boot();
        self.server.ask(&format!("send {ANSWER}"));
        let answered = since_boot();
        self.client.ask(&format!("receive {ANSWER}"));
        let read = since_boot();
        [answered - sent..=read - sending, answering - received..=answered - sent]
    }
}

/// The histogram of a record has these values, each in its bucket, and no others.
///
/// # Errors
/// In words.
pub fn compare(record: &Record, values: &[Bounds]) -> Result<(), String> {
    let buckets = record.at("histogram.buckets").and_then(|value| value.as_array());
    let buckets = buckets.ok_or_else(|| format!("no buckets in {}", record.0))?;
    let mut below = 0;
    for bucket in buckets {
        let number = |name: &str| bucket.get(name).and_then(serde_json::Value::as_u64).unwrap();
        let (lower, upper) = (number("lower_ns"), number("upper_ns"));
        let surely = |bound: u64| values.iter().filter(|value| *value.end() < bound).count();
        let perhaps = |bound: u64| values.iter().filter(|value| *value.start() < bound).count();
        if !(surely(lower)..=perhaps(lower)).contains(&below) {
            return Err(format!("{below} values below {lower} ns of {values:?}: {}", record.0));
        }
        below += usize::try_from(number("count")).unwrap();
        if !(surely(upper)..=perhaps(upper)).contains(&below) {
            return Err(format!("{below} values below {upper} ns of {values:?}: {}", record.0));
        }
    }
    let sums = values.iter().map(|value| *value.start()).sum::<u64>()
        ..=values.iter().map(|value| *value.end()).sum::<u64>();
    let sum = record.number("histogram.sum_ns").unwrap_or_default();
    let count = record.number("histogram.count").unwrap_or_default();
    if below != values.len() || count != values.len() as u64 || !sums.contains(&sum) {
        return Err(format!("{values:?}, of which is told {}", record.0));
    }
    Ok(())
}
