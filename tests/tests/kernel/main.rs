//! What the kernel counts, and calls and files that it is asked for.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test states what it expects by stopping")]

mod block_io;
mod counts;
mod cpu_throttling;
mod file_opens;
mod levels;
mod oom_kills;
mod run_queue;
mod system_calls;
