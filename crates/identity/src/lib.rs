//! Who did it: from the pid and the cgroup of a record to processes with their ancestors, and to
//! containers.
//!
//! This crate knows records, not probes: it is fed with what was decoded, and asked by whoever shows
//! it. Nothing here reads `/proc` or a file system on the path of an event.
#![forbid(unsafe_code)]

pub mod cidr;
pub mod cluster;
pub mod container;
pub mod description;
pub mod dns;
mod hashing;
mod identity;
mod intern;
pub mod names;
pub mod numbers;
pub mod process;
pub mod selector;
pub mod translation;
pub mod workload;

pub use identity::{Identity, Kept, Spelled, Standing, subject};
