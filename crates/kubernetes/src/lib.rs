//! What a cluster's API says of its pods, services, endpoint slices, nodes and namespaces.
//!
//! A crate of its own because TLS and HTTP are heavy: only what asks a cluster compiles it. Each
//! resource is listed once and then watched; what it finds out leaves as [`Change`]s of plain values,
//! which the crate `chandra-identity` keeps.
//!
//! Invariants: it only lists and watches ([`forward`], [`hubble`] and [`review`] are for people, not for the agent), nothing is changed in the cluster and no object is read one
//! by one. Of an object nothing is kept but what a [`Change`] has. A line, an object and an answer have
//! ceilings in bytes, whatever the server says of their length; nothing is queued. A server that dies,
//! hangs or lies costs freshness, never the agent: what was told before is marked as stale and kept, and
//! no resource waits for another.
#![forbid(unsafe_code)]

mod access;
mod client;
mod error;
mod follow;
pub mod forward;
pub mod hubble;
mod items;
mod lines;
mod pace;
pub mod read;
pub mod review;
mod rules;
mod source;
mod wire;

pub use access::Access;
pub use chandra_identity::cluster::{Change, Resource};
pub use error::Error;
pub use rules::{Rule, VERBS, rule};
pub use source::{Counts, Handle, Options, RemotePods, Source};
