//! The `run_queue` signal: it sends no records, its histograms are read from the probe's maps.

use chandra_event::record::{Kind, Record};
use chandra_loader::load::Loaded;

use crate::registry::{Context, DecodeError};

/// None: this signal only counts.
pub const KINDS: &[&Kind] = &[];

/// Nothing crosses the ring, so whatever did is an error.
pub fn decode(
    bytes: &[u8],
    _context: &Context,
    _sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), DecodeError> {
    Err(DecodeError::Short(bytes.len()))
}

/// Waits that began before it listens are not counted.
pub fn seed(_loaded: &Loaded, _context: &Context, _sink: &mut dyn FnMut(&dyn Record)) -> usize {
    0
}

/// A group's code is the operation, which signal.toml names.
pub fn code_text(operation: u32, _context: &Context) -> String {
    operation.to_string()
}
