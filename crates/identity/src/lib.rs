//! Who did it: from the pid and the cgroup of a record to processes with their ancestors, and to
//! containers.
//!
//! This crate knows records, not probes: it is fed with what was decoded, and asked by whoever shows
//! it. Nothing here reads `/proc` or a file system on the path of an event.
#![forbid(unsafe_code)]

pub mod container;
pub mod description;
pub mod process;
