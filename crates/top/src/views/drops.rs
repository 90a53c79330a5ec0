//! Packets that the kernel dropped: why, of what, and whose.

use crate::largest::Figures;
use crate::table::{Column, Row};
use crate::value::Value;

/// The columns.
pub const COLUMNS: &[Column] = &[
    Column::name("reason", "REASON", 20, 0),
    Column::name("protocol", "PROTO", 8, 1),
    Column::name("owner", "WHO", 12, 0),
    Column::name("destination", "DESTINATION", 14, 2),
    Column::new("packets", "PACKETS", 7, 0),
    Column::new("length_bytes", "BYTES", 7, 0),
];

/// What counts together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The kernel's reason.
    pub reason: String,
    /// Of what.
    pub protocol: String,
    /// Whose socket.
    pub owner: Option<String>,
    /// Where to.
    pub destination: Option<String>,
}

/// The figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drops {
    /// How many.
    pub packets: u64,
    /// Their lengths where they died.
    pub length_bytes: u64,
}

impl Drops {
    /// A row.
    pub fn row(&self, key: Option<&Key>) -> Row {
        vec![
            Value::text(key.map(|key| key.reason.clone())),
            Value::text(key.map(|key| key.protocol.clone())),
            Value::text(key.and_then(|key| key.owner.clone())),
            Value::text(key.and_then(|key| key.destination.clone())),
            Value::Count(self.packets),
            Value::Bytes(self.length_bytes),
        ]
    }
}

impl Figures for Drops {
    fn weight(&self) -> u64 {
        self.packets
    }

    fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.length_bytes = self.length_bytes.saturating_add(other.length_bytes);
    }
}
