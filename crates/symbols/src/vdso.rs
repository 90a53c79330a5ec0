//! The kernel's code in every program (`clock_gettime` and a few more), which is in no file.
//!
//! All programs of 64 bits have the same, so our own memory shows it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

use crate::source::Source;

/// It has a page or two.
const MAX_BYTES: u64 = 1 << 20;

/// The image of this process, an ELF file.
///
/// # Errors
/// When this process has none, or may not read its memory.
pub fn image() -> io::Result<Source> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let line = maps.lines().find(|line| line.ends_with("[vdso]"));
    let range = line.and_then(|line| line.split_once(' ')?.0.split_once('-'));
    let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let range = range.and_then(|(start, end)| Some((number(start)?, number(end)?)));
    let (start, end) = range.ok_or(io::ErrorKind::NotFound)?;
    let bytes = end.saturating_sub(start).min(MAX_BYTES);
    let mut content = vec![0; usize::try_from(bytes).unwrap_or_default()];
    File::open("/proc/self/mem")?.read_exact_at(&mut content, start)?;
    Ok(Source::Memory(content.into()))
}
