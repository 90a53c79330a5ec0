//! What names addresses: ELF files, Go's line table, lists of code made at run time, names of linkers. All of
//! them are written by whoever runs the program.

use std::path::Path;
use std::time::Duration;

use chandra_symbols::demangle::{MAX_BYTES, demangle};
use chandra_symbols::go::GoTable;
use chandra_symbols::perf_map::PerfMap;
use chandra_symbols::{Image, Limits, Place, Segments, Source};

fn limits() -> Limits {
    const BYTES: u64 = 1 << 20;
    Limits {
        symbol_table_bytes: BYTES,
        functions: 10_000,
        dwarf_bytes: BYTES,
        go_table_bytes: BYTES,
        unpacked_bytes: BYTES,
        read_time: Duration::from_secs(1),
        resolve_time: Duration::from_secs(1),
        ..Limits::default()
    }
}

/// An ELF file: addresses all over it are answered, with frames of which all but the last are inlined.
pub fn symbols_elf(bytes: &[u8]) {
    let limits = limits();
    let place = Place { roots: &[], path: Path::new("") };
    let source = Source::Memory(bytes.into());
    if let Ok(segments) = Segments::read(&source) {
        for place in (0..=bytes.len() as u64).step_by(97).chain([u64::MAX]) {
            let _ = segments.address(place);
        }
    }
    let image = Image::read(&source, place, &limits);
    for skipped in image.skipped() {
        assert!(!skipped.to_string().is_empty());
    }
    let step = (bytes.len() as u64 / 60).max(1);
    let mut addresses: Vec<u64> = (0..64).map(|number| number * step).collect();
    addresses.extend((0..64).map(|number| 0x40_0000 + number * step));
    addresses.push(u64::MAX);
    addresses.sort_unstable();
    let (found, _) = image.resolve(&addresses, &limits);
    assert_eq!(found.len(), addresses.len());
    for (address, frames) in addresses.iter().zip(&found) {
        let outermost = frames.len().saturating_sub(1);
        for (number, frame) in frames.iter().enumerate() {
            assert!(!frame.function.is_empty() && frame.function.len() <= MAX_BYTES);
            assert!(!frame.function.contains(char::is_control));
            assert_eq!(frame.is_inlined, number < outermost);
        }
        if let Some((start, name)) = image.function(*address) {
            assert!(start <= *address && !name.is_empty());
        }
    }
}

/// Go's line table: every function that is found begins at or before the address.
pub fn go_line_table(bytes: &[u8]) {
    let Ok(table) = GoTable::read(bytes.to_vec(), Some(0x1000)) else { return };
    assert!(table.len() <= bytes.len());
    let starts: Vec<u64> = table.starts().take(50).collect();
    for address in starts.iter().copied().chain([0, 0x1008, u64::MAX]) {
        if let Some(place) = table.find(address) {
            assert!(place.start <= address && !place.function.is_empty());
        }
    }
}

/// A list of code made at run time, whole and in two parts: the same is found.
pub fn perf_map(bytes: &[u8]) {
    let mut whole = PerfMap::default();
    whole.take(bytes);
    let mut parts = PerfMap::default();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    parts.take(first);
    parts.take(second);
    assert_eq!(whole.len(), parts.len());
    let words = bytes
        .split(|byte| !byte.is_ascii_hexdigit())
        .filter_map(|word| u64::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok());
    for address in words.take(100) {
        let found = whole.find(address);
        assert_eq!(found, parts.find(address));
        if let Some((name, start)) = found {
            assert!(start <= address && !name.is_empty() && !name.contains(char::is_control));
        }
    }
}

/// A linker's name: told in text that a terminal can show, of bounded length.
pub fn demangled_name(bytes: &[u8]) {
    let name = demangle(bytes);
    assert!(name.len() <= MAX_BYTES && !name.contains(char::is_control), "{name:?}");
    assert_eq!(name.is_empty(), bytes.is_empty());
}
