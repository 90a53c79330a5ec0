//! Which name somebody resolved an address from, just before.
//!
//! The names of an address say little (a content network has thousands behind one), but who connects
//! to an address has mostly resolved it a moment ago: so names are kept per asker ([`Scope`]), and once
//! more for the whole node, for those who have another process resolve for them.
//!
//! Invariants: time is that of events, given by the caller. Names, addresses and askers are chosen by
//! strangers, so all have a ceiling; when it is full, whoever has the most loses the oldest of theirs,
//! and it is counted. A look-up is one or two probes of a hash table and allocates nothing.

mod askers;
mod cache;

pub use cache::{DnsNames, Limits, Stats};

/// Who resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Anybody on this node.
    Node,
    /// A container or its pod: the number of a [`crate::container::Container`].
    Container(u32),
    /// A process outside of containers, with those of its group.
    Process(u32),
}
