//! What the container runtime says of its pods and containers, over CRI v1 on its Unix socket; and [`bundles`],
//! what runtimes keep in files of containers that no CRI describes.
//!
//! A crate of its own because gRPC is heavy: only what asks a runtime compiles it. It needs no
//! Kubernetes; what it finds out leaves as [`Change`]s of plain descriptions, which the crate
//! `chandra-identity` keeps.
//!
//! Invariants: it only reads, no call changes anything in the runtime. Every answer has a ceiling in
//! bytes and in time, every queue one in length. A runtime that dies, hangs or lies costs descriptions,
//! never the agent: what was told before is marked as stale and kept.
#![forbid(unsafe_code)]

mod api;
mod client;
mod describe;
mod error;
mod info;
mod inventory;
mod places;
mod source;
mod spec;
mod watch;

pub mod bundles;
pub mod message;

pub use chandra_identity::description::Change;
pub use error::Error;
pub use places::usual;
pub use source::{Counts, Handle, Options, Source, Version};
