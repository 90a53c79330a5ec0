//! Flows as lines of JSON in files that are rotated, as Hubble's exporter writes them.
//!
//! Each flow log has filters, a field mask and a file. Which there are is set once by options, or by a
//! file that is read again when it changes ([`settings`]). What a filter passes is handed in batches to the
//! log's own thread, which makes text of it and writes. So a disk that is slow, or full, costs lines of its
//! log, which are counted, and nothing else.
#![forbid(unsafe_code)]

mod aggregation;
mod exporter;
mod log;
pub mod settings;

pub use exporter::{Exporter, Failure};
pub use log::Figures;
