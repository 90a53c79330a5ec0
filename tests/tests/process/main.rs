//! Processes: executions, ends, who they are and what they had open.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test states what it expects by stopping")]

mod cgroups;
mod credential_jumps;
mod exec_cases;
mod exit_cases;
mod filters;
mod list;
mod listeners;
mod overlay;
mod running;
mod storm;
mod streams;
