//! Alerts and where they go: each sink against one that takes them.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test states what it expects by stopping")]

mod http;
mod kill;
mod receiver;
mod redaction;
mod shapes;
mod stdout;
mod storm;
mod syslog;
