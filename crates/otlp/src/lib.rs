//! Metrics, log records, spans and profiles in OpenTelemetry's protocol (OTLP 1), to a collector.
//!
//! ```text
//! registry ─▶ wire::metrics ─┐ a request: ≤ 1 MiB, then gzip
//!                            ├─▶ Queue (bytes) ─▶ sender ─▶ client: gRPC over HTTP/2, or HTTP/1.1
//! alerts ───▶ wire::logs ────┤                        again, where the answer says so
//! requests ─▶ wire::spans ───┤
//! stacks ───▶ wire::profiles ┘
//! ```
//!
//! Each signal has a queue, a sender and a connection of its own, all in one thread. Invariants: who hands
//! something over never waits; what waits is bounded in bytes; of everything that is handed over it is counted
//! what became of it ([`figures`]); a collector that is away, slow or wrong costs what it was to be told, and
//! nothing else.
//!
//! Messages are written field by field, as `chandra-metrics` writes Prometheus's: what is told is a copy of what
//! is kept, and a tree of messages would be a third. `opentelemetry-proto` (0.33) has the generated types and
//! needs the SDK for them; tests read with it what this crate writes.
#![forbid(unsafe_code)]

mod alerts;
mod batch;
mod client;
mod exporter;
pub mod figures;
mod profiles;
mod queue;
mod resource;
mod sender;
pub mod settings;
mod signal;
mod temporality;
mod traces;
pub mod wire;

pub use alerts::workload_key;
#[doc(hidden)]
pub use client::understood;
pub use exporter::{Error, Exported, Exporter, Logs, Tell};
pub use figures::Figures;
pub use profiles::Profiles;
pub use resource::{Node, Resource};
pub use settings::{Given, Settings};
pub use signal::Signal;
pub use traces::Traces;
