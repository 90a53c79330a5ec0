//! The `interrupt` signal: it sends no records, its histograms are read from the probe's maps.

pub use crate::counting::{KINDS, code_text, decode, seed};
