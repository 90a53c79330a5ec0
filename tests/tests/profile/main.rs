//! Profiles: shares, stacks, names, and readers that are not ours.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test states what it expects by stopping")]

mod browser;
mod kept;
mod names;
mod processes;
mod python;
mod readers;
mod served;
mod shares;
mod waits;
