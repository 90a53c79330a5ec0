//! Hubble's services over the network: what a node serves, and a client of any server of Hubble's. On the
//! same sockets an agent tells its alerts (`chandra.v1.Alerts`) and makes profiles (`chandra.v1.Profiles`).
//!
//! Beside the crates `chandra-hubble` and `chandra-alerts`, which know flows and alerts and no clients. Everything that connects is
//! bounded: connections, streams of each, bytes of a message, what waits for a reader.
#![forbid(unsafe_code)]

pub mod client;
mod connection;
pub mod server;
pub mod tls;
