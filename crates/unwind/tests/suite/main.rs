//! Unwind tables: read from files of every kind, and walked with.

#![allow(clippy::expect_used, clippy::panic, reason = "a test states what it expects by stopping")]

mod chains;
mod described;
mod go_chains;
mod header;
mod hostile;
mod readelf;
mod running;
mod small;
