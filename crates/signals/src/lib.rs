//! One folder per kernel signal, and nothing else to edit when one is added: `build.rs` finds the
//! folders, compiles their probes and writes [`SIGNALS`].
#![forbid(unsafe_code)]

use chandra_loader::abi::group_field;
use chandra_loader::packed::PackedObject;
use chandra_loader::spec::{Hook, Rung, SignalSpec};

mod asked;
mod counting;
pub mod filter;
pub mod hierarchies;
mod one_in;
pub mod registry;

pub use registry::{Context, DecodeError, HistogramSpec, Metric, MetricKind, Signal, Trace};

include!(concat!(env!("OUT_DIR"), "/registry.rs"));
