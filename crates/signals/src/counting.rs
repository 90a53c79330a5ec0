//! What signals share that send no records: their counts and histograms are read from the probe's maps.

use chandra_event::record::{Kind, Record};
use chandra_loader::load::Loaded;

use crate::registry::{Context, DecodeError};

/// None: such a signal only counts.
pub const KINDS: &[&Kind] = &[];

/// Nothing crosses the ring, so whatever did is an error.
pub fn decode(
    bytes: &[u8],
    _context: &Context,
    _sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), DecodeError> {
    Err(DecodeError::Short(bytes.len()))
}

/// What is under way when it starts is not counted.
pub fn seed(_loaded: &Loaded, _context: &Context, _sink: &mut dyn FnMut(&dyn Record)) -> usize {
    0
}

/// A group's code is the operation, which signal.toml names.
pub fn code_text(operation: u32, _context: &Context) -> String {
    operation.to_string()
}
