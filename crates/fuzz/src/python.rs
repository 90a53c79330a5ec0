//! What Python's interpreters say of themselves, in their files and in the memory of who runs them.

use chandra_profiler::python::image::Image;
use chandra_profiler::python::lines::{Format, Lines, MAX_TABLE_BYTES};

/// A line table behind two bytes that say where its function begins, in each format.
pub fn python_lines(bytes: &[u8]) {
    let Some((first, table)) = bytes.split_first_chunk() else { return };
    let first_line = u32::from(u16::from_le_bytes(*first));
    for format in [Format::Steps, Format::Ranges, Format::Locations] {
        let lines = Lines::read(format, table, first_line);
        assert!(lines.bytes() <= MAX_TABLE_BYTES * 2, "{} bytes", lines.bytes());
        for place in (0..2000).step_by(2).chain([u32::MAX]) {
            assert_ne!(lines.find(place), Some(0));
        }
        assert_eq!(lines, Lines::read(format, table, first_line));
    }
}

/// A file: what is told of the loop is told of places in it.
pub fn python_image(bytes: &[u8]) {
    for name in [&b"python3.9"[..], b"libpython3.12.so.1.0"] {
        match Image::read(&bytes, name) {
            Ok(Some(image)) => {
                let step = (bytes.len() / 100).max(1);
                for place in (0..bytes.len() as u64).step_by(step).chain([u64::MAX]) {
                    let _ = (image.is_loop(place), image.is_instruction(place));
                    let _ = image.bias(0x7f00_0000_0000, place);
                }
            }
            Ok(None) => {}
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}
