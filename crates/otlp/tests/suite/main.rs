//! What a collector receives, read by OpenTelemetry's own messages.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test states what it expects by stopping")]

mod common;
mod logs;
mod profiles;
mod traces;
mod transport;
mod values;
