//! The source against a server that speaks list and watch, and one that breaks, hangs or lies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test states what it expects by stopping"
)]

mod access;
mod following;
mod hostile;
mod losses;
mod watching;
