//! What the kernel's connection tracking says of TCP connections whose destination it translated: the
//! address of a service into that of a backend.
//!
//! kube-proxy translates by iptables, nftables or IPVS, and all of them leave it to connection tracking to
//! remember the translation. That tells of it by netlink (ctnetlink: `nfnetlink_conntrack.h` and
//! `net/netfilter/nf_conntrack_netlink.c` of the kernel), in the network namespace where it happened:
//! [`Events`] as it happens, [`list`] all that there is.
//!
//! Invariants: it only listens and lists, nothing is changed. What is not TCP, and what was not translated,
//! is dropped in the kernel where it can be and when it is parsed otherwise. An event is queued
//! before the first packet of its connection goes on its way, so whoever takes events after having heard
//! that a connection is established has taken that one, too. What was lost for want of room is told.
//!
//! Zones of connection tracking are not told apart: a connection of a pod has one address, whatever zones
//! its packets cross.
#![forbid(unsafe_code)]

mod attribute;
mod error;
mod events;
mod filter;
mod listing;
pub mod message;

use std::path::Path;

pub use chandra_identity::translation::{Change, Translation};
pub use error::Error;
pub use events::Events;
pub use listing::list;

/// Whether the kernel tracks connections, or could at least. Asking it to tell of them would load its
/// module where nobody wanted that yet.
pub fn is_there() -> bool {
    Path::new("/proc/sys/net/netfilter/nf_conntrack_max").exists()
}
