//! The agent as a service: its configuration, outputs, metrics, budgets, and how it starts and ends.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test states what it expects by stopping"
)]

mod config;
mod events;
mod export;
mod failures;
mod governor;
mod governor_sums;
mod limits;
mod losses;
mod metrics;
mod otlp;
mod output;
mod pod_metrics;
mod rights;
mod service;
mod status;
mod storms;
mod sweep;
mod sysdump;
