//! Where connections went that were dialled at an address which is nobody's: the address of a service,
//! which the kernel's connection tracking turns into that of a backend on the way (iptables, nftables and
//! IPVS alike).
//!
//! A [`Translation`] is kept by what the opener's socket knows: its own end and the address that it
//! dialled. It leaves when tracking ends or the connection was told to be closed, and then after a while
//! only, for records that are told late.
//!
//! Connections are made by strangers, so there is a ceiling: a full table loses what is over first, then
//! what is oldest, and counts it. A look-up is one probe of a hash table and allocates nothing.

mod table;

use std::net::SocketAddr;

pub use table::{Limits, Stats, Translations};

/// A TCP connection whose destination was translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Translation {
    /// The opener's own address and port.
    pub client: SocketAddr,
    /// What it dialled.
    pub dialled: SocketAddr,
    /// What that was translated to.
    pub backend: SocketAddr,
}

/// What connection tracking said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A connection was translated just now.
    Made(Translation),
    /// The connection is not tracked any more.
    Gone(Translation),
    /// All that there is follows as `Found`, ended by `Listed`.
    Listing,
    /// It was there when all that there is was listed.
    Found(Translation),
    /// All that there was has been found; what was not is gone.
    Listed,
    /// Something was lost on the way here.
    Lost,
    /// Something was said that is not understood.
    Malformed,
}
