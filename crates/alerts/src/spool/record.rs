//! Records as they lie in a segment: length, checksum, number, payload.
//!
//! ```text
//! "CHSPOOL1" │ u32 bytes of payload │ u32 CRC-32 of number and payload │ u64 number │ payload │ …
//! ```
//!
//! All little-endian. What comes after the first record that is not whole was torn when it was written, or
//! damaged since: it is never read.

use std::ops::Range;

/// What a segment begins with.
pub(crate) const MAGIC: &[u8; 8] = b"CHSPOOL1";
/// Length, checksum, number.
pub(crate) const HEADER: usize = 16;
/// No payload is larger, in bytes.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// Appends a record.
pub(crate) fn write(number: u64, payload: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum(number, payload).to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(payload);
}

fn checksum(number: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// A record's header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub length: usize,
    checksum: u32,
    pub number: u64,
}

impl Header {
    /// Nothing where it cannot be one.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk()?;
        let (checksum, rest) = rest.split_first_chunk()?;
        let (number, _) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let checksum = u32::from_le_bytes(*checksum);
        (length <= MAX_PAYLOAD).then_some(Self {
            length,
            checksum,
            number: u64::from_le_bytes(*number),
        })
    }

    /// Whether this is what was written.
    pub fn fits(&self, payload: &[u8]) -> bool {
        payload.len() == self.length && checksum(self.number, payload) == self.checksum
    }
}

/// What a segment holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Segment {
    /// The number of each record and where its payload lies, in ascending order of both.
    pub records: Vec<(u64, Range<usize>)>,
    /// Up to here all is whole; the rest is torn or damaged.
    pub whole_bytes: usize,
}

/// Reads a segment, whoever wrote it.
pub fn read(bytes: &[u8]) -> Segment {
    let mut segment = Segment::default();
    if !bytes.starts_with(MAGIC) {
        return segment;
    }
    segment.whole_bytes = MAGIC.len();
    while let Some(header) = bytes.get(segment.whole_bytes..).and_then(Header::read) {
        let start = segment.whole_bytes + HEADER;
        let range = start..start + header.length;
        let follows = segment.records.last().is_none_or(|(before, _)| *before < header.number);
        if !follows || !bytes.get(range.clone()).is_some_and(|payload| header.fits(payload)) {
            break;
        }
        segment.whole_bytes = range.end;
        segment.records.push((header.number, range));
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(payloads: &[&[u8]]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        (5..).zip(payloads).for_each(|(number, payload)| write(number, payload, &mut bytes));
        bytes
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = segment(&[b"one", b"", b"three"]);
        let read = read(&bytes);
        let payloads: Vec<_> =
            read.records.iter().map(|(number, range)| (*number, &bytes[range.clone()])).collect();
        assert_eq!(payloads, [(5, &b"one"[..]), (6, b""), (7, b"three")]);
        assert_eq!(read.whole_bytes, bytes.len());
    }

    #[test]
    fn torn_anywhere_what_was_whole_is_read() {
        let bytes = segment(&[b"one", b"two", b"three"]);
        let ends: Vec<_> = read(&bytes).records.iter().map(|(_, range)| range.end).collect();
        for torn in 0..bytes.len() {
            let expected = ends.iter().filter(|end| **end <= torn).count();
            assert_eq!(read(&bytes[..torn]).records.len(), expected, "torn at {torn}");
        }
    }

    #[test]
    fn nothing_comes_after_a_byte_that_changed() {
        let bytes = segment(&[b"one", b"two", b"three"]);
        let whole = read(&bytes);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                let read = read(&changed);
                let before = whole.records.iter().filter(|(_, range)| range.end <= at).count();
                assert_eq!(read.records, whole.records[..before], "bit {bit} of byte {at}");
            }
        }
    }
}
