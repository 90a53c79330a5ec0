//! Selection by cgroup, in the kernel: real processes in real cgroups, and which of their records pass.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test states what it expects by stopping where that does not hold"
)]

mod counted;
mod owners;
mod table;
mod watched;
