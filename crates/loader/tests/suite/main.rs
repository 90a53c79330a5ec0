//! What the running kernel makes of probes. Each is compiled when a test asks for it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test states what it expects by stopping"
)]

mod batch;
mod common;
mod cost;
mod load;
mod refusals;
mod ring;
mod sideband;
mod tail_call;
