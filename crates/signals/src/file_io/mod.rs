//! The `file_io` signal: it sends no records, its histograms are read from the probe's map.

pub use crate::counting::{KINDS, code_text, decode, seed};
