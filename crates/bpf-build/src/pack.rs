//! Packs an object for the program that carries it; the loader unpacks it (`packed`).

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// The bytes, deflated (RFC 1951).
///
/// # Errors
/// None that writing to memory has.
pub fn pack(object: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(object)?;
    encoder.finish()
}
