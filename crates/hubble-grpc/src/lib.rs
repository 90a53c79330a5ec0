//! Hubble's services over the network: what a node serves, and a client of any server of Hubble's.
//!
//! Beside the crate `chandra-hubble`, which knows flows and no sockets. Everything that connects is
//! bounded: connections, streams of each, bytes of a message, what waits for a reader.
#![forbid(unsafe_code)]

pub mod client;
mod connection;
pub mod server;
pub mod tls;
