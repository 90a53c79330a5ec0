//! Metrics with a bounded number of series, told in the formats of Prometheus and OpenMetrics.
//!
//! This crate is pure: no kernel, no sockets, no unsafe code.
//!
//! Labels that name pods, addresses or ports make as many series as there are such; on a large cluster,
//! or when somebody scans ports, that takes the memory of the agent and of the server that scrapes it. So
//! each family has a budget of series. What comes when it is used up is counted in one series whose labels
//! all say `overflow`, so that sums stay right, and how much that was is a metric of its own. Series that
//! nothing touches are forgotten after a while, and at once when their pod is gone.
//!
//! `prometheus-client` (0.25) was looked at first. Its families make a series for whatever they are asked
//! for, do not know when one was used last, cannot be walked to find the series of a pod, and are written as
//! OpenMetrics only. What is left without those is small enough to be ours.
//!
//! ```
//! use chandra_metrics::{Format, Registry, Settings, Spec, Values, Writer};
//!
//! let registry = Registry::new(Settings::default());
//! let mut drops = registry.counter(Spec {
//!     name: "drops",
//!     help: "Packets that were dropped.",
//!     unit: "",
//!     labels: vec!["reason"],
//! })?;
//! let mut values = Values::default();
//! values.push("no_socket");
//! drops.with(&values).increment();
//!
//! let mut text = Vec::new();
//! let mut writer = Writer::new(Format::Text, &mut text);
//! registry.write(&mut writer);
//! writer.finish();
//! assert!(String::from_utf8(text)?.contains("drops_total{reason=\"no_socket\"} 1\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod buckets;
mod cell;
mod family;
mod format;
mod histogram;
pub mod hubble;
pub mod network;
pub mod powers_of_two;
mod protobuf;
mod reading;
mod registry;
mod spec;
mod text;
mod values;
mod writer;

pub use cell::{Cell, Counter, Gauge, Seconds};
pub use family::{Family, OVERFLOW};
pub use format::Format;
pub use histogram::Histogram;
pub use powers_of_two::PowersOfTwo;
pub use reading::{Exemplar, ExemplarId, Exponential, HistogramReading, Reading, Value};
pub use registry::{Registry, Settings};
pub use spec::{Kind, Spec, SpecError};
pub use values::{MAX_VALUE_BYTES, Mark, Values};
pub use writer::{FamilyWriter, Heading, Sink, Writer};
